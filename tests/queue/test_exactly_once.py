"""Exactly-once delivery of the records of every process, and checks that the oracle can fail."""

from pathlib import Path

import pytest

from tests.support.oracle import Verdict, judge, log_lines
from tests.support.project import Project
from tests.support.scripts import APPS

WORKERS, RECORDS = 4, 5_000


def flood(project: Project, folder: Path, method: str, kind: str, **variables: str) -> Verdict:
    run = project.run(
        str(APPS / "flood.py"), method, kind, str(WORKERS), str(RECORDS),
        cwd=folder, LOG_FILE="flood.log", LOG_CONSOLE_LEVEL="ERROR", **variables,
    )  # fmt: skip
    assert (run.returncode, run.stderr) == (0, "")
    return judge(log_lines(folder / "flood.log"), dict.fromkeys(range(WORKERS), RECORDS))


class TestDelivery:
    """Numbered records from every process."""

    @pytest.mark.parametrize("kind", ["Process", "Pool", "ProcessPoolExecutor"])
    @pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
    def test_every_record_arrives_exactly_once(self, project: Project, tmp_path: Path, method: str, kind: str) -> None:
        verdict = flood(project, tmp_path, method, kind)
        assert verdict.good, verdict
        assert verdict.seen == WORKERS * RECORDS

    @pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
    def test_listener_thread_delivers_exactly_once(self, project: Project, tmp_path: Path, method: str) -> None:
        verdict = flood(project, tmp_path, method, "Process", LOG_LISTENER="thread")
        assert verdict.good, verdict


class TestOracle:
    """Faults that the oracle must find."""

    def test_oracle_detects_a_withheld_record(self, project: Project, tmp_path: Path) -> None:
        verdict = flood(project, tmp_path, "fork", "Process", SABOTAGE="withhold")
        assert verdict.lost == [f"0.{RECORDS - 1}"]
        assert not verdict.doubled

    def test_oracle_detects_a_duplicate_record(self, project: Project, tmp_path: Path) -> None:
        verdict = flood(project, tmp_path, "fork", "Process", SABOTAGE="double")
        assert verdict.doubled == [f"0.{RECORDS - 1}"]
        assert not verdict.lost
