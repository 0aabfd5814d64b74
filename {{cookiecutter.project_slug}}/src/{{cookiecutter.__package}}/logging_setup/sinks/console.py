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
from dataclasses import dataclass
from typing import ClassVar, Final, TextIO

from ..env import parsers as parse
from ..env.variables import MakeFormatter, Sink, level_setting, setting
from ..process import reports

_CHUNK: Final = 4096  # bytes that a pipe takes at once whenever it takes any (PIPE_BUF)
_MOMENT: Final = 0.01  # seconds until it is asked again what it said it would take, and did not
_CREDIT: Final = 0.5  # seconds that the console may hold up the log in one go: less than a log call waits
_CREDIT_BACK: Final = 0.1  # seconds of it given back for every second that passes


@dataclass(frozen=True, kw_only=True)
class ConsoleSink(Sink):
    """Settings of the console."""

    name: ClassVar[str] = "console"
    level: int = level_setting("LOG_CONSOLE_LEVEL", logging.INFO, "level of the console; empty: LOG_LEVEL, or INFO")
    format: str = setting(
        "LOG_CONSOLE_FORMAT",
        parse.one_of("text", "json"),
        "{{ cookiecutter.console_handler }}",
        "text or json",
    )
    stream: str = setting("LOG_CONSOLE_STREAM", parse.one_of("stdout", "stderr"), "stdout", "stdout or stderr")

    def make_handlers(self, make_formatter: MakeFormatter) -> list[logging.Handler]:
        """See Sink."""
        handler = ConsoleHandler(self.stream)
        handler.setFormatter(make_formatter(self.format, colour=wants_colour(handler.stream)))
        return [handler]


class ConsoleHandler(logging.StreamHandler[TextIO]):
    """Writes each record at once. A reader that does not keep up cannot hold up the log.

    While a pipe or terminal takes nothing, a line waits; all waiting together is at most half
    a second, and a tenth of the time that passes. After that, lines are dropped, counted and
    reported. A console that is closed is reported once and left alone; one that was never
    there, as in a daemon, is not missed.
    """

    def __init__(self, stream: str = "stdout") -> None:
        found: TextIO | None = getattr(sys, stream)
        super().__init__(found or io.StringIO())
        self.name = "console"
        self.lost = 0  # records that were not written whole
        self._gone = found is None or _is_closed(found)
        self._descriptor = None if self._gone else _descriptor(found)
        self._encoding = getattr(found, "encoding", None) or "utf-8"
        self._torn = False  # the last line ended in its middle
        self._poll: select.poll | None = None
        self._credit = _CREDIT
        self._credited = time.monotonic()
        if self._descriptor is not None and _can_stall(self._descriptor):
            self._descriptor = _without_blocking(self._descriptor)
            self._poll = select.poll()
            self._poll.register(self._descriptor, select.POLLOUT)

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; OSError is reported, not raised."""
        if self._gone:
            self.lost += 1
            return
        line = self.format(record) + "\n"
        try:
            with contextlib.suppress(RuntimeError):  # a signal handler that logs amid a flush
                self.stream.flush()  # what print() has left there came first
            if self._descriptor is None:
                self.stream.write(line)
                self.stream.flush()
            else:
                self._write(self._descriptor, line.encode(self._encoding, "backslashreplace"))
        except (OSError, ValueError) as error:
            self.lost += 1
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):  # it is a file
                reports.report("console full", f"lines dropped: the console: {error.strerror}")
            else:  # a broken pipe; a stream that was closed
                self._gone = True
                reports.report("console gone", f"nothing more goes to the console: {error}")

    def flush(self) -> None:
        """Nothing is held back here."""

    def _write(self, descriptor: int, data: bytes) -> None:
        if self._torn:
            data = b"\n" + data
        rest = data
        try:
            while rest and self._ready():
                written = _write_some(descriptor, rest[:_CHUNK])
                if not written and not self._spend(_MOMENT):
                    break
                rest = rest[written:]
        finally:
            self._torn = bool(rest) and (self._torn or len(rest) < len(data))
        if rest:
            self.lost += 1
            reports.report("console stalled", "lines dropped: the console takes nothing")

    def _spend(self, seconds: float) -> bool:
        """Wait so long, if there is credit."""
        if self._credit < seconds:
            return False
        self._credit -= seconds
        time.sleep(seconds)
        return True

    def _ready(self) -> bool:
        """Wait until the console takes something, for as long as there is credit."""
        if not self._poll or self._poll.poll(0):
            return True
        before = time.monotonic()
        self._credit = min(_CREDIT, self._credit + (before - self._credited) * _CREDIT_BACK)
        # In whole milliseconds, and never the one that rounding up would add to each line.
        ready = bool(self._poll.poll(int(self._credit * 1000)))
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
    except (ValueError, AttributeError):  # closed; or somebody's own object, with write() alone
        return False


def _descriptor(stream: TextIO | None) -> int | None:
    """The file behind `stream`, if it can be written to directly: not on Windows, nor for a stream of another
    class, such as a notebook's: its fileno() is not where its write() goes."""
    if not isinstance(stream, io.TextIOWrapper) or os.name != "posix":
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


def _without_blocking(descriptor: int) -> int:
    """The same pipe or terminal opened anew: not to block is then our own affair, not that of all who share it.

    A terminal needs it: it says that it takes something, and blocks on what is longer. A
    socket cannot be had so, nor anything outside Linux.
    """
    try:
        return os.open(f"/proc/self/fd/{descriptor}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return descriptor


def _write_some(descriptor: int, chunk: bytes) -> int:
    try:
        return os.write(descriptor, chunk)
    except BlockingIOError:  # it took less than it had said: ask again
        return 0
