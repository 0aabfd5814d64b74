"""Short programs that log through a generated project, and projects with an owner's handler."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.project import Project

APPS = Path(__file__).with_name("apps")  # programs that are too long for a string
HEAD = """
import logging, multiprocessing, os, signal, sys, threading, time
from my_service.logging_setup import log_context, log_exit, logged, setup_main_logging, setup_proc_logging
logger = logging.getLogger("my_service.app")

def wait_for_signal():
    while True:  # a signal that comes just before a sleep is handled after it
        time.sleep(0.05)
"""
Script = Callable[..., list[str]]
listeners = pytest.mark.parametrize("listener", ["process", "thread"])
BLOCKED = """
import logging, os, time
class CustomHandler(logging.Handler):
    def emit(self, record):
        while "block" in record.getMessage() and not os.path.exists("release"):
            time.sleep(0.01)
"""


def run_script(project: Project, folder: Path, body: str, status: int = 0, **variables: str) -> list[str]:
    """Run HEAD and `body` as a program, and return the lines of its log file."""
    file = folder / "app.py"
    file.write_text(HEAD + body, "utf-8")
    run = project.run(str(file), cwd=folder, LOG_FILE="app.log", **variables)
    assert run.returncode == status, run.stderr
    log = folder / "app.log"
    return log.read_text("utf-8").splitlines() if log.exists() else []


def with_handler(project: Project, folder: Path, source: str) -> Project:
    """Copy the project and add an owner's handler to it: `class CustomHandler(...)` in a file of its own."""
    copy = folder / "copy"
    shutil.copytree(project.path, copy)
    custom = Project(copy, project.slug)
    (custom.logging / "sinks" / "custom.py").write_text(source, "utf-8")
    file = custom.logging / "get_handlers.py"
    code = file.read_text("utf-8")
    custom_first = "    from .sinks.custom import CustomHandler\n    return [CustomHandler(), *handlers]\n"
    code = code.replace("    return handlers\n", custom_first)
    file.write_text(code, "utf-8")
    return custom
