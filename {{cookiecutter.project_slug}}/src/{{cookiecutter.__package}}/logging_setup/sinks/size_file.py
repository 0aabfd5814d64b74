"""A log file that rolls over before it exceeds a size in bytes."""

import logging
import os
from typing import ClassVar

from ..env import parsers as parse
from ..env.variables import MakeFormatter, Sink, level_setting, setting
from ..records.format_strings import FORMATS, line_format
from .log_files import KINDS, Backups, LockedFile
from .rotating_file import RotatingFileHandler


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
    format: str = setting("LOG_FILE_FORMAT", line_format, "text", FORMATS)
    compress: str = setting(
        "LOG_FILE_COMPRESS", parse.one_of("none", "gzip"), "none", "compression of rolled-over files: none or gzip"
    )
    max_bytes: int = setting(
        "LOG_FILE_MAX_BYTES", parse.whole(1, 10**12, "bytes"), "10000000", "maximum size in bytes before a rollover"
    )
    backups: int = setting(
        "LOG_FILE_BACKUPS", parse.whole(0, 10_000, "files"), "5", "number of rolled-over files to keep"
    )

    def make_handlers(self, make_formatter: MakeFormatter) -> list[logging.Handler]:
        """See Sink."""
        handler = SizeFileHandler(self.path, self.max_bytes, self.backups, compress=self.compress)
        handler.setFormatter(make_formatter(self.format))
        return [handler]


class SizeFileHandler(RotatingFileHandler):
    """Keep the file below `max_bytes`; backups are app.log.1 (the latest), app.log.2 and so on.

    A longer record gets a file of its own. While backups are being compressed, nothing is renamed,
    and the file may exceed `max_bytes`.
    """

    def __init__(self, path: str, max_bytes: int, backups: int, *, compress: str = "none") -> None:
        self._max_bytes = max_bytes
        self._pending = 0  # bytes of the lines to append
        super().__init__(
            path, NumberedBackups(backups, r"[1-9]\d{0,5}", lambda number: -int(number), compress == "gzip")
        )

    def _place(self, file: LockedFile, created: float, line: bytes) -> bool:  # noqa: ARG002
        size = file.size + self._pending
        if size and size + len(line) > self._max_bytes and not self._backups.busy:
            self._roll_over(file, "1")
        self._pending += len(line)
        return False

    def _append(self) -> None:
        self._pending = 0
        super()._append()


class NumberedBackups(Backups):
    """Backups with numbers; the latest is 1."""

    def add(self, path: str, ending: str) -> None:
        """First increase the numbers of earlier backups. Raises OSError."""
        # Only up to the first number that is free, so that a rollover that fails and is retried moves
        # nothing twice. Backups beyond the number to keep are deleted later.
        taken = 0
        while taken < self.keep and _kinds(path, taken + 1):
            taken += 1
        for number in range(taken, 0, -1):
            for kind in _kinds(path, number):
                os.replace(f"{path}.{number}{kind}", f"{path}.{number + 1}{kind}")
        super().add(path, ending)


def _kinds(path: str, number: int) -> list[str]:
    """Return the KINDS in which one backup exists."""
    return [kind for kind in KINDS if os.path.isfile(f"{path}.{number}{kind}")]
