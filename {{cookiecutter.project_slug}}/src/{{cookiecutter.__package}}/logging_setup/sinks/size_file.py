"""A log file that rolls over before it grows past a number of bytes."""

from pathlib import Path

from .backups import Backups
from .locked_file import LockedFile
from .rotating_file import RotatingFileHandler


class SizeFileHandler(RotatingFileHandler):
    """Keeps the file below `max_bytes`; backups are app.log.1 (the latest), app.log.2 and so on.

    A longer record has a file to itself. While backups are being compressed nothing is renamed,
    and the file may grow beyond that.
    """

    def __init__(self, path: str, max_bytes: int, backups: int, *, compress: str = "none") -> None:
        self._max_bytes = max_bytes
        self._keep = backups
        numbers = Backups(backups, r"[1-9]\d{0,5}", lambda number: -int(number), compress=compress == "gzip")
        super().__init__(path, numbers)

    def _window(self, file: LockedFile) -> tuple[float, float, float]:
        return (float("-inf"), float("inf"), self._max_bytes - file.size)

    def _place(self, file: LockedFile, created: float, line: bytes) -> bool:  # noqa: ARG002
        if file.size and file.size + len(line) > self._max_bytes and not self._backups.busy:
            self._roll_over(file)
        return False

    def _make_room(self, path: Path) -> Path:
        # Only up to the first number that is free, so that a rollover that fails and is retried moves
        # nothing twice. Backups beyond the number to keep are deleted after it.
        taken = 0
        while taken < self._keep and _files(path, taken + 1):
            taken += 1
        for number in range(taken, 0, -1):
            for file in _files(path, number):
                ending = file.name.removeprefix(f"{path.name}.{number}")
                file.replace(path.with_name(f"{path.name}.{number + 1}{ending}"))
        return path.with_name(f"{path.name}.1")


def _files(path: Path, number: int) -> list[Path]:
    """The files of one backup: plain, compressed, or to be compressed."""
    names = (f"{path.name}.{number}{ending}" for ending in ("", ".gz", ".gzipping"))
    return [file for file in map(path.with_name, names) if file.is_file()]
