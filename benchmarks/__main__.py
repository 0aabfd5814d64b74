"""python -m benchmarks: run all scenarios and write docs/benchmarks.*"""

import argparse
import sys
import time
from pathlib import Path

from .peers import SINK_SLEEPS
from .project import ROOT, make_projects
from .report import Results, write
from .runs import Figures, Runner
from .scenarios import Scenario, scenarios


def main() -> None:
    """Run the chosen scenarios. Exit with status 1 if a line of this template is lost, duplicated or incomplete."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("scenarios", nargs="*", help="letters, such as a b d1; all if none is given")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="one round of few records; the figures are not meaningful")
    parser.add_argument("--out", type=Path, default=ROOT / "docs", help="folder of the reports")
    parser.add_argument("--build", type=Path, default=ROOT / "build/bench", help="folder for all other files")
    parser.add_argument("--deadline", type=float, default=30.0, help="seconds after which a run is killed")
    asked = parser.parse_args()
    chosen = scenarios(0.01, (1, 2)) if asked.quick else scenarios(1.0, (1, 2, 4, 8, 16, 32))
    letters = [scenario.letter for scenario in chosen]
    if unknown := set(asked.scenarios) - set(letters):
        parser.error(f"no such scenario: {', '.join(unknown)}; there are {', '.join(letters)}")
    chosen = [scenario for scenario in chosen if scenario.letter in asked.scenarios or not asked.scenarios]
    rounds = 1 if asked.quick else asked.rounds

    began = time.monotonic()
    build = asked.build.resolve()
    runner = Runner(make_projects(build / "projects", SINK_SLEEPS), build / "run", asked.deadline)
    results: Results = {scenario.letter: {case.key: [] for case in scenario.cases} for scenario in chosen}
    for number in range(rounds):
        print(f"round {number + 1} of {rounds}, {time.monotonic() - began:.0f} s")
        for scenario in chosen:
            for _ in range(1 if asked.quick else scenario.turns):
                take_turns(runner, scenario, results[scenario.letter])
    judged = write(asked.out, chosen, results, rounds)
    for claim in judged:
        if claim.measured is not None:
            sign = ">=" if claim.at_least else "<="
            verdict = "" if claim.holds else "  FAILED"
            print(f"({claim.scenario}) {claim.text}: {claim.measured:.2f} {sign} {claim.wanted:g}{verdict}")
    print(f"{time.monotonic() - began:.0f} s; see {asked.out / 'benchmarks.md'}")
    sys.exit(report_our_faults(results))


def take_turns(runner: Runner, scenario: Scenario, found: dict[str, list[Figures]]) -> None:
    """Run each case of a scenario once, except those that have failed or timed out before."""
    print(f"  ({scenario.letter})", end="", flush=True)
    for case in scenario.cases:
        before = found[case.key]
        if before and before[-1].get("wrong"):
            continue
        figures = case.run(runner)
        before.append(figures)
        first = next((value for value in figures.values() if isinstance(value, float)), None)
        shown = figures.get("wrong") or (f"{first:,.0f}" if first is not None else "?")
        print(f" {case.key} {shown}", end=";", flush=True)
    print()


def report_our_faults(results: Results) -> int:
    """Print the faults of this template's lines, and return the exit status."""
    faults = [
        f"({letter}) {key}: {figures['wrong']}"
        for letter, cases in results.items()
        for key, rounds in cases.items()
        for figures in rounds
        if key.startswith("ours") and figures.get("wrong")
    ]
    for fault in faults:
        print(f"WRONG {fault}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    main()
