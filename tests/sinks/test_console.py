"""The console: colour only on a terminal, and no console that is closed, full or never read stops the log."""

import contextlib
import os
import pty
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.imported import Imported, record
from tests.support.project import DEADLINE, Bake, Project

LINES = """
import logging, sys
from {package}.logging_setup import setup_main_logging
with setup_main_logging():
    for number in range(int(sys.argv[1])):
        logging.info("line %05d", number)
    {then}
"""
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


def run_on(project: Project, stdout: int, folder: Path, *args: str) -> "subprocess.CompletedProcess[bytes]":
    """Run a script with that stdout; fails if it hangs."""
    environment = project.environment(LOG_FILE=str(folder / "app.log"))
    command = [sys.executable, "-c", *args]
    return subprocess.run(
        command, cwd=folder, env=environment, stdout=stdout, stderr=subprocess.PIPE, timeout=DEADLINE, check=False
    )


@BOTH
class TestReader:
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
        assert sum("nothing more goes to the console" in line for line in in_file(tmp_path)) == 1

    def test_reader_that_never_reads_blocks_nothing(self, project: Project, tmp_path: Path) -> None:
        reader, writer = os.pipe()
        done = run_on(project, writer, tmp_path, script(project), "5000")
        os.close(writer)
        with os.fdopen(reader, encoding="utf-8") as console:
            shown = console.read().splitlines()
        assert done.returncode == 0
        assert numbered(tmp_path) == 5000
        told = [line for line in in_file(tmp_path) if "the console takes nothing" in line]
        assert len(told) == 2  # the first, and at the end the rest, with their number
        rest = int(told[1].rpartition("(")[2].split()[0])
        assert len(shown) + 1 + rest == len(in_file(tmp_path)) - 1  # before that end was written

    def test_terminal_that_is_not_read_blocks_nothing(self, project: Project, tmp_path: Path) -> None:
        ours, theirs = pty.openpty()
        done = run_on(project, theirs, tmp_path, script(project), "5000")
        os.close(ours)
        os.close(theirs)
        assert done.returncode == 0
        assert numbered(tmp_path) == 5000
        assert any("the console takes nothing" in line for line in in_file(tmp_path))

    def test_reader_that_keeps_up_gets_every_line(self, project: Project, tmp_path: Path) -> None:
        done = project.run("-c", script(project), "5000", cwd=tmp_path, LOG_FILE=str(tmp_path / "app.log"))
        lines = [line[-5:] for line in done.stdout.splitlines() if " line " in line]
        assert lines == [f"{number:05d}" for number in range(5000)]


def test_cut_line_is_ended_before_the_next(bake: Bake, monkeypatch: pytest.MonkeyPatch) -> None:
    imported = Imported(bake(project_slug="console-log", multiprocessing=False))
    reader, writer = os.pipe()
    with contextlib.closing(imported), os.fdopen(writer, "w") as stream, os.fdopen(reader, "rb", buffering=0) as read:
        monkeypatch.setattr(sys, "stdout", stream)
        handler = imported.module("sinks.console").ConsoleHandler()
        for _ in range(20):  # the last that goes into the pipe goes only in part
            handler.handle(record("x" * 9000))
        shown = read.read(100_000)
        handler.handle(record("next"))
        *whole, torn, end = (shown + read.read(100_000)).splitlines()
        assert set(whole) == {b"x" * 9000}
        assert len(torn) < 9000
        assert end == b"next"


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
        assert "lines dropped: the console: No space left" in "\n".join(in_file(tmp_path))

    def test_stdout_closed_by_the_application_is_still_used(self, project: Project, tmp_path: Path) -> None:
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
            with contextlib.suppress(OSError):  # EIO: the other side has gone
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
        assert "\x1b" not in self.run(project, tmp_path, terminal=True, NO_COLOR="1")
        assert "\x1b" not in self.run(project, tmp_path, terminal=True, TERM="dumb")
        assert "\x1b[31mERROR" in self.run(project, tmp_path, terminal=False, FORCE_COLOR="1")
