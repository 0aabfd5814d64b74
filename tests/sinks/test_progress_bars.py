"""Progress bars of tqdm and rich in a terminal to which log lines are written: both stay complete."""

import contextlib
import os
import pty
import re
import subprocess
import sys
import termios
from pathlib import Path

import pyte
import pytest

from tests.support.project import DEADLINE, Bake, Project

ROWS, COLUMNS = 150, 160  # of a terminal that shows all lines of a run, each in one row
HEAD = """
import logging, time
from progress_log.logging_setup import setup_main_logging
def work(number):
    logging.info("line %03d %s", number, "x" * 20)
    time.sleep(0.005)
"""
TQDM = """
from tqdm import tqdm
with setup_main_logging():
    for number in tqdm(range(100), desc="loading", mininterval=0, miniters=1):
        work(number)
"""
RICH = """
from rich.progress import Progress
with setup_main_logging(), Progress(refresh_per_second=100) as progress:
    task = progress.add_task("loading", total=100)
    for number in range(100):
        work(number)
        progress.advance(task)
"""
RICH_FIRST = RICH.replace("setup_main_logging(), ", "").replace(" as progress:", " as progress, setup_main_logging():")
CODE = {"tqdm": TQDM, "rich": RICH, "rich before logging": RICH_FIRST}
modes = pytest.mark.parametrize("multiprocessing", [True, False], ids=["queue", "direct"])


@pytest.fixture
def project(bake: Bake, multiprocessing: bool) -> Project:
    return bake(project_slug="progress-log", multiprocessing=multiprocessing)


def run(project: Project, folder: Path, code: str, **variables: str) -> bytes:
    """Run HEAD and `code` in a terminal, and return all that is written to it."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (ROWS, COLUMNS))
    terminal = {"TERM": "xterm", "NO_COLOR": "1", "COLUMNS": str(COLUMNS)}  # of pytest-xdist's workers: 80
    environment = project.environment(LOG_FILE=str(folder / "app.log"), **{**terminal, **variables})
    command = [sys.executable, "-c", HEAD + code]
    written = b""
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        with contextlib.suppress(OSError):  # EIO: the other end is closed
            while some := os.read(ours, 65_536):
                written += some
        os.close(ours)
        assert process.wait(DEADLINE) == 0, written.decode()
    return written


def screen(written: bytes) -> list[str]:
    """Return the lines that a terminal shows after these bytes, without empty ones."""
    shown = pyte.Screen(COLUMNS, ROWS)
    pyte.ByteStream(shown).feed(written)
    return [line.rstrip() for line in shown.display if line.strip()]


@modes
@pytest.mark.parametrize("bar", CODE)
class TestBar:
    def test_lines_and_the_final_bar_are_whole(self, project: Project, tmp_path: Path, bar: str) -> None:
        lines = screen(run(project, tmp_path, CODE[bar]))
        logged = [line for line in lines if re.fullmatch(r"\S+ INFO     root line \d{3} x{20}", line)]
        assert [int(line.split()[-2]) for line in logged] == list(range(100))
        rest = [line for line in lines if line not in logged and "email: off" not in line]
        assert len(rest) == 1, rest
        (final,) = rest
        assert re.fullmatch(r"loading.* 100%.*", final) or re.fullmatch(r"loading: 100%\|.*\| 100/100 .*", final)

    def test_dumb_terminal_gets_no_control_sequence(self, project: Project, tmp_path: Path, bar: str) -> None:
        written = run(project, tmp_path, CODE[bar], TERM="dumb")
        assert b"\r\x1b[K" not in written
