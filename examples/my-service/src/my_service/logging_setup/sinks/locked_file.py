"""A locked file, which this process alone appends whole lines to."""

import contextlib
import os
import stat
import sys
import time
from pathlib import Path
from typing import Final, Self

if sys.platform != "win32":
    import fcntl

_MOST_INSTANCES: Final = 100
# O_NONBLOCK: to open a named pipe that has no reader would block for ever.
_FLAGS: Final = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)


class LockedFile:
    """An open file, locked against every other process that opens it in this way.

    A device or a pipe is not locked, and does not roll over (`rotates` is False). The constructor and
    the methods raise OSError; BlockingIOError if another process has the lock.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.whole = 0
        self._descriptor = os.open(path, _FLAGS, 0o640)
        try:
            self.rotates = stat.S_ISREG(os.fstat(self._descriptor).st_mode)
            if self.rotates:
                _lock(self._descriptor)
            if not self.is_there():
                raise BlockingIOError(f"{path} was rolled over by another process")  # noqa: TRY301
        except BaseException:
            os.close(self._descriptor)
            raise
        status = os.fstat(self._descriptor)
        self.written = status.st_mtime  # seconds since the epoch
        # The next line must not continue one that a full disk or a kill has cut short.
        self._torn = self.rotates and status.st_size > 0 and not _ends_line(path)

    def append(self, lines: list[bytes]) -> None:
        """Write whole lines; blocks as long as the disk does. If it raises, `whole` of them are written."""
        before = self.size
        data = b"".join(lines)
        if self._torn:
            data = b"\n" + data
        try:
            while data:  # more than once only when the disk is about to be full
                written = os.write(self._descriptor, data)
                self.size += written
                data = data[written:]
                self._torn = bool(data)
        except OSError:
            left = self.size - before
            for line in lines:
                left -= len(line)
                self.whole += left >= 0
            raise

    def is_there(self) -> bool:
        """Return True if the path still leads to this file; update `size`, which others may have changed."""
        ours = os.fstat(self._descriptor)
        self.size = ours.st_size
        try:
            return os.path.samestat(ours, self.path.stat())
        except OSError:
            return False

    def stamp(self, moment: float) -> None:
        """Set the time of the last change, in seconds since the epoch, where the file system allows that."""
        with contextlib.suppress(OSError):
            os.utime(self._descriptor if os.utime in os.supports_fd else self.path, (moment, moment))

    def close(self) -> None:
        """Close the file, which releases its lock."""
        with contextlib.suppress(OSError):
            os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_free(path: Path, wait: float) -> LockedFile:
    """Open `path` (app.log), or the first of app.2.log, app.3.log ... that no other process has locked.

    Blocks up to `wait` seconds for `path` itself: the process that has it may be about to end.
    """
    until = time.monotonic() + wait
    while True:
        try:
            return LockedFile(path)
        except BlockingIOError:
            if time.monotonic() >= until:
                break
            time.sleep(0.01)
    for number in range(2, _MOST_INSTANCES):
        with contextlib.suppress(BlockingIOError):
            # Always with an ending: app.2 would be a backup's name.
            return LockedFile(path.with_suffix(f".{number}{path.suffix or '.log'}"))
    raise OSError(f"{_MOST_INSTANCES} other processes write files beside it")


def append_once(path: Path, line: bytes) -> str:
    """Append one line, and return where to, in words. If another process has the lock, the line is appended all the
    same: a single write stays whole, and a second file would be confusing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with LockedFile(path) as file:
            file.append([line])
    except BlockingIOError:
        with path.open("ab", buffering=0) as opened:
            opened.write(line)
        return f"{path}, which another process has open"
    return str(path)


def _lock(descriptor: int) -> None:
    """Take the lock, which ends with the process, even by SIGKILL; some network file systems have none."""
    if sys.platform != "win32":
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise
        except OSError:
            return


def _ends_line(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read() == b"\n"
    except OSError:  # it may be written, but not read
        return True
