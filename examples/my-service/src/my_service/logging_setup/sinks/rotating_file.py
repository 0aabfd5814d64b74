"""Base class of the rotating file handlers: one writer per file, whole lines, losses counted and reported.

A subclass decides when a file rolls over, and to what name. The files themselves are in log_files.py.
"""

import contextlib
import itertools
import logging
import sys
import time
from abc import ABC, abstractmethod
from collections import deque
from typing import Any, Final

from ..process import reports
from ..process.global_state import forked_handlers
from .log_files import Backups, LockedFile, open_free

_LOOK_EVERY: Final = 1.0  # seconds between two checks of what other processes did to the file
_RETRY_AFTER: Final = 5.0  # seconds between two attempts to open it
_ROLL_AGAIN_AFTER: Final = 60.0  # seconds after a rollover that failed
_TRIES: Final = 50  # every 10 ms, for the previous process to release the file


class RotatingFileHandler(logging.Handler, ABC):
    """Append records to `path`, with `backups` next to it. Opens it with the first record.

    emit() buffers a line and flush() writes the buffer, so that a batch of records is one write; handle() does
    both. While another process writes the file, app.2.log is written instead. A file that cannot be written
    raises nothing: this is reported, lost records are counted, and opening is retried every few seconds.
    """

    buffers = True  # see dispatcher.py

    def __init__(self, path: str, backups: Backups) -> None:
        super().__init__()
        self.name = "file"
        self._configured = self._path = path
        self._backups = backups
        self._file: LockedFile | None = None
        self._buffer: deque[tuple[float, bytes]] = deque()  # when a record was made, and its line
        self._lines: list[bytes] = []  # those that go into the file without a rollover
        self._writing = False
        self._lock: Any = self.lock
        self._tries = _TRIES
        self.lost = self._reported = 0  # records that are in no file; how many of them were reported
        self.failing = False  # the last attempt to write has failed
        self._look_at = self._roll_at = 0.0  # in monotonic seconds
        forked_handlers.add(self)  # a child must not hold its parent's lock

    @abstractmethod
    def _place(self, file: LockedFile, created: float, line: bytes) -> bool:
        """Roll over if this record requires it; return True if it was written to another file instead."""

    def handle(self, record: logging.LogRecord) -> bool:
        """Append one record. Blocks as long as the disk does."""
        passed = super().handle(record)
        self.flush()
        return passed

    def emit(self, record: logging.LogRecord) -> None:
        """Buffer one record."""
        self._buffer.append((record.created, self._line(record)))

    def _line(self, record: logging.LogRecord) -> bytes:
        return (self.format(record) + "\n").encode("utf-8", "backslashreplace")

    def flush(self) -> None:
        """Write the buffer. Blocks as long as the disk does."""
        with self._lock:
            # A signal handler, or a report, may log during a write: its line stays in the buffer until that ends.
            while self._buffer and not self._writing:
                self._writing = True
                try:
                    self._write_buffer()
                finally:
                    self._writing = False

    def _write_buffer(self) -> None:
        if time.monotonic() >= self._look_at:
            self._look()
        while self._buffer:
            created, line = self._buffer.popleft()
            if not (self._file and self._file.rotates and self._place(self._file, created, line)):
                self._lines.append(line)
        self._append()

    def _append(self) -> None:
        file, lines, self._lines = self._file, self._lines, []
        if not file or not lines:
            self.lost += len(lines)
            return
        before = file.size
        try:
            file.append(b"".join(lines))
        except OSError as error:
            written = file.size - before
            self.lost += sum(end > written for end in itertools.accumulate(map(len, lines)))
            self._fail(error)
            return
        self.failing = False
        if self.lost > self._reported:
            self.report_lost("can be written again")

    def probe(self, record: logging.LogRecord) -> str:
        """Append one record, bypassing the buffer and without a rollover; return the path. Raises OSError."""
        # Locked or not: a single write stays whole, and a second file would be confusing.
        with contextlib.closing(LockedFile(self._configured, follow=True, shared=True)) as file:
            file.append(self._line(record))
            return f"{file.path}, which another process has open" if file.shared else file.path

    def _look(self) -> None:
        """Open the file if it is not open; reopen it if it was moved away, or if the configured file is free again."""
        self._look_at = time.monotonic() + _LOOK_EVERY
        try:
            if self._file and not self._file.is_there():  # moved away, for example by logrotate
                self._close_file()
            if self._file is None:
                self._use(open_free(self._configured, self._tries))
                self._tries = 1
            elif self._path != self._configured:
                with contextlib.suppress(BlockingIOError):  # it is still locked by another process
                    self._use(LockedFile(self._configured, follow=True))
        except OSError as error:
            self._fail(error)

    def _use(self, file: LockedFile) -> None:
        before, self._path = self._path, file.path
        self._close_file()
        self._file = file
        if file.rotates:
            self._backups.tidy(file.path)
        if file.path != before:
            is_first = file.path == self._configured
            event = "is free again" if is_first else "is locked by another process"
            level = logging.INFO if is_first else logging.WARNING
            reports.say(f"file: {self._configured} {event}, writing {file.path}", level)

    def _roll_over(self, file: LockedFile, ending: str) -> None:
        """Make the file a backup and open a new one; if that fails, keep appending, and retry in a minute."""
        self._append()
        if not self._file or time.monotonic() < self._roll_at:
            return
        try:
            if sys.platform == "win32":  # Windows does not rename an open file
                self._close_file()
            self._backups.add(file.path, ending)
            self._close_file()
        except OSError as error:
            self._roll_at = time.monotonic() + _ROLL_AGAIN_AFTER
            reports.report("rollover", f"file: rollover of {file.path} failed, still appending: {error}")
        self._look()

    def _fail(self, error: OSError) -> None:
        """Close the file, to be opened again later, and report why."""
        self.failing = True
        self._close_file()
        self._look_at = time.monotonic() + _RETRY_AFTER
        text = f"file: {self._path} cannot be written, retried every {_RETRY_AFTER:.0f} s: {error.strerror or error}"
        reports.report("file", text)

    def _close_file(self) -> None:
        if self._file:
            self._file.close()
        self._file = None

    def reset_in_child(self) -> None:
        """Close the file and clear the buffer in a forked child: both belong to its parent."""
        self._close_file()
        self._buffer.clear()
        self._lines.clear()
        self._writing = False
        self._look_at = 0.0

    def report_lost(self, event: str = "is closed") -> None:
        """Report lost records not reported yet. Called before close(), while other sinks can take a report."""
        lost, self._reported = self.lost - self._reported, self.lost
        if lost:
            reports.say(f"file: {self._path} {event}, {lost} records dropped")
            self._reported = self.lost  # includes this report, if it was lost too

    def close(self) -> None:
        """Write the buffer, wait up to 2 s for a compression to finish, and close the file."""
        self.flush()
        self.report_lost()
        self._backups.join()
        self._close_file()
        super().close()
