"""A small language for the tests: `bake(...)` makes a project, and the project does things.

Each set of answers is generated once for the whole run. A generated project runs from its
`src` folder with the interpreter of the tests, unless a test is about installing it.
"""

import contextlib
import importlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from pytest_cookies.plugin import Cookies

TEMPLATE = Path(__file__).parents[1]
QUESTIONS = json.loads((TEMPLATE / "cookiecutter.json").read_text("utf-8"))
ASKED = [name for name in QUESTIONS if not name.startswith("_")]
DEADLINE = 60.0  # seconds after which something that should have ended is said to hang

# A shell's background jobs ignore Ctrl-C, and so would every program started here.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


class Project:
    """A generated project."""

    def __init__(self, path: Path, slug: str) -> None:
        self.path = path
        self.slug = slug
        self.package = slug.replace("-", "_")
        self.source = path / "src" / self.package
        self.logging = self.source / "logging_setup"

    def files(self) -> list[str]:
        """Every file, relative to the project."""
        return sorted(str(p.relative_to(self.path)) for p in self.path.rglob("*") if p.is_file())

    def environment(self, **variables: str) -> dict[str, str]:
        """The tests' environment without any LOG_*, with the project importable, and `variables`."""
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
        """Run Python on `args` to its end. A listener that outlives it keeps its pipes open, and is awaited."""
        with self.start(*args, cwd=cwd, **variables) as process:
            try:
                output, errors = process.communicate(timeout=DEADLINE)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, 9)
                raise
        return subprocess.CompletedProcess(process.args, process.returncode, output, errors)

    @contextlib.contextmanager
    def imported(self) -> Iterator[Callable[[str], Any]]:
        """Its logging package, in this process: the function that is given takes a module's name."""
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


@pytest.fixture(scope="session")
def bake(cookies_session: Cookies) -> Bake:
    """Generate a project from these answers, or return the one already generated from them."""
    made: dict[str, Project] = {}

    def bake(**answers: Any) -> Project:
        refuse_unknown(answers)
        key = json.dumps(answers, sort_keys=True)
        if key not in made:
            result = cookies_session.bake(extra_context=answers)
            assert result.exception is None, result.exception
            made[key] = Project(Path(result.project_path), result.context["project_slug"])
        return made[key]

    return bake


@pytest.fixture(scope="session")
def project(bake: Bake) -> Project:
    """The default project."""
    return bake()


def refuse_unknown(answers: Mapping[str, Any]) -> None:
    """Fail for a question or a choice that does not exist: cookiecutter ignores the first in silence."""
    for name, answer in answers.items():
        assert name in ASKED, f"no such question: {name}"
        choices = QUESTIONS[name]
        if isinstance(choices, list):
            assert answer in choices, f"no such choice of {name}: {answer}"
        elif isinstance(choices, bool):
            assert isinstance(answer, bool), f"{name} is true or false, not {answer!r}"


# The quick ones first, so that a mistake shows early; a file that is not named here comes between.
FIRST = ("test_questions", "test_template_files", "test_hostile_answers", "test_combinations")
LAST = ("test_installed", "test_pairwise")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def place(item: pytest.Item) -> int:
        if item.path.stem in FIRST:
            return FIRST.index(item.path.stem) - len(FIRST)
        return 1 + LAST.index(item.path.stem) if item.path.stem in LAST else 0

    items.sort(key=place)
