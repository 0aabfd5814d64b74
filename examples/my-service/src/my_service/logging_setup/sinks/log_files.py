"""The files of a log: the open one, locked against other processes, and its backups (rolled-over files)."""

import contextlib
import os
import re
import stat
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from ..process import reports
from ..process.open_file import open_file

if sys.platform != "win32":
    import fcntl

_MOST_INSTANCES: Final = 100
KINDS: Final = ("", ".gz", ".gzipping")  # endings of a backup: plain, compressed, and to be compressed


class LockedFile:
    """A file to append whole lines to, in an existing or new folder; locked against others that use this class.

    A device or a pipe is not locked, and does not roll over (`rotates` is False). The constructor and the methods
    raise OSError; BlockingIOError if another process has the lock, unless it may be `shared`. `follow`: as open_file().
    """

    def __init__(self, path: str, *, follow: bool = False, shared: bool = False) -> None:
        self.path = path
        self.shared = self._torn = False
        self.period = "", 0.0, 0.0  # if set, that of its records: name, start and end, in seconds since the epoch
        self._descriptor = open_file(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, follow=follow)
        try:
            self.rotates = stat.S_ISREG(os.fstat(self._descriptor).st_mode)
            if self.rotates:
                self._lock(shared)
            if not self.is_there():
                raise BlockingIOError(f"{path} was rolled over by another process")  # noqa: TRY301
        except BaseException:
            self.close()
            raise
        if self.rotates:
            with contextlib.suppress(OSError), open(path, "rb") as file:  # empty; or it may be written, but not read
                file.seek(-1, os.SEEK_END)
                self._torn = file.read() != b"\n"  # truncated by a full disk or a kill

    def _lock(self, shared: bool) -> None:
        """Take the lock, which the process's end releases, even by SIGKILL; some network file systems have no locks."""
        if sys.platform != "win32":
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                self.shared = isinstance(error, BlockingIOError)
                if self.shared and not shared:
                    raise

    def append(self, data: bytes) -> None:
        """Write whole lines; blocks as long as the disk does. `size` grows by what is written, even if it raises."""
        if self._torn:
            data = b"\n" + data
        while data:  # more than once only when the disk is almost full
            written = os.write(self._descriptor, data)
            self.size += written
            data = data[written:]
            self._torn = bool(data)
        name, start, end = self.period
        if name and time.time() >= end:
            with contextlib.suppress(OSError):  # after a restart, the time of the last change says which period it is
                os.utime(self._descriptor if os.utime in os.supports_fd else self.path, (start, start))

    def is_there(self) -> bool:
        """Return True if the path still leads to this file; update `size` and `written`, which others may change."""
        ours = os.fstat(self._descriptor)
        self.size, self.written = ours.st_size, ours.st_mtime  # bytes; seconds since the epoch
        try:
            return os.path.samestat(ours, os.stat(self.path))
        except OSError:
            return False

    def close(self) -> None:
        """Close the file, which releases its lock."""
        with contextlib.suppress(OSError):
            os.close(self._descriptor)


def open_free(path: str, tries: int) -> LockedFile:
    """Open `path` (app.log), or the first of app.2.log, app.3.log ... that no other process has locked.

    Tries `path` itself `tries` times, every 10 ms: the process that has locked it may be about to end.
    """
    for _ in range(tries):
        with contextlib.suppress(BlockingIOError):
            return LockedFile(path, follow=True)
        time.sleep(0.01)
    name, ending = os.path.splitext(path)
    for number in range(2, _MOST_INSTANCES):
        with contextlib.suppress(BlockingIOError):
            return LockedFile(f"{name}.{number}{ending or '.log'}")  # not app.2, which would be a backup's name
    raise OSError(f"{_MOST_INSTANCES} other processes write files beside it")


class Backups:
    """The backups of a file: find them by name, delete those beyond the number to keep, compress them in a thread."""

    def __init__(self, keep: int, endings: str, order: Callable[[str], Any], compress: bool) -> None:
        self.keep = keep
        self._endings = endings  # pattern of what follows the file's name
        self._order = order  # sort key of an ending, greater for later backups
        self._compress = compress
        self._thread = threading.Thread()

    @property
    def busy(self) -> bool:
        """Return True while backups are being compressed."""
        return self._thread.is_alive()

    def add(self, path: str, ending: str) -> None:
        """Rename `path` to its backup with that ending, or append it to the backup if that exists. Raises OSError."""
        backup = f"{path}.{ending}"
        if not os.path.exists(backup):
            os.rename(path, backup)
            return
        with open(path, "rb") as ours, contextlib.closing(LockedFile(backup)) as theirs:
            size = theirs.size
            try:
                while chunk := ours.read(1 << 20):
                    theirs.append(chunk)
            except OSError:
                with contextlib.suppress(OSError):
                    os.truncate(backup, size)
                raise
        os.remove(path)

    def tidy(self, path: str) -> None:
        """Delete backups of `path` beyond the number to keep, and start to compress the rest. Never raises."""
        folder, own = os.path.split(path)
        name = re.compile(rf"{re.escape(own)}\.({self._endings})(|\.gz|\.gzipping)")
        with contextlib.suppress(OSError):
            matches = filter(None, map(name.fullmatch, os.listdir(folder or ".")))
            endings = {match[1] for match in matches if os.path.isfile(os.path.join(folder, match[0]))}
            backups = [f"{path}.{ending}" for ending in sorted(endings, key=self._order, reverse=True)]
            for file in (f"{backup}{kind}" for backup in backups[self.keep :] for kind in KINDS):
                with contextlib.suppress(OSError):
                    os.remove(file)
            if self._compress and not self.busy:
                self._begin(backups[: self.keep])

    def _begin(self, backups: list[str]) -> None:
        for backup in backups:
            if os.path.isfile(backup) and not os.path.isfile(f"{backup}.gzipping"):
                # Renamed here, not in the thread, so that the plain name is free for late records.
                os.rename(backup, f"{backup}.gzipping")
        if sources := [file for backup in backups if os.path.isfile(file := f"{backup}.gzipping")]:
            self._thread = threading.Thread(target=_compress_all, args=(sources,), name="log-gzip", daemon=True)
            with contextlib.suppress(RuntimeError):  # no thread can be started at exit
                self._thread.start()

    def join(self) -> None:
        """Block until a compression has finished, at most 2 s; the next start compresses the rest."""
        if self.busy:
            self._thread.join(2.0)


def _compress_all(sources: list[str]) -> None:
    for source in sources:
        try:
            _compress(source)
        except OSError as error:
            reports.report("gzip", f"file: compression failed, {source} stays uncompressed: {error}")


def _compress(source: str) -> None:
    """Compress app.log.1.gzipping into app.log.1.gz, after any data that this file already contains.

    The compressed data is first renamed to `source`: whenever the process is killed, each line is in one complete
    file, and the next start continues.
    """
    import gzip
    import shutil

    whole = f"{source.removesuffix('.gzipping')}.gz"
    part = f"{whole}.part"
    with open(source, "rb", opener=open_file) as file:
        is_compressed = file.read(2) == b"\x1f\x8b"  # no text in UTF-8 begins with these bytes
    if not is_compressed:
        with contextlib.suppress(FileNotFoundError):
            os.remove(part)
        with open(part, "xb", opener=open_file) as target:
            if os.path.exists(whole):
                with open(whole, "rb", opener=open_file) as before:
                    shutil.copyfileobj(before, target)
            with gzip.GzipFile("", "wb", fileobj=target) as packed, open(source, "rb") as lines:
                shutil.copyfileobj(lines, packed)
            target.flush()
            os.fsync(target.fileno())
        shutil.copystat(source, part)
        os.replace(part, source)
    os.replace(source, whole)
