"""Processes killed at random moments under full load: no accepted record is lost.

`make stress` runs the same for longer: STRESS multiplies the kills.
"""

import contextlib
import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.oracle import Verdict, judge, log_lines, returned_calls
from tests.support.processes import children, command, pids, working_folder
from tests.support.project import DEADLINE, Project
from tests.support.scripts import APPS

STORM = str(APPS / "storm.py")
TIMES = int(os.environ.get("STRESS", "1"))
QUEUE_TIMEOUT = 1.0  # seconds, the default of LOG_QUEUE_TIMEOUT


class Storm:
    """A running storm.py, its log, and the events that it prints."""

    def __init__(self, project: Project, folder: Path, listener: str = "process", **options: Any) -> None:
        self.folder, self.options = folder, options
        variables = {"LOG_FILE": "storm.log", "LOG_CONSOLE_LEVEL": "60", "LOG_LISTENER": listener}
        self.process = project.start(STORM, json.dumps(options), cwd=folder, **variables)

    def read_event(self, event: str) -> dict[str, Any]:
        """Read the next event that it prints, and check that it is this one."""
        assert self.process.stdout
        line = self.process.stdout.readline()
        assert line, self.process.communicate(timeout=DEADLINE)[1]
        found: dict[str, Any] = json.loads(line)
        assert found["event"] == event, found
        return found

    def verdict(self) -> Verdict:
        """Judge the log; call it after all processes have ended."""
        lines = log_lines(self.folder / "storm.log")
        return judge(lines, returned_calls(self.folder / "notes"), self.options["size"])

    def listener(self, after: int = 0) -> int:
        """Return the process id of the listener, of the one `after` that; wait until it has started."""
        until = time.monotonic() + DEADLINE
        while time.monotonic() < until:
            for pid in children(self.process.pid):
                if pid != after and "listener_main.py" in command(pid):
                    return pid
            time.sleep(0.005)
        raise AssertionError("no listener came back")

    def left(self) -> list[str]:
        """List the commands of processes that were started from this folder and still run."""
        return [command(pid) for pid in pids() if f"{self.folder}" in working_folder(pid)]

    def wait_until_gone(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while self.left() and time.monotonic() < until:
            time.sleep(0.02)
        assert self.left() == []


STABLE_AFTER = 1.2  # seconds: more than _STABLE_AFTER of supervisor.py
HELD = 8 + 2  # records that a listener holds at most: one batch, and one partially read record of each worker


def wait_for_growth(file: Path) -> None:
    until = time.monotonic() + DEADLINE
    size = file.stat().st_size if file.exists() else 0
    while not file.exists() or file.stat().st_size <= size + 100_000:
        assert time.monotonic() < until, "the log does not grow any more"
        time.sleep(0.005)


class TestKills:
    """Kills of each process of the project, and of the textbook's pattern."""

    @pytest.mark.parametrize(
        ("listener", "method", "size", "kills"),
        [
            ("process", "fork", 0, 100),
            ("process", "fork", 8000, 50),
            ("process", "spawn", 0, 25),
            ("process", "forkserver", 0, 25),
            ("thread", "fork", 0, 60),
            ("thread", "fork", 8000, 20),
            ("thread", "spawn", 0, 10),
        ],
    )
    def test_killed_workers_lose_nothing(
        self, project: Project, tmp_path: Path, listener: str, method: str, size: int, kills: int
    ) -> None:
        storm = Storm(project, tmp_path, listener, method=method, workers=2, size=size, kills=kills * TIMES)
        storm.read_event("at work")
        end = storm.read_event("end")
        assert end["hangs"] == 0
        assert storm.process.wait(DEADLINE) == 0
        verdict = storm.verdict()
        print(f"\n{kills * TIMES} kills of workers, {method}, {size} characters: {verdict}")
        assert verdict.good, verdict
        deaths = sum(") ended: SIGKILL" in line for line in log_lines(tmp_path / "storm.log"))
        assert deaths == kills * TIMES

    @pytest.mark.parametrize("size", [0, 8000])
    @pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
    def test_killed_main_process_loses_nothing(self, project: Project, tmp_path: Path, method: str, size: int) -> None:
        """No process stays running either."""
        for number in range(TIMES):
            folder = tmp_path / str(number)
            folder.mkdir()
            storm = Storm(project, folder, method=method, workers=2, size=size, seconds=0.4)
            storm.read_event("at work")
            storm.process.kill()
            storm.process.wait(DEADLINE)
            storm.wait_until_gone(5.0)
            verdict = storm.verdict()
            print(f"\nkill of the main process, {method}, {size} characters: {verdict}")
            assert verdict.good, verdict
            assert verdict.seen > 500

    @pytest.mark.parametrize(("method", "size"), [("fork", 0), ("spawn", 0), ("forkserver", 0), ("fork", 8000)])
    def test_killed_listener_restarts_with_bounded_loss(
        self, project: Project, tmp_path: Path, method: str, size: int
    ) -> None:
        """Only records that a listener has read are lost, at most HELD of them for each kill.

        The pauses before restarts grow while listeners die young, so each fifth one is left to run for long enough.
        """
        kills = 5 * TIMES
        storm = Storm(
            project, tmp_path, method=method, workers=2, size=size, seconds=(0.5 + STABLE_AFTER / 5) * kills + 1
        )
        storm.read_event("at work")
        listener = 0
        for number in range(kills):
            listener = storm.listener(after=listener)
            stable_at = time.monotonic() + (STABLE_AFTER if number % 5 == 4 else 0.0)
            wait_for_growth(tmp_path / "storm.log")
            while time.monotonic() < stable_at:
                wait_for_growth(tmp_path / "storm.log")
            os.kill(listener, signal.SIGKILL)
        assert storm.read_event("end")["hangs"] == 0
        assert storm.process.wait(DEADLINE) == 0
        verdict = storm.verdict()
        workers = [json.loads(path.read_text("utf-8")) for path in tmp_path.glob("worker-*.json")]
        dropped = sum(worker["dropped"] for worker in workers)
        print(f"\n{kills} kills of the listener, {method}, {size} characters: {verdict}; {dropped} not accepted")
        assert len(workers) == 2
        assert not verdict.doubled
        assert not verdict.never_logged
        assert len(verdict.torn) <= kills
        assert len(verdict.lost) <= dropped + kills * HELD
        assert max(worker["longest"] for worker in workers) < QUEUE_TIMEOUT + 1.0

    def test_harness_detects_losses_of_the_textbook(self, project: Project, tmp_path: Path) -> None:
        storm = Storm(project, tmp_path, method="fork", workers=2, size=0, kills=100, textbook=True)
        storm.read_event("at work")
        end = storm.read_event("end")
        with contextlib.suppress(subprocess.TimeoutExpired):
            storm.process.wait(DEADLINE)
        for pid in pids():
            if str(tmp_path) in working_folder(pid):
                os.kill(pid, signal.SIGKILL)
        verdict = storm.verdict()
        print(f"\nthe textbook pattern: {end['hangs']} hangs, {verdict}")
        assert end["hangs"] or verdict.lost
