"""Lines to stdout or stderr."""

import contextlib
import errno
import io
import logging
import os
import select
import stat
import sys
import time
from typing import Final, TextIO

from .. import reports

_CHUNK: Final = 4096  # bytes that a pipe takes at once whenever it takes any (PIPE_BUF)
_CREDIT: Final = 1.0  # seconds that the console may hold up the log in one go
_CREDIT_BACK: Final = 0.1  # seconds of it given back for every second that passes


class ConsoleHandler(logging.StreamHandler[TextIO]):
    """Writes each record at once. A reader that does not keep up cannot hold up the log.

    While a pipe or terminal takes nothing, a line waits; all waiting together is at most a
    second, and a tenth of the time that passes. After that, lines are dropped, counted and
    reported. A console that is closed, or was never there, is reported once and left alone.
    """

    def __init__(self, stream: str = "stdout") -> None:
        found: TextIO | None = getattr(sys, stream)
        super().__init__(found or io.StringIO())
        self.name = "console"
        self._descriptor = _descriptor(found)
        self._gone = found is None or _is_closed(found)
        self._encoding = getattr(found, "encoding", None) or "utf-8"
        self._torn = False  # the last line ended in its middle
        self._poll: select.poll | None = None
        self._credit = _CREDIT
        self._credited = time.monotonic()
        if self._descriptor is not None and not self._gone and _can_stall(self._descriptor):
            self._poll = select.poll()
            self._poll.register(self._descriptor, select.POLLOUT)

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; OSError is reported, not raised."""
        if self._gone:
            return
        line = self.format(record) + "\n"
        try:
            with contextlib.suppress(RuntimeError):  # a signal handler that logs amid a flush
                self.stream.flush()  # what print() has left there came first
            if self._descriptor is None:
                self.stream.write(line)
                self.stream.flush()
            else:
                self._write(line.encode(self._encoding, "backslashreplace"))
        except (OSError, ValueError) as error:  # a broken pipe; a stream that was closed
            self._gone = True
            reports.report("console gone", f"nothing more goes to the console: {error}")

    def flush(self) -> None:
        """Nothing is held back here."""

    def _write(self, data: bytes) -> None:
        if self._torn:
            data, self._torn = b"\n" + data, False
        for start in range(0, len(data), _CHUNK):
            chunk = data[start : start + _CHUNK]
            if self._poll and not self._ready(self._poll):
                self._torn = start > 0
                reports.report("console stalled", "lines dropped: the console takes nothing")
                return
            while chunk:
                chunk = chunk[os.write(self._descriptor or 1, chunk) :]

    def _ready(self, poll: select.poll) -> bool:
        """Wait until the console takes a chunk, for as long as there is credit."""
        if poll.poll(0):
            return True
        before = time.monotonic()
        self._credit = min(_CREDIT, self._credit + (before - self._credited) * _CREDIT_BACK)
        ready = bool(poll.poll(self._credit * 1000))
        self._credited = time.monotonic()
        self._credit = max(0.0, self._credit - (self._credited - before))
        return ready


def wants_colour(stream: TextIO) -> bool:
    """A terminal, unless NO_COLOR is set; anything, if FORCE_COLOR is (no-color.org, force-color.org)."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    try:
        return stream.isatty() and os.environ.get("TERM") != "dumb"
    except ValueError:  # closed
        return False


def _descriptor(stream: TextIO | None) -> int | None:
    """The file behind `stream`, if it can be written to directly: not in a notebook, nor on Windows."""
    if stream is None or os.name != "posix":
        return None
    try:
        return stream.fileno()
    except (OSError, ValueError, AttributeError):
        return None


def _is_closed(stream: TextIO) -> bool:
    """Whether the file behind `stream` is closed, so that its number may soon be another file's."""
    try:
        os.fstat(stream.fileno())
    except OSError as error:
        return error.errno == errno.EBADF
    except (ValueError, AttributeError):
        pass
    return False


def _can_stall(descriptor: int) -> bool:
    mode = os.fstat(descriptor).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(descriptor)
