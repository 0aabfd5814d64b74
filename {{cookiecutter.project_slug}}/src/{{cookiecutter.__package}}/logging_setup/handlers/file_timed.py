"""A log file that rolls over with the calendar: every midnight, or every hour."""

import gzip
import logging
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from .file import RotatingFileHandler

_NAMES: Final = {"midnight": "%Y-%m-%d", "hour": "%Y-%m-%d_%H"}


class TimedFileHandler(RotatingFileHandler):
    """Puts each record into the file of the local day, or hour, in which it was made.

    That is asked of the calendar, not counted in seconds, so a day of 23 or 25 hours is one
    day (counting misfiles lines around each change of the clock). Backups are named after
    their day: app.log.2026-01-31. A record that comes late goes to the backup of its day.
    """

    _SUFFIX = re.compile(r"\d{4}-\d\d-\d\d(_\d\d)?")

    def __init__(self, path: str, when: str, backups: int, *, compress: str = "none") -> None:
        self._when = when
        self._held = ""  # the name of the period that the file holds; empty while it holds none
        self._from = self._until = 0.0  # that period, in seconds since the epoch
        super().__init__(path, backups, compress=compress)

    def _opened(self, until: float | None) -> None:
        self._held = ""
        if until is not None:
            self._hold(until)

    def _hold(self, created: float) -> None:
        """Let the file be that of the period in which `created` lies."""
        moment = datetime.fromtimestamp(created)  # noqa: DTZ006 - the day is the local one
        start = moment.replace(minute=0, second=0, microsecond=0, fold=0)
        step = timedelta(hours=1)
        if self._when == "midnight":
            start, step = start.replace(hour=0), timedelta(days=1)
        self._held = start.strftime(_NAMES[self._when])
        # On the local clock, which jumps: an hour that comes twice is one period.
        self._from, self._until = start.timestamp(), (start + step).timestamp()

    def _write(self, record: logging.LogRecord, data: bytes) -> None:
        if self._held and record.created < self._from and self._append_late(record.created, data):
            return
        super()._write(record, data)

    def _append_late(self, created: float, data: bytes) -> bool:
        """Add a line to the backup of its own period; False while that is being compressed."""
        name = datetime.fromtimestamp(created).strftime(_NAMES[self._when])  # noqa: DTZ006
        backup = self.path.with_name(f"{self.path.name}.{name}")
        compressed = backup.with_name(f"{backup.name}.gz")
        if not self._gzipping.acquire(blocking=False):
            return False
        try:
            if compressed.exists() and not backup.exists():
                with gzip.open(compressed, "ab") as late:
                    late.write(data)
            else:
                with backup.open("ab") as file:
                    file.write(data)
        finally:
            self._gzipping.release()
        return True

    def _is_due(self, created: float, size: int) -> bool:  # noqa: ARG002
        if self._held and created >= self._until:
            return True
        if not self._held:
            self._hold(created)
        return False

    def _make_room(self) -> Path:
        return self.path.with_name(f"{self.path.name}.{self._held}")

    def _age(self, suffix: str) -> str:
        return suffix
