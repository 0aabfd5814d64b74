"""Levels changed in a running service by `python -m my_service.logging_setup level`: issue 16, point 4."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.apps.numbered import make_notes
from tests.support.doctor import examine
from tests.support.network import wait_until
from tests.support.oracle import judge, log_lines, returned_calls
from tests.support.project import DEADLINE, Bake, Project
from tests.support.scripts import APPS, HEAD

WORKERS = 3
OTHER = 65534
as_root = pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can be another user")
posix = pytest.mark.skipif(os.name != "posix", reason="no owners of files")

# Runs the command from within the service, and stores its output in `shown`.
COMMAND = """
import subprocess
def level(*words):
    command = [sys.executable, "-m", "my_service.logging_setup", "level", *words]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    return run.stdout
def wait_until(true):
    until = time.monotonic() + 30
    while not true():
        assert time.monotonic() < until
        time.sleep(0.01)
db = logging.getLogger("my_service.db")
"""


def change(project: Project, folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run the command for services in `folder`."""
    return project.run("-m", "my_service.logging_setup", "level", *words, cwd=folder, TMPDIR=str(folder))


def file_of(folder: Path, user: int | None = None) -> Path:
    return folder / f"my_service.logging_setup-{os.geteuid() if user is None else user}" / "levels"


def write(folder: Path, levels: str = "my_service.db=DEBUG", mode: int = 0o700) -> Path:
    """Write a change for an hour as the command does."""
    file = file_of(folder)
    file.parent.mkdir(mode=0o700, exist_ok=True)
    file.touch(0o600)
    file.write_text(f"{int(time.time() + 3600) * 1000} {levels}\n", "utf-8")
    file.parent.chmod(mode)
    return file


def run_here(project: Project, folder: Path, body: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run a program of HEAD, COMMAND and `body`, whose file of levels is in `folder`."""
    head = HEAD if (project.logging / "queue").exists() else HEAD.replace(", setup_proc_logging", "")
    (folder / "app.py").write_text(head + COMMAND + body, "utf-8")
    run = project.run("app.py", cwd=folder, LOG_FILE="app.log", TMPDIR=str(folder), **variables)
    assert run.returncode == 0, run.stderr
    return run


def slots(lines: list[str], word: str) -> set[str]:
    """Return the slots that have logged `word`."""
    return {found[1] for line in lines if (found := re.search(rf" {word} (\d+)$", line))}


@pytest.fixture
def shared() -> Iterator[Path]:
    """Return a folder in which every user may create files, as in /tmp."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    folder.chmod(0o1777)
    yield folder
    shutil.rmtree(folder)


class TestRunningService:
    @pytest.mark.parametrize(
        ("method", "variables"),
        [
            *((method, {}) for method in ("fork", "spawn", "forkserver", "inherit")),
            *((method, {"LOG_LISTENER": "thread"}) for method in ("fork", "spawn", "forkserver", "inherit")),
            ("none", {}),
        ],
        ids=lambda value: value if isinstance(value, str) else "-".join(value.values()),
    )
    def test_level_changes_and_reverts_in_every_process(
        self, bake: Bake, tmp_path: Path, method: str, variables: dict[str, str]
    ) -> None:
        project = bake(multiprocessing=method != "none")
        workers = 0 if method == "none" else WORKERS
        make_notes(str(tmp_path / "notes"))
        variables = {"LOG_FILE": "app.log", "LOG_LEVEL": "INFO", "TMPDIR": str(tmp_path), **variables}
        process = project.start(str(APPS / "levels.py"), method, str(workers), cwd=tmp_path, **variables)

        def states() -> dict[str, list[str]]:
            found: dict[str, list[str]] = {}
            for slot, state in re.findall(r" state (\d+ \d+) (\w+)$", "\n".join(log_lines(tmp_path / "app.log")), re.M):
                found.setdefault(slot, []).append(state)
            return found

        everywhere = workers + 1
        try:
            wait_until(lambda: len(states()) == everywhere, "all processes log")
            run = change(project, tmp_path, "my_service.db=DEBUG", "--for", "6s")
            assert run.returncode == 0, run.stderr
            pids = {slot.split()[1] for slot in states()}
            assert pids <= set(re.findall(r"\d+", run.stdout.partition(" in processes ")[2]))
            report = examine(project, tmp_path, **variables)
            assert report["level_change"].startswith("my_service.db=DEBUG until ")
            whole = ["False", "True", "False"]
            wait_until(lambda: list(states().values()) == [whole] * everywhere, "changed and reverted everywhere")
            for sink in ("app.log", "console"):
                wait_until(lambda sink=sink: "end of the change" in (tmp_path / sink).read_text("utf-8"), sink)
                size = len(log_lines(tmp_path / sink))
                wait_until(lambda sink=sink, size=size: len(log_lines(tmp_path / sink)) > size + 100, "they log on")
        finally:
            (tmp_path / "end").touch()
            _, errors = process.communicate(timeout=DEADLINE)
        assert (process.returncode, errors) == (0, "")

        all_slots = {str(slot) for slot in range(everywhere)}
        for sink in ("app.log", "console"):
            lines = log_lines(tmp_path / sink)
            assert slots(lines, "db") == slots(lines, "pool") == all_slots, sink
            assert slots(lines, "other") == set(), sink
            # The listener reverts at its own time, and finishes the batch that it is writing.
            ends = (n for n, line in enumerate(lines) if re.search(r" state \d+ \d+ False$| end of the change", line))
            later = lines[max(ends) + 50 :]
            assert later
            assert slots(later, r"(?:db|pool)") == set(), sink
            reports = [line.partition(" levels: ")[2] for line in lines if " levels: " in line]
            assert [text.partition(" until ")[0] for text in reports] == [
                "my_service.db=DEBUG",
                "end of the change, previous levels restored",
            ]
        verdict = judge(log_lines(tmp_path / "app.log"), returned_calls(tmp_path / "notes"))
        assert verdict.good, verdict

    def test_process_that_starts_later_applies_the_change(self, project: Project, tmp_path: Path) -> None:
        body = """
def work(queue):
    setup_proc_logging(queue)
    setup_proc_logging(queue)
    db.debug("line %s", multiprocessing.get_start_method())

if __name__ == "__main__":
    with setup_main_logging() as logs:
        level("my_service=DEBUG")  # each setup sets the level again
        for method in ("fork", "spawn", "forkserver"):
            multiprocessing.set_start_method(method, force=True)
            worker = multiprocessing.Process(target=work, args=(logs.queue,))
            worker.start()
            worker.join()
        shown = level("--show").partition(" in processes ")[2].split(", ")
        assert len(shown) == 5, shown
"""
        lines = run_here(project, tmp_path, body, LOG_LEVEL="INFO").stdout
        assert re.findall(r"line (\w+)", lines) == ["fork", "spawn", "forkserver"]

    def test_root_change_reaches_every_logger(self, bake: Bake, tmp_path: Path) -> None:
        body = """
with setup_main_logging():
    level("root=DEBUG")
    logging.getLogger("urllib3.pool").debug("line library")
    db.debug("line package")
    level("--reset")
    wait_until(lambda: not logging.getLogger("urllib3.pool").isEnabledFor(logging.DEBUG))
    db.debug("line end")
"""
        run = run_here(bake(multiprocessing=False), tmp_path, body)
        assert re.findall(r"line (\w+)", run.stdout) == ["library", "package"]
        assert re.findall(r"line (\w+)", (tmp_path / "app.log").read_text("utf-8")) == ["library", "package", "end"]

    def test_second_change_replaces_the_first(self, project: Project, tmp_path: Path) -> None:
        body = """
if __name__ == "__main__":
    with setup_main_logging() as logs:
        level("my_service.db=DEBUG")
        level("my_service.web=ERROR", "urllib3=DEBUG")
        assert not db.isEnabledFor(logging.DEBUG)
        assert not logging.getLogger("my_service.web").isEnabledFor(logging.WARNING)
        logging.getLogger("urllib3").debug("line library")
"""
        assert "line library" in run_here(project, tmp_path, body, LOG_LEVEL="INFO").stdout

    def test_fork_amid_the_end_of_a_change_loses_no_level(self, bake: Bake, tmp_path: Path) -> None:
        body = """
class Forking(logging.Logger):
    def setLevel(self, level):
        if self.level == logging.DEBUG and os.getpid() == main and not forks:
            forks.append(threading.Thread(target=fork))
            forks[0].start()
            forks[0].join(1.0)  # has to wait for the end of the change, which this is
        super().setLevel(level)

def fork():
    child = os.fork()
    if not child:
        os._exit(forking.level != logging.ERROR)
    statuses.append(os.waitpid(child, 0)[1])

forks = []
main, statuses = os.getpid(), []
logging.setLoggerClass(Forking)
forking = logging.getLogger("my_service.forking")
forking.setLevel(logging.ERROR)
with setup_main_logging():
    level("my_service.forking=DEBUG")
    level("--reset")
    wait_until(lambda: statuses and forking.level == logging.ERROR)
    forks[0].join()
assert statuses == [0]
"""
        run_here(bake(multiprocessing=False), tmp_path, body, LOG_LEVEL="INFO")

    def test_commands_at_the_same_time_both_succeed(self, project: Project, tmp_path: Path) -> None:
        body = """
from my_service.logging_setup.process.live_level import read, write
other = f"from {write.__module__} import write; write('other=DEBUG', 60)"

def amid(event, _):
    if event == "os.rename":
        subprocess.run([sys.executable, "-c", other], check=True)
        shown.append(read()[0])

shown = []
sys.addaudithook(amid)
write("my_service.db=DEBUG", 60)
shown.append(read()[0])
assert [text.partition("=")[0] for text in shown] == ["other", "my_service.db"]
"""
        run_here(project, tmp_path, body)

    def test_change_works_under_gevent(self, project: Project, tmp_path: Path) -> None:
        pytest.importorskip("gevent")
        body = """
if __name__ == "__main__":
    with setup_main_logging() as logs:
        level("my_service.db=DEBUG")
        child = os.fork()
        if not child:
            db.debug("line child")
            level("--reset")
            wait_until(lambda: not db.isEnabledFor(logging.DEBUG))
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        wait_until(lambda: not db.isEnabledFor(logging.DEBUG))
"""
        body = "from gevent import monkey; monkey.patch_all()\n" + body
        assert "line child" in run_here(project, tmp_path, body, LOG_LEVEL="INFO").stdout

    def test_no_greenlet_runs_in_a_forked_child(self, project: Project, tmp_path: Path) -> None:
        """Starting a thread during a fork would switch to another greenlet of the parent."""
        pytest.importorskip("gevent")
        body = """
main, child = os.getpid(), 0
def other():
    while True:
        if os.getpid() != main:
            os._exit(1)
        gevent.sleep(0)

if __name__ == "__main__":
    with setup_main_logging() as logs:
        greenlet = gevent.spawn(other)
        gevent.sleep(0)
        for _ in range(5):
            child = os.fork()
            if not child:
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
        greenlet.kill()
"""
        run_here(project, tmp_path, "from gevent import monkey; monkey.patch_all()\nimport gevent\n" + body)


class TestSinks:
    def test_email_keeps_its_level(self, project: Project, tmp_path: Path) -> None:
        body = """
if __name__ == "__main__":
    with setup_main_logging() as logs:
        before = {each.name: each.handler.level for each in logs.sinks}
        level("my_service.db=DEBUG")
        now = {each.name: each.handler.level for each in logs.sinks}
        assert now == {**before, "console": 10, "file": 10}, now
        assert before == {"console": 20, "file": 20, "email": 50, "recent": 0}, before
"""
        mail = {"LOG_EMAIL_HOST": "127.0.0.1", "LOG_EMAIL_TO": "ops@example.com"}
        run_here(project, tmp_path, body, LOG_LEVEL="INFO", LOG_LISTENER="thread", **mail)

    def test_counts_leave_out_what_sinks_hold_back(self, bake: Bake, tmp_path: Path) -> None:
        body = """
with setup_main_logging() as logs:
    level("my_service.db=DEBUG")
    before = logs.counts()["handlers"]["console"]["handled"]
    logging.getLogger("my_service.other").debug("held back")
    db.debug("passes")
    assert logs.counts()["handlers"]["console"]["handled"] == before + 1
"""
        run_here(bake(multiprocessing=False), tmp_path, body)

    def test_batch_at_the_end_of_a_change_is_filtered(self, bake: Bake, tmp_path: Path) -> None:
        body = """
from my_service.logging_setup.process.live_level import LiveLevels, write
from my_service.logging_setup.sinks.dispatcher import Dispatcher

class Buffer(logging.Handler):
    buffers = True
    def emit(self, record):
        print(record.getMessage())

class Batch(list):
    def __iter__(self):
        yield from super().__iter__()
        write("", 0)
        levels._look()

write("my_service.db=DEBUG", 3600)
dispatcher, levels = Dispatcher([Buffer(logging.INFO)]), LiveLevels()
levels.start(dispatcher.handlers)
names = ("my_service.db", "my_service.other")
records = [logging.makeLogRecord({"name": name, "levelno": 10, "msg": f"line {name}"}) for name in names]
dispatcher.dispatch(Batch(records))
assert dispatcher.handlers[0].handler.level == logging.INFO
levels.stop()
"""
        assert re.findall("^line (.+)$", run_here(bake(multiprocessing=False), tmp_path, body).stdout, re.M) == [
            "my_service.db"
        ]

    def test_report_below_all_levels_goes_to_stderr(self, bake: Bake, tmp_path: Path) -> None:
        body = """
from my_service.logging_setup.process import reports
with setup_main_logging() as logs:
    level("my_service.db=DEBUG")
    reports.say("disk: line")
"""
        run = run_here(bake(multiprocessing=False), tmp_path, body, LOG_LEVEL="ERROR")
        assert "disk: line" in run.stderr


class TestThread:
    def test_stop_ends_thread_and_restores_levels(self, bake: Bake, tmp_path: Path) -> None:
        body = """
db.setLevel(logging.ERROR)
with setup_main_logging() as logs:
    level("my_service.db=DEBUG")
    (thread,) = (each for each in threading.enumerate() if each.name == "log-levels")
assert db.level == logging.ERROR
assert not db.filters
thread.join(30)
assert not thread.is_alive()
"""
        run_here(bake(multiprocessing=False), tmp_path, body)

    def test_switched_off_control_has_no_thread(self, project: Project, tmp_path: Path) -> None:
        write(tmp_path)
        body = """
def work(queue):
    setup_proc_logging(queue)
    check()

def check():
    assert "log-levels" not in [each.name for each in threading.enumerate()]
    assert not db.isEnabledFor(logging.DEBUG)

if __name__ == "__main__":
    with setup_main_logging() as logs:
        check()
        worker = multiprocessing.get_context("spawn").Process(target=work, args=(logs.queue,))
        worker.start()
        worker.join()
        assert worker.exitcode == 0
"""
        run = run_here(project, tmp_path, body, LOG_LEVEL="INFO", LOG_LEVEL_CONTROL="off")
        assert "levels:" not in run.stdout
        assert not [each for each in file_of(tmp_path).parent.iterdir() if each.name != "levels"]

    @posix
    def test_application_awaits_its_own_signals(self, bake: Bake, tmp_path: Path) -> None:
        body = """
with setup_main_logging() as logs:
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    os.kill(os.getpid(), signal.SIGUSR1)
    assert signal.sigwait([signal.SIGUSR1]) == signal.SIGUSR1
    assert signal.SIGTERM not in signal.pthread_sigmask(signal.SIG_BLOCK, [])
"""
        run_here(bake(multiprocessing=False), tmp_path, body)


class TestRefusals:
    REFUSED = """
if __name__ == "__main__":
    with setup_main_logging() as logs:
        assert not db.isEnabledFor(logging.DEBUG)
"""

    @pytest.mark.parametrize(
        ("words", "expected"),
        [
            (["my_service.db=LOUD"], "'my_service.db=LOUD': must be a level: DEBUG, INFO"),
            (["my_service.db"], "'my_service.db': must be comma-separated logger=LEVEL pairs"),
            (["my_service.db=DEBUG", "--for", "ten"], "'ten': must be a duration such as 30s, 10m or 2h, at most 24h"),
            (["my_service.db=DEBUG", "--for", "25h"], "'25h': must be a duration such as 30s, 10m or 2h, at most 24h"),
            (["my_service\n.db=DEBUG"], "must be names without line breaks and other control characters"),
            (["my_service.db=DEBUG", "--for", "0s"], "'0s': must be a duration such as 30s, 10m or 2h, at most 24h"),
            ([], "NAME=LEVEL, --show or --reset is required"),
        ],
    )
    def test_invalid_values_are_named(self, project: Project, tmp_path: Path, words: list[str], expected: str) -> None:
        run = change(project, tmp_path, *words)
        assert run.returncode == 2
        assert expected in run.stderr
        assert list(tmp_path.iterdir()) == []

    def test_without_a_running_service_nothing_is_left(self, project: Project, tmp_path: Path) -> None:
        run = change(project, tmp_path, "my_service.db=DEBUG")
        assert run.returncode == 2
        assert "no process of this service has read " in run.stderr
        assert change(project, tmp_path, "--show").stdout == "none\n"
        assert change(project, tmp_path, "--reset").returncode == 0

    @pytest.mark.parametrize("levels", ["my_service.db", "my_service.db=LOUD", "without a time", "for years"])
    def test_unreadable_file_is_reported(self, project: Project, tmp_path: Path, levels: str) -> None:
        file = write(tmp_path, levels)
        if levels == "without a time":
            file.write_text("my_service.db=DEBUG until later", "utf-8")
        elif levels == "for years":  # as after a correction of the clock
            file.write_text(f"{int(time.time() + 1e8) * 1000} my_service.db=DEBUG\n", "utf-8")
        assert "levels: change refused" in run_here(project, tmp_path, self.REFUSED, LOG_LEVEL="INFO").stdout
        assert change(project, tmp_path, "--show").stdout.startswith("refused: ")
        assert change(project, tmp_path, "--reset").stdout == "none\n"

    @posix
    def test_reset_works_on_a_full_disk(self, project: Project, tmp_path: Path) -> None:
        write(tmp_path)
        command = f"TMPDIR=. '{sys.executable}' -m my_service.logging_setup level"
        run = project.shell(f"ulimit -f 0; {command} --reset; {command} --show", cwd=tmp_path)
        assert (run.stdout, run.stderr) == ("none\nnone\n", "")

    @posix
    @pytest.mark.parametrize("case", ["open folder", "open file", "link to a file", "link to a folder"])
    def test_file_open_to_others_is_refused(self, project: Project, tmp_path: Path, case: str) -> None:
        file = write(tmp_path, mode=0o770 if case == "open folder" else 0o700)
        if case == "open file":
            file.chmod(0o660)
        elif case.startswith("link"):
            linked = file if case.endswith("file") else file.parent
            linked.rename(tmp_path / "elsewhere")
            linked.symlink_to(tmp_path / "elsewhere")
        self.check_refused(project, tmp_path)

    @as_root
    @pytest.mark.parametrize("owned", ["folder", "file"])
    def test_file_of_another_user_is_refused(self, project: Project, tmp_path: Path, owned: str) -> None:
        file = write(tmp_path)
        os.chown(file.parent if owned == "folder" else file, OTHER, OTHER)
        self.check_refused(project, tmp_path)

    def check_refused(self, project: Project, folder: Path) -> None:
        assert "levels: change refused" in run_here(project, folder, self.REFUSED, LOG_LEVEL="INFO").stdout
        run = change(project, folder, "my_service.db=DEBUG")
        assert run.returncode == 2
        assert "belongs to another user, or is open to others" in run.stderr
        report = examine(project, folder, TMPDIR=str(folder))
        assert report["level_change"].startswith("refused: ")

    @as_root
    def test_command_of_another_user_has_no_effect(self, project: Project, shared: Path) -> None:
        shutil.copytree(project.path, shared / "project")
        (shared / "project").chmod(0o755)
        own = Project(shared / "project", project.slug)
        python = shutil.which("python3", path="/usr/local/bin:/usr/bin") or ""  # that user may not reach this one
        is_recent = [python, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]
        if not python or subprocess.run(is_recent, check=False).returncode:
            pytest.skip("another user has no recent Python")
        body = f"""
command = ["{python}", "-m", "my_service.logging_setup", "level", "my_service.db=DEBUG"]
if __name__ == "__main__":
    with setup_main_logging() as logs:
        run = subprocess.run(command, user={OTHER}, group={OTHER}, extra_groups=[], capture_output=True, text=True)
        assert run.returncode == 2, run.stderr
        assert "no process of this service has read" in run.stderr, run.stderr
        assert not db.isEnabledFor(logging.DEBUG)
"""
        run_here(own, shared, body, LOG_LEVEL="INFO")
        assert file_of(shared, OTHER).parent.exists()
