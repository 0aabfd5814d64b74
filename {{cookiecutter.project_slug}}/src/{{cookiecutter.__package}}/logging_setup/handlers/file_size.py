"""A log file that rolls over before it grows past a number of bytes."""

import re
from pathlib import Path

from .file import RotatingFileHandler


class SizeFileHandler(RotatingFileHandler):
    """Keeps the file below `max_bytes`; backups are app.log.1 (the latest), app.log.2 and so on.

    A record longer than that has a file to itself.
    """

    _SUFFIX = re.compile(r"[1-9]\d{0,5}")

    def __init__(self, path: str, max_bytes: int, backups: int, *, compress: str = "none") -> None:
        self._max_bytes = max_bytes
        super().__init__(path, backups, compress=compress)

    def _opened(self, until: float | None) -> None:
        """The size, which RotatingFileHandler knows, is all that counts here."""

    def _is_due(self, created: float, size: int) -> bool:  # noqa: ARG002
        return self._size > 0 and self._size + size > self._max_bytes

    def _make_room(self) -> Path:
        # Only up to the first number that is free: a roll-over that fails, and is tried again
        # and again, moves nothing twice.
        taken = 0
        while taken < self._backups and self._at(taken + 1):
            taken += 1
        if taken == self._backups:
            for oldest in self._at(taken):
                oldest.unlink(missing_ok=True)
        for number in range(min(taken, self._backups - 1), 0, -1):
            for backup in self._at(number):
                backup.replace(self._numbered(number + 1, ".gz" if backup.suffix == ".gz" else ""))
        return self._numbered(1)

    def _age(self, suffix: str) -> str:
        return f"{10**6 - int(suffix):07d}"

    def _at(self, number: int) -> list[Path]:
        both = (self._numbered(number), self._numbered(number, ".gz"))
        return [path for path in both if path.exists()]

    def _numbered(self, number: int, ending: str = "") -> Path:
        return self.path.with_name(f"{self.path.name}.{number}{ending}")
