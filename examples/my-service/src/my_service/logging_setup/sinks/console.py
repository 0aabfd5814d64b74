"""The console: lines to stdout or stderr."""

import errno
import io
import logging
import os
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any, ClassVar, Final, TextIO

from ..env import parsers as parse
from ..env.variables import MakeFormatter, Sink, level_setting, setting
from ..process import reports
from ..records.format_strings import FORMATS, line_format
from ..records.text import syslog_severity
from .answers import RefusedError
from .background import BackgroundHandler

_BATCH_SIZE: Final = 65_536  # bytes; when a console that is not read is closed, all of these count as dropped
_CROWDED: Final = 2_000  # records in the backlog above which emit() may block
_YIELD: Final = 0.001  # seconds that it blocks at a time
_CREDIT: Final = 0.5  # seconds that it may block in all, if nothing is delivered meanwhile: less than LOG_QUEUE_TIMEOUT
_CREDIT_PER_BATCH: Final = 0.01  # seconds more for each delivery
_NO_SPACE: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # of a file that stdout is redirected to
_RETRY_AFTER: Final = 0.01  # seconds, while a non-blocking stream accepts nothing


class ConsoleSink(Sink):
    """Settings of the console."""

    name: ClassVar[str] = "console"
    level: int = level_setting("LOG_CONSOLE_LEVEL", logging.INFO, "level of the console; empty: LOG_LEVEL, or INFO")
    format: str = setting("LOG_CONSOLE_FORMAT", line_format, "text", FORMATS)
    stream: str = setting("LOG_CONSOLE_STREAM", parse.one_of("stdout", "stderr"), "stdout", "stdout or stderr")

    def make_handlers(self, make_formatter: MakeFormatter) -> list[logging.Handler]:
        """See Sink."""
        handler = ConsoleHandler(self.stream)
        formatter = make_formatter(self.format, colour=wants_colour(handler.output.stream))
        if handler.output.is_journal:
            formatter = JournalFormatter(formatter, has_time=self.format == "text")
        handler.setFormatter(formatter)
        return [handler]


class JournalFormatter(logging.Formatter):
    """Lines of another formatter for systemd's journal: with a priority (sd-daemon(3)), and without a time stamp."""

    def __init__(self, formatter: logging.Formatter, *, has_time: bool) -> None:
        super().__init__()
        self._formatter = formatter
        self._has_time = has_time

    def format(self, record: logging.LogRecord) -> str:
        text = self._formatter.format(record)
        if self._has_time:
            text = text.partition(" ")[2]
        priority = f"<{syslog_severity(record.levelno)}>"
        return priority + text.replace("\n", f"\n{priority}")


class ConsoleHandler(BackgroundHandler[bytes]):
    """Background handler for the console: a slow or stopped reader does not block logging.

    A console that is closed is reported once, and later records are only counted.
    """

    closes_last = True  # it shows what the other slow handlers report when they are closed

    def __init__(self, stream: str = "stdout") -> None:
        self.output = Output(stream)
        self._credit = _CREDIT  # seconds that emit() may still block
        super().__init__("console", batch=2_000, batch_size=_BATCH_SIZE)

    def emit(self, record: logging.LogRecord) -> None:
        """Put the record into the backlog, or count it as lost if the console is closed."""
        if self.output.closed:
            self.lost += 1
            return
        super().emit(record)
        # Backpressure, so that a burst is not dropped: without limit for a reader that keeps up, briefly for one that
        # is slow or stopped.
        while len(self._backlog) > _CROWDED and self._credit > 0 and threading.current_thread() is not self._thread:
            self._credit -= _YIELD
            time.sleep(_YIELD)

    def payload(self, record: logging.LogRecord) -> bytes:
        return f"{self.format(record)}\n".encode(self.output.encoding, "backslashreplace")

    def deliver(self, batch: Sequence[bytes]) -> None:
        """Write some lines at once; blocks while the reader does not read."""
        reason = self.output.write(b"".join(batch))
        self._credit = min(_CREDIT, self._credit + _CREDIT_PER_BATCH)
        if reason:
            raise RefusedError(reason)
        if self.output.closed:
            self.lost += len(batch)


class Output:
    """sys.stdout or sys.stderr, as found when this object is created.

    Bypasses the stream's buffer, which would keep data that cannot be written and fail with it at the interpreter's
    exit. A stream that is not a file, such as a notebook's, is written to as by `print`.
    """

    def __init__(self, name: str) -> None:
        self.stream: Any = getattr(sys, name)
        self.closed = self.stream is None
        self._descriptor: int | None = None
        self.is_journal = False  # of systemd
        # Clears the line of a progress bar, which is then drawn again below the log lines.
        self._before = b"\r\x1b[K" if is_terminal(self.stream) else b""
        try:
            file = os.fstat(self.stream.fileno())
            self.is_journal = os.environ.get("JOURNAL_STREAM") == f"{file.st_dev}:{file.st_ino}"  # systemd.exec(5)
            # Not for another class, such as a notebook's, whose fileno() is not where its write() goes.
            if os.name == "posix" and isinstance(self.stream, io.TextIOWrapper):
                self._descriptor = self.stream.fileno()
        except OSError as error:
            self.closed = error.errno == errno.EBADF  # its number may soon belong to another file
        except (ValueError, AttributeError):  # without a descriptor
            pass
        self.encoding = getattr(self.stream, "encoding", None) or "utf-8"
        self._torn = False  # the last line was written only in part

    def write(self, data: bytes) -> str:
        """Write whole lines; if the disk is full, return that as the reason. Blocks as the stream does.

        Any other failure closes the console; it is reported, and nothing is written from then on.
        """
        try:
            if not self.closed:
                self._write(b"\n" + data if self._torn else data)
        except (OSError, ValueError) as error:  # ValueError: the stream was closed
            if isinstance(error, OSError) and error.errno in _NO_SPACE:
                return str(error.strerror)
            self.closed = True
            reason = getattr(error, "strerror", None) or error
            reports.report("console", f"console: closed, nothing more is written to it: {reason}")
        return ""

    def _write(self, data: bytes) -> None:
        if self._descriptor is None:
            self.stream.write(data.decode(self.encoding))
            self.stream.flush()
            return
        data = self._before + data
        while data:
            try:
                data = data[os.write(self._descriptor, data) :]
                self._torn = bool(data)
            except BlockingIOError:  # another program that shares the terminal has made it non-blocking
                time.sleep(_RETRY_AFTER)


def wants_colour(stream: TextIO | None) -> bool:
    """Return True for a terminal unless NO_COLOR is set, and whenever FORCE_COLOR is (no-color.org)."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or is_terminal(stream)


def is_terminal(stream: TextIO | None) -> bool:
    """Return True for a terminal that supports control sequences."""
    try:
        return stream is not None and stream.isatty() and os.environ.get("TERM") != "dumb"
    except (ValueError, AttributeError):  # closed, or an object that has only write()
        return False
