"""Forks, signals and threads while logging starts or stops: FAILURES.md, cases 92 to 100."""

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.processes import first_process
from tests.support.project import DEADLINE, Bake, Project
from tests.support.scripts import HEAD, Script, run_script, with_handler

LONG = 60  # seconds; children are killed at the end of the test
STOP_WITHIN = 10.0  # seconds: process.session.STOP_WITHIN


def head(multiprocessing: bool = True) -> str:
    return HEAD if multiprocessing else HEAD.replace(", setup_proc_logging", "")


def logged(folder: Path, text: str) -> list[str]:
    """The lines of all log files of `folder` that hold `text`."""
    lines = (line for file in folder.glob("app*.log") for line in file.read_text("utf-8").splitlines())
    return [line for line in lines if text in line]


# The process id of this process's listener.
LISTENER = """
def listener():
    me = os.getpid()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            stat = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()
            if int(stat[1]) == me and stat[0] != "Z" and b"listener_main" in open(f"/proc/{pid}/cmdline", "rb").read():
                return int(pid)
        except OSError:
            pass
"""


class TestListenerRestart:
    FORKS = (
        LISTENER
        + f"""
children, done = [], threading.Event()

def fork():
    child = os.fork()
    if not child:
        time.sleep({LONG})
        os._exit(0)
    children.append(child)

def fork_on():
    while not done.wait(0.01) and len(children) < 200:
        fork()

logs = setup_main_logging()
logs.flush()
try:
    longest = 0.0
    for _ in range(3):
        time.sleep(1.1)  # a listener that lived for a second is restarted at once
        done.clear()
        forker = threading.Thread(target=fork_on)
        before = time.monotonic()
        os.kill(listener(), signal.SIGKILL)
        for _ in range(8):
            fork()
        forker.start()
        assert logs.flush({LONG})
        longest = max(longest, time.monotonic() - before)
        done.set()
        forker.join()
    print(longest)
finally:
    for child in children:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
logs.stop()
"""
    )

    def test_restart_does_not_wait_for_forked_children(self, project: Project, tmp_path: Path) -> None:
        (tmp_path / "app.py").write_text(HEAD + self.FORKS, "utf-8")
        run = project.run("app.py", cwd=tmp_path, LOG_FILE="app.log", LOG_CONSOLE_LEVEL="60")
        assert (run.returncode, run.stderr) == (0, "")
        assert float(run.stdout) < 5

    def test_report_names_cause_and_missing_records(self, project: Project, tmp_path: Path) -> None:
        body = """
with setup_main_logging() as logs:
    os.kill(listener(), signal.SIGKILL)
    assert logs.flush()
"""
        run_script(project, tmp_path, LISTENER + body)
        text = "listener: restarted, up to 8 records may be missing: SIGKILL"
        assert len(logged(tmp_path, text)) == 1


class TestGevent:
    PATCHED = "from gevent import monkey; monkey.patch_all()\nimport gevent\n" + HEAD

    def test_records_of_greenlets_and_workers_are_logged(self, project: Project, tmp_path: Path) -> None:
        pytest.importorskip("gevent")
        body = """
def work(queue, method):
    setup_proc_logging(queue)
    logger.info("line %s", method)
    time.sleep(0.5)

if __name__ == "__main__":
    logs = setup_main_logging()
    logger.info("line main")
    gevent.joinall([gevent.spawn(logger.info, "line greenlet %d", number) for number in range(10)])
    workers = []
    for method in ("fork", "spawn"):
        workers.append(multiprocessing.get_context(method).Process(target=work, args=(logs.queue, method)))
        workers[-1].start()
    os.kill(listener(), signal.SIGKILL)
    assert logs.flush(30)
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    logger.info("line last")
    logs.stop()
"""
        (tmp_path / "app.py").write_text(self.PATCHED + LISTENER + body, "utf-8")
        run = project.run("app.py", cwd=tmp_path, LOG_FILE="app.log", LOG_CONSOLE_LEVEL="60")
        assert (run.returncode, run.stderr) == (0, "")
        lines = [line.partition("line ")[2] for line in logged(tmp_path, "line ")]
        assert sorted(lines) == sorted(["main", *(f"greenlet {n}" for n in range(10)), "fork", "spawn", "last"])

    def test_forked_child_starts_no_listener(self, project: Project, tmp_path: Path) -> None:
        pytest.importorskip("gevent")
        body = """
logs = setup_main_logging()
for _ in range(5):
    assert logs.flush(30)
    os.kill(listener(), signal.SIGKILL)
gevent.sleep(0.1)
child = os.fork()  # during the pause before the next listener, with the greenlet that waits for its end
if not child:
    time.sleep(1.5)
    logger.info("line child")
    os._exit(0 if listener() is None else 1)
assert os.waitpid(child, 0)[1] == 0
logs.stop()
"""
        (tmp_path / "app.py").write_text(self.PATCHED + LISTENER + body, "utf-8")
        run = project.run("app.py", cwd=tmp_path, LOG_FILE="app.log", LOG_CONSOLE_LEVEL="60")
        assert (run.returncode, run.stderr) == (0, "")
        assert len(logged(tmp_path, "line child")) == 1

    def test_sigterm_stops_and_ends_the_process(self, project: Project, tmp_path: Path) -> None:
        pytest.importorskip("gevent")
        body = """
setup_main_logging()
for number in range(500):
    logger.info("line %d", number)
print("ready", flush=True)
gevent.sleep(60)
"""
        (tmp_path / "app.py").write_text(self.PATCHED + body, "utf-8")
        process = project.start("app.py", cwd=tmp_path, LOG_FILE="app.log", LOG_CONSOLE_LEVEL="60")
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.2)  # until its hub waits: the signal is to arrive there
        process.terminate()
        assert process.communicate(timeout=DEADLINE)[1] == ""
        assert process.returncode == -signal.SIGTERM
        assert len(logged(tmp_path, "line ")) == 500


# SIGTERM arrives while stop() runs; the listener (the process, or the thread's handler) is paused until then.
STOPPING = """
from pathlib import Path
WHERE, PROCESS, CONTINUES = sys.argv[1], sys.argv[2] == "process", sys.argv[3] == "continue"
logs = setup_main_logging()
if PROCESS:
    os.kill(listener(), signal.SIGSTOP)
for number in range(500):
    logger.info("line %d", number)

def interrupt():
    while not logs.stopped:
        time.sleep(0.001)
    time.sleep(0.1)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(0.1)
    if CONTINUES:
        Path("go").touch()
        if PROCESS:
            os.kill(listener(), signal.SIGCONT)

threading.Thread(target=interrupt, daemon=True).start()
if WHERE == "thread":
    threading.Thread(target=logs.stop).start()
else:
    logs.stop()
wait_for_signal()
"""
WAITING_CUSTOM = """
import logging, time
from pathlib import Path

class CustomHandler(logging.Handler):
    def emit(self, record):
        while not Path("go").exists():
            time.sleep(0.01)
"""


class TestSigtermDuringStop:
    def run(self, project: Project, folder: Path, *args: str) -> int:
        """Run STOPPING, with a listener process as the first process of a container; returns its exit status."""
        (folder / "app.py").write_text(HEAD + LISTENER + STOPPING, "utf-8")
        prefix = [*first_process(), "--mount-proc"] if "process" in args else []
        return subprocess.run(
            [*prefix, sys.executable, "app.py", *args],
            cwd=folder,
            env=project.environment(LOG_FILE="app.log", LOG_CONSOLE_LEVEL="60", LOG_LISTENER=args[1]),
            timeout=DEADLINE,
            check=False,
        ).returncode

    @pytest.mark.parametrize("where", ["main", "thread"])
    def test_first_process_of_a_container_loses_nothing(self, project: Project, tmp_path: Path, where: str) -> None:
        assert self.run(project, tmp_path, where, "process", "continue") == 128 + signal.SIGTERM
        assert len(logged(tmp_path, "line ")) == 500

    @pytest.mark.parametrize("where", ["main", "thread"])
    def test_listener_thread_loses_nothing(self, project: Project, tmp_path: Path, where: str) -> None:
        custom = with_handler(project, tmp_path, WAITING_CUSTOM)
        assert self.run(custom, tmp_path, where, "thread", "continue") == -signal.SIGTERM
        assert len(logged(tmp_path, "line ")) == 500

    @pytest.mark.parametrize("where", ["main", "thread"])
    def test_stop_that_hangs_ends_within_the_limit(self, project: Project, tmp_path: Path, where: str) -> None:
        before = time.monotonic()
        assert self.run(project, tmp_path, where, "process", "hangs") == 128 + signal.SIGTERM
        assert time.monotonic() - before < STOP_WITHIN - 2


class TestRepeatedSetup:
    @pytest.mark.parametrize("multiprocessing", [True, False], ids=["queue", "direct"])
    def test_eight_threads_at_once_set_up_once(self, bake: Bake, tmp_path: Path, multiprocessing: bool) -> None:
        body = """
barrier, found = threading.Barrier(8), []

def set_up():
    barrier.wait()
    found.append(setup_main_logging())
    logger.info("line")

threads = [threading.Thread(target=set_up) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert len(set(map(id, found))) == 1
"""
        project = bake() if multiprocessing else bake(multiprocessing=False)
        (tmp_path / "app.py").write_text(head(multiprocessing) + body, "utf-8")
        run = project.run("app.py", cwd=tmp_path, LOG_FILE="app.log", LOG_CONSOLE_LEVEL="60")
        assert (run.returncode, run.stderr) == (0, "")
        assert len(logged(tmp_path, "line")) == 8
        assert [file.name for file in tmp_path.glob("app*.log")] == ["app.log"]

    @pytest.mark.parametrize("multiprocessing", [True, False], ids=["queue", "direct"])
    def test_forked_child_sets_up_its_own(self, bake: Bake, tmp_path: Path, multiprocessing: bool) -> None:
        body = """
with setup_main_logging():
    logger.info("line parent")
    child = os.fork()
    if not child:
        os.environ["LOG_FILE"] = "app-child.log"
        with setup_main_logging():
            logger.info("line child")
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
"""
        project = bake() if multiprocessing else bake(multiprocessing=False)
        (tmp_path / "app.py").write_text(head(multiprocessing) + body, "utf-8")
        run = project.run("app.py", cwd=tmp_path, LOG_FILE="app.log", LOG_CONSOLE_LEVEL="60")
        assert (run.returncode, run.stderr) == (0, "")
        assert ["child" in line for line in logged(tmp_path, "line ")].count(True) == 1
        assert "line child" in (tmp_path / "app-child.log").read_text("utf-8")
        assert len(logged(tmp_path, "line ")) == 2

    @pytest.mark.parametrize("multiprocessing", [True, False], ids=["queue", "direct"])
    @pytest.mark.parametrize("how", ["reload", "reload all", "purge"])
    def test_reload_leaves_one_session(self, bake: Bake, tmp_path: Path, how: str, multiprocessing: bool) -> None:
        body = f"""
import importlib, my_service.logging_setup
HOW = {how!r}
first = setup_main_logging()
names = [name for name in sys.modules if name.startswith("my_service.logging_setup")]
if HOW == "purge":
    for name in names:
        del sys.modules[name]
elif HOW == "reload":
    importlib.reload(my_service.logging_setup)
else:
    for name in sorted(names, reverse=True):
        importlib.reload(sys.modules[name])
again = importlib.import_module("my_service.logging_setup")
assert again.setup_main_logging() is first
logger.info("line main")
""" + (
            """
child = multiprocessing.get_context("fork").Process(target=again.setup_proc_logging, args=(first.queue,))
child.run = lambda: (again.setup_proc_logging(first.queue), logger.info("line child"))
child.start()
child.join()
"""
            if multiprocessing
            else "logger.info('line child')"
        )
        project = bake() if multiprocessing else bake(multiprocessing=False)
        (tmp_path / "app.py").write_text(head(multiprocessing) + body, "utf-8")
        run = project.run("app.py", cwd=tmp_path, LOG_FILE="app.log", LOG_CONSOLE_LEVEL="60")
        assert (run.returncode, run.stderr) == (0, "")
        assert len(logged(tmp_path, "line main")) == 1
        assert len(logged(tmp_path, "line child")) == 1
        assert [file.name for file in tmp_path.glob("app*.log")] == ["app.log"]


class TestForkedChild:
    def test_drops_of_the_parent_are_reported_once(self, project: Project, tmp_path: Path) -> None:
        body = """
with setup_main_logging() as logs:
    os.kill(listener(), signal.SIGSTOP)
    handler = logging.getLogger().handlers[0]
    while handler.dropped < 144:
        logger.info("fill")
    children = []
    for _ in range(5):
        child = os.fork()
        if not child:
            while not os.path.exists("go"):
                time.sleep(0.01)
            logger.info("child %d", handler.dropped)
            os._exit(0)
        children.append(child)
    os.kill(listener(), signal.SIGCONT)
    while not logs.flush():
        pass
    open("go", "w").close()
    for child in children:
        os.waitpid(child, 0)
    logger.info("parent %d", logs.counts()["dropped"])
"""
        quiet = {"LOG_CONSOLE_LEVEL": "60", "PYTHONWARNINGS": "ignore::DeprecationWarning"}  # os.fork() would log one
        run_script(project, tmp_path, LISTENER + body, LOG_QUEUE_TIMEOUT="0", **quiet)
        assert len(logged(tmp_path, "parent 144")) == 1
        assert len(logged(tmp_path, "child 0")) == 5
        counts = [re.search(r"(\d+) records dropped", line) for line in logged(tmp_path, "records dropped")]
        assert sum(int(count[1]) for count in counts if count) == 144

    def test_exception_in_a_fork_leaves_sigterm_unblocked(self, project: Project, tmp_path: Path) -> None:
        body = """
import random
with setup_main_logging() as logs:

    def interrupt(*_):
        if may_raise:  # it may come late
            raise KeyboardInterrupt

    signal.signal(signal.SIGALRM, interrupt)
    blocked, raised, may_raise = 0, [], False
    sys.unraisablehook = raised.append  # for an exception in a hook, which os.fork() does not raise
    for _ in range(1500):
        child = -1
        try:
            may_raise = True
            signal.setitimer(signal.ITIMER_REAL, random.uniform(0.00001, 0.0004))
            child = os.fork()
            if child == 0:
                os._exit(0)
            time.sleep(0.0005)
            may_raise = False
        except KeyboardInterrupt as error:
            may_raise = False
            raised.append(error)
        if child == 0:
            os._exit(0)
        blocked += signal.SIGTERM in signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        while True:
            try:
                if os.waitpid(-1, os.WNOHANG)[0] == 0:
                    break
            except ChildProcessError:
                break
    signal.signal(signal.SIGALRM, signal.SIG_IGN)
    os.kill(listener(), signal.SIGKILL)  # the lock is free: the next listener comes
    assert logs.flush(30)
    print(len(raised), blocked)
"""
        (tmp_path / "app.py").write_text(HEAD + LISTENER + body, "utf-8")
        run = project.run("app.py", cwd=tmp_path, LOG_FILE="app.log", LOG_CONSOLE_LEVEL="60")
        assert (run.returncode, run.stderr) == (0, "")
        raised, blocked = map(int, run.stdout.split())
        assert raised > 100
        assert blocked == 0


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_queue_is_passed_to_a_running_process(script: Script, method: str) -> None:
    """As an argument of a job, not of the process."""
    lines = script(
        f"""
from concurrent.futures import ProcessPoolExecutor

def job(queue):
    setup_proc_logging(queue)
    logger.info("job")

if __name__ == "__main__":
    with setup_main_logging() as logs, ProcessPoolExecutor(1, multiprocessing.get_context("{method}")) as pool:
        pool.submit(job, logs.queue).result()
"""
    )
    assert sum(line.endswith(" job") for line in lines) == 1
