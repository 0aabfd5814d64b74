"""A log file that rolls over with the calendar: every midnight, or every hour."""

import logging
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import ClassVar, Final, NamedTuple

from ..env import parsers as parse
from ..env.variables import MakeFormatter, Sink, level_setting, setting
from .backups import Backups
from .locked_file import OwnFile
from .rotating_file import RotatingFileHandler

_SUFFIX: Final = r"\d{4}-\d\d-\d\d(?:_\d\d)?"


@dataclass(frozen=True, kw_only=True)
class FileSink(Sink):
    """Settings of the log file."""

    name: ClassVar[str] = "file"
    path: str = setting(
        "LOG_FILE",
        parse.path,
        "logs/{{ cookiecutter.project_slug }}.log",
        "path of the log file",
    )
    level: int = level_setting("LOG_FILE_LEVEL", logging.DEBUG, "level of the log file; empty: LOG_LEVEL, or DEBUG")
    format: str = setting("LOG_FILE_FORMAT", parse.one_of("text", "json"), "text", "text or json")
    compress: str = setting(
        "LOG_FILE_COMPRESS", parse.one_of("none", "gzip"), "none", "rolled-over files: none or gzip"
    )
    when: str = setting(
        "LOG_FILE_WHEN", parse.one_of("midnight", "hour"), "midnight", "when to roll over: midnight or hour"
    )
    backups: int = setting(
        "LOG_FILE_BACKUPS", parse.whole(0, 10_000, "files"), "15", "how many rolled-over files are kept"
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

    def holds(self, moment: float) -> bool:
        return self.start <= moment < self.end


def period_of(moment: float, when: str) -> Period:
    """The period in which `moment` lies, asked of the calendar: a day may have 23 or 25 hours.

    What is computed here is the local clock, which jumps: an hour that comes twice is one period.
    """
    start = datetime.fromtimestamp(moment).replace(minute=0, second=0, microsecond=0, fold=0)  # noqa: DTZ006
    if when == "hour":
        name, end = f"{start:%Y-%m-%d_%H}", start + timedelta(hours=1)
    else:
        start = start.replace(hour=0)
        name, end = f"{start:%Y-%m-%d}", start + timedelta(days=1)
    return Period(name, start.timestamp(), end.timestamp())


class TimedFileHandler(RotatingFileHandler):
    """Puts each record into the file of the local day, or hour, in which it was made.

    Backups are named after their day: app.log.2026-01-31. A record that comes late goes to
    the backup of its day.
    """

    def __init__(self, path: str, when: str, backups: int, *, compress: str = "none") -> None:
        self._when = when
        self._held: Period | None = None  # what the file holds; None while it is empty
        super().__init__(path, Backups(backups, _SUFFIX, str, compress=compress == "gzip"))

    def _use(self, file: OwnFile) -> None:
        self._held = period_of(file.written, self._when) if file.size else None
        super()._use(file)

    def _write(self, file: OwnFile, created: float, lines: list[bytes]) -> None:
        if self._is_late(created) and self._write_late(file, created, lines):
            return
        super()._write(file, created, lines)
        self._held = self._held or period_of(created, self._when)
        if self._file and not self._held.holds(time.time()):
            # The next start tells by the time of the last change which period this file holds.
            self._file.stamp(self._held.start)

    def _is_late(self, created: float) -> bool:
        # If it is before the file's period even now, the clock was set back, and nothing is late.
        return self._held is not None and created < self._held.start <= time.time()

    def _write_late(self, file: OwnFile, created: float, lines: list[bytes]) -> bool:
        try:
            with OwnFile(self._backup(file.path, period_of(created, self._when))) as backup:
                backup.append(lines)
        except OSError:
            return False  # better in the wrong file than in none
        return True

    def _is_due(self, file: OwnFile, created: float, size: int) -> bool:  # noqa: ARG002
        return self._held is not None and not self._held.holds(created) and not self._is_late(created)

    def _simple(self, file: OwnFile) -> tuple[float, float, float]:  # noqa: ARG002
        now = time.time()
        if not self._held or not self._held.holds(now):
            return (0.0, 0.0, 0.0)
        self._look_at = min(self._look_at, time.monotonic() + self._held.end - now)
        return (self._held.start, self._held.end, float("inf"))

    def _make_room(self, path: Path) -> Path:
        return self._backup(path, self._held) if self._held else path

    @staticmethod
    def _backup(path: Path, period: Period) -> Path:
        return path.with_name(f"{path.name}.{period.name}")
