"""Rollover by size: number and order of the files, compression, and kills during a compression."""

import contextlib
import gzip
import itertools
import logging
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.imported import Imported, record
from tests.support.network import wait_until
from tests.support.project import Bake, Project

# Writes lines for two files, and stops in the compression of the first.
STOPS = """
import logging, os, shutil, sys, threading, time
from sized_file.logging_setup.sinks.size_file import SizeFileHandler

def stop(*args):
    print("stopped", flush=True)
    time.sleep(600)

def half(source, target):
    target.write(source.read(5000))
    target.flush()
    stop()

if sys.argv[1] == "halfway":
    shutil.copyfileobj = half
else:  # when the compressed data has replaced the plain data, but not yet been renamed
    rename = os.replace
    os.replace = lambda old, new: stop() if old.endswith(".gzipping") else rename(old, new)
handler = SizeFileHandler("app.log", 10_000, 5, compress="gzip")
for number in range(150):
    handler.handle(logging.makeLogRecord({"msg": f"{number:099d}"}))
time.sleep(600)
"""


@pytest.fixture
def sized_project(bake: Bake) -> Project:
    return bake(project_slug="sized-file", file_handler="size", multiprocessing=False)


@pytest.fixture
def sized(sized_project: Project) -> Iterator[Imported]:
    imported = Imported(sized_project)
    yield imported
    imported.close()


def make(sized: Imported, path: Path, **options: Any) -> logging.Handler:
    options = {"max_bytes": 1000, "backups": 5, **options}
    handler: logging.Handler = sized.module("sinks.size_file").SizeFileHandler(str(path), **options)
    return sized.use(handler)


def text(path: Path) -> str:
    return (gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()).decode()


def numbers(folder: Path) -> list[int]:
    """Return the numbers in all files together; lines that are not a number are reports."""
    lines = [line for path in folder.iterdir() for line in text(path).splitlines()]
    return sorted(int(line) for line in lines if line.isdecimal())


class TestRollover:
    """Number, length and order of the files."""

    @pytest.mark.parametrize("together", [1, 8])
    def test_number_and_length_of_files_are_limited(self, sized: Imported, tmp_path: Path, together: int) -> None:
        settings = sized.module("settings").Settings.from_environ(
            {"LOG_FILE": str(tmp_path / "app.log"), "LOG_FILE_MAX_BYTES": "1000", "LOG_FILE_BACKUPS": "3"}
        )
        _console, file = sized.module("get_handlers").get_handlers(settings)
        sized.use(file).setFormatter(None)
        for begin in range(0, 100, together):
            sized.hand_over(file, [record(f"{number:099d}") for number in range(begin, min(begin + together, 100))])
        files = ["app.log.3", "app.log.2", "app.log.1", "app.log"]
        assert {path.name for path in tmp_path.iterdir()} == set(files)
        assert all((tmp_path / name).stat().st_size == 1000 for name in files)
        assert [int(line) for name in files for line in text(tmp_path / name).splitlines()] == list(range(60, 100))

    def test_record_longer_than_a_file_gets_its_own(self, sized: Imported, tmp_path: Path) -> None:
        handler = make(sized, tmp_path / "app.log")
        for line in ("before", "x" * 5000, "after"):
            handler.handle(record(line))
        assert [text(tmp_path / name) for name in ("app.log.2", "app.log.1", "app.log")] == [
            "before\n",
            "x" * 5000 + "\n",
            "after\n",
        ]

    def test_restart_appends_to_the_file(self, sized: Imported, tmp_path: Path) -> None:
        for number in range(50):
            handler = make(sized, tmp_path / "app.log")
            handler.handle(record(f"{number:099d}"))
            handler.close()
        assert numbers(tmp_path) == list(range(50))
        assert (tmp_path / "app.log.1").stat().st_size == 1000

    def test_file_of_a_second_instance_is_no_backup(self, sized: Imported, tmp_path: Path) -> None:
        first, second = make(sized, tmp_path / "app", backups=1000), make(sized, tmp_path / "app", backups=1000)
        for number in range(0, 100, 2):
            first.handle(record(f"{number:099d}"))
            second.handle(record(f"{number + 1:099d}"))
        assert numbers(tmp_path) == list(range(100))
        assert "app.2.log" in {path.name for path in tmp_path.iterdir()}

    def test_signal_in_a_rollover_opens_no_second_file(self, sized: Imported, tmp_path: Path) -> None:
        handler = make(sized, tmp_path / "app.log", max_bytes=1000, backups=1000)
        sent = itertools.count()

        def log(*_: object) -> None:
            handler.handle(record(f"{next(sent):099d}"))

        def log_amid(*_: object) -> None:
            log()
            if len(amid) > 300:
                signal.setitimer(signal.ITIMER_REAL, 0)
            amid.append(1)

        amid: list[int] = []

        before = signal.signal(signal.SIGALRM, log_amid)
        signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
        try:
            for _ in range(300):
                log()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        assert not list(tmp_path.glob("app.2.log*"))
        assert numbers(tmp_path) == list(range(next(sent)))


class TestCompression:
    """Compressed backups."""

    def test_compressed_files_keep_order_and_number(self, sized: Imported, tmp_path: Path) -> None:
        variables = {"LOG_FILE": str(tmp_path / "app.log"), "LOG_FILE_MAX_BYTES": "1000", "LOG_FILE_BACKUPS": "3"}
        settings = sized.module("settings").Settings.from_environ({**variables, "LOG_FILE_COMPRESS": "gzip"})
        _console, handler = sized.module("get_handlers").get_handlers(settings)
        sized.use(handler).setFormatter(None)
        backups = handler._backups  # noqa: SLF001
        for number in range(100):
            handler.handle(record(f"{number:099d}"))
            wait_until(lambda: not backups.busy)
        files = ["app.log.3.gz", "app.log.2.gz", "app.log.1.gz", "app.log"]
        assert {path.name for path in tmp_path.iterdir()} == set(files)
        assert [int(line) for name in files for line in text(tmp_path / name).splitlines()] == list(range(60, 100))

    def test_file_being_compressed_is_not_renamed(
        self, sized: Imported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        log_files = sized.module("sinks.log_files")
        compress, seen = log_files._compress, []  # noqa: SLF001

        def slowly(source: str) -> None:
            compress(source)
            seen.append(source)
            wait_until(lambda: handler_is_done)

        handler_is_done: list[bool] = []
        monkeypatch.setattr(log_files, "_compress", slowly)
        handler = make(sized, tmp_path / "app.log", backups=50, compress="gzip")
        for number in range(100):
            handler.handle(record(f"{number:099d}"))
        wait_until(lambda: seen)
        assert {path.name for path in tmp_path.iterdir()} == {"app.log", "app.log.1.gz"}
        handler_is_done.append(True)
        assert numbers(tmp_path) == list(range(100))

    @pytest.mark.parametrize("where", ["halfway", "at the end"])
    def test_killed_compression_leaves_no_partial_backup(
        self, sized: Imported, sized_project: Project, tmp_path: Path, where: str
    ) -> None:
        with sized_project.start("-c", STOPS, where, cwd=tmp_path) as process, contextlib.ExitStack() as end:
            end.callback(process.kill)
            assert process.stdout
            assert process.stdout.readline() == "stopped\n"
            wait_until(lambda: (tmp_path / "app.log").read_bytes().endswith(b"%099d\n" % 149))
        for path in tmp_path.glob("*.gz"):
            assert len(text(path).splitlines()) == 100  # raises if it is not complete
        make(sized, tmp_path / "app.log", max_bytes=10_000, compress="gzip").handle(record("the next start"))
        wait_until(lambda: {path.name for path in tmp_path.iterdir()} == {"app.log", "app.log.1.gz"})
        assert numbers(tmp_path) == list(range(150))

    def test_gzip_can_read_compressed_files(self, sized: Imported, tmp_path: Path) -> None:
        handler = make(sized, tmp_path / "app.log", compress="gzip")
        for number in range(11):
            handler.handle(record(f"{number:099d}"))
        wait_until((tmp_path / "app.log.1.gz").exists)
        shown = subprocess.run(["gzip", "-dc", "app.log.1.gz"], cwd=tmp_path, capture_output=True, check=True)
        assert shown.stdout.count(b"\n") == 10
        assert (tmp_path / "app.log.1.gz").stat().st_mode & 0o777 == 0o640
