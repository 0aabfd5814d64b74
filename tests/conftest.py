"""Fixtures that make projects: `bake(question=answer)` generates each set of answers once for the whole run.

A generated project runs from its `src` folder with the interpreter of the tests, unless a test is about installing it.
"""

import atexit
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from jinja2 import Environment
from pytest_cookies.plugin import Cookies

from tests.support.project import Bake, Project, refuse_unknown
from tests.support.scripts import Script, run_script

settings.register_profile("no deadline", deadline=None)  # of 200 ms for each example
settings.load_profile("no deadline")

# A shell's background jobs ignore Ctrl-C, those of nohup SIGHUP, and so would every program started here.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

# No levels that another program of this user, or another worker of pytest-xdist, changes at run time.
os.environ["TMPDIR"] = tempfile.mkdtemp(prefix="tests-")
atexit.register(shutil.rmtree, os.environ["TMPDIR"], ignore_errors=True)

# No __pycache__ in the generated projects, which tests share and compare.
os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
sys.dont_write_bytecode = True


@pytest.fixture(scope="session")
def jinja_cache() -> Iterator[None]:
    """Compile each text of the template once: cookiecutter has Jinja compile every file again for every project."""
    compiled: dict[tuple[Any, ...], Any] = {}
    compile_source: Callable[..., Any] = Environment.compile

    def compile_once(environment: Environment, *args: Any, **options: Any) -> Any:
        key = (*args, *sorted(options.items()))
        if key not in compiled:
            compiled[key] = compile_source(environment, *args, **options)
        return compiled[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Environment, "compile", compile_once)
        yield


@pytest.fixture(scope="session")
def bake(cookies_session: Cookies, jinja_cache: None) -> Bake:  # noqa: ARG001 - it makes baking faster
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


@pytest.fixture
def script(project: Project, tmp_path: Path) -> Script:
    """Run a script in the default project: `run_script` without its first two arguments."""
    return lambda body, **options: run_script(project, tmp_path, body, **options)


# Fast files first, so that a mistake shows early; files that are not named here run in between.
FIRST = ("test_questions", "test_template_files", "test_hostile_answers", "test_combinations")
LAST = ("test_installed", "test_pairwise")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def place(item: pytest.Item) -> int:
        if item.path.stem in FIRST:
            return FIRST.index(item.path.stem) - len(FIRST)
        return 1 + LAST.index(item.path.stem) if item.path.stem in LAST else 0

    items.sort(key=place)
