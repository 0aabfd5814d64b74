"""The fixture `logs` of generated projects: what it collects, and that all is as before afterwards."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.project import DEADLINE, Bake, Project

HEAD = """
import logging, logging.config, os, pathlib, signal, sys, threading, warnings
import multiprocessing
import pytest
from my_service.logging_setup import *
from my_service.logging_setup.process import global_state
logger = logging.getLogger("my_service.tests")

def state():
    loggers = {name: each for name, each in logging.root.manager.loggerDict.items() if type(each) is logging.Logger}
    return {
        "hooks": (sys.excepthook, threading.excepthook, sys.unraisablehook, warnings.showwarning),
        "signals": [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)],
        "classes": (logging.getLogRecordFactory(), logging.getLoggerClass(), logging.root.manager.disable),
        "configure": logging.config._handle_existing_loggers, "capture": logging._warnings_showwarning,
        "root": (logging.root.level, logging.root.handlers[:], type(logging.root.handlers)),
        "loggers": {
            name: (each.level, each.handlers[:], each.propagate, each.disabled)
            for name, each in loggers.items() if each.level or each.handlers or not each.propagate or each.disabled
        },
        "undo": len(global_state.undo._exit_callbacks),
        "threads": threading.active_count(), "children": multiprocessing.active_children(),
    }
"""
modes = pytest.mark.parametrize("multiprocessing", [True, False])


def run_tests(project: Project, folder: Path, code: str, *options: str) -> str:
    """Run HEAD and `code` as a test file beside the project's conftest.py; return pytest's output."""
    (folder / "conftest.py").write_bytes((project.path / "tests" / "conftest.py").read_bytes())
    (folder / "test_it.py").write_text(HEAD + code, "utf-8")
    command = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:cookies", *options, ".")
    done = subprocess.run(
        command, cwd=folder, env=project.environment(LOG_LEVEL="ERROR"), capture_output=True, text=True,
        timeout=DEADLINE, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


class TestRecords:
    @modes
    def test_record_has_its_fields_and_is_masked(self, bake: Bake, tmp_path: Path, multiprocessing: bool) -> None:
        code = """
def test_it(logs):
    with log_context(order=7):
        logger.debug("Paid by %s", "card", extra={"amount": 12, "password": "hunter2"})
    try:
        raise KeyError("tea")
    except KeyError:
        logger.exception("token=hunter2")
    logging.getLogger("library").debug("not shown: the level is INFO")
    first, second = logs.records
    assert (first.message, first.levelname, first.name) == ("Paid by card", "DEBUG", "my_service.tests")
    assert first.fields == {"order": 7, "amount": 12, "password": "***"}
    assert first.exception is None
    assert second.fields == {}
    assert (second.message, second.exception["type"], second.exception["message"]) == ("token=***", "KeyError", "'tea'")
    assert logs.messages() == ["Paid by card", "token=***"]
    assert logs.messages("WARNING") == ["token=***"]
    with pytest.raises(KeyError):
        logs.messages("LOUD")

def test_next_starts_empty(logs):
    assert logs.records == []
"""
        run_tests(bake(multiprocessing=multiprocessing), tmp_path, code)

    @modes
    def test_set_up_inside_collects_and_writes_nothing(self, bake: Bake, tmp_path: Path, multiprocessing: bool) -> None:
        code = """
def main():
    with setup_main_logging() as running:
        logger.critical("Ready")
        assert running.flush()
    running.stop()
    return running

def test_it(logs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = threading.active_count()
    assert main() is main() is logs
    with pytest.raises(ValueError), setup_main_logging():
        raise ValueError("broken")
    assert logs.messages() == ["Ready", "Ready", "Uncaught exception in the main thread"]
    assert logs.records[-1].exception["message"] == "broken"
    assert (threading.active_count(), multiprocessing.active_children(), os.listdir()) == (before, [], [])
"""
        run_tests(bake(multiprocessing=multiprocessing), tmp_path, code)

    def test_caplog_gets_the_same_records(self, project: Project, tmp_path: Path) -> None:
        code = """
def check(logs, caplog):
    logger.info("one")
    with caplog.at_level(logging.ERROR, "my_service"):
        logger.info("hidden")
    assert [record.getMessage() for record in caplog.records] == logs.messages() == ["one"]

def test_logs_first(logs, caplog):
    check(logs, caplog)

def test_caplog_first(caplog, logs):
    check(logs, caplog)

def test_caplog_alone(caplog):
    logger.info("hidden")
    logger.error("shown")
    assert caplog.messages == ["shown"]
"""
        run_tests(project, tmp_path, code)

    def test_parallel_tests_have_their_own_records(self, project: Project, tmp_path: Path) -> None:
        code = """
@pytest.mark.parametrize("number", range(12))
def test_it(logs, number):
    for _ in range(20):
        logger.info("%d", number)
    assert logs.messages() == 20 * [str(number)]
"""
        assert "12 passed" in run_tests(project, tmp_path, code, "-n", "2")


CHANGE = """
    class Record(logging.LogRecord): pass
    class Logger(logging.Logger): pass
    sys.excepthook = threading.excepthook = sys.unraisablehook = warnings.showwarning = lambda *_, **__: None
    logging.captureWarnings(True)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    logging.setLogRecordFactory(Record)
    logging.setLoggerClass(Logger)
    logging.disable(logging.ERROR)
    logging.getLogger("early").addHandler(logging.NullHandler())
    logging.getLogger("early").propagate = False
    logging.getLogger("late").setLevel(5)
    logging.config.dictConfig({"version": 1, "root": {"level": "ERROR"}})
    logging.basicConfig(force=True)
"""


class TestRestored:
    @modes
    def test_state_is_that_before_the_test(self, bake: Bake, tmp_path: Path, multiprocessing: bool) -> None:
        code = f"""
logging.getLogger("early").setLevel(15)
before = {{}}
def test_before():
    before.update(state())

def test_it(logs):
    assert state() != before
{CHANGE}
def test_after():
    after = state()
    assert after == before, [name for name in before if before[name] != after[name]]
    logging.getLogger("early").isEnabledFor(15)
"""
        run_tests(bake(multiprocessing=multiprocessing), tmp_path, code)

    @modes
    def test_logging_from_before_continues(self, bake: Bake, tmp_path: Path, multiprocessing: bool) -> None:
        code = f"""
sinks = {{"file": {{"path": "app.log"}}, "console": {{"level": 60}}}}
running = setup_main_logging(Settings(sinks=sinks, redact=False))
before = {{}}
def test_before():
    logger.warning("password=first")
    before.update(state())

def test_it(logs):
    assert setup_main_logging() is logs
    logger.warning("password=second")
    assert logs.messages() == ["password=***"]
{CHANGE}
def test_after():
    assert state() == before
    assert setup_main_logging() is running
    logger.warning("password=third")
    running.stop()
    written = [line.split()[-1] for line in open("app.log") if "password" in line]
    assert written == ["password=first", "password=third"]
    assert len(global_state.undo._exit_callbacks) == 0
"""
        run_tests(bake(multiprocessing=multiprocessing), tmp_path, code)


class TestImports:
    @modes
    def test_application_does_not_import_the_fixture(self, bake: Bake, multiprocessing: bool) -> None:
        project = bake(multiprocessing=multiprocessing)
        paths = [path for path in project.source.rglob("*.py") if path.name != "testing.py"]
        importing = re.compile(r"^\s*(?:from|import) .*\b(?:pytest|testing)\b", re.MULTILINE)
        assert [path for path in paths if importing.search(path.read_text("utf-8"))] == []
        assert importing.search((project.logging / "testing.py").read_text("utf-8"))

    def test_fixture_imports_only_pytest_beside_the_library(self, project: Project) -> None:
        tree = ast.parse((project.logging / "testing.py").read_text("utf-8"))
        names = {each.name for node in ast.walk(tree) if isinstance(node, ast.Import) for each in node.names}
        names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and not node.level}
        assert {name.partition(".")[0] for name in names} - sys.stdlib_module_names == {"pytest"}
