"""Starts one run after another, and gives up on those that hang."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .measure import Work
from .project import environment

Figures = dict[str, Any]


class Runner:
    """Runs everything in a folder of its own, which is emptied each time."""

    def __init__(self, projects: dict[str, Path], folder: Path, deadline: float) -> None:
        self.projects = projects
        self.folder = folder
        self.deadline = deadline  # seconds after which a run is said to hang

    def run(self, work: Work) -> Figures:
        """The figures of measure.py; if it hangs or fails, only `wrong`, which says so."""
        project = "direct" if not work.workers else "slow" if work.slow else "queue"
        code = "from benchmarks.measure import main; main()"
        figures = self.python(project, code, json.dumps(asdict(work)))
        listener = figures.get("listener")
        if work.slow and listener:  # it would go on delivering for some seconds, amid the next run
            with contextlib.suppress(OSError):
                os.kill(listener, signal.SIGKILL)
        return figures

    def python(self, project: str, code: str, *args: str) -> Figures:
        """What `code` prints as JSON, run with `project` importable, in an empty folder."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        output, errors = self.folder / "output", self.folder / "errors"
        # Files, not pipes: a listener that outlives its application would keep those open.
        with output.open("w") as stdout, errors.open("w") as stderr:
            process = subprocess.Popen(
                [sys.executable, "-c", code, *args],
                cwd=self.folder,
                env=environment(self.projects[project], self.folder / "app.log"),
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
            )
        try:
            process.wait(self.deadline)
        except subprocess.TimeoutExpired:
            return {"wrong": f"given up after {self.deadline:.0f} s"}
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # its workers too, and what helps them
            process.wait()
        try:
            return json.loads(output.read_text())
        except ValueError:
            return {"wrong": (errors.read_text().strip().splitlines() or ["nothing was printed"])[-1][:200]}
