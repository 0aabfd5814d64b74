"""What both kinds of rotating file have in common: one writer, whole lines, no lost ones.

Each line is one write to a file opened for appending. When a file rolls over is decided in
file_timed.py or file_size.py; what makes room for the new one, and what happens when a disk
is full, a folder read-only or a second instance is running, is decided here.
"""

import contextlib
import gzip
import logging
import os
import re
import shutil
import sys
import threading
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Final

from .. import reports

if sys.platform != "win32":
    import fcntl

_LOOK_EVERY: Final = 1.0  # seconds between two looks at what others did to the file
_RETRY_AFTER: Final = 5.0  # seconds between two attempts to open it
_ROLL_AGAIN_AFTER: Final = 60.0  # seconds after a roll-over that failed
_WAIT_FOR_LOCK: Final = 0.5  # seconds for the process before us to finish with the file
_MOST_INSTANCES: Final = 100


class RotatingFileHandler(logging.Handler, ABC):
    """Appends records to `path`, keeping `backups` rolled-over files beside it.

    A file that another process writes is left to it, and `name.2.log` written instead, until
    it is free. Nothing is raised for a file that cannot be written: it is reported, records
    are counted meanwhile, and it is tried again every few seconds.
    """

    def __init__(self, path: str, backups: int, *, compress: str = "none") -> None:
        super().__init__()
        self.name = "file"
        self.path = self._asked = Path(path)
        self._backups = backups
        self._gzip = compress == "gzip"
        self._gzipping = threading.Lock()
        self._descriptor: int | None = None
        self._owner = os.getpid()
        self._size = 0  # bytes in the file
        self._lost = 0  # records since it could last be written
        self._look_at = self._open_at = self._roll_at = 0.0  # in monotonic seconds
        self._open(wait=_WAIT_FOR_LOCK)

    _SUFFIX: re.Pattern[str]  # of a backup: after the file's own name and a dot, before any .gz

    @abstractmethod
    def _opened(self, until: float | None) -> None:
        """A file was opened that holds records up to then (seconds since the epoch), or none."""

    @abstractmethod
    def _is_due(self, created: float, size: int) -> bool:
        """Whether to roll over before a record of that time and that many bytes."""

    @abstractmethod
    def _make_room(self) -> Path:
        """Where the file goes when it rolls over; moves earlier ones out of the way."""

    @abstractmethod
    def _age(self, suffix: str) -> str:
        """From what `_SUFFIX` has matched, a text that is greater the later the backup was made."""

    def emit(self, record: logging.LogRecord) -> None:
        """Append one record. Blocks as long as the disk does."""
        data = (self.format(record) + "\n").encode("utf-8", "backslashreplace")
        if self._descriptor is None or time.monotonic() >= self._look_at or self._owner != os.getpid():
            self._look()
        try:
            self._write(record, data)
        except OSError as error:
            self._lost += 1
            self._trouble(error)

    def _write(self, record: logging.LogRecord, data: bytes) -> None:
        if self._descriptor is None:
            self._lost += 1
            return
        if self._is_due(record.created, len(data)):
            self._roll_over(record.created)
        self._append(data)

    def _append(self, data: bytes) -> None:
        if self._descriptor is None:
            raise OSError("it was not opened again after a roll-over")
        self._size += len(data)
        while data:  # more than once only when the disk is about to be full
            data = data[os.write(self._descriptor, data) :]

    def _look(self) -> None:
        """See whether the file is still ours and still there; open it if it is not open."""
        now = time.monotonic()
        self._look_at = now + _LOOK_EVERY
        if self._owner != os.getpid():  # a forked child: the file stays the parent's
            self._owner = os.getpid()
            self._close()
        if self._descriptor is not None:
            there = _identity(self.path)
            if there != _identity(self._descriptor) or self.path != self._asked:
                self._close()
            else:
                self._size = os.fstat(self._descriptor).st_size
                return
        elif now < self._open_at:
            return
        self._open()

    def _open(self, wait: float = 0.0) -> None:
        before = self.path
        try:
            self._asked.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor = self._open_unlocked(wait)
            status = os.fstat(self._descriptor)
            self._size = status.st_size
            self._opened(status.st_mtime if status.st_size else None)
            if status.st_size and not _ends_line(self.path):
                self._append(b"\n")  # a line that a full disk or a kill has cut short
        except OSError as error:
            self._trouble(error)
            return
        self._delete_leftovers()
        if self.path not in (self._asked, before):
            reports.report("second instance", f"{self._asked} is another process's log; this one writes {self.path}")
        if self._lost:
            lost, self._lost = self._lost, 0
            reports.say(f"{self.path} can be written again; {lost} records are not in it")

    def _open_unlocked(self, wait: float) -> int:
        """Open the first of app.log, app.2.log ... that no other process writes."""
        until = time.monotonic() + wait
        for number in range(1, _MOST_INSTANCES):
            path = self._asked if number == 1 else self._asked.with_suffix(f".{number}{self._asked.suffix}")
            while True:
                descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
                if _lock(descriptor) and _identity(path) == _identity(descriptor):
                    self.path = path
                    return descriptor
                os.close(descriptor)
                if number > 1 or time.monotonic() >= until:
                    break
                time.sleep(0.01)
        raise OSError(f"{_MOST_INSTANCES} processes write beside {self._asked}")

    def _roll_over(self, created: float) -> None:
        """Put the full file aside and open one for a record of that time.

        If that fails, go on in the full one, and try again in a minute.
        """
        if time.monotonic() < self._roll_at or self._gzipping.locked():
            return
        try:
            backup = self._make_room()
            if backup.exists():  # from a clock that was set back: add to it, destroy nothing
                with self.path.open("rb") as ours, backup.open("ab") as theirs:
                    shutil.copyfileobj(ours, theirs)
                self.path.unlink()
            else:
                self.path.rename(backup)
        except OSError as error:
            self._roll_at = time.monotonic() + _ROLL_AGAIN_AFTER
            reports.report("roll-over", f"{self.path} cannot roll over, and grows on: {error}")
            return
        self._close()
        self._open()
        if not self._size:
            self._opened(created)
        with contextlib.suppress(OSError):
            for old in self._found()[self._backups :]:
                old.unlink()
        self._compress()

    def _found(self) -> list[Path]:
        """Our backups, latest first; what only looks alike is somebody else's."""
        mine = []
        for path in self.path.parent.iterdir():
            rest = path.name.removeprefix(f"{self.path.name}.")
            suffix = rest.removesuffix(".gz")
            if rest != path.name and self._SUFFIX.fullmatch(suffix):
                mine.append((self._age(suffix), path))
        return [path for _, path in sorted(mine, reverse=True)]

    def _compress(self) -> None:
        if self._gzip:
            with contextlib.suppress(RuntimeError):  # at exit; the next start does it
                threading.Thread(target=self._compress_all, name="log-gzip", daemon=True).start()

    def _compress_all(self) -> None:
        """Compress each backup that is not; a half-done one never has the name of a whole one."""
        with self._gzipping:
            for path in self._found():
                if path.suffix == ".gz":
                    continue
                part, whole = path.with_name(f"{path.name}.gz.part"), path.with_name(f"{path.name}.gz")
                try:
                    with path.open("rb") as source, gzip.open(part, "wb") as target:
                        shutil.copyfileobj(source, target)
                    part.replace(whole)
                    path.unlink()
                except OSError as error:
                    reports.report("gzip", f"{path} stays uncompressed: {error}")

    def _delete_leftovers(self) -> None:
        if self._gzip and not self._gzipping.locked():
            with contextlib.suppress(OSError):
                for part in self.path.parent.glob(f"{self.path.name}.*.gz.part"):
                    part.unlink()
            self._compress()

    def _trouble(self, error: OSError) -> None:
        self._close()
        self._open_at = time.monotonic() + _RETRY_AFTER
        reason = error.strerror or error
        reports.report("file", f"{self.path} cannot be written: {reason}; tried again every {_RETRY_AFTER:.0f} s")

    def _close(self) -> None:
        if self._descriptor is not None:
            with contextlib.suppress(OSError):
                os.close(self._descriptor)
        self._descriptor = None

    def close(self) -> None:
        """Say what was lost, let a compression finish, and let go of the file."""
        with self._gzipping:
            self._close()
        super().close()


def _lock(descriptor: int) -> bool:
    """Whether the file is now this process's to write; always, where files cannot be locked."""
    if sys.platform != "win32":
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            return True
    return True


def _identity(file: int | Path) -> tuple[int, int] | None:
    try:
        status = os.stat(file)  # noqa: PTH116 - a path or a descriptor
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _ends_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read() == b"\n"
