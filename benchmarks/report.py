"""The figures of a whole run, as a page and as JSON."""

import json
import os
import platform
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import Any, Final

from .claims import Claim, Medians, Results, claims
from .plot import svg
from .project import ROOT
from .scenarios import Scenario

# figure -> heading, digits after the point, whether more is better (None: it is not a contest)
_COLUMNS: Final[dict[str, tuple[str, int, bool | None]]] = {
    "records_per_second": ("records/s", 0, True),
    "cpu_us": ("CPU, µs a record", 1, False),
    "p50_us": ("p50, µs", 1, False),
    "p99_us": ("p99, µs", 1, False),
    "p999_us": ("p99.9, µs", 1, False),
    "memory_mb": ("memory, MB", 0, False),
    "listener_mb": ("listener, MB", 0, None),
    "ready_ms": ("ready, ms", 1, False),
    "returned_ms": ("first call returned, ms", 1, False),
    "written_ms": ("first line in the file, ms", 1, False),
    "disabled_ns": ("ns a call", 1, False),
}
_PEERS: Final = ("loguru", "concurrent-log-handler", "Logbook")
_ABOUT: Final = """\
Written by `make bench`. A round runs table after table, and in each all rows one after another;
then the next round begins. So a slow second of the machine hits neighbours, and slow minutes hit
every table. Some take several turns a round: (b) three, (g) and (h) five. Figures are the medians.
Records per second: from the first worker's first record until the last line is in the file. CPU:
of all processes together. p50, p99, p99.9: how long a log call keeps its caller. Memory: the peak
of each process, added up; where the listener is a thread, its memory is the main process's. Every
line is looked for: it must be there once. "Ahead of us at" names each figure that is better than
this template's by more than 2%; the floor is not an alternative: it leaves one file per process, for somebody to merge.
"""


def medians(results: Results) -> Medians:
    """The median of every figure; none for a case in which something went wrong."""
    found: Medians = {}
    for letter, cases in results.items():
        found[letter] = {}
        for key, rounds in cases.items():
            good = not any(figures.get("wrong") for figures in rounds)
            names = [name for name in _COLUMNS if good and rounds and rounds[0].get(name) is not None]
            found[letter][key] = {name: median(figures[name] for figures in rounds) for name in names}
    return found


def write(folder: Path, ran: Sequence[Scenario], results: Results, rounds: int) -> list[Claim]:
    """Write benchmarks.md, .json and .svg into `folder`; returns what was wanted and what was found."""
    middle = medians(results)
    judged = claims(middle, results)
    about = {**_machine(), "rounds": rounds}
    page = ["# Benchmarks", "", _ABOUT, *(f"* {name}: {value}" for name, value in about.items()), ""]
    page += ["![records a second](benchmarks.svg)", "", "## What is wanted", "", *_claim_rows(judged), ""]
    for scenario in ran:
        page += [f"## ({scenario.letter}) {scenario.title}", ""]
        page += [scenario.note, ""] if scenario.note else []
        page += [*_rows(scenario, middle[scenario.letter], results[scenario.letter]), ""]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "benchmarks.md").write_text("\n".join(page), "utf-8")
    data = {
        "about": about,
        "claims": [{**asdict(claim), "holds": claim.holds} for claim in judged],
        "medians": middle,
        "rounds": results,
    }
    (folder / "benchmarks.json").write_text(json.dumps(data, indent=1) + "\n", "utf-8")
    (folder / "benchmarks.svg").write_text(svg(middle), "utf-8")
    return judged


def _claim_rows(judged: Sequence[Claim]) -> list[str]:
    rows = ["| | | wanted | measured | holds |", "|---|---|---|---|---|"]
    for claim in judged:
        if claim.measured is not None:
            sign = "at least" if claim.at_least else "at most"
            measured = f"{claim.measured:.2f} {claim.unit}".strip()
            holds = "yes" if claim.holds else "**no**"
            wanted = f"{sign} {claim.wanted:g} {claim.unit}".strip()
            rows.append(f"| ({claim.scenario}) | {claim.text} | {wanted} | {measured} | {holds} |")
    return rows


def _rows(scenario: Scenario, middle: Mapping[str, Mapping[str, float]], results: Mapping[str, Any]) -> list[str]:
    used = [name for name in _COLUMNS if any(name in figures for figures in middle.values())]
    rows = [f"| | {' | '.join(_COLUMNS[name][0] for name in used)} | lines | ahead of us at |"]
    rows.append(f"|---|{'---:|' * len(used)}---|---|")
    for case in scenario.cases:
        figures = middle[case.key]
        values = [f"{figures[name]:,.{_COLUMNS[name][1]}f}" if name in figures else "" for name in used]
        wrong = next((each["wrong"] for each in results[case.key] if each.get("wrong")), "")
        lines = f"**{wrong}**" if wrong else "all" if "records_per_second" in figures else ""
        ours = middle.get(case.key.replace(case.key.partition("/")[0], "ours", 1), {})
        contest = not case.key.startswith(("ours", "bare", "needed"))
        ahead = [_COLUMNS[name][0].partition(",")[0] for name in used if contest and _ahead(name, figures, ours)]
        rows.append(f"| {case.label} | {' | '.join(values)} | {lines} | {', '.join(ahead)} |")
    return rows


def _ahead(name: str, figures: Mapping[str, float], ours: Mapping[str, float]) -> bool:
    more = _COLUMNS[name][2]
    if more is None or name not in figures or name not in ours:
        return False
    return figures[name] > ours[name] * 1.02 if more else figures[name] < ours[name] * 0.98


def _machine() -> dict[str, str]:
    cpu = [line.partition(": ")[2] for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line]
    git = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    commit = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip()
    return {
        "date": time.strftime("%Y-%m-%d"),
        "commit": commit or "unknown",
        "machine": f"{len(os.sched_getaffinity(0))} cores of {cpu[0] if cpu else platform.machine()}",
        "system": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "peers": ", ".join(f"{name} {metadata.version(name)}" for name in _PEERS),
    }
