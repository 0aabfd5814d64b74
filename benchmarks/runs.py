"""Start one run after another, and kill those that exceed the deadline."""

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
        self.deadline = deadline  # seconds after which a run is killed

    def run(self, work: Work) -> Figures:
        """Return the figures of measure.py; if it fails or times out, only `wrong`, the reason."""
        project = "direct" if not work.workers else "slow" if work.slow else "queue"
        code = "from benchmarks.measure import main; main()"
        figures = self.python(project, code, json.dumps(asdict(work)))
        listener = figures.get("listener")
        if work.slow and listener:  # it would deliver for some seconds more, during the next run
            with contextlib.suppress(OSError):
                os.kill(listener, signal.SIGKILL)
        return figures

    def python(self, project: str, code: str, *args: str) -> Figures:
        """Run `code` in an empty folder with `project` importable, and return the JSON that it prints."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        output, errors = self.folder / "output", self.folder / "errors"
        # Files, not pipes: a listener that ends after its application would keep those open.
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
            return {"wrong": f"killed after {self.deadline:.0f} s"}
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # its workers and helpers too
            process.wait()
        try:
            return json.loads(output.read_text())
        except ValueError:
            return {"wrong": (errors.read_text().strip().splitlines() or ["nothing was printed"])[-1][:200]}
