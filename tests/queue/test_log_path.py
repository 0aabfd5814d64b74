"""The path of a record from the log call to the sinks: FAILURES.md, cases 1 to 4 and 9 to 20."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.project import DEADLINE, Project
from tests.support.scripts import BLOCKED, HEAD, Script, listeners, run_script, with_handler

RAISES = """
import logging
class CustomHandler(logging.Handler):
    def emit(self, record):
        pass
    def {method}(self, record):
        if "poison" in record.getMessage():
            raise RuntimeError("this handler is broken")
        return True
"""


PICKY = """
import logging
class CustomHandler(logging.Handler):
    def emit(self, record):
        pass
class Picky(logging.Formatter):
    def format(self, record):
        if "poison" in record.getMessage():
            raise ValueError("cannot be formatted")
        return record.getMessage()
"""


OWN_EMIT = """
import logging
class CustomHandler(logging.Handler):
    def emit(self, record):
        pass
from . import timed_file
from .timed_file import TimedFileHandler
class Choosy(TimedFileHandler):
    def emit(self, record):
        if "noise" not in record.getMessage():
            super().emit(record)
timed_file.TimedFileHandler = Choosy
"""


CHATTY = """
import logging
log = logging.getLogger("urllib3.like")
class CustomHandler(logging.Handler):
    def emit(self, record):
        log.warning("a library of the handler logs about %s", record.getMessage())
"""


class TestHandlers:
    """Levels, failures and records of handlers."""

    @listeners
    def test_handlers_filter_by_their_own_level(self, project: Project, tmp_path: Path, listener: str) -> None:
        app = tmp_path / "app.py"
        app.write_text(
            HEAD + "with setup_main_logging():\n    logger.debug('fine')\n    logger.error('bad')\n", "utf-8"
        )
        run = project.run(str(app), cwd=tmp_path, LOG_FILE="app.log", LOG_CONSOLE_LEVEL="ERROR", LOG_LISTENER=listener)
        file = (tmp_path / "app.log").read_text("utf-8")
        assert "bad" in run.stdout
        assert "fine" not in run.stdout
        assert "fine" in file
        assert "bad" in file

    @listeners
    @pytest.mark.parametrize("method", ["emit", "filter"])
    def test_failing_handler_does_not_affect_others(
        self, project: Project, tmp_path: Path, listener: str, method: str
    ) -> None:
        custom = with_handler(project, tmp_path, RAISES.format(method=method))
        body = """
with setup_main_logging() as logs:
    for number in range(100):
        logger.info("poison %d", number)
    logger.info("counts: %s", logs.counts()["handlers"])
"""
        lines = run_script(custom, tmp_path, body, LOG_LISTENER=listener)
        assert sum(" poison " in line for line in lines) == 100
        # One report for the first, one for the rest.
        assert sum("records dropped: RuntimeError: this handler is broken" in line for line in lines) == 2
        assert any("99 records dropped: " in line for line in lines)
        assert any("'failed': 100" in line for line in lines if "counts:" in line)

    @listeners
    def test_unformattable_record_affects_no_other(self, project: Project, tmp_path: Path, listener: str) -> None:
        custom = with_handler(project, tmp_path, PICKY)
        file = custom.logging / "get_handlers.py"
        picky = "import CustomHandler, Picky\n    handlers[1].setFormatter(Picky())\n"
        file.write_text(file.read_text("utf-8").replace("import CustomHandler\n", picky), "utf-8")
        body = """
with setup_main_logging() as logs:
    for number in range(200):
        logger.info("number %d", number)
        if not number % 50:
            logger.info("poison")
    logger.info("counts: %s", logs.counts()["handlers"])
"""
        lines = run_script(custom, tmp_path, body, LOG_LISTENER=listener)
        assert [line for line in lines if line.startswith("number")] == [f"number {number}" for number in range(200)]
        # One report for the first, one for the rest.
        assert sum("records dropped: ValueError: cannot be formatted" in line for line in lines) == 2
        assert any("'failed': 4" in line for line in lines if "counts:" in line)

    @listeners
    def test_overridden_emit_gets_every_record(self, project: Project, tmp_path: Path, listener: str) -> None:
        custom = with_handler(project, tmp_path, OWN_EMIT)
        file = custom.logging / "get_handlers.py"
        code = file.read_text("utf-8").replace(
            "handlers: list", "from .sinks import custom  # noqa: F401\n    handlers: list"
        )
        file.write_text(code, "utf-8")
        body = """
with setup_main_logging() as logs:
    for number in range(100):
        logger.info("number %d", number)
        logger.info("noise")
"""
        lines = run_script(custom, tmp_path, body, LOG_LISTENER=listener)
        assert sum(" number " in line for line in lines) == 100
        assert not any("noise" in line for line in lines)

    def test_records_logged_by_a_handler_cause_no_loop(self, project: Project, tmp_path: Path) -> None:
        custom = with_handler(project, tmp_path, CHATTY)
        lines = run_script(custom, tmp_path, "with setup_main_logging():\n    logger.info('one')\n", LOG_LEVEL="DEBUG")
        assert sum("one" in line for line in lines) == 1

    def test_direct_records_of_a_handler_cause_no_loop(self, bake: Callable[..., Project], tmp_path: Path) -> None:
        custom = with_handler(bake(multiprocessing=False), tmp_path, CHATTY)
        body = HEAD.replace(", setup_proc_logging", "") + "with setup_main_logging():\n    logger.info('one')\n"
        (tmp_path / "app.py").write_text(body, "utf-8")
        run = custom.run(str(tmp_path / "app.py"), cwd=tmp_path, LOG_FILE="app.log", LOG_LEVEL="DEBUG")
        assert run.returncode == 0, run.stderr
        assert "RecursionError" not in run.stderr
        lines = (tmp_path / "app.log").read_text("utf-8").splitlines()
        assert 1 <= sum(" one" in line for line in lines) <= 4

    def test_handler_that_crashes_the_listener_is_survived(self, project: Project, tmp_path: Path) -> None:
        source = """
import logging, os
class CustomHandler(logging.Handler):
    def emit(self, record):
        with open("crashes", "a") as file:
            file.write("x")
        os.abort()
"""
        custom = with_handler(project, tmp_path, source)
        body = """
logs = setup_main_logging()
end = time.monotonic() + 3
calls, longest = 0, 0
while time.monotonic() < end:
    before = time.monotonic()
    logger.warning("call %d", calls)
    longest = max(longest, time.monotonic() - before)
    calls += 1
assert calls > 1000, calls
assert longest < 3, longest
logs.stop()
"""
        started = time.monotonic()
        (tmp_path / "app.py").write_text(HEAD + body, "utf-8")
        run = custom.run(str(tmp_path / "app.py"), cwd=tmp_path, LOG_FILE="app.log", LOG_QUEUE_TIMEOUT="0.5")
        assert run.returncode == 0, run.stderr[-2000:]
        assert "call " in run.stderr  # WARNING and above go to stderr
        assert 3 <= len((tmp_path / "crashes").read_text()) <= 20  # a hundred without growing pauses
        assert time.monotonic() - started < DEADLINE


FAIL = """
def fail():
    try:
        raise ValueError("inner")
    except ValueError as inner:
        error = RuntimeError("outer")
        error.add_note("a note")
        raise error from inner

def work(queue):
    setup_proc_logging(queue)
    try:
        fail()
    except RuntimeError:
        logger.exception("It failed")

if __name__ == "__main__":
    with setup_main_logging() as logs:
        worker = multiprocessing.Process(target=work, args=(logs.queue,))
        worker.start()
        worker.join()
"""


class TestRecords:
    """Records as they arrive."""

    @listeners
    def test_exception_is_sent_with_one_traceback(self, script: Script, listener: str) -> None:
        lines = script(FAIL, LOG_LISTENER=listener)
        assert sum("Traceback (most recent call last)" in line for line in lines) == 2  # the error, and its cause
        assert sum("RuntimeError: outer" in line for line in lines) == 1
        assert sum("a note" in line for line in lines) == 1

    def test_exception_is_sent_as_json_fields(self, script: Script) -> None:
        lines = script(FAIL, LOG_FILE_FORMAT="json")
        [entry] = [entry for entry in map(json.loads, lines) if entry["message"] == "It failed"]
        assert entry["exception.type"] == "RuntimeError"
        assert entry["exception.message"] == "outer"
        assert entry["exception.stacktrace"].startswith("Traceback")
        assert entry["exception.notes"] == ["a note"]
        assert entry["exception.causes"] == [{"type": "ValueError", "message": "inner"}]

    @pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
    def test_debug_lines_come_from_every_process(self, script: Script, method: str) -> None:
        lines = script(
            f"""
def work(queue):
    setup_proc_logging(queue)
    logging.getLogger(__name__).debug("in a worker")

if __name__ == "__main__":
    with setup_main_logging() as logs:
        logging.getLogger(__name__).debug("in the main process")
        worker = multiprocessing.get_context("{method}").Process(target=work, args=(logs.queue,))
        worker.start()
        worker.join()
"""
        )
        assert sum("in a worker" in line for line in lines) == 1
        assert sum("in the main process" in line for line in lines) == 1

    @listeners
    def test_undecodable_data_is_reported_and_skipped(self, script: Script, listener: str) -> None:
        lines = script(
            """
with setup_main_logging() as logs:
    for garbage in (b"\\xff garbage", b"(", b"[]"):
        logs.queue.put(garbage, 1.0)
    logger.info("still here")
""",
            LOG_LISTENER=listener,
        )
        assert any("queue: deserialization failed, record dropped" in line for line in lines)
        assert any("still here" in line for line in lines)

    @listeners
    def test_extra_values_are_sent_by_their_repr(self, script: Script, listener: str) -> None:
        lines = script(
            """
class Two(Exception):
    def __init__(self, a, b):
        super().__init__(f"{a} {b}")
class Hostile:
    def __repr__(self):
        raise RuntimeError("no repr")
import socket
cycle = []
cycle.append(cycle)
with setup_main_logging() as logs, socket.socket() as sock:
    for value in (threading.Lock(), sock, Two(1, 2), Hostile(), cycle, lambda: 0, b"bytes", {1: {2, 3}}):
        logger.info("taken", extra={"value": value})
    logger.info("%d", "no number")
    logger.info(Hostile())
""",
            LOG_LISTENER=listener,
        )
        text = "\n".join(lines)
        assert sum(" taken value=" in line for line in lines) == 8
        for shown in ("thread.lock", "socket.socket", "Two('1 2')", "repr() failed", "function <lambda>", "b'bytes'"):
            assert shown in text
        assert "no number" in text
        assert "arguments not merged" in text

    @listeners
    def test_overlong_or_odd_record_is_cut_and_marked(self, script: Script, listener: str) -> None:
        lines = script(
            """
with setup_main_logging() as logs:
    logger.info("long %s", "x" * 1_000_000)
    logger.info("nul \\0 surrogate \\ud800 end")
    logger.info("lines" + "\\nmore" * 10_000)
    logger.info("fields", extra={f"key{n}": "v" * 500 for n in range(500)})
    try:
        raise ValueError("y" * 200_000)
    except ValueError:
        logger.exception("z" * 200_000)
    logger.info("after them")
""",
            LOG_LISTENER=listener,
        )
        text = "\n".join(lines)
        assert sum(line[:1].isdigit() for line in lines) == 7  # one is the report that e-mail is off
        assert "[cut, 1000005 characters]" in text
        assert r"nul \x00 surrogate \ud800 end" in text
        assert "after them" in text


DAEMON = """
logs = setup_main_logging()
logger.info("before")
logs.flush()
if not os.fork():
    os.setsid()
    {close}
    files = [open(f"data-{{number}}", "w") for number in range(100)]
    logger.info("after")
    os._exit(0)
os.wait()
logs.stop()
"""


LAST = """
import logging
class CustomHandler(logging.Handler):
    def emit(self, record):
        pass
    def finish_by(self, deadline):
        with open("app.log") as file:
            open("seen", "w").write(str(file.read().count(" number ")))
"""


LATER = """
import logging, threading
from ..process import reports
class CustomHandler(logging.Handler):
    def emit(self, record):
        if record.getMessage() == "begin":
            threading.Timer(0.3, reports.say, ["from a thread of a handler's"]).start()
"""


class TestListener:
    """The listener."""

    @listeners
    def test_idle_listener_has_written_every_record(self, script: Script, listener: str) -> None:
        script(
            f"""
with setup_main_logging() as logs:
    end = time.monotonic() + {DEADLINE}
    open("app.log", "w").close()
    for number in range(30):
        logger.info("number %d", number)
        while time.monotonic() < end and f"number {{number}}" not in open("app.log").read():
            time.sleep(0.002)
    assert time.monotonic() < end
""",
            LOG_LISTENER=listener,
        )

    @listeners
    def test_every_process_uses_the_fast_loggers(self, script: Script, listener: str) -> None:
        lines = script(
            """
def work(queue):
    setup_proc_logging(queue)
    logger.info("made by %s", type(logger).__module__)

if __name__ == "__main__":
    with setup_main_logging() as logs:
        logger.info("made by %s", type(logger).__module__)
        worker = multiprocessing.get_context("spawn").Process(target=work, args=(logs.queue,))
        worker.start()
        worker.join()
""",
            LOG_LISTENER=listener,
        )
        assert sum("made by my_service.logging_setup.records.logger" in line for line in lines) == 2

    @pytest.mark.parametrize("close", ["os.closerange(3, 256)", "os.closerange(3, 4096)"])
    def test_closed_descriptor_puts_no_record_into_a_file(self, project: Project, tmp_path: Path, close: str) -> None:
        run_script(project, tmp_path, DAEMON.format(close=close))
        assert {(tmp_path / f"data-{number}").stat().st_size for number in range(100)} == {0}

    @pytest.mark.parametrize("policy", ["SCHED_IDLE", "SCHED_BATCH"])
    def test_listener_keeps_a_chosen_scheduling_policy(self, script: Script, policy: str) -> None:
        script(f"""
os.sched_setscheduler(0, os.{policy}, os.sched_param(0))
with setup_main_logging() as logs:
    assert logs.flush(30)
    assert os.sched_getscheduler(logs._process.pid) == os.{policy}
""")

    def test_listener_runs_under_sched_batch(self, script: Script) -> None:
        script("""
with setup_main_logging() as logs:
    assert logs.flush(30)
    assert os.sched_getscheduler(logs._process.pid) == os.SCHED_BATCH
    assert os.sched_getscheduler(0) == os.SCHED_OTHER
""")

    @listeners
    def test_file_is_complete_before_slow_sinks(self, project: Project, tmp_path: Path, listener: str) -> None:
        custom = with_handler(project, tmp_path, LAST)
        body = """
with setup_main_logging() as logs:
    logs.flush(30)
    for number in range(100):
        logger.info("number %d", number)
"""
        run_script(custom, tmp_path, body, LOG_LISTENER=listener)
        assert (tmp_path / "seen").read_text() == "100"

    @listeners
    def test_report_is_written_without_a_following_record(
        self, project: Project, tmp_path: Path, listener: str
    ) -> None:
        custom = with_handler(project, tmp_path, LATER)
        body = f"""
with setup_main_logging() as logs:
    for number in range(20):
        logger.info("number %d", number)
    logger.info("begin")
    end = time.monotonic() + {DEADLINE}
    while time.monotonic() < end and not (os.path.exists("app.log") and "of a handler" in open("app.log").read()):
        time.sleep(0.02)
    assert time.monotonic() < end
"""
        lines = run_script(custom, tmp_path, body, LOG_LISTENER=listener)
        assert sum(" number " in line for line in lines) == 20


class TestProcesses:
    """Workers, and the end of the main process."""

    def test_joining_a_worker_before_the_drain_returns(self, script: Script) -> None:
        lines = script(
            """
def work(queue):
    setup_proc_logging(queue)
    for number in range(2000):
        logger.info("number %d %s", number, "x" * 2000)

if __name__ == "__main__":
    with setup_main_logging() as logs:
        worker = multiprocessing.Process(target=work, args=(logs.queue,))
        worker.start()
        worker.join(30)
        assert worker.exitcode == 0
""",
            LOG_CONSOLE_LEVEL="ERROR",
        )
        assert sum(" number " in line for line in lines) == 2000

    @pytest.mark.parametrize("daemon", [False, True])
    def test_main_can_return_without_joining_workers(self, script: Script, daemon: bool) -> None:
        lines = script(
            f"""
def work(queue, ready):
    setup_proc_logging(queue)
    for number in range(200):
        logger.info("number %d", number)
    ready.set()
    time.sleep({60 if daemon else 0.2})
    logger.info("the last")

if __name__ == "__main__":
    logs = setup_main_logging()
    ready = multiprocessing.Event()
    multiprocessing.Process(target=work, args=(logs.queue, ready), daemon={daemon}).start()
    ready.wait(30)
    logs.stop()
"""
        )
        assert sum(" number " in line for line in lines) == 200
        assert any("the last" in line for line in lines) is not daemon  # the parent terminates its daemons

    @pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
    def test_nested_processes_can_log(self, script: Script, method: str) -> None:
        lines = script(
            f"""
context = multiprocessing.get_context("{method}")

def inner(queue):
    setup_proc_logging(queue)
    logger.info("from the inner one")

def outer(queue):
    setup_proc_logging(queue)
    child = context.Process(target=inner, args=(queue,))
    child.start()
    child.join()
    logger.info("from the outer one")

if __name__ == "__main__":
    with setup_main_logging() as logs:
        child = context.Process(target=outer, args=(logs.queue,))
        child.start()
        child.join()
"""
        )
        assert sum("from the inner one" in line for line in lines) == 1
        assert sum("from the outer one" in line for line in lines) == 1

    @listeners
    def test_setup_and_stop_are_idempotent(self, script: Script, listener: str) -> None:
        lines = script(
            """
logging.basicConfig(level=logging.INFO)
first = setup_main_logging()
second = setup_main_logging()
assert first is second
logger.info("only once")
first.stop()
first.stop()
assert not first.flush(0.1)
third = setup_main_logging()
assert third is not first
logger.info("and again")
third.stop()
""",
            LOG_LISTENER=listener,
        )
        assert sum("only once" in line for line in lines) == 1
        assert sum("and again" in line for line in lines) == 1


ORPHAN = """
def work(queue, parent, listener):
    setup_proc_logging(queue)
    while os.getppid() == parent:
        time.sleep(0.01)
    os.kill(listener, signal.SIGKILL)
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            queue._write(b"\\0" * 512)
        except BrokenPipeError:
            open("gone", "w").close()
            break
    logger.warning("the last record")

if __name__ == "__main__":
    logs = setup_main_logging()
    multiprocessing.get_context("fork").Process(target=work, args=(logs.queue, os.getpid(), logs._process.pid)).start()
    os.kill(os.getpid(), signal.SIGKILL)
"""


class TestFullQueue:
    """A queue that is full or has no reader."""

    def test_worker_detects_a_pipe_without_a_reader(self, project: Project, tmp_path: Path) -> None:
        (tmp_path / "app.py").write_text(HEAD + ORPHAN, "utf-8")
        run = project.run("app.py", cwd=tmp_path, LOG_FILE="app.log")
        assert (tmp_path / "gone").exists(), run.stderr
        assert "the last record" in run.stderr

    @listeners
    def test_full_queue_blocks_once_and_reports_drops(self, project: Project, tmp_path: Path, listener: str) -> None:
        custom = with_handler(project, tmp_path, BLOCKED)
        body = """
with setup_main_logging() as logs:
    assert logs.flush(30)  # the listener is running, and will not drain the queue by starting
    logger.info("block")
    handler = logging.getLogger().handlers[0]
    waits = []
    while handler.dropped < 1000:
        before = time.monotonic()
        logger.info("number")
        waits.append(time.monotonic() - before)
    logger.error("an error on stderr")
    open("release", "w").close()
    assert sum(wait > 0.2 for wait in waits) == 1, sorted(waits)[-5:]
    logs.flush(20)
    logger.info("accepted %d dropped %d", handler.accepted, handler.dropped)
"""
        lines = run_script(custom, tmp_path, body, LOG_LISTENER=listener, LOG_QUEUE_TIMEOUT="0.5")
        [report] = [line for line in lines if "records dropped" in line]
        reported = int(report.split(" records dropped")[0].rsplit(" ", 1)[1])
        [counted] = [int(line.rsplit(" ", 1)[1]) for line in lines if "accepted " in line]
        assert reported == counted >= 1000

    @listeners
    def test_stop_with_a_full_queue_takes_bounded_time(self, project: Project, tmp_path: Path, listener: str) -> None:
        custom = with_handler(project, tmp_path, BLOCKED)
        body = """
logs = setup_main_logging()
logger.info("block")
while not logging.getLogger().handlers[0].dropped:
    logger.info("number")
before = time.monotonic()
logs.stop(1.0)
took = time.monotonic() - before
open("release", "w").close()
assert took < 15, took
"""
        lines = run_script(custom, tmp_path, body, LOG_LISTENER=listener, LOG_QUEUE_TIMEOUT="0.2")
        assert any("number" in line for line in lines) or listener == "thread"
