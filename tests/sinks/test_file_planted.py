"""The log file in a folder that other users write to: files that they plant next to it are not used."""

import gzip
import logging
import os
import shutil
import stat
import zlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.imported import Imported, record
from tests.support.network import wait_until
from tests.support.project import Bake, Project

KEPT = "kept as it is\n"


@pytest.fixture
def victim(tmp_path: Path) -> Iterator[Path]:
    """Create a file that no test may read, change or chmod."""
    path = tmp_path / "victim"
    path.write_text(KEPT, "utf-8")
    path.chmod(0o600)
    os.utime(path, (1, 1))
    yield path
    assert path.read_text("utf-8") == KEPT
    assert (stat.S_IMODE(path.stat().st_mode), path.stat().st_mtime) == (0o600, 1)


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    folder = tmp_path / "logs"
    folder.mkdir()
    return folder


def make(timed: Imported, folder: Path, **options: Any) -> logging.Handler:
    options = {"when": "midnight", "backups": 1000, **options}
    handler: logging.Handler = timed.module("sinks.timed_file").TimedFileHandler(str(folder / "app.log"), **options)
    return timed.use(handler)


def day(number: int) -> float:
    """Return noon of a day of January 2026."""
    return datetime(2026, 1, number, 12).timestamp()  # noqa: DTZ001 - local, as the file's days are


def plant(path: Path, kind: str, victim: Path) -> None:
    if kind == "link":
        path.symlink_to(victim)
    else:
        os.mkfifo(path)


kinds = pytest.mark.parametrize("kind", ["link", "pipe"])


@kinds
class TestBackup:
    def test_rollover_onto_planted_file_is_reported(self, timed: Imported, logs: Path, victim: Path, kind: str) -> None:
        plant(logs / "app.log.2026-01-01", kind, victim)
        handler = make(timed, logs)
        for number in (1, 2):
            handler.handle(record(f"day {number}", day(number)))
        assert (logs / "app.log").read_text("utf-8").startswith("day 1\nday 2\n")
        assert "app.log failed, still appending" in timed.reported[0]

    def test_late_record_goes_to_the_open_file(self, timed: Imported, logs: Path, victim: Path, kind: str) -> None:
        plant(logs / "app.log.2026-01-01", kind, victim)
        handler = make(timed, logs)
        for number in (2, 1):
            handler.handle(record(f"day {number}", day(number)))
        # The report, which is of today, has rolled the open file over.
        assert (logs / "app.log.2026-01-02").read_text("utf-8") == "day 2\nday 1\n"
        assert "app.log.2026-01-01 cannot be written" in timed.reported[0]

    def test_second_instance_is_not_written(self, timed: Imported, logs: Path, victim: Path, kind: str) -> None:
        plant(logs / "app.2.log", kind, victim)
        reader = os.open(logs / "app.2.log", os.O_RDONLY | os.O_NONBLOCK)
        make(timed, logs).handle(record("first"))
        make(timed, logs).handle(record("second"))
        assert any("app.log cannot be written" in text for text in timed.reported)
        os.close(reader)


class TestCompression:
    def compress(self, timed: Imported, logs: Path) -> Path:
        (logs / "app.log.2026-01-01").write_text("day 1\n", "utf-8")
        make(timed, logs, compress="gzip").handle(record("today"))
        return logs / "app.log.2026-01-01.gz"

    def test_link_at_the_temporary_name_is_replaced(self, timed: Imported, logs: Path, victim: Path) -> None:
        plant(logs / "app.log.2026-01-01.gz.part", "link", victim)
        packed = self.compress(timed, logs)
        wait_until(packed.exists)
        assert gzip.decompress(packed.read_bytes()) == b"day 1\n"

    @kinds
    @pytest.mark.parametrize("ending", [".gz", ".gzipping"])
    def test_planted_file_is_not_read(self, timed: Imported, logs: Path, victim: Path, kind: str, ending: str) -> None:
        if (kind, ending) == ("pipe", ".gzipping"):
            pytest.skip("a pipe is no backup")
        plant(logs / f"app.log.2026-01-01{ending}", kind, victim)
        self.compress(timed, logs)
        wait_until(lambda: any("compression failed" in text for text in timed.reported))
        for path in logs.iterdir():
            assert path.is_symlink() or path.is_fifo() or KEPT.encode() not in path.read_bytes()

    def test_planted_checksum_deletes_nothing(self, timed: Imported, logs: Path) -> None:
        planted = b"planted" + zlib.crc32(b"day 1\n").to_bytes(4, "little") + (6).to_bytes(4, "little")
        (logs / "app.log.2026-01-01.gz").write_bytes(planted)
        packed = self.compress(timed, logs)
        wait_until(lambda: {path.name for path in logs.iterdir()} == {"app.log", packed.name})
        assert gzip.decompress(packed.read_bytes().removeprefix(planted)) == b"day 1\n"

    def test_temporary_file_is_not_readable_by_others(
        self, timed: Imported, logs: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        modes: list[int] = []
        copy = shutil.copyfileobj

        def look(source: Any, target: Any) -> None:
            modes.extend(stat.S_IMODE(path.stat().st_mode) for path in logs.glob("*.part"))
            copy(source, target)

        monkeypatch.setattr(shutil, "copyfileobj", look)
        wait_until(self.compress(timed, logs).exists)
        assert modes == [0o640]


CRASH = """
import os, signal, sys
os.umask(0)
from {package}.logging_setup import setup_main_logging
with setup_main_logging():
    if sys.argv[1:]:
        os.kill(os.getpid(), signal.SIGSEGV)
"""


@pytest.mark.parametrize("multiprocessing", [True, False], ids=["queue", "direct"])
class TestFaultFile:
    @kinds
    def test_planted_file_is_not_opened_and_reported(
        self, bake: Bake, logs: Path, victim: Path, kind: str, multiprocessing: bool
    ) -> None:
        project = bake(multiprocessing=multiprocessing)
        plant(logs / "app.log.fault", kind, victim)
        done = self.crash(project, logs / "app.log", "now")
        assert "Segmentation fault" in done.stderr
        assert "app.log.fault cannot be opened" in done.stdout + done.stderr

    def test_file_and_folders_are_not_for_others(self, bake: Bake, tmp_path: Path, multiprocessing: bool) -> None:
        self.crash(bake(multiprocessing=multiprocessing), tmp_path / "new" / "deep" / "app.log")
        names = ("new", "new/deep", "new/deep/app.log.fault")
        assert [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in names] == [0o750, 0o750, 0o640]

    def test_device_has_no_fault_file(self, bake: Bake, multiprocessing: bool) -> None:
        Path("/dev/stdout.fault").unlink(missing_ok=True)
        self.crash(bake(multiprocessing=multiprocessing), Path("/dev/stdout"))
        assert not Path("/dev/stdout.fault").exists()

    def crash(self, project: Project, path: Path, *how: str) -> Any:
        script = CRASH.format(package=project.package)
        return project.run("-c", script, *how, cwd=project.path, LOG_FILE=str(path))
