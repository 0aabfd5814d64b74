"""The pictures in docs/: they show the output of a run, apart from times and the order of processes."""

import re
import sys

import pytest

from tests.support.project import TEMPLATE

sys.path.insert(0, str(TEMPLATE / "docs"))
import pictures


@pytest.fixture(scope="module")
def terminals() -> dict[str, str]:
    return pictures.terminals()


def compared(lines: list[str]) -> list[str]:
    """Return the lines without times and process numbers, sorted, since the order of workers differs."""
    # The name of a pool's processes contains the start method, which depends on the version of Python.
    mask = (r"[-+]\d\d:\d\d ", "+00:00 "), (r"\w*Process-\d+", "Process-0"), (r"\d+", "0")
    for pattern, instead in mask:
        lines = [re.sub(pattern, instead, line) for line in lines]
    return sorted(line for line in lines if line.strip())


@pytest.mark.parametrize("name", ["questions", "run", "doctor"])
def test_picture_shows_the_output_of_a_run(terminals: dict[str, str], name: str) -> None:
    kept = (TEMPLATE / "docs" / f"{name}.svg").read_text("utf-8")
    today = pictures.picture(name, terminals[name])
    assert compared(pictures.words(kept)) == compared(pictures.words(today)), "make pictures"


def test_picture_shows_no_home_folder_and_no_failure() -> None:
    for name in ("questions", "run", "doctor"):
        path = TEMPLATE / "docs" / f"{name}.svg"
        text = "\n".join(pictures.words(path.read_text("utf-8")))
        assert len(text) > 500
        assert not re.search(r"/tmp/|/root/|Traceback|Error", text), path.name  # noqa: S108
