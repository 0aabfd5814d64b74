"""Libraries and frameworks that also configure logging: FAILURES.md, cases 43, 44 and 47."""

import re
from pathlib import Path

import pytest

from tests.support.mail_server import mail_server
from tests.support.network import free_port
from tests.support.oracle import judge, log_lines
from tests.support.project import Bake, Project
from tests.support.receivers import HttpReceiver
from tests.support.scripts import APPS
from tests.support.servers import get, running, stop

COUNT = 100  # records before, and after
HEAD = """
import itertools, logging, logging.config, multiprocessing, sys, threading, time
from {package}.logging_setup import *
from numbered import Writer
""".strip()

# Reconfigurations by libraries, as `reconfigure()`; each replaces the handlers of the root logger.
REPLACE = {
    "basicConfig": "logging.basicConfig(force=True, stream=sys.stderr)",
    "dictConfig": """logging.config.dictConfig({
        "version": 1,
        "handlers": {"theirs": {"class": "logging.StreamHandler"}},
        "root": {"level": "INFO", "handlers": ["theirs"]},
    })""",
    "fileConfig": """logging.config.fileConfig(io.StringIO('''
[loggers]
keys=root
[handlers]
keys=theirs
[formatters]
keys=
[logger_root]
level=INFO
handlers=theirs
[handler_theirs]
class=StreamHandler
args=()
'''))""",
    "clear": "logging.getLogger().handlers.clear()\n    logging.getLogger().addHandler(logging.StreamHandler())",
}
CLOSE = 'logging.config.dictConfig({"version": 1, "disable_existing_loggers": False})'

# One thread keeps logging while another reconfigures logging repeatedly.
BODY = """
    Writer(0).write(100)
    during, stop = Writer(1), threading.Event()
    def log_on():
        while not stop.is_set():
            during.write()
            time.sleep(0)
    thread = threading.Thread(target=log_on)
    thread.start()
    for time_of_it in itertools.count():
        reconfigure()
        time.sleep(0.001)
        if time_of_it > 20 and during.number > 50:
            break
    stop.set()
    thread.join()
    Writer(2).write(100)
    print("DURING", during.number)
"""
without_and_with = pytest.mark.parametrize("mode", ["process", "direct"])
modes = pytest.mark.parametrize("mode", ["process", "thread", "direct"])


def bake_for(bake: Bake, mode: str, **answers: object) -> Project:
    return bake(multiprocessing=False, **answers) if mode == "direct" else bake(**answers)


def run(project: Project, folder: Path, code: str, mode: str, **variables: str) -> tuple[list[str], str, str]:
    """Run a program of HEAD and `code`; return the lines of its log, its stdout and stderr."""
    (folder / "app.py").write_text(HEAD.format(package=project.package) + "\n" + code, "utf-8")
    path = f"{project.path / 'src'}:{APPS}:{folder}"
    options = {"LOG_FILE": "app.log", "LOG_CONSOLE_LEVEL": "60", "PYTHONPATH": path, **variables}
    if mode != "direct":
        options["LOG_LISTENER"] = mode
    done = project.run("app.py", cwd=folder, **options)
    assert done.returncode == 0, done.stderr
    return log_lines(folder / "app.log"), done.stdout, done.stderr


def reconfigured(how: str) -> str:
    return f"import io\ndef reconfigure():\n    {how}\n"


def assert_each_once(lines: list[str], output: str) -> None:
    verdict = judge(lines, {0: COUNT, 1: int(output.split()[-1]), 2: COUNT})
    assert verdict.good, verdict


class TestHandlersClosed:
    """logging.config closes every handler that exists, on the root logger or not."""

    @modes
    def test_file_mail_and_collector_lose_nothing(self, bake: Bake, tmp_path: Path, mode: str) -> None:
        project = bake_for(bake, mode, collector_handler="http")
        end = "    logging.getLogger('my_service').critical('alarm')\n    counts = logs.counts()['handlers']\n"
        code = f"{reconfigured(CLOSE)}if __name__ == '__main__':\n  with setup_main_logging() as logs:\n{BODY}{end}"
        code += "    assert not any(count['failed'] for count in counts.values()), counts\n"
        with mail_server(tls="none", auth=False) as mails, HttpReceiver() as collector:
            lines, output, _ = run(
                project, tmp_path, code, mode,
                LOG_COLLECTOR_URL=collector.url, LOG_EMAIL_HOST="localhost", LOG_EMAIL_PORT=str(mails.port),
                LOG_EMAIL_SECURITY="none", LOG_EMAIL_TO="ops@example.com",
            )  # fmt: skip
        assert_each_once(lines, output)
        assert len(mails.mails) == 1
        ids = [text for text in collector.texts if text.startswith("id=")]
        assert sorted(ids) == sorted(f"id={found[0]} ." for line in lines if (found := re.findall(r"id=(\S+)", line)))

    def test_closed_handler_counts_refused_records(self, bake: Bake, tmp_path: Path) -> None:
        code = """
with setup_main_logging() as logs:
    email = logging.getHandlerByName("email") if hasattr(logging, "getHandlerByName") else logging._handlers["email"]
    type(email).close(email)
    logging.getLogger("my_service").critical("refused")
    print(logs.counts()["handlers"]["email"])
"""
        lines, output, _ = run(
            bake_for(bake, "direct"), tmp_path, code, "direct", LOG_EMAIL_HOST="localhost", LOG_EMAIL_TO="a@b.example"
        )
        assert output == "{'handled': 0, 'failed': 1}\n"
        assert sum("email: handler failed" in line for line in lines) == 1

    def test_handler_closed_by_stop_gets_no_reports(self, bake: Bake, tmp_path: Path) -> None:
        code = """
logs = setup_main_logging()
logging.getLogger("my_service").critical("never sent")
while "will be retried" not in open("app.log").read():
    time.sleep(0.01)
[email] = [each for each in logging.getLogger().handlers if each.name == "email"]
email.finish_by(0)  # no time is left
email._thread.join()
logs.stop()
assert logs.counts()["handlers"]["email"]["failed"] == email.lost
"""
        email = {"LOG_EMAIL_HOST": "localhost", "LOG_EMAIL_PORT": str(free_port()), "LOG_EMAIL_TO": "a@b.example"}
        lines, _, _ = run(bake_for(bake, "direct"), tmp_path, code, "direct", LOG_EMAIL_LEVEL="WARNING", **email)
        assert sum("not delivered before the deadline" in line for line in lines) == 1
        assert not any("handler is closed" in line for line in lines)


class TestHandlersReplaced:
    @modes
    @pytest.mark.parametrize("how", REPLACE)
    def test_nothing_is_lost_and_one_report_is_made(self, bake: Bake, tmp_path: Path, mode: str, how: str) -> None:
        code = f"{reconfigured(REPLACE[how])}with setup_main_logging():\n{BODY}"
        lines, output, errors = run(bake_for(bake, mode), tmp_path, code, mode)
        assert_each_once(lines, output)
        [report] = [line for line in lines if "root handlers replaced by other code" in line]
        assert "StreamHandler <stderr>" in report
        assert "id=2.0" in errors, "the other code's handler is there as well"

    @pytest.mark.parametrize("how", ["basicConfig", "dictConfig"])
    @pytest.mark.parametrize("method", ["fork", "spawn"])
    def test_worker_loses_nothing(self, bake: Bake, tmp_path: Path, how: str, method: str) -> None:
        code = f"""{reconfigured(REPLACE[how])}
def work(queue):
    setup_proc_logging(queue)
{BODY}
    sys.stdout.flush()

if __name__ == "__main__":
    with setup_main_logging() as logs:
        worker = multiprocessing.get_context("{method}").Process(target=work, args=(logs.queue,))
        worker.start()
        worker.join()
"""
        lines, output, _ = run(bake(), tmp_path, code, "process")
        assert_each_once(lines, output)
        assert sum("root handlers replaced by other code" in line for line in lines) == 1

    @pytest.mark.parametrize("how", ["basicConfig", "dictConfig"])
    def test_handlers_are_not_restored_when_switched_off(self, bake: Bake, tmp_path: Path, how: str) -> None:
        code = f"{reconfigured(REPLACE[how])}with setup_main_logging():\n"
        code += "    Writer(0).write(9)\n    reconfigure()\n    Writer(1).write(9)\n"
        lines, _, _ = run(bake(), tmp_path, code, "process", LOG_REATTACH="off")
        assert judge(lines, {0: 9}).good
        assert not any("logging: root handlers" in line for line in lines)

    def test_handlers_do_not_come_back_after_stop(self, bake: Bake, tmp_path: Path) -> None:
        code = f"""{reconfigured(REPLACE["basicConfig"])}
logs = setup_main_logging()
reconfigure()
logs.stop()
reconfigure()
print(len(logging.getLogger().handlers), type(logging.getLogger().handlers).__name__)
"""
        assert run(bake(), tmp_path, code, "process")[1] == "1 list\n"

    @modes
    def test_disabled_loggers_are_enabled_again(self, bake: Bake, tmp_path: Path, mode: str) -> None:
        code = """
with setup_main_logging():
    logging.getLogger("silenced").disabled = True
    before = Writer(0)
    for name in ("Zebra", "zebra", "my_service.numbered.child"):
        logging.getLogger(name)
    logging.config.dictConfig({"version": 1})
    before.write(9)
    for name in ("Zebra", "zebra", "my_service.numbered.child", "silenced"):
        logging.getLogger(name).warning("after")
"""
        lines, _, _ = run(bake_for(bake, mode), tmp_path, code, mode)
        assert judge(lines, {0: 9}).good
        assert [line.split()[2] for line in lines if line.endswith(" after")] == [
            "Zebra", "zebra", "my_service.numbered.child",
        ]  # fmt: skip
        assert sum("disabled by logging.config, kept enabled" in line for line in lines) == 1


DJANGO = """
import django
from django.conf import settings
settings.configure(
    LOGGING={logging}, ROOT_URLCONF=__name__, SECRET_KEY="x", ALLOWED_HOSTS=["testserver"], MIDDLEWARE=[]
)

def view(request, number):
    from django.http import HttpResponse
    Writer(number).write(10)
    logging.getLogger("django.request").error("from Django")
    return HttpResponse("ok")

with setup_main_logging():
    Writer(0).write(10)
    early = Writer(1)
    django.setup()
    early.write(10)
    from django.test import Client
    from django.urls import path
    urlpatterns = [path("<int:number>", view)]
    assert Client().get("/2").content == b"ok"
"""
ROOT = """{"version": 1, "handlers": {"console": {"class": "logging.StreamHandler"}},
           "root": {"handlers": ["console"], "level": "WARNING"}}"""
FLASK = """
from flask import Flask
from logging.config import dictConfig
{config}
with setup_main_logging():
    app = Flask("my_service.web")

    @app.route("/<int:number>")
    def view(number):
        Writer(number).write(10)
        app.logger.error("from Flask")
        return "ok"

    Writer(0).write(10)
    early = Writer(1)
    {inside}
    early.write(10)
    assert app.test_client().get("/2").data == b"ok"
"""
UVICORN = """
import os, uvicorn
if "MODE" != "direct":
    os.environ["LOG_LISTENER"] = "MODE"

async def app(scope, receive, send):
    if scope["type"] == "http":
        Writer(int(scope["path"][1:])).write(10)
        if scope["path"] == "/2":
            early.write(10)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

with setup_main_logging():
    Writer(0).write(10)
    early = Writer(1)
    uvicorn.run(app, port=PORT)
"""


class TestFrameworks:
    """Frameworks that configure logging: nothing is lost, and each line is in the file once."""

    @without_and_with
    @pytest.mark.parametrize("logging", ["{}", ROOT], ids=["default", "root"])
    def test_django(self, bake: Bake, tmp_path: Path, mode: str, logging: str) -> None:
        lines, _, _ = run(bake_for(bake, mode), tmp_path, DJANGO.replace("{logging}", logging), mode)
        verdict = judge(lines, dict.fromkeys(range(3), 10))
        assert verdict.good, verdict
        assert sum(line.endswith("django.request from Django") for line in lines) == 1

    @without_and_with
    @pytest.mark.parametrize("config", ["", f"dictConfig({ROOT})"], ids=["default", "dictConfig"])
    def test_flask(self, bake: Bake, tmp_path: Path, mode: str, config: str) -> None:
        code = FLASK.replace("{config}", "").replace("{inside}", config)
        lines, _, _ = run(bake_for(bake, mode), tmp_path, code, mode)
        verdict = judge(lines, dict.fromkeys(range(3), 10))
        assert verdict.good, verdict
        assert sum(line.endswith("from Flask") for line in lines) == 1

    @without_and_with
    def test_uvicorn_with_its_own_log_config(self, bake: Bake, tmp_path: Path, mode: str) -> None:
        project = bake_for(bake, mode)
        port = free_port()
        (tmp_path / "numbered.py").write_bytes((APPS / "numbered.py").read_bytes())
        code = HEAD.format(package=project.package) + UVICORN.replace("PORT", str(port))
        (tmp_path / "app.py").write_text(code.replace("MODE", mode), "utf-8")
        with running(project, tmp_path, port, "app.py") as server:
            assert get(port, range(2, 12)) == list(range(2, 12))
            stop(server)
        lines = log_lines(tmp_path / "logs" / f"{project.slug}.log")
        verdict = judge(lines, dict.fromkeys(range(12), 10))
        assert verdict.good, verdict


STOPPED = """
import faulthandler, signal, traceback, warnings
UNCHANGED = ("print_exc", "faults", "factory", "blocked", "start")  # by setup in the main process
logging.basicConfig()
def state():
    return {
        "excepthook": sys.excepthook, "threads": threading.excepthook, "unraisable": sys.unraisablehook,
        "sigterm": signal.getsignal(signal.SIGTERM), "sighup": signal.getsignal(signal.SIGHUP),
        "factory": logging.getLogRecordFactory(), "configure": logging.config._handle_existing_loggers,
        "early": type(logging.getLogger("early")),
        "root": logging.getLogger().level, "own": logging.getLogger("my_service").level,
        "main": logging.getLogger("__main__").level, "warnings": warnings.showwarning,
        "print_exc": traceback.print_exc, "faults": faulthandler.is_enabled(), "class": logging.getLoggerClass(),
        "blocked": signal.pthread_sigmask(signal.SIG_BLOCK, ()), "start": multiprocessing.Process.start,
        "handlers": logging.getLogger().handlers[:],
    }
"""


class TestStop:
    @modes
    @pytest.mark.parametrize("faults", ["", "faulthandler.enable()"], ids=["", "faulthandler"])
    def test_stop_restores_the_previous_state(self, bake: Bake, tmp_path: Path, mode: str, faults: str) -> None:
        code = f"""{STOPPED}{faults}
before = state()
for number in range(2):
    logs = setup_main_logging()
    {CLOSE}
    assert all(value != before[key] for key, value in state().items() if key not in UNCHANGED)
    Writer(number).write(10)
    logs.stop()
    after = state()
    assert after == before, [key for key in before if before[key] != after[key]]
"""
        lines, _, _ = run(bake_for(bake, mode), tmp_path, code, mode)
        verdict = judge(lines, {0: 10, 1: 10})
        assert verdict.good, verdict

    def test_stop_keeps_what_other_code_has_set(self, bake: Bake, tmp_path: Path) -> None:
        code = f"""{STOPPED}
logs = setup_main_logging()
class Theirs(logging.getLoggerClass()): pass
def hook(*_): pass
sys.excepthook = threading.excepthook = sys.unraisablehook = warnings.showwarning = hook
signal.signal(signal.SIGTERM, hook)
logging.setLoggerClass(Theirs)
logging.getLogger("early").__class__ = Theirs
for name, level in (("", 41), ("my_service", 42), ("__main__", 43)):
    logging.getLogger(name).setLevel(level)
logging.getLogger().addHandler(logging.NullHandler())
theirs = state()
logs.stop()
for name in ("handlers", "faults", "configure", "sighup"):  # which nothing has replaced
    del theirs[name]
assert theirs.items() <= state().items()
assert type(logging.getLogger().handlers[-1]) is logging.NullHandler
"""
        run(bake(), tmp_path, code, "process")

    def test_hook_that_wraps_ours_is_called_once(self, bake: Bake, tmp_path: Path) -> None:
        code = """
calls = []
def wrap():
    found = sys.excepthook
    def theirs(*error):
        calls.append(error)
        assert len(calls) < 9
        found(*error)
    sys.excepthook = theirs

logs = setup_main_logging()
wrap()
logs.stop()
logs = setup_main_logging()
setup_proc_logging(logs.queue)
sys.excepthook(ValueError, ValueError("uncaught"), None)
logs.stop()
assert len(calls) == 1
"""
        lines, _, _ = run(bake(), tmp_path, code, "process")
        assert sum("Uncaught exception in the main thread" in line for line in lines) == 1

    def test_stop_in_another_thread_raises_nothing(self, bake: Bake, tmp_path: Path) -> None:
        code = """
logs = setup_main_logging()
found = []
def stop():
    logs.stop()
    found.append(sys.excepthook is sys.__excepthook__)
thread = threading.Thread(target=stop)
thread.start()
thread.join()
assert found == [True]
"""
        run(bake(), tmp_path, code, "process")

    def test_stop_keeps_a_capture_of_warnings(self, bake: Bake, tmp_path: Path) -> None:
        code = """
import warnings
logging.captureWarnings(True)
before = warnings.showwarning
setup_main_logging().stop()
assert warnings.showwarning is before
logging.captureWarnings(False)
assert warnings.showwarning is not before
"""
        run(bake(), tmp_path, code, "process")

    @modes
    def test_warnings_are_captured_again_after_a_stop(self, bake: Bake, tmp_path: Path, mode: str) -> None:
        """As after a pytest test: pytest restores `warnings` first, and logging is stopped later."""
        code = """
import warnings
with warnings.catch_warnings():
    logs = setup_main_logging()
shown = warnings.showwarning
logs.stop()
assert warnings.showwarning is shown
with setup_main_logging():
    warnings.warn("found again")
assert warnings.showwarning is shown
"""
        lines, _, _ = run(bake_for(bake, mode), tmp_path, code, mode)
        assert sum("UserWarning: found again" in line for line in lines) == 1

    def test_worker_hook_is_restored(self, bake: Bake, tmp_path: Path) -> None:
        """A forked child may set up logging as a worker and undo it: print_exc is replaced only then."""
        code = """
import traceback
from my_service.logging_setup.process.global_state import undo
def work(queue, before):
    setup_proc_logging(queue)
    replaced = traceback.print_exc is not before
    undo.close()
    os._exit(0 if replaced and traceback.print_exc is before else 1)
import os
with setup_main_logging() as logs:
    worker = multiprocessing.get_context("fork").Process(target=work, args=(logs.queue, traceback.print_exc))
    worker.start()
    worker.join()
    assert worker.exitcode == 0
"""
        run(bake(), tmp_path, code, "process")


AGAIN = """
import gc, os
registered, register = [], os.register_at_fork
os.register_at_fork = lambda **hooks: (registered.append(hooks), register(**hooks))

def state():
    gc.collect()
    for thread in threading.enumerate():
        if thread.name == "log-levels":  # stop() does not wait for it
            thread.join()
    handlers = sum(type(each()).__module__.startswith("my_service") for each in logging._handlerList)
    return {
        "threads": threading.active_count(), "descriptors": len(os.listdir("/proc/self/fd")),
        "children": len(multiprocessing.active_children()), "fork hooks": len(registered),
        "handlers": handlers,
    }

def work():
    logs = setup_main_logging()
    logging.getLogger("my_service.again").info("again")
    logs.stop()

for _ in range(5):
    work()
before, objects = state(), len(gc.get_objects())
for _ in range(COUNT):
    work()
after = state()
assert after == before, (before, after)
assert len(gc.get_objects()) - objects < COUNT, len(gc.get_objects()) - objects
"""


class TestRepeatedSetup:
    @pytest.mark.parametrize(("mode", "times"), [("process", 20), ("thread", 100), ("direct", 100)])
    def test_repeated_setup_does_not_leak(self, bake: Bake, tmp_path: Path, mode: str, times: int) -> None:
        project = bake_for(bake, mode, collector_handler="http")
        lines, _, _ = run(
            project, tmp_path, AGAIN.replace("COUNT", str(times)), mode,
            LOG_COLLECTOR_URL=f"http://localhost:{free_port()}", LOG_COLLECTOR_LEVEL="60",
            LOG_EMAIL_HOST="localhost", LOG_EMAIL_TO="a@b.example",
        )  # fmt: skip
        assert sum(line.endswith(" again") for line in lines) == times + 5
