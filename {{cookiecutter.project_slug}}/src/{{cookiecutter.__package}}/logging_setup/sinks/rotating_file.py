"""What both kinds of rotating file have in common: one writer, whole lines, no lost ones.

When a file rolls over, and to what name, is decided in file_timed.py or file_size.py; whose
file it is, in own_file.py; what becomes of the rolled-over ones, in backups.py.
"""

import logging
import os
import sys
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ..process import reports
from .backups import Backups, put_aside
from .locked_file import OwnFile, open_free

_LOOK_EVERY: Final = 1.0  # seconds between two looks at what others did to the file
_RETRY_AFTER: Final = 5.0  # seconds between two attempts to open it
_ROLL_AGAIN_AFTER: Final = 60.0  # seconds after a roll-over that failed
_NOTHING: Final = (0.0, 0.0, 0.0)
_WAIT_FOR_LOCK: Final = 0.5  # seconds for the process before us to finish with the file


class RotatingFileHandler(logging.Handler, ABC):
    """Appends records to `path`, with `backups` beside it. Opens it with the first record.

    A file that another process writes is left to it, and app.2.log written instead, until it
    is free. Nothing is raised for a file that cannot be written: it is reported, records are
    counted meanwhile, and it is tried again every few seconds.
    """

    def __init__(self, path: str, backups: Backups) -> None:
        super().__init__()
        self.name = "file"
        self._asked = self._path = Path(path)
        self._backups = backups
        self._file: OwnFile | None = None
        self._wait = _WAIT_FOR_LOCK
        self._waiting: deque[tuple[float, list[bytes]]] = deque()
        self._writing = False
        # What can simply be appended until the next look: records of these times, and this many bytes.
        self._start, self._end, self._room = _NOTHING
        self.lost = self._told = 0  # records that are in no file; those of them that were reported
        self.failing = False  # the last attempt to write has failed
        self._look_at = self._roll_at = 0.0  # in monotonic seconds
        if hasattr(os, "register_at_fork"):  # a child must not hold its parent's lock
            os.register_at_fork(after_in_child=self._begin_anew)

    @abstractmethod
    def _is_due(self, file: OwnFile, created: float, size: int) -> bool:
        """Whether `file` rolls over before a record of that time and that many bytes."""

    @abstractmethod
    def _simple(self, file: OwnFile) -> tuple[float, float, float]:
        """Of which times (from, until) and how many bytes records need no decision before the next look."""

    @abstractmethod
    def _make_room(self, path: Path) -> Path:
        """Where the file at `path` goes when it rolls over; moves earlier ones out of the way."""

    def emit(self, record: logging.LogRecord) -> None:
        """Append one record. Blocks as long as the disk does."""
        line = self._line(record)
        self._append(record.created, [line], simple=self._can_simply_append((record,), len(line)))

    def emit_all(self, records: Sequence[logging.LogRecord]) -> bool:
        """Append some records in one write, if there is nothing to decide between them.

        False: there is, and none has been appended. What their formatting raises, it raises before
        that too. Blocks as long as the disk does.
        """
        lines = [self._line(record) for record in records]
        if not self._can_simply_append(records, sum(map(len, lines))):
            return False
        self._append(records[0].created, lines, simple=True)
        return True

    def _can_simply_append(self, records: Sequence[logging.LogRecord], size: int) -> bool:
        """Whether so many bytes need no decision; the room for them is then taken."""
        room = self._room - size
        for record in records:
            if room < 0 or not self._start <= record.created < self._end:
                return False
        self._room = room
        return True

    def _line(self, record: logging.LogRecord) -> bytes:
        return (self.format(record) + "\n").encode("utf-8", "backslashreplace")

    def _append(self, created: float, lines: list[bytes], *, simple: bool) -> None:
        """Append `lines`; where that is `simple` there is nothing to decide, until the next look."""
        if simple and not self._writing and self._file is not None and time.monotonic() < self._look_at:
            self._writing = True
            try:
                self._file.append(lines)
            except OSError as error:
                self._trouble(error, lines)
            finally:
                self._writing = False
        else:
            self._waiting.append((created, lines))
        # A signal handler, or a report, may come amid a roll-over: then its line waits for its turn.
        while self._waiting and not self._writing:
            self._writing = True
            try:
                while self._waiting:
                    self._put(*self._waiting.popleft())
            finally:
                self._writing = False

    def _put(self, created: float, lines: list[bytes]) -> None:
        if time.monotonic() >= self._look_at:
            self._look()
        if self._file is None:
            self.lost += len(lines)
            return
        try:
            if self._file.rotates:
                self._write(self._file, created, lines)
            else:
                self._file.append(lines)
        except OSError as error:
            self._trouble(error, lines)
            return
        self._start, self._end, self._room = self._simple(self._file) if self._file else _NOTHING
        self.failing = False
        if self.lost > self._told:
            lost, self._told = self.lost - self._told, self.lost
            reports.say(f"{self._path} can be written again; {lost} records are not in it")

    def _write(self, file: OwnFile, created: float, lines: list[bytes]) -> None:
        if self._is_due(file, created, sum(map(len, lines))) and time.monotonic() >= self._roll_at:
            file = self._roll_over(file)
        file.append(lines)

    def probe(self, record: logging.LogRecord) -> str:
        """Append one record, and return where to; raises OSError. If the file is another process's
        it is written all the same: that keeps lines whole, and makes no second file."""
        self._asked.parent.mkdir(parents=True, exist_ok=True)
        try:
            OwnFile(self._asked).close()
        except BlockingIOError:
            with self._asked.open("ab", buffering=0) as file:
                file.write((self.format(record) + "\n").encode("utf-8", "backslashreplace"))
            return f"{self._asked}, which another process has open"
        self.emit(record)
        return str(self._asked)

    def _look(self) -> None:
        """See to it that the file is open, where it should be, and the one that was asked for."""
        self._look_at = time.monotonic() + _LOOK_EVERY
        try:
            if self._file is None:
                self._open()
            elif not self._file.is_there():  # moved away, by logrotate perhaps
                self._let_go()
                self._open()
            elif self._path != self._asked:
                first = OwnFile(self._asked)
                self._let_go()
                self._use(first)
        except BlockingIOError:
            return  # the first file is still another process's
        except OSError as error:
            self._trouble(error)

    def _open(self) -> OwnFile:
        self._asked.parent.mkdir(parents=True, exist_ok=True)
        file = open_free(self._asked, self._wait)
        self._wait = 0.0
        self._use(file)
        return file

    def _use(self, file: OwnFile) -> None:
        before, self._file, self._path = self._path, file, file.path
        self._look_at = time.monotonic() + _LOOK_EVERY
        if file.rotates:
            self._backups.tidy(file.path)
        if file.path == before:
            return
        if file.path == self._asked:
            reports.say(f"{self._asked} is free again; this process writes it from now on", logging.INFO)
        else:
            reports.say(f"{self._asked} is being written by another process; this one writes {file.path}")

    def _roll_over(self, file: OwnFile) -> OwnFile:
        """Put the full file aside and open a new one; if that fails, go on, and try again in a minute."""
        try:
            backup = self._make_room(file.path)
            if sys.platform == "win32":  # which does not rename an open file
                self._let_go()
            put_aside(file.path, backup)
        except OSError as error:
            self._roll_at = time.monotonic() + _ROLL_AGAIN_AFTER
            reports.report("roll-over", f"{file.path} cannot roll over, and grows on: {error}")
        else:
            self._let_go()
        return self._file or self._open()

    def _trouble(self, error: OSError, lines: Sequence[bytes] = ()) -> None:
        self.lost += len(lines) - (self._file.whole if self._file else 0)
        self.failing = True
        self._let_go()
        self._look_at = time.monotonic() + _RETRY_AFTER
        reason = error.strerror or error
        reports.report("file", f"{self._path} cannot be written: {reason}; tried again every {_RETRY_AFTER:.0f} s")

    def _let_go(self) -> None:
        if self._file:
            self._file.close()
        self._file = None

    def _begin_anew(self) -> None:
        """In a forked child: the file, and what waits to be written to it, is its parent's."""
        self._let_go()
        self._waiting.clear()
        self._writing = False
        self._look_at = 0.0

    def close(self) -> None:
        """Say what was lost, give a compression some time to finish, and let go of the file."""
        if self.lost > self._told:
            reports.say(f"{self.lost - self._told} records are not in {self._path}")
            self._told = self.lost  # with this one: logging.shutdown closes again
        self._backups.join()
        self._let_go()
        super().close()
