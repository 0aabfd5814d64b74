"""Logging in sub-interpreters of CPython 3.14: FAILURES.md, case 72."""

import sys
from pathlib import Path

import pytest

from tests.support.project import Bake, Project
from tests.support.scripts import HEAD, Script

pytestmark = pytest.mark.skipif(
    sys.version_info < (3, 14) or sys.implementation.name != "cpython", reason="concurrent.interpreters came with 3.14"
)

POOL = """
from concurrent.futures import InterpreterPoolExecutor

def job(number):
    logging.getLogger("my_service.job").info("job %d of %s", number, "password=s3cr3t-value")

if __name__ == "__main__":
    with setup_main_logging() as logs:
        with InterpreterPoolExecutor(2, initializer=setup_proc_logging, initargs=(logs.queue,)) as pool:
            list(pool.map(job, range(20)))
        logger.info("main")
"""
INSIDE = """
from concurrent import interpreters

interpreter = interpreters.create()
interpreter.exec('''
import logging
from my_service.logging_setup import setup_main_logging
with setup_main_logging():
    logging.getLogger("my_service.inside").info("inside")
''')
"""


@pytest.mark.parametrize("listener", ["process", "thread"])
def test_pool_of_interpreters_logs_through_the_queue(script: Script, listener: str) -> None:
    lines = script(POOL, LOG_LISTENER=listener)
    assert [sum(f"job {number} of password=***" in line for line in lines) for number in range(20)] == [1] * 20
    assert lines[-1].endswith(" main")


def test_queue_setup_is_refused_outside_main(project: Project, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(HEAD + INSIDE, "utf-8")
    run = project.run("app.py", cwd=tmp_path, LOG_FILE="app.log")
    assert "RuntimeError: daemon threads are disabled" in run.stderr


def test_interpreter_without_a_queue_has_a_file_of_its_own(bake: Bake, tmp_path: Path) -> None:
    head = HEAD.replace(", setup_proc_logging", "")
    code = head + "logs = setup_main_logging()\nlogger.info('main')\n" + INSIDE + "logger.info('after')\n"
    (tmp_path / "app.py").write_text(code, "utf-8")
    run = bake(multiprocessing=False).run("app.py", cwd=tmp_path, LOG_FILE="app.log")
    assert run.returncode == 0, run.stderr
    log = (tmp_path / "app.log").read_text("utf-8")
    assert [word in log for word in (" main\n", " after\n", "inside")] == [True, True, False]
    assert " inside\n" in (tmp_path / "app.2.log").read_text("utf-8")
