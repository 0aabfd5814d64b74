"""A few projects in which every pair of choices occurs: `mypy --strict`, and their own tests."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import combinations
from tests.support.project import Bake

SOME = combinations.every_pair()


@pytest.fixture(scope="session")
def mypy_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache for all projects: most of it is about the standard library."""
    return tmp_path_factory.mktemp("mypy")


@pytest.mark.parametrize("answers", SOME, ids=map(combinations.words, SOME))
def test_project_passes_mypy_and_its_own_tests(bake: Bake, mypy_cache: Path, answers: combinations.Answers) -> None:
    project = bake(**answers)
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=project.path,
            env=project.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for command in (
            ("mypy", "--strict", "--cache-dir", str(mypy_cache)),
            ("pytest", "-q", "-p", "no:cacheprovider", "-p", "no:cookies"),
        )
    ]
    for process in processes:
        output, _ = process.communicate(timeout=200)
        assert process.returncode == 0, output[-4000:]
