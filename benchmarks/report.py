"""Report of a whole run: a page, a picture, and the medians as JSON."""

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

# figure -> heading, digits after the point, True if more is better (None: not compared)
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
_PEERS: Final = (
    "loguru", "concurrent-log-handler", "Logbook", "structlog", "python-json-logger", "picologging", "logly",
)  # fmt: skip
_ABOUT: Final = """\
Written by `make bench`. A round runs table after table, and the rows of a table one after another, so that slow
moments of the machine affect all rows. Some tables have several turns per round: (b) and (d3) three, (g) and
(h) five. Figures are medians. Records per second: from the first worker's first record until the last line is
in the file. CPU: of all processes together. p50, p99, p99.9: duration of a log call. Memory: the sum of the
peaks of all processes; where the listener is a thread, its memory is the main process's. Every line must be in
the file once. "Ahead at" names each figure that is better than this template's by more than 2%; the floor is no
alternative, because it writes one file per process.
"""


def medians(results: Results) -> Medians:
    """Return the median of every figure; none for a case with a fault."""
    found: Medians = {}
    for letter, cases in results.items():
        found[letter] = {}
        for key, rounds in cases.items():
            good = not any(figures.get("wrong") for figures in rounds)
            names = [name for name in _COLUMNS if good and rounds and rounds[0].get(name) is not None]
            found[letter][key] = {name: median(figures[name] for figures in rounds) for name in names}
    return found


def write(folder: Path, ran: Sequence[Scenario], results: Results, rounds: int) -> list[Claim]:
    """Write benchmarks.md, .json and .svg into `folder`, and return the claims."""
    middle = medians(results)
    judged = claims(middle, results)
    about = {**_machine(), "rounds": rounds}
    page = ["# Benchmarks", "", _ABOUT, *(f"* {name}: {value}" for name, value in about.items()), ""]
    page += ["![records a second](benchmarks.svg)", "", "## Claims", "", *_claim_rows(judged), ""]
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
        "faults": _faults(results),
    }
    (folder / "benchmarks.json").write_text(json.dumps(data, indent=1) + "\n", "utf-8")
    (folder / "benchmarks.svg").write_text(svg(middle), "utf-8")
    return judged


def _faults(results: Results) -> dict[str, str]:
    """Return the first fault of each case that has one."""
    return {
        f"({letter}) {key}": figures["wrong"]
        for letter, cases in results.items()
        for key, rounds in cases.items()
        for figures in reversed(rounds)
        if figures.get("wrong")
    }


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
    rows = [f"| | {' | '.join(_COLUMNS[name][0] for name in used)} | lines | ahead at |"]
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
        "peers": ", ".join(f"{name} {_version(name)}" for name in _PEERS),
    }


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not on this Python"
