"""Levels set by variables, and the start and end of processes: FAILURES.md, cases 45, 83, 84, 86 and 87."""

import contextlib
import json
import logging
import os
import re
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.doctor import examine
from tests.support.network import wait_until
from tests.support.project import DEADLINE, Bake, Project
from tests.support.scripts import HEAD, Script, run_script

queue_or_not = pytest.mark.parametrize("multiprocessing", [True, False], ids=["queue", "direct"])

LEVELS = """
def log_all_levels(where):
    for name in ("my_service.app", "__main__", "__mp_main__", "urllib3"):
        for level in ("debug", "info", "error"):
            getattr(logging.getLogger(name), level)("%s/%s/%s", where, name, level)
"""
LOG_ALL_LEVELS = "if __name__ == '__main__':\n    with setup_main_logging():\n        log_all_levels('main')\n"
SPAWN = """
def work(queue):
    setup_proc_logging(queue)
    log_all_levels("worker")

if __name__ == "__main__":
    with setup_main_logging() as logs:
        worker = multiprocessing.get_context("spawn").Process(target=work, args=(logs.queue,))
        worker.start()
        worker.join()
"""
OWN = ("my_service.app", "__main__", "__mp_main__")


def app(folder: Path, body: str, *, multiprocessing: bool = True) -> str:
    """Write a program of HEAD and `body`; returns its path."""
    head = HEAD if multiprocessing else HEAD.replace(", setup_proc_logging", "")
    (folder / "app.py").write_text(head + body, "utf-8")
    return str(folder / "app.py")


def shown(text: str) -> set[tuple[str, str]]:
    """Return the (logger, level) pairs of the records in `text`."""
    return set(re.findall(r"\w+/([\w.]+)/(\w+)$", text, re.MULTILINE))


def those(package: str, others: str) -> set[tuple[str, str]]:
    """Return the (logger, level) pairs expected if the application's package and other loggers have these levels."""
    order = ("debug", "info", "error")
    lowest = {**dict.fromkeys(OWN, package), "urllib3": others}
    return {(name, level) for name, least in lowest.items() for level in order[order.index(least) :]}


class TestLevels:
    @pytest.mark.parametrize("body", [LOG_ALL_LEVELS, SPAWN], ids=["main", "spawned"])
    @pytest.mark.parametrize(
        ("variables", "console", "file"),
        [
            ({}, those("info", "info"), those("debug", "info")),
            ({"LOG_LEVEL": "DEBUG"}, those("debug", "debug"), those("debug", "debug")),
            ({"LOG_LEVEL": "INFO"}, those("info", "info"), those("info", "info")),
            ({"LOG_LEVEL": "ERROR"}, those("error", "error"), those("error", "error")),
            ({"LOG_LEVEL": "DEBUG", "LOG_CONSOLE_LEVEL": "ERROR"}, those("error", "error"), those("debug", "debug")),
            ({"LOG_LEVEL": "DEBUG", "LOG_FILE_LEVEL": "INFO"}, those("debug", "debug"), those("info", "info")),
            ({"LOG_LEVEL": "ERROR", "LOG_FILE_LEVEL": "DEBUG"}, those("error", "error"), those("error", "error")),
            ({"LOG_LEVELS": "urllib3=ERROR"}, those("info", "error"), those("debug", "error")),
            ({"LOG_LEVELS": "urllib3=ERROR,urllib3=DEBUG"}, those("info", "info"), those("debug", "debug")),
            ({"LOG_LEVEL": "DEBUG", "LOG_LEVELS": "urllib3=ERROR"}, those("debug", "error"), those("debug", "error")),
        ],
        ids=lambda value: " ".join(f"{k}={v}" for k, v in value.items()) or "unset" if isinstance(value, dict) else "",
    )
    def test_log_level_applies_to_package_and_sinks(
        self,
        project: Project,
        tmp_path: Path,
        body: str,
        variables: dict[str, str],
        console: set[tuple[str, str]],
        file: set[tuple[str, str]],
    ) -> None:
        run = project.run(app(tmp_path, LEVELS + body), cwd=tmp_path, LOG_FILE="app.log", **variables)
        assert (run.returncode, run.stderr) == (0, "")
        assert shown(run.stdout) == console
        assert shown((tmp_path / "app.log").read_text("utf-8")) == file

    def test_log_level_applies_without_a_queue(self, bake: Bake, tmp_path: Path) -> None:
        program = app(tmp_path, LEVELS + LOG_ALL_LEVELS, multiprocessing=False)
        run = bake(multiprocessing=False).run(program, cwd=tmp_path, LOG_FILE="app.log", LOG_LEVEL="DEBUG")
        assert shown(run.stdout) == shown((tmp_path / "app.log").read_text("utf-8")) == those("debug", "debug")

    def test_log_level_applies_to_the_collector_not_email(self, bake: Bake) -> None:
        with bake(collector_handler="http").imported() as load:
            read = load("settings").Settings.from_environ
            for word, collector in (("DEBUG", 10), ("ERROR", 40), ("", 20)):
                settings = read({"LOG_LEVEL": word})
                assert (settings.sinks["collector"].level, settings.sinks["email"].level) == (
                    collector,
                    logging.CRITICAL,
                )
            assert (
                read({"LOG_LEVEL": "DEBUG", "LOG_COLLECTOR_LEVEL": "ERROR"}).sinks["collector"].level == logging.ERROR
            )

    def test_settings_made_directly_are_resolved_once(self, project: Project) -> None:
        with project.imported() as load:
            made = load("settings").Settings
            assert made(level=10) == made.from_environ({"LOG_LEVEL": "DEBUG"})
            own = made(level=10, sinks={"file": {"level": 0}})
            assert (made(level=10).sinks["file"].level, own.sinks["file"].level) == (10, 0)
            for settings in (made(), made(level=40), made(levels=(("urllib3", 10),)), own):
                plain = {**vars(settings), "sinks": {name: vars(sink) for name, sink in settings.sinks.items()}}
                assert made(**plain) == made(**vars(settings)) == settings

    def test_settings_refuse_unknown_names_and_changes(self, project: Project) -> None:
        with project.imported() as load:
            made = load("settings").Settings
            with pytest.raises(TypeError, match="Settings has no setting levle"):
                made(levle=10)
            with pytest.raises(TypeError, match="Settings has no sink flie"):
                made(sinks={"flie": {"level": 30}})
            with pytest.raises(TypeError, match="FileSink has no setting levle"):
                made(sinks={"file": {"levle": 10}})
            for settings in (made(), made().sinks["file"]):
                with pytest.raises(AttributeError, match="level cannot be set: settings are constant"):
                    settings.level = 10
            assert made(level=10) != made(level=20)

    def test_doctor_shows_the_levels_in_force(self, project: Project, tmp_path: Path) -> None:
        report = examine(project, tmp_path, LOG_LEVEL="ERROR", LOG_FILE_LEVEL="critical", LOG_LEVELS="urllib3=CRITICAL")
        found = {each["variable"]: (each["value"], each["origin"]) for each in report["settings"]}
        assert found["LOG_LEVEL"] == ("ERROR", "environment")
        assert found["LOG_CONSOLE_LEVEL"] == ("ERROR", "LOG_LEVEL")
        assert found["LOG_FILE_LEVEL"] == ("CRITICAL", "environment")
        assert found["LOG_EMAIL_LEVEL"] == ("CRITICAL", "default")
        assert found["LOG_LEVELS"] == (
            "my_service=ERROR,__main__=ERROR,__mp_main__=ERROR,urllib3=CRITICAL",
            "environment",
        )
        email = "off: LOG_EMAIL_HOST is not set"
        assert report["sinks"] == {"console": "ERROR", "file": "CRITICAL", "email": email}
        assert {each["name"]: each["level"] for each in report["loggers"]}["my_service"] == "ERROR"

    @pytest.mark.parametrize(
        ("variables", "faults"),
        [
            ({"LOG_LEVEL": "DEBUG"}, []),
            ({"LOG_LEVEL": "ERROR"}, []),
            ({"LOG_LEVELS": "urllib3=WARNING"}, []),
            ({"LOG_LEVEL": "DEBUG", "LOG_LEVELS": "urllib3=WARNING", "LOG_FILE_LEVEL": "DEBUG"}, []),
            ({"LOG_CONSOLE_LEVEL": "DEBUG"}, []),
            (
                {"LOG_LEVEL": "DEBUG", "LOG_CONSOLE_LEVEL": "INFO"},
                ["LOG_CONSOLE_LEVEL=INFO hides what LOG_LEVEL=DEBUG would show"],
            ),
            (
                {"LOG_LEVEL": "DEBUG", "LOG_LEVELS": "my_service=ERROR"},
                ["LOG_LEVELS=my_service=ERROR hides what LOG_LEVEL=DEBUG would show"],
            ),
            (
                {"LOG_LEVEL": "ERROR", "LOG_FILE_LEVEL": "DEBUG"},
                ["LOG_LEVEL=ERROR hides what LOG_FILE_LEVEL=DEBUG would show"],
            ),
            (
                {"LOG_LEVEL": "ERROR", "LOG_LEVELS": "my_service=DEBUG"},
                ["my_service is set to DEBUG, but no sink accepts less than ERROR"],
            ),
        ],
    )
    def test_doctor_names_an_override(
        self, project: Project, tmp_path: Path, variables: dict[str, str], faults: list[str]
    ) -> None:
        assert examine(project, tmp_path, **variables)["faults"] == faults


POOLS = {
    "Pool": ("context.Pool(1, setup_proc_logging, (logs.queue,))", "pool.apply(job, ({}))"),
    "ProcessPoolExecutor": (
        "ProcessPoolExecutor(1, context, setup_proc_logging, (logs.queue,))",
        "pool.submit(job, {}).result()",
    ),
}
REQUESTS = """
from concurrent.futures import ProcessPoolExecutor
context = multiprocessing.get_context("fork")

def job(number):
    logger.info("job %d", number)
    with log_context(inner=number):
        setup_proc_logging(queue)  # a second call changes nothing
        logger.info("inside %d", number)

if __name__ == "__main__":
    with setup_main_logging() as logs:
        queue = logs.queue
        with log_context(request="first"):
            pool = {make}
            {first}
            logger.info("main")
        with log_context(request="second"), pool:
            {second}
"""


class TestContextOfAWorker:
    @pytest.mark.parametrize("pool", POOLS)
    def test_pool_job_has_no_context_of_the_fork(self, script: Script, pool: str) -> None:
        make, submit = POOLS[pool]
        lines = script(REQUESTS.format(make=make, first=submit.format("1,"), second=submit.format("2,")))
        messages = [re.sub(r"\[.*\] ", "", line.partition("my_service.app ")[2]) for line in lines]
        assert [text for text in messages if text] == [
            "job 1",
            "inside 1 inner=1",
            "main request=first",
            "job 2",
            "inside 2 inner=2",
        ]

    @pytest.mark.parametrize("method", ["fork", "spawn"])
    def test_documented_way_passes_a_context_to_a_job(self, project: Project, tmp_path: Path, method: str) -> None:
        page = (project.path / "docs" / "logging.md").read_text("utf-8")
        (snippet,) = (each for each in re.findall(r"^```python\n(.*?)^```", page, re.M | re.S) if "fields" in each)
        body = (
            "from concurrent.futures import ProcessPoolExecutor\n"
            f"{snippet}\n\n"
            "if __name__ == '__main__':\n"
            f"    context = multiprocessing.get_context({method!r})\n"
            "    with setup_main_logging() as logs:\n"
            "        pool = ProcessPoolExecutor(1, context, setup_proc_logging, (logs.queue,))\n"
            "        with log_context(request=1):\n            submit(pool, 7).result()\n"
            "        with pool:\n            submit(pool, 7).result()\n"
        )
        lines = run_script(project, tmp_path, body)
        assert [line.partition("Job ")[2] for line in lines if " Job " in line] == ["7 request=1", "7"]


THREAD = """
go = threading.Event()

def later():
    go.wait()
    logger.info("after main")
    raise ValueError("of the thread")

try:
    with setup_main_logging() as logs:
        threading.Thread(target=later, name="late").start()
        logger.info("in main")
        {end}
finally:
    print(logs.stopped, "in main" in open("app.log").read(), flush=True)
    go.set()
"""


class TestLastThread:
    @queue_or_not
    @pytest.mark.parametrize(("end", "status"), [("", 0), ("raise KeyError('of main')", 1), ("sys.exit(3)", 3)])
    def test_thread_can_log_after_the_with_block(
        self, bake: Bake, tmp_path: Path, multiprocessing: bool, end: str, status: int
    ) -> None:
        project = bake() if multiprocessing else bake(multiprocessing=False)
        program = app(tmp_path, THREAD.format(end=end), multiprocessing=multiprocessing)
        run = project.run(program, cwd=tmp_path, LOG_FILE="app.log", LOG_CONSOLE_LEVEL="60")
        assert (run.returncode, run.stdout) == (status, "False True\n"), run.stderr
        text = (tmp_path / "app.log").read_text("utf-8")
        assert text.count(" after main\n") == 1
        assert text.count("Uncaught exception in thread late") == 1
        assert text.count("Uncaught exception in the main thread") == (status == 1)

    @queue_or_not
    def test_session_without_threads_ends_with_the_block(
        self, bake: Bake, tmp_path: Path, multiprocessing: bool
    ) -> None:
        body = """
threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
with setup_main_logging() as logs:
    pass
print(logs.stopped)
"""
        project = bake() if multiprocessing else bake(multiprocessing=False)
        program = app(tmp_path, body, multiprocessing=multiprocessing)
        run = project.run(program, cwd=tmp_path, LOG_FILE="app.log", LOG_CONSOLE_LEVEL="60")
        assert (run.stdout, run.stderr) == ("True\n", "")


SERVICE = """
from concurrent.futures import ProcessPoolExecutor

def job(number=0, queue=None):
    if queue:
        setup_proc_logging(queue)
    for line in range(200):
        logger.info("job %d line %d", number, line)
    os.write(1, b"%d\\n" % os.getpid())  # at once, because two may write at the same time
    time.sleep(120)

if __name__ == "__main__":
    multiprocessing.set_start_method("{method}")
    {own}
    with setup_main_logging() as logs:
        {start}
        wait_for_signal()
"""
CHILDREN = {
    "Pool": "pool = multiprocessing.Pool(2, setup_proc_logging, (logs.queue,)); pool.map_async(job, range(9), 1)",
    "ProcessPoolExecutor": "pool = ProcessPoolExecutor(2, initializer=setup_proc_logging, initargs=(logs.queue,)); "
    "pool.map(job, range(9))",
    "Process": "[multiprocessing.Process(target=job, args=(n, logs.queue)).start() for n in range(2)]",
}


def ended(pid: int) -> bool:
    """Return True if there is no such process, or it is a zombie."""
    try:
        return ") Z " in Path(f"/proc/{pid}/stat").read_text("utf-8")
    except OSError:
        return True


def session(leader: int) -> Iterator[int]:
    """List the processes of the session, and of the group, of `leader`."""
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            pid = int(entry.name)
            if os.getpgid(pid) == leader and not ended(pid):
                yield pid


class TestSigterm:
    @pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
    @pytest.mark.parametrize("children", CHILDREN)
    def test_children_end_with_the_service(self, project: Project, tmp_path: Path, children: str, method: str) -> None:
        program = app(tmp_path, SERVICE.format(method=method, own="", start=CHILDREN[children]))
        with project.start(program, cwd=tmp_path, LOG_FILE="app.log", LOG_CONSOLE_LEVEL="60") as service:
            assert service.stdout
            try:
                workers = [int(service.stdout.readline()) for _ in range(2)]
                service.terminate()
                assert service.wait(DEADLINE) == -signal.SIGTERM
                again = run_script(project, tmp_path, "with setup_main_logging():\n    logger.info('again')\n")
                wait_until(lambda: not list(session(service.pid)))
                assert all(map(ended, workers))
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(service.pid, signal.SIGKILL)
        found = Counter(re.findall(r"job \d line \d+$", "\n".join(again), re.MULTILINE))
        assert found == {f"job {number} line {line}": 1 for number in range(2) for line in range(200)}
        assert again[-1].endswith("again")
        assert [path.name for path in tmp_path.glob("*.log")] == ["app.log"]

    def test_sigterm_handler_of_the_application_is_kept(self, project: Project, tmp_path: Path) -> None:
        own = "signal.signal(signal.SIGTERM, lambda *_: os._exit(7))"
        program = app(tmp_path, SERVICE.format(method="spawn", own=own, start=CHILDREN["Process"]))
        with project.start(program, cwd=tmp_path, LOG_FILE="app.log", LOG_CONSOLE_LEVEL="60") as service:
            assert service.stdout
            try:
                workers = [int(service.stdout.readline()) for _ in range(2)]
                service.terminate()
                assert service.wait(DEADLINE) == 7
                assert not any(map(ended, workers))
            finally:
                os.killpg(service.pid, signal.SIGKILL)

    def test_project_without_a_queue_ends_too(self, bake: Bake, tmp_path: Path) -> None:
        body = """
if __name__ == "__main__":
    with setup_main_logging():
        multiprocessing.get_context("spawn").Process(target=time.sleep, args=(120,)).start()
        print("ready", flush=True)
        wait_for_signal()
"""
        program = app(tmp_path, body, multiprocessing=False)
        with bake(multiprocessing=False).start(program, cwd=tmp_path, LOG_CONSOLE_LEVEL="60") as service:
            assert service.stdout
            try:
                assert service.stdout.readline() == "ready\n"
                service.terminate()
                assert service.wait(DEADLINE) == -signal.SIGTERM
                wait_until(lambda: not list(session(service.pid)))
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(service.pid, signal.SIGKILL)


JOB = """
from concurrent.futures import ProcessPoolExecutor

@logged
def inner():
    raise ValueError("bad")

@logged
def job():
    inner()

def target(queue=None):
    if queue:
        setup_proc_logging(queue)
    job()

if __name__ == "__main__":
    with setup_main_logging() as logs:
        try:
            {call}
        except {caught}:
            logger.info("handled")
        logger.info("after")
"""
CALLS = {
    "here": "job()",
    "in a pool": "ProcessPoolExecutor(1, None, setup_proc_logging, (logs.queue,)).submit(job).result()",
    "in an older pool": "multiprocessing.Pool(1, setup_proc_logging, (logs.queue,)).apply(job)",
}
ENDED = {
    "the main thread": ("job()", 1),
    "the main thread of a pool": (CALLS["in a pool"], 1),
    "thread late": ("t = threading.Thread(target=job, name='late'); t.start(); t.join()", 0),
    "process late": (
        "p = multiprocessing.Process(target=target, args=(logs.queue,), name='late'); p.start(); p.join()",
        0,
    ),
}
Entries = Callable[..., list[tuple[str, str]]]


@pytest.fixture
def entries(script: Script) -> Entries:
    """Run a program; returns level and message of its own records, and of those with an exception."""

    def run(body: str, **options: Any) -> list[tuple[str, str]]:
        found = map(json.loads, script(body, LOG_FILE_FORMAT="json", LOG_CONSOLE_LEVEL="60", **options))
        return [
            (each["level"], re.sub(r" in \w*(Process|PoolWorker)-[\d:]+$", " in a process", each["message"]))
            for each in found
            if "exception.type" in each or each["logger"] == "my_service.app"
        ]

    return run


class TestLogged:
    @pytest.mark.parametrize("call", CALLS)
    def test_handled_exception_is_an_error(self, entries: Entries, call: str) -> None:
        found = entries(JOB.format(call=CALLS[call], caught="ValueError"))
        where = "MainProcess" if call == "here" else "a process"
        assert found == [("ERROR", f"Exception in inner in {where}"), ("INFO", "handled"), ("INFO", "after")]

    @pytest.mark.parametrize("end", ENDED)
    def test_unhandled_exception_is_critical_once(self, entries: Entries, end: str) -> None:
        call, status = ENDED[end]
        found = entries(JOB.format(call=call, caught="KeyError"), status=status)
        assert [level for level, _ in found if level != "INFO"] == ["ERROR", "CRITICAL"]
        assert found[0][1].startswith("Exception in inner in ")
        assert found[1][1] == f"Uncaught exception in {end.removesuffix(' of a pool')}"
