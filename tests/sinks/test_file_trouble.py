"""The log file when other processes use or move it, or its disk is full: losses are counted, the rest is written."""

import contextlib
import fcntl
import logging
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.imported import Imported, record
from tests.support.network import wait_until
from tests.support.project import Bake, Project

# Logs its name and a number repeatedly, until it finds a file of its name.
INSTANCE = """
import logging, sys, time
from pathlib import Path
from {package}.logging_setup import setup_main_logging

name, count = sys.argv[1], int(sys.argv[2])
with setup_main_logging():
    for number in range(count):
        logging.info("line %s %s", name, number)
    Path(f"{{name}}.ready").touch()
    while not Path(f"{{name}}.end").exists():
        logging.info("waiting %s", name)
        time.sleep(0.02)
"""
FORKS = """
import logging, os
from forking.logging_setup import setup_main_logging

with setup_main_logging():
    logging.info("line parent first")
    children = []
    for child in range(3):
        if not (pid := os.fork()):
            for number in range(200):
                logging.info("line %s %s", child, number)
            os._exit(0)
        children.append(pid)
    for number in range(200):
        logging.info("line parent %s", number)
    for pid in children:
        os.waitpid(pid, 0)
"""
ORPHAN = """
import logging, os, signal, time
from pathlib import Path
from forking.logging_setup import setup_main_logging

setup_main_logging()
logging.info("line before")
if os.fork():
    os.kill(os.getpid(), signal.SIGKILL)
Path("orphan").write_text(str(os.getpid()))
time.sleep(600)  # without logging
"""
ONE_LINE = """
import logging
from {package}.logging_setup import setup_main_logging
with setup_main_logging():
    logging.info("line after")
"""


@pytest.fixture
def no_intervals(timed: Imported, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the handler check for every record what it otherwise checks every few seconds."""
    file = timed.module("sinks.rotating_file")
    for name in ("_LOOK_EVERY", "_RETRY_AFTER", "_ROLL_AGAIN_AFTER"):
        monkeypatch.setattr(file, name, 0.0)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a file system of 64 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    command = [str(mount), "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if not mount or os.geteuid() or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("only root, where it may mount, can have a disk that fills up")
    yield folder
    subprocess.run(["umount", "-l", folder], check=False)


def make(timed: Imported, path: Path, **options: Any) -> logging.Handler:
    options = {"when": "midnight", "backups": 1000, **options}
    handler: logging.Handler = timed.module("sinks.timed_file").TimedFileHandler(str(path), **options)
    return timed.use(handler)


def text(path: Path) -> str:
    return path.read_text("utf-8")


def lines(folder: Path) -> list[str]:
    """Return the numbered lines of all log files."""
    found = [line for path in folder.glob("*.log*") for line in text(path).splitlines()]
    return sorted(line[line.index("line ") :] for line in found if "line " in line)


def has_line(folder: Path, pattern: str, words: str) -> bool:
    """Return True if the words are in one of these files, which may be renamed while they are read."""
    with contextlib.suppress(FileNotFoundError):
        return any(words in text(path) for path in folder.glob(pattern))
    return False


class TestSecondInstance:
    @pytest.mark.parametrize("file_handler", ["timed", "size"])
    def test_neither_instance_loses_a_line(self, bake: Bake, tmp_path: Path, file_handler: str) -> None:
        project = bake(file_handler=file_handler)
        options = {"LOG_FILE": str(tmp_path / "app.log"), "LOG_CONSOLE_LEVEL": "CRITICAL"}
        if file_handler == "size":
            options |= {"LOG_FILE_MAX_BYTES": "10000", "LOG_FILE_BACKUPS": "10000"}
        script = INSTANCE.format(package=project.package)
        with contextlib.ExitStack() as stack:
            first = stack.enter_context(project.start("-c", script, "first", "1000", cwd=tmp_path, **options))
            stack.callback(first.kill)
            wait_until(lambda: (tmp_path / "app.log").exists())
            second = stack.enter_context(project.start("-c", script, "second", "1000", cwd=tmp_path, **options))
            stack.callback(second.kill)
            wait_until(lambda: (tmp_path / "first.ready").exists() and (tmp_path / "second.ready").exists())
            wait_until(lambda: has_line(tmp_path, "app.2.log*", "app.log is locked by another process"))
            (tmp_path / "first.end").touch()
            first.communicate()
            wait_until(lambda: has_line(tmp_path, "app.log*", "waiting second"))
            (tmp_path / "second.end").touch()
            second.communicate()
        assert lines(tmp_path) == sorted(f"line {writer} {n}" for writer in ("first", "second") for n in range(1000))
        if has_line(tmp_path, "app.2.log*", "second"):  # it may have got app.log at a rollover by size
            assert has_line(tmp_path, "app.log*", "is free again")

    def test_restart_after_a_kill_uses_the_same_file(self, project: Project, tmp_path: Path) -> None:
        options = {"LOG_FILE": str(tmp_path / "app.log")}
        script = INSTANCE.format(package=project.package)
        with project.start("-c", script, "killed", "100", cwd=tmp_path, **options) as process:
            wait_until((tmp_path / "killed.ready").exists)
            process.kill()
            project.run("-c", ONE_LINE.format(package=project.package), cwd=tmp_path, **options)
            process.communicate()
        assert lines(tmp_path) == sorted(["line after", *(f"line killed {n}" for n in range(100))])
        assert "line after" in text(tmp_path / "app.log")
        assert not (tmp_path / "app.2.log").exists()

    def test_lock_of_an_ending_process_is_awaited(self, timed: Imported, tmp_path: Path) -> None:
        owner = timed.module("sinks.log_files").LockedFile(tmp_path / "app.log")
        ending = threading.Timer(0.1, owner.close)
        ending.start()
        make(timed, tmp_path / "app.log").handle(record("a line"))
        ending.join()
        assert text(tmp_path / "app.log") == "a line\n"


class TestForks:
    @pytest.fixture
    def forking(self, bake: Bake) -> Project:
        return bake(project_slug="forking", multiprocessing=False)

    def test_lines_of_parent_and_children_are_written_once(self, forking: Project, tmp_path: Path) -> None:
        done = forking.run("-c", FORKS, cwd=tmp_path, LOG_FILE=str(tmp_path / "app.log"))
        assert done.returncode == 0, done.stderr
        expected = [f"line {writer} {n}" for writer in (0, 1, 2, "parent") for n in range(200)]
        assert lines(tmp_path) == sorted(["line parent first", *expected])
        assert all("parent" in line for line in text(tmp_path / "app.log").splitlines() if "line " in line)

    def test_child_of_a_killed_parent_keeps_no_lock(self, forking: Project, tmp_path: Path) -> None:
        with forking.start("-c", ORPHAN, cwd=tmp_path, LOG_FILE=str(tmp_path / "app.log")) as process:
            process.wait()
            wait_until(lambda: (tmp_path / "orphan").exists() and text(tmp_path / "orphan"))
            script = ONE_LINE.format(package="forking")
            forking.run("-c", script, cwd=tmp_path, LOG_FILE=str(tmp_path / "app.log"))
            os.kill(int(text(tmp_path / "orphan")), 9)
        assert [line.rpartition("line ")[2] for line in text(tmp_path / "app.log").splitlines()[-1:]] == ["after"]
        assert not (tmp_path / "app.2.log").exists()


class TestMoved:
    def test_file_moved_by_logrotate_is_created_again(self, timed: Imported, tmp_path: Path) -> None:
        handler = make(timed, tmp_path / "app.log")
        handler.handle(record("before"))
        (tmp_path / "app.log").rename(tmp_path / "moved")

        def reopened() -> bool:
            handler.handle(record("after"))
            return (tmp_path / "app.log").exists()

        wait_until(reopened)
        assert text(tmp_path / "moved").startswith("before\n")
        assert set(text(tmp_path / "app.log").splitlines()) == {"after"}

    @pytest.mark.usefixtures("no_intervals")
    def test_removed_folder_is_created_again(self, timed: Imported, tmp_path: Path) -> None:
        handler = make(timed, tmp_path / "logs" / "deep" / "app.log")
        handler.handle(record("before"))
        shutil.rmtree(tmp_path / "logs")
        handler.handle(record("after"))
        assert text(tmp_path / "logs" / "deep" / "app.log") == "after\n"

    def test_truncated_file_is_written_from_its_beginning(self, timed: Imported, tmp_path: Path) -> None:
        handler = make(timed, tmp_path / "app.log")
        handler.handle(record("before"))
        os.truncate(tmp_path / "app.log", 0)
        handler.handle(record("after"))
        assert text(tmp_path / "app.log") == "after\n"

    def test_torn_line_is_ended_before_the_next(self, timed: Imported, tmp_path: Path) -> None:
        (tmp_path / "app.log").write_text("whole\ntorn", "utf-8")
        make(timed, tmp_path / "app.log").handle(record("next"))
        assert text(tmp_path / "app.log") == "whole\ntorn\nnext\n"


class TestRollOverFails:
    @pytest.mark.usefixtures("no_intervals")
    def test_failed_rollover_appends_and_is_retried(self, timed: Imported, tmp_path: Path) -> None:
        blocker = tmp_path / "app.log.2026-01-01"
        blocker.mkdir()
        (blocker / "something").touch()
        first, second = time.mktime((2026, 1, 1, 12, 0, 0, 0, 0, -1)), time.mktime((2026, 1, 2, 12, 0, 0, 0, 0, -1))
        handler = make(timed, tmp_path / "app.log")
        handler.handle(record("one", first))
        for number in range(10):
            handler.handle(record(f"two {number}", second))
        assert [text for text in timed.reported if "rollover of" in text] == timed.reported[:1]
        assert len(timed.reported) == 1
        logged = [line for line in text(tmp_path / "app.log").splitlines() if "rollover" not in line]
        assert logged == ["one", *(f"two {number}" for number in range(10))]
        shutil.rmtree(blocker)
        handler.handle(record("two at last", second))
        assert text(tmp_path / "app.log") == "two at last\n"
        assert text(blocker).startswith("one\n")


class TestCannotBeWritten:
    def test_missing_folder_is_created(self, timed: Imported, tmp_path: Path) -> None:
        make(timed, tmp_path / "a" / "b" / "app.log").handle(record("a line"))
        assert text(tmp_path / "a" / "b" / "app.log") == "a line\n"

    @pytest.mark.usefixtures("no_intervals")
    def test_writing_resumes_and_reports_lost_records(self, timed: Imported, tmp_path: Path) -> None:
        (tmp_path / "logs").write_text("a file where the folder should be", "utf-8")
        handler = make(timed, tmp_path / "logs" / "app.log")
        for number in range(10):
            handler.handle(record(f"lost {number}"))
        (tmp_path / "logs").unlink()
        handler.handle(record("there"))
        warning, recovery = timed.reported
        assert "cannot be written" in warning
        assert f"{tmp_path}/logs/app.log can be written again, 11 records dropped" in recovery  # and the warning
        assert text(tmp_path / "logs" / "app.log") == f"there\n{recovery}\n"

    def test_lost_records_are_reported_at_the_end(self, timed: Imported, tmp_path: Path) -> None:
        (tmp_path / "logs").touch()
        handler = make(timed, tmp_path / "logs" / "app.log")
        handler.handle(record("lost"))
        handler.close()
        assert timed.reported[-1].endswith("app.log is closed, 2 records dropped")

    @pytest.mark.parametrize("together", [1, 8])
    def test_full_disk_tears_no_line_and_counts_losses(
        self, timed: Imported, small_disk: Path, monkeypatch: pytest.MonkeyPatch, together: int
    ) -> None:
        if together == 1:  # each line is written singly; a batch could fail as a whole
            monkeypatch.setattr(timed.module("sinks.rotating_file"), "_LOOK_EVERY", 0.0)
        monkeypatch.setattr(timed.module("sinks.rotating_file"), "_RETRY_AFTER", 0.0)
        filler = small_disk / "filler"
        filler.write_bytes(b"x" * 40_000)
        handler = make(timed, small_disk / "app.log")
        sent = [f"{number:05d}" + "y" * 300 for number in range(200)]
        for begin in range(0, 150, together):
            timed.hand_over(handler, [record(line) for line in sent[begin : min(begin + together, 150)]])
        assert len(timed.reported) == 1
        assert "No space left on device" in timed.reported[0]
        filler.unlink()
        for line in sent[150:]:
            handler.handle(record(line))
        there = text(small_disk / "app.log").splitlines()
        whole = [line for line in there if line in sent]
        assert whole[-50:] == sent[150:]
        (recovery,) = timed.reported[1:]
        assert f"{200 - len(whole) + 1} records dropped" in recovery  # the warning is not in it either
        torn = [line for line in there if line not in (*sent, *timed.reported)]
        assert len(torn) <= 1

    @pytest.mark.usefixtures("no_intervals")
    def test_read_only_disk_is_reported_once_and_retried(self, timed: Imported, small_disk: Path) -> None:
        remount = ["mount", "-o", "remount,ro", small_disk]
        subprocess.run(remount, check=True)
        handler = make(timed, small_disk / "app.log")
        for number in range(10):
            handler.handle(record(f"line {number}"))
        assert len(timed.reported) == 1
        assert "Read-only file system" in timed.reported[0]
        subprocess.run([*remount[:2], "remount,rw", small_disk], check=True)
        handler.handle(record("there"))
        assert text(small_disk / "app.log").startswith("there\n")

    @pytest.mark.parametrize("file_handler", ["timed", "size"])
    @pytest.mark.parametrize("folder", ["full", "a file"])
    def test_application_starts_without_a_writable_file(
        self, bake: Bake, tmp_path: Path, file_handler: str, folder: str
    ) -> None:
        project = bake(file_handler=file_handler)
        (tmp_path / "a file").touch()
        (tmp_path / "full").mkdir()
        # Through a link: a fault in the handler may rename the link, but not the device.
        link = tmp_path / "full" / "app.log"
        link.symlink_to("/dev/full")
        size = {"LOG_FILE_MAX_BYTES": "1"} if file_handler == "size" else {}
        path = str(tmp_path / folder / "app.log")
        done = project.run("-m", project.package, cwd=tmp_path, LOG_FILE=path, **size)
        assert (done.returncode, done.stderr) == (0, "")
        assert f"{project.package}.service" in done.stdout
        assert done.stdout.count("cannot be written") == 1
        assert link.is_symlink()

    @pytest.mark.parametrize("device", ["/dev/null", "/dev/full"])
    @pytest.mark.usefixtures("no_intervals")
    def test_device_is_not_rolled_over(self, timed: Imported, tmp_path: Path, device: str) -> None:
        link = tmp_path / "app.log"
        link.symlink_to(device)
        handler = make(timed, link)
        for number in range(3):
            handler.handle(record("a line", 86_400.0 * number))
        assert list(tmp_path.iterdir()) == [link]
        assert link.is_symlink()
        assert len(timed.reported) == (device == "/dev/full")

    @pytest.mark.usefixtures("no_intervals")
    def test_named_pipe_without_a_reader_blocks_nothing(self, timed: Imported, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "app.log")
        handler = make(timed, tmp_path / "app.log")
        handler.handle(record("no reader"))
        reader = os.open(tmp_path / "app.log", os.O_RDONLY | os.O_NONBLOCK)
        handler.handle(record("a line"))
        assert os.read(reader, 100).startswith(b"a line\n")
        fcntl.flock(reader, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(reader)
