"""The benchmarks: a quick run of each, and checks that they notice missing and doubled lines."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.project import TEMPLATE

SCENARIOS = ["a", "b", "c", "d1", "d2", "d3", "e", "f", "g", "h", "i", "j"]


def benchmarks(out: Path, *args: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run the benchmarks quickly, with the report in `out`."""
    command = [sys.executable, "-m", "benchmarks", *args, "--quick", "--out", str(out), "--build", str(out / "build")]
    return subprocess.run(
        command, cwd=TEMPLATE, env={**os.environ, **variables}, capture_output=True, text=True, timeout=200, check=False
    )


def test_every_scenario_runs_and_loses_no_line(tmp_path: Path) -> None:
    done = benchmarks(tmp_path)
    assert done.returncode == 0, done.stderr + done.stdout
    data = json.loads((tmp_path / "benchmarks.json").read_text("utf-8"))
    assert list(data["medians"]) == SCENARIOS
    assert data["faults"] == {}
    assert all(claim["measured"] is not None for claim in data["claims"])
    page = (tmp_path / "benchmarks.md").read_text("utf-8")
    assert all(f"\n## ({letter}) " in page for letter in SCENARIOS)
    assert (tmp_path / "benchmarks.svg").read_text("utf-8").startswith("<svg")


@pytest.mark.parametrize(("sabotage", "seen"), [("withhold", "1 lost"), ("double", "1 doubled")])
def test_withheld_or_doubled_record_is_noticed(tmp_path: Path, sabotage: str, seen: str) -> None:
    done = benchmarks(tmp_path, "a", SABOTAGE=sabotage)
    assert done.returncode == 1
    assert f"WRONG (a) ours: {seen}" in done.stderr
    assert f"| **{seen}** |" in (tmp_path / "benchmarks.md").read_text("utf-8")
