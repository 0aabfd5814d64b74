"""Numbered records, and notes of the calls that have returned: shared by the applications of this folder."""

import itertools
import logging
import mmap
import os
from pathlib import Path

SLOTS = 4096  # writers that one run can have
logger = logging.getLogger("my_service.numbered")


def make_notes(path: str) -> None:
    """Make the file in which writers note how many of their calls have returned."""
    Path(path).write_bytes(bytes(8 * SLOTS))


class Writer:
    """Log `id=<slot>.<number>`, and note each call that has returned."""

    def __init__(self, slot: int, size: int = 0, notes: str = "", first: int = 0) -> None:
        self.slot = slot
        self.number = first  # of the next record
        self._numbers = itertools.count(first)  # atomic, even if a signal handler logs in between
        self._filler = "#" * size
        self.notes: memoryview | None = None  # of all writers: slot -> calls that have returned
        if notes:
            descriptor = os.open(notes, os.O_RDWR)
            # Whole numbers are stored atomically: a kill leaves the old or the new one.
            self.notes = memoryview(mmap.mmap(descriptor, 0)).cast("q")
            os.close(descriptor)

    def write(self, count: int = 1) -> None:
        """Log `count` records."""
        for _ in range(count):
            number = next(self._numbers)
            logger.info("id=%d.%d %s.", self.slot, number, self._filler)
            self.number = max(self.number, number + 1)
            if self.notes is not None:
                self.notes[self.slot] = self.number
