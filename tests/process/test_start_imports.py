"""The imports of setup: start-up time is mostly the import of modules."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.project import Bake, Project

UNNEEDED = {"dataclasses", "inspect", "multiprocessing", "pathlib", "ntpath", "urllib.parse", "ipaddress"}
APP = """
import logging
from my_service.logging_setup import setup_main_logging
with setup_main_logging():
    logging.getLogger("my_service").info("line")
"""


def imported(project: Project, folder: Path, code: str) -> set[str]:
    """Return the modules that Python imports to run `code`, in its listener process too."""
    run = project.run("-c", code, cwd=folder, PYTHONPROFILEIMPORTTIME="1", LOG_CONSOLE_LEVEL="CRITICAL")
    assert run.returncode == 0, run.stderr
    return set(re.findall(r"^import time:.*\| +(\S+)$", run.stderr, re.MULTILINE))


@pytest.mark.parametrize(
    "answers",
    [{}, {"file_handler": "size"}, {"multiprocessing": False}],
    ids=["queue", "size", "direct"],
)
def test_start_imports_no_slow_modules(bake: Bake, tmp_path: Path, answers: dict[str, Any]) -> None:
    project = bake(**answers)
    names = imported(project, tmp_path, APP)
    assert "my_service.logging_setup.sinks.log_files" in names  # of the process that writes
    # Some installed packages import one of these at every start of Python, and `logging` of CPython 3.14 does.
    assert UNNEEDED & (names - imported(project, tmp_path, "import logging, subprocess")) == set()
