"""The rolled-over files beside a log file: which they are, how many stay, how they are compressed.

A backup is compressed in a thread, from app.log.1.gzipping to app.log.1.gz.part, which is then
renamed to app.log.1.gz: whenever that is killed, each line is in one whole file, and the next
start goes on.
"""

import contextlib
import gzip
import os
import re
import shutil
import threading
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from ..process import reports

_CHUNK: Final = 1 << 20  # bytes
_JOIN_WITHIN: Final = 2.0  # seconds at the end; the next start does the rest


class Backups:
    """Keeps `keep` backups, whose names end in what the pattern `suffix` matches.

    `order` makes of such an ending something that is greater the later the backup was made.
    """

    def __init__(self, keep: int, suffix: str, order: Callable[[str], Any], *, compress: bool) -> None:
        self._keep = keep
        self._suffix = suffix
        self._order = order
        self._compress = compress
        self._thread: threading.Thread | None = None

    def of(self, path: Path) -> list[list[Path]]:
        """The backups of `path`, latest first, each with all its files; what only looks alike is somebody else's."""
        name = re.compile(rf"{re.escape(path.name)}\.({self._suffix})(\.gz|\.gzipping)?")
        found: dict[str, list[Path]] = {}
        for each in path.parent.iterdir():
            if (match := name.fullmatch(each.name)) and each.is_file():
                found.setdefault(match[1], []).append(each)
        return [found[suffix] for suffix in sorted(found, key=self._order, reverse=True)]

    @property
    def busy(self) -> bool:
        """Whether backups are being compressed just now."""
        return self._thread is not None and self._thread.is_alive()

    def tidy(self, path: Path) -> None:
        """Delete what is one too many, and begin to compress the rest. Raises nothing."""
        with contextlib.suppress(OSError):
            found = self.of(path)
            for backup in found[self._keep :]:
                for file in backup:
                    with contextlib.suppress(OSError):
                        file.unlink()
            if self._compress and not self.busy:
                self._begin([file for backup in found[: self._keep] for file in backup if file.suffix != ".gz"])

    def join(self) -> None:
        """Wait for the compression under way, a few seconds at most."""
        if self._thread:
            self._thread.join(_JOIN_WITHIN)

    def _begin(self, plain: list[Path]) -> None:
        # Renamed here, not in the thread: what comes late finds its old name free.
        sources = [file for file in plain if file.suffix == ".gzipping"]
        for file in plain:
            source = file.with_name(f"{file.name}.gzipping")
            if file not in sources and source not in sources:
                sources.append(file.rename(source))
        if sources:
            self._thread = threading.Thread(target=_compress_all, args=(sources,), name="log-gzip", daemon=True)
            with contextlib.suppress(RuntimeError):  # no thread can be had at exit; the next start does it
                self._thread.start()


def put_aside(path: Path, backup: Path) -> None:
    """Make `path` the backup of that name; one that is there already is added to, not destroyed."""
    if not backup.exists():
        path.rename(backup)
        return
    size = backup.stat().st_size
    try:
        with path.open("rb") as ours, backup.open("ab") as theirs:
            shutil.copyfileobj(ours, theirs)
    except OSError:
        with contextlib.suppress(OSError):
            os.truncate(backup, size)
        raise
    path.unlink()


def _compress_all(sources: list[Path]) -> None:
    for source in sources:
        try:
            _compress(source)
        except OSError as error:
            reports.report("gzip", f"{source} stays uncompressed: {error}")


def _compress(source: Path) -> None:
    """Add `source` to the end of its .gz, which may hold a first part already, and delete it."""
    whole, part = source.with_suffix(".gz"), source.with_suffix(".gz.part")
    if not (whole.exists() and _holds(whole, source)):
        with part.open("wb") as target:
            if whole.exists():
                with whole.open("rb") as before:
                    shutil.copyfileobj(before, target)
            with gzip.GzipFile("", "wb", fileobj=target) as packed, source.open("rb") as lines:
                shutil.copyfileobj(lines, packed)
            target.flush()
            os.fsync(target.fileno())
        shutil.copystat(source, part)
        part.replace(whole)
    source.unlink()


def _holds(whole: Path, source: Path) -> bool:
    """Whether the end of `whole` is `source`: as its check sum and length, the last eight bytes, say."""
    crc = size = 0
    with source.open("rb") as lines:
        while chunk := lines.read(_CHUNK):
            crc, size = zlib.crc32(chunk, crc), size + len(chunk)
    with whole.open("rb") as packed:
        packed.seek(-8, os.SEEK_END)
        return packed.read() == crc.to_bytes(4, "little") + (size % 2**32).to_bytes(4, "little")
