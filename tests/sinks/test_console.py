"""The console: colour only on a terminal; a console that is closed, full or not read does not block logging."""

import contextlib
import io
import os
import pty
import re
import resource
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.imported import Imported, record
from tests.support.project import DEADLINE, Bake, Project

LINES = """
import logging, sys, time
from {package}.logging_setup import setup_main_logging
with setup_main_logging() as logs:
    logs.flush(60)  # the listener has started: that may take longer than LOG_QUEUE_TIMEOUT, and the pipe holds 1 MB
    for number in range(int(sys.argv[1])):
        logging.info("line %05d", number)
    {then}
"""
FLUSHED = "assert logs.flush(10)"  # the file has all records, although the console does not
LONG = {"LOG_QUEUE_TIMEOUT": "60"}  # on a busy machine the listener may not run for a second
BOTH = pytest.mark.parametrize("multiprocessing", [True, False])


@pytest.fixture
def project(bake: Bake, multiprocessing: bool) -> Project:
    return bake(project_slug="console-log", multiprocessing=multiprocessing)


def script(project: Project, then: str = "pass") -> str:
    return LINES.format(package=project.package, then=then)


def in_file(folder: Path) -> list[str]:
    return (folder / "app.log").read_text("utf-8").splitlines()


def numbered(folder: Path) -> int:
    return sum(" line 0" in line for line in in_file(folder))


def run_on(
    project: Project, stdout: int, folder: Path, *args: str, **variables: str
) -> "subprocess.CompletedProcess[bytes]":
    """Run a script with that stdout; fail if it hangs."""
    environment = project.environment(LOG_FILE=str(folder / "app.log"), **variables)
    command = [sys.executable, "-c", *args]
    return subprocess.run(
        command, cwd=folder, env=environment, stdout=stdout, stderr=subprocess.PIPE, timeout=DEADLINE, check=False
    )


@BOTH
class TestReader:
    @pytest.mark.parametrize("listener", ["process", "thread"])
    def test_burst_reaches_a_reader_that_keeps_up(self, project: Project, tmp_path: Path, listener: str) -> None:
        """Without backpressure a tenth of a burst was dropped: the console's thread did not get the GIL in time."""
        environment = {"LOG_FILE": str(tmp_path / "app.log"), "LOG_LISTENER": listener}
        done = project.run("-c", script(project), "60000", cwd=tmp_path, **environment)
        assert done.stdout.count(" line ") == 60_000

    def test_pipe_closed_after_a_line_is_reported_once(self, project: Project, tmp_path: Path) -> None:
        (tmp_path / "script.py").write_text(script(project), "utf-8")
        shown = subprocess.run(  # noqa: S602
            f"{shlex.quote(sys.executable)} script.py 5000 | head -1; echo ${{PIPESTATUS[0]}}",
            shell=True,
            executable="/bin/bash",
            cwd=tmp_path,
            env=project.environment(LOG_FILE=str(tmp_path / "app.log")),
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=True,
        )
        assert shown.stdout.splitlines()[-1] == "0"
        assert shown.stderr == ""
        assert numbered(tmp_path) == 5000
        assert sum("console: closed, nothing more is written to it" in line for line in in_file(tmp_path)) == 1

    def test_reader_that_keeps_up_gets_every_line(self, project: Project, tmp_path: Path) -> None:
        done = project.run("-c", script(project), "5000", cwd=tmp_path, LOG_FILE=str(tmp_path / "app.log"))
        lines = [line[-5:] for line in done.stdout.splitlines() if " line " in line]
        assert lines == [f"{number:05d}" for number in range(5000)]


@pytest.mark.parametrize("listener", ["process", "thread"])
class TestStalled:
    """With a listener. Without, a log call blocks as print() does."""

    def test_pipe_that_is_not_read_blocks_nothing(self, bake: Bake, tmp_path: Path, listener: str) -> None:
        project = bake(project_slug="console-log")
        reader, writer = os.pipe()
        done = run_on(project, writer, tmp_path, script(project, FLUSHED), "5000", LOG_LISTENER=listener, **LONG)
        os.close(writer)
        with os.fdopen(reader, encoding="utf-8") as console:
            shown = console.read().splitlines()
        assert (done.returncode, done.stderr) == (0, b"")
        assert numbered(tmp_path) == 5000
        (report,) = [line for line in in_file(tmp_path) if " console: " in line]
        (dropped,) = re.findall(r"console: (\d+) records", report)
        lines = len(in_file(tmp_path)) - 1
        batch = 65_536 // min(map(len, shown))  # which was being written, and counts as dropped
        assert lines <= len(shown) + int(dropped) <= lines + batch

    def test_terminal_that_is_not_read_blocks_nothing(self, bake: Bake, tmp_path: Path, listener: str) -> None:
        project = bake(project_slug="console-log")
        ours, theirs = pty.openpty()
        done = run_on(project, theirs, tmp_path, script(project, FLUSHED), "5000", LOG_LISTENER=listener, **LONG)
        os.close(ours)
        os.close(theirs)
        assert (done.returncode, done.stderr) == (0, b"")
        assert numbered(tmp_path) == 5000
        assert any(re.search(r" console: \d+ records", line) for line in in_file(tmp_path))

    def test_slow_reader_gets_every_line(self, bake: Bake, tmp_path: Path, listener: str) -> None:
        project = bake(project_slug="console-log")
        environment = {"LOG_FILE": str(tmp_path / "app.log"), "LOG_LISTENER": listener}
        with project.start("-c", script(project), "5000", cwd=tmp_path, **environment) as process:
            assert process.stdout
            shown = ""
            while some := os.read(process.stdout.fileno(), 16_384):
                shown += some.decode()
                time.sleep(0.05)
        lines = [line[-5:] for line in shown.splitlines() if " line " in line]
        assert lines == [f"{number:05d}" for number in range(5000)]


class TestFullDisk:
    """A console that is a file on a full disk."""

    def test_cut_line_is_ended_before_the_next(
        self, bake: Bake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        imported = Imported(bake(project_slug="console-log", multiprocessing=False))
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        with contextlib.closing(imported), (tmp_path / "output").open("w+b", buffering=0) as output:
            monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(output))
            handler = imported.module("sinks.console").ConsoleHandler()
            resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))  # the disk is full
            try:
                for _ in range(5):  # the last line that is written is written only in part
                    handler.handle(record("x" * 9000))
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, before)
            handler.handle(record("next"))
            *whole, torn, end = (tmp_path / "output").read_bytes().splitlines()
        assert whole == [b"x" * 9000] * 2
        assert 0 < len(torn) < 9000
        assert end == b"next"
        assert handler.lost == 3


@BOTH
class TestClosed:
    @pytest.mark.parametrize("closed", [">&-", ">&- 2>&-"])
    def test_application_without_stdout_logs_to_its_file(self, project: Project, tmp_path: Path, closed: str) -> None:
        (tmp_path / "script.py").write_text(script(project), "utf-8")
        environment = project.environment(LOG_FILE=str(tmp_path / "app.log"))
        command = f"{shlex.quote(sys.executable)} script.py 100 {closed}"
        done = subprocess.run(  # noqa: S602
            command, shell=True, cwd=tmp_path, env=environment, timeout=DEADLINE, check=False, capture_output=True
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
        assert numbered(tmp_path) == 100

    def test_full_disk_under_stdout_is_reported(self, project: Project, tmp_path: Path) -> None:
        with Path("/dev/full").open("wb") as full:
            done = run_on(project, full.fileno(), tmp_path, script(project), "100")
        assert done.returncode == 0
        assert numbered(tmp_path) == 100
        assert re.search(r" console: .* records .*No space left", "\n".join(in_file(tmp_path)))

    def test_stdout_closed_by_the_service_is_still_used(self, project: Project, tmp_path: Path) -> None:
        then = "sys.stdout.close(); logging.info('line 00100')"
        done = project.run("-c", script(project, then), "100", cwd=tmp_path, LOG_FILE=str(tmp_path / "app.log"))
        assert done.returncode == 0
        assert numbered(tmp_path) == 101


@BOTH
class TestColour:
    def run(self, project: Project, folder: Path, *, terminal: bool, **variables: str) -> str:
        clean = {"NO_COLOR": "", "FORCE_COLOR": "", "TERM": "xterm", "LOG_FILE": str(folder / "app.log"), **variables}
        code = "import logging; from console_log.logging_setup import setup_main_logging\n"
        code += "with setup_main_logging(): logging.error('a line')"
        if not terminal:
            return project.run("-c", code, cwd=folder, **clean).stdout
        ours, theirs = pty.openpty()
        with subprocess.Popen(
            [sys.executable, "-c", code], cwd=folder, env=project.environment(**clean), stdout=theirs
        ) as process:
            os.close(theirs)
            shown = b""
            with contextlib.suppress(OSError):  # EIO: the other end is closed
                while some := os.read(ours, 4096):
                    shown += some
            os.close(ours)
            assert process.wait(DEADLINE) == 0
        return shown.decode()

    def test_terminal_has_colour_and_a_pipe_has_none(self, project: Project, tmp_path: Path) -> None:
        assert "\x1b[31mERROR" in self.run(project, tmp_path, terminal=True)
        assert "\x1b" not in self.run(project, tmp_path, terminal=False)
        assert "\x1b" not in (tmp_path / "app.log").read_text("utf-8")

    def test_no_color_and_force_color_are_honoured(self, project: Project, tmp_path: Path) -> None:
        assert re.findall(r"\x1b\[\d+m", self.run(project, tmp_path, terminal=True, NO_COLOR="1")) == []
        assert "\x1b" not in self.run(project, tmp_path, terminal=True, TERM="dumb")
        assert "\x1b[31mERROR" in self.run(project, tmp_path, terminal=False, FORCE_COLOR="1")
