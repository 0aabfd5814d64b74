"""Ctrl-C, SIGTERM, signal handlers that log, and forks: FAILURES.md, cases 12 to 15 and 74."""

import contextlib
import os
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.oracle import judge, log_lines
from tests.support.project import DEADLINE, Project
from tests.support.scripts import APPS, HEAD

WORKERS = """
def work(queue, name):
    setup_proc_logging(queue)
    try:
        logger.info("begins")
        wait_for_signal()
    except KeyboardInterrupt:
        for number in range(100):
            logger.info("clean-up %d of %s", number, name)

if __name__ == "__main__":
    logs = setup_main_logging()
    with logs:
        workers = [multiprocessing.Process(target=work, args=(logs.queue, n), daemon=True) for n in "ab"]
        for worker in workers:
            worker.start()
        logs.flush(60)  # the listener has started: now it writes 500 records well within the limit of SIGTERM
        for number in range(500):
            logger.info("main %d", number)
        try:
            print("ready", flush=True)
            wait_for_signal()
        except KeyboardInterrupt:
            logger.info("main cleans up")
            for worker in workers:
                worker.join()
            raise
"""


def start(project: Project, folder: Path, body: str, **variables: str) -> "subprocess.Popen[str]":
    """Start HEAD and `body` as a program, and wait until it prints "ready"."""
    (folder / "app.py").write_text(HEAD + body, "utf-8")
    process = project.start(str(folder / "app.py"), cwd=folder, LOG_FILE="app.log", LOG_CONSOLE_LEVEL="60", **variables)
    assert process.stdout
    assert process.stdout.readline() == "ready\n", process.communicate(timeout=DEADLINE)[1]
    return process


def wait_for(lines: Callable[[], list[str]], wanted: str, times: int) -> None:
    """Wait until `times` lines contain `wanted`."""
    import time

    until = time.monotonic() + DEADLINE
    while sum(wanted in line for line in lines()) < times:
        assert time.monotonic() < until, f"{wanted} never came {times} times"
        time.sleep(0.01)


class TestSignals:
    """Ctrl-C and SIGTERM."""

    @pytest.mark.parametrize("listener", ["process", "thread"])
    def test_ctrl_c_loses_no_clean_up_line(self, project: Project, tmp_path: Path, listener: str) -> None:
        process = start(project, tmp_path, WORKERS, LOG_LISTENER=listener)
        wait_for(lambda: log_lines(tmp_path / "app.log"), "begins", 2)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(DEADLINE) == -signal.SIGINT
        lines = log_lines(tmp_path / "app.log")
        assert sum("clean-up" in line for line in lines) == 200
        assert sum("main cleans up" in line for line in lines) == 1

    @pytest.mark.parametrize("listener", ["process", "thread"])
    @pytest.mark.parametrize("group", [False, True], ids=["main", "group"])
    def test_sigterm_ends_the_process_with_all_written(
        self, project: Project, tmp_path: Path, listener: str, group: bool
    ) -> None:
        process = start(project, tmp_path, WORKERS, LOG_LISTENER=listener)
        (os.killpg if group else os.kill)(process.pid, signal.SIGTERM)
        assert process.wait(DEADLINE) == -signal.SIGTERM
        assert sum(" main " in line for line in log_lines(tmp_path / "app.log")) == 500
        with contextlib.suppress(ProcessLookupError):  # expected: the workers have ended too
            os.killpg(process.pid, signal.SIGKILL)

    def test_sigterm_without_a_queue_ends_with_all_written(self, bake: Callable[..., Project], tmp_path: Path) -> None:
        body = """
logs = setup_main_logging()
for number in range(500):
    logger.info("main %d", number)
print("ready", flush=True)
wait_for_signal()
"""
        head = HEAD.replace(", setup_proc_logging", "")
        (tmp_path / "app.py").write_text(head + body, "utf-8")
        project = bake(multiprocessing=False)
        process = project.start(str(tmp_path / "app.py"), cwd=tmp_path, LOG_FILE="app.log", LOG_CONSOLE_LEVEL="60")
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        process.terminate()
        assert process.wait(DEADLINE) == -signal.SIGTERM
        assert sum(" main " in line for line in log_lines(tmp_path / "app.log")) == 500

    def test_sigterm_handler_set_before_is_kept(self, project: Project, tmp_path: Path) -> None:
        body = """
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
with setup_main_logging():
    print("ready", flush=True)
    wait_for_signal()
"""
        process = start(project, tmp_path, body)
        process.terminate()
        assert process.wait(DEADLINE) == 7

    def test_sigterm_ends_a_forked_child_by_default(self, project: Project, tmp_path: Path) -> None:
        body = """
with setup_main_logging():
    print("ready", flush=True)
    assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    for _ in range(200):  # at once: sometimes the signal arrives during the fork
        child = os.fork()
        if not child:
            time.sleep(60)
        os.kill(child, signal.SIGTERM)
        assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGTERM
    child = os.fork()
    if not child:
        os._exit(0 if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL else 1)
    assert os.waitpid(child, 0)[1] == 0
"""
        process = start(project, tmp_path, body)
        assert process.wait(DEADLINE) == 0


SIGNALLED = """
from numbered import Writer
with setup_main_logging() as logs:
    inside = Writer(1)
    outside = Writer(0)
    depth = 0

    def interrupt(*_):
        global depth
        depth += 1
        if depth < 2:  # it is interrupted too; not deeper: without a queue, a fourth call in one stack is dropped
            signal.setitimer(signal.ITIMER_REAL, 0.002)
        inside.write()
        depth -= 1
        signal.setitimer(signal.ITIMER_REAL, 0.002)

    signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.002)
    while inside.number < 1000:
        outside.write()
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
print(outside.number, inside.number)
"""


NESTED = """
class Interrupted:
    def __repr__(self):
        signal.raise_signal(signal.SIGUSR1)
        return "end"

def interrupt(*_):
    global depth
    depth += 1
    log(depth)
    depth -= 1

signal.signal(signal.SIGUSR1, interrupt)
with setup_main_logging() as logs:
    for _ in range(5):
        depth = 0
        log(depth)
    counts = logs.counts()["handlers"]
print(*(count["failed"] for count in counts.values()))
"""


FORKS = """
from numbered import Writer
with setup_main_logging():
    stop = threading.Event()
    writers = [Writer(slot) for slot in range(4)]

    def log_on(writer):
        while not stop.is_set():
            writer.write()
            time.sleep(0.0005)  # without a pause, each fork waits 5 ms and more for each of the threads

    threads = [threading.Thread(target=log_on, args=(writer,)) for writer in writers]
    for thread in threads:
        thread.start()
    for slot in range(4, 304):
        child = os.fork()
        if not child:
            Writer(slot).write()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
    stop.set()
    for thread in threads:
        thread.join()
print(*(writer.number for writer in writers))
"""


WARNED = """
FORK = multiprocessing.get_context("fork")

def work(set_up):
    set_up()
    logger.info("child")

if __name__ == "__main__":
    logs = setup_main_logging()
    set_up = {set_up}
    worker = FORK.Process(target=work, args=(set_up,))
    worker.start()
    worker.join()
    if not os.fork():
        work(set_up)
        sys.exit(0)
    os.wait()
    logs.stop()
"""


class TestDeadlocks:
    """Log calls in signal handlers, and during forks."""

    def test_logging_in_a_signal_handler_does_not_deadlock(
        self, project: Project, bake: Callable[..., Project], tmp_path: Path
    ) -> None:
        running = []
        for name, each in (("queue", project), ("direct", bake(multiprocessing=False))):
            folder = tmp_path / name
            folder.mkdir()
            head = HEAD if name == "queue" else HEAD.replace(", setup_proc_logging", "")
            (folder / "app.py").write_text(head + SIGNALLED, "utf-8")
            apps = str(APPS)
            variables = {"PYTHONPATH": f"{each.path / 'src'}:{apps}", "LOG_QUEUE_TIMEOUT": "60"}
            process = each.start("app.py", cwd=folder, LOG_FILE="app.log", LOG_CONSOLE_LEVEL="60", **variables)
            running.append((folder, process))
        for folder, process in running:
            output, errors = process.communicate(timeout=DEADLINE)
            assert (process.returncode, errors) == (0, "")
            outside, inside = map(int, output.split())
            assert inside >= 1000
            verdict = judge(log_lines(folder / "app.log"), {0: outside, 1: inside})
            assert verdict.good, f"{folder.name}: {verdict}"

    @pytest.mark.parametrize("rest", ['", depth, extra={"of": Interrupted()}', '%r", depth, Interrupted()'])
    def test_too_deeply_nested_records_are_counted(
        self, bake: Callable[..., Project], tmp_path: Path, rest: str
    ) -> None:
        project = bake(multiprocessing=False)
        log = f'\ndef log(depth):\n    logger.info("call %d {rest})\n'
        (tmp_path / "app.py").write_text(HEAD.replace(", setup_proc_logging", "") + log + NESTED, "utf-8")
        run = project.run("app.py", cwd=tmp_path, LOG_FILE="app.log", LOG_CONSOLE_LEVEL="INFO")
        assert (run.returncode, run.stderr) == (0, "")
        lines = log_lines(tmp_path / "app.log")
        assert sum(" call " in line for line in lines) == 15
        assert set(run.stdout.splitlines()[-1].split()) == {"5"}
        for handler in ("file", "console"):
            reported = [
                re.search(rf"{handler}: (\d+) records dropped: logged inside 3 unfinished", line) for line in lines
            ]
            assert sum(int(match[1]) for match in reported if match) == 5

    @pytest.mark.parametrize("multiprocessing", [True, False], ids=["queue", "direct"])
    def test_forks_with_logging_threads_do_not_deadlock(
        self, bake: Callable[..., Project], tmp_path: Path, multiprocessing: bool
    ) -> None:
        """300 forks while four threads log."""
        project = bake() if multiprocessing else bake(multiprocessing=False)
        head = HEAD if multiprocessing else HEAD.replace(", setup_proc_logging", "")
        (tmp_path / "app.py").write_text(head + FORKS, "utf-8")
        apps = str(APPS)
        run = project.run(
            "-W", "ignore::DeprecationWarning", "app.py", cwd=tmp_path,
            LOG_FILE="app.log", LOG_CONSOLE_LEVEL="60", PYTHONPATH=f"{project.path / 'src'}:{apps}",
        )  # fmt: skip
        assert (run.returncode, run.stderr) == (0, "")
        returned = dict(enumerate(map(int, run.stdout.split()))) | dict.fromkeys(range(4, 304), 1)
        lines = [line for file in tmp_path.glob("app*.log") for line in log_lines(file)]
        verdict = judge(lines, returned)
        assert verdict.good, verdict

    @pytest.mark.parametrize("options", ["-Xdev", "-Werror"])
    @pytest.mark.parametrize(
        "set_up", ["lambda: None", "lambda: setup_proc_logging(logs.queue)", "lambda: setup_main_logging().stop()"]
    )
    def test_forked_children_cause_no_warnings(
        self, project: Project, tmp_path: Path, set_up: str, options: str
    ) -> None:
        (tmp_path / "app.py").write_text(HEAD + WARNED.replace("{set_up}", set_up), "utf-8")
        # CPython 3.12 and later warn of each fork of a process with threads.
        options = (options, "-Wignore::DeprecationWarning")
        run = project.run(*options, "app.py", cwd=tmp_path, LOG_FILE="app.log", LOG_CONSOLE_LEVEL="60")
        assert (run.returncode, run.stderr) == (0, "")
        text = "".join(file.read_text("utf-8") for file in tmp_path.glob("app*.log"))
        assert not re.findall("CRITICAL|ResourceWarning", text)
