"""A log file that rolls over with the calendar: every midnight, or every hour."""

import contextlib
import logging
import time
from typing import ClassVar, Final, NamedTuple

from ..env import parsers as parse
from ..env.variables import MakeFormatter, Sink, level_setting, setting
from ..process import reports
from ..records.format_strings import FORMATS, line_format
from .log_files import Backups, LockedFile
from .rotating_file import RotatingFileHandler

_SUFFIX: Final = r"\d{4}-\d\d-\d\d(?:_\d\d)?"


class FileSink(Sink):
    """Settings of the log file."""

    name: ClassVar[str] = "file"
    path: str = setting(
        "LOG_FILE",
        parse.path,
        "logs/my-service.log",
        "path of the log file",
    )
    level: int = level_setting("LOG_FILE_LEVEL", logging.DEBUG, "level of the log file; empty: LOG_LEVEL, or DEBUG")
    format: str = setting("LOG_FILE_FORMAT", line_format, "text", FORMATS)
    compress: str = setting(
        "LOG_FILE_COMPRESS", parse.one_of("none", "gzip"), "none", "compression of rolled-over files: none or gzip"
    )
    when: str = setting(
        "LOG_FILE_WHEN", parse.one_of("midnight", "hour"), "midnight", "when to roll over: midnight or hour"
    )
    backups: int = setting(
        "LOG_FILE_BACKUPS", parse.whole(0, 10_000, "files"), "15", "number of rolled-over files to keep"
    )

    def make_handlers(self, make_formatter: MakeFormatter) -> list[logging.Handler]:
        """See Sink."""
        handler = TimedFileHandler(self.path, self.when, self.backups, compress=self.compress)
        handler.setFormatter(make_formatter(self.format))
        return [handler]


class Period(NamedTuple):
    """A local day, or hour; `start` and `end` in seconds since the epoch, the end not included."""

    name: str
    start: float
    end: float


def period_of(moment: float, when: str) -> Period:
    """Return the period of `moment` by the local calendar: a day may have 23 or 25 hours.

    An hour that the local clock shows twice is one period.
    """
    from datetime import datetime, timedelta

    start = datetime.fromtimestamp(moment).replace(minute=0, second=0, microsecond=0, fold=0)  # noqa: DTZ006
    if when == "hour":
        name, end = f"{start:%Y-%m-%d_%H}", start + timedelta(hours=1)
    else:
        start = start.replace(hour=0)
        name, end = f"{start:%Y-%m-%d}", start + timedelta(days=1)
    return Period(name, start.timestamp(), end.timestamp())


class TimedFileHandler(RotatingFileHandler):
    """Write each record to the file of the local day, or hour, in which it was made.

    Backups are named after their day: app.log.2026-01-31. A record that comes late goes to the backup of its day.
    """

    def __init__(self, path: str, when: str, backups: int, *, compress: str = "none") -> None:
        self._when = when
        super().__init__(path, Backups(backups, _SUFFIX, str, compress == "gzip"))

    def _use(self, file: LockedFile) -> None:
        if file.size:
            file.period = period_of(file.written, self._when)
        super()._use(file)

    def _place(self, file: LockedFile, created: float, line: bytes) -> bool:
        name, start, end = file.period
        if start <= created < end:
            return False
        try:
            period = period_of(created, self._when)
        except (OverflowError, ValueError, OSError):
            return False  # no calendar has that time: append to the file as it is
        if period.start < start <= time.time():
            path = f"{file.path}.{period.name}"
            try:
                with contextlib.closing(LockedFile(path)) as backup:
                    backup.append(line)
                    return True
            except OSError as error:  # better in the wrong file than in none
                reports.report("late", f"file: {path} cannot be written, late records go to {file.path}: {error}")
        elif name and period != file.period:
            # A later record; or the file's period is in the future because the clock was set back: it is not late.
            self._roll_over(file, name)
        if self._file and not any(self._file.period):
            self._file.period = period
        return False
