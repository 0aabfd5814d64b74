"""The template's paths and questions, and the class of generated projects, which `bake` in conftest.py makes."""

import contextlib
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

TEMPLATE = Path(__file__).parents[2]
QUESTIONS = json.loads((TEMPLATE / "cookiecutter.json").read_text("utf-8"))
ASKED = [name for name in QUESTIONS if not name.startswith("_")]
DEADLINE = 60.0  # seconds after which an operation counts as hanging


class Project:
    """A generated project."""

    def __init__(self, path: Path, slug: str) -> None:
        self.path = path
        self.slug = slug
        self.package = slug.replace("-", "_")
        self.source = path / "src" / self.package
        self.logging = self.source / "logging_setup"

    def files(self) -> list[str]:
        """List every file, relative to the project."""
        return sorted(str(p.relative_to(self.path)) for p in self.path.rglob("*") if p.is_file())

    def environment(self, **variables: str) -> dict[str, str]:
        """Return the tests' environment without LOG_*, with the project importable, and `variables`."""
        clean = {key: value for key, value in os.environ.items() if not key.startswith("LOG_")}
        return {**clean, "PYTHONPATH": str(self.path / "src"), "PYTHONDONTWRITEBYTECODE": "1", **variables}

    def start(self, *args: str, cwd: Path, **variables: str) -> "subprocess.Popen[str]":
        """Start Python on `args` in the folder `cwd`, its output in pipes, in a process group of its own."""
        return subprocess.Popen(
            [sys.executable, *args],
            cwd=cwd,
            env=self.environment(**variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            start_new_session=True,
        )

    def run(self, *args: str, cwd: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
        """Run Python on `args` to its end, and that of a listener that outlives it, which keeps its pipes open."""
        with self.start(*args, cwd=cwd, **variables) as process:
            try:
                output, errors = process.communicate(timeout=DEADLINE)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, 9)
                raise
        return subprocess.CompletedProcess(process.args, process.returncode, output, errors)

    def shell(self, script: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
        """Run a script of sh to its end or its first failure, in the same environment as run()."""
        return subprocess.run(
            ["sh", "-ec", script],
            cwd=cwd,
            env=self.environment(),
            capture_output=True,
            encoding="utf-8",
            timeout=DEADLINE,
            check=False,
        )

    @contextlib.contextmanager
    def imported(self) -> Iterator[Callable[[str], Any]]:
        """Import modules of its logging package in this process, by the function that is yielded."""
        sys.path.insert(0, str(self.path / "src"))
        before = set(sys.modules)
        try:
            yield lambda name: importlib.import_module(f"{self.package}.logging_setup.{name}".rstrip("."))
        finally:
            sys.path.remove(str(self.path / "src"))
            for name in set(sys.modules) - before:
                if name.partition(".")[0] == self.package:
                    del sys.modules[name]


Bake = Callable[..., Project]


def refuse_unknown(answers: Mapping[str, Any]) -> None:
    """Fail for an unknown question or choice: cookiecutter ignores unknown questions silently."""
    for name, answer in answers.items():
        assert name in ASKED, f"no such question: {name}"
        choices = QUESTIONS[name]
        if isinstance(choices, list):
            assert answer in choices, f"no such choice of {name}: {answer}"
        elif isinstance(choices, bool):
            assert isinstance(answer, bool), f"{name} is true or false, not {answer!r}"
