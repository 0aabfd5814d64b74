"""Backups: the rolled-over files beside a log file. Finds them, deletes those beyond the number to keep, compresses.

A backup is compressed in a thread, from app.log.1.gzipping to app.log.1.gz.part, which is then
renamed to app.log.1.gz: if the process is killed at any time, each line is in one whole file, and
the next start continues.
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
_JOIN_WITHIN: Final = 2.0  # seconds


class Backups:
    """Keeps `keep` backups, whose names end in what the pattern `suffix` matches.

    `order` maps such an ending to a sort key, greater for later backups.
    """

    def __init__(self, keep: int, suffix: str, order: Callable[[str], Any], *, compress: bool) -> None:
        self._keep = keep
        self._suffix = suffix
        self._order = order
        self._compress = compress
        self._thread: threading.Thread | None = None

    def of(self, path: Path) -> list[list[Path]]:
        """Return the backups of `path`, latest first, each with all its files; other files are ignored."""
        name = re.compile(rf"{re.escape(path.name)}\.({self._suffix})(\.gz|\.gzipping)?")
        found: dict[str, list[Path]] = {}
        for each in path.parent.iterdir():
            if (match := name.fullmatch(each.name)) and each.is_file():
                found.setdefault(match[1], []).append(each)
        return [found[suffix] for suffix in sorted(found, key=self._order, reverse=True)]

    @property
    def busy(self) -> bool:
        """Return True while backups are being compressed."""
        return self._thread is not None and self._thread.is_alive()

    def tidy(self, path: Path) -> None:
        """Delete backups beyond the number to keep, and start to compress the rest. Never raises."""
        with contextlib.suppress(OSError):
            found = self.of(path)
            for backup in found[self._keep :]:
                for file in backup:
                    with contextlib.suppress(OSError):
                        file.unlink()
            if self._compress and not self.busy:
                self._begin([file for backup in found[: self._keep] for file in backup if file.suffix != ".gz"])

    def join(self) -> None:
        """Block until a compression has finished, at most 2 s; the next start does the rest."""
        if self._thread:
            self._thread.join(_JOIN_WITHIN)

    def _begin(self, plain: list[Path]) -> None:
        # Renamed here, not in the thread: so the plain name is free for late records.
        sources = [file for file in plain if file.suffix == ".gzipping"]
        for file in plain:
            source = file.with_name(f"{file.name}.gzipping")
            if file not in sources and source not in sources:
                sources.append(file.rename(source))
        if sources:
            self._thread = threading.Thread(target=_compress_all, args=(sources,), name="log-gzip", daemon=True)
            with contextlib.suppress(RuntimeError):  # no thread can be started at exit
                self._thread.start()


def put_aside(path: Path, backup: Path) -> None:
    """Rename `path` to `backup`, or append it to that if it exists; raises OSError."""
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
            reports.report("gzip", f"file: compression failed, {source} stays uncompressed: {error}")


def _compress(source: Path) -> None:
    """Append `source` to its .gz, which may hold a first part already, and delete it."""
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
    """Return True if `whole` ends with `source`, by the checksum and length in its last eight bytes."""
    crc = size = 0
    with source.open("rb") as lines:
        while chunk := lines.read(_CHUNK):
            crc, size = zlib.crc32(chunk, crc), size + len(chunk)
    with whole.open("rb") as packed:
        packed.seek(-8, os.SEEK_END)
        return packed.read() == crc.to_bytes(4, "little") + (size % 2**32).to_bytes(4, "little")
