"""What the applications in this folder have in common: numbered records, and notes of them."""

import logging
import mmap
import os
import struct
from pathlib import Path

SLOTS = 4096  # writers that one run can have
logger = logging.getLogger("my_service.numbered")


def make_notes(path: str) -> None:
    """Make the file in which writers note how many of their calls have returned."""
    Path(path).write_bytes(bytes(8 * SLOTS))


class Writer:
    """Logs `id=<slot>.<number>`, and notes each call that has returned."""

    def __init__(self, slot: int, size: int = 0, notes: str = "") -> None:
        self.slot = slot
        self.number = 0
        self._filler = "#" * size
        self._notes = None
        if notes:
            descriptor = os.open(notes, os.O_RDWR)
            self._notes = mmap.mmap(descriptor, 0)
            os.close(descriptor)

    def write(self, count: int = 1) -> None:
        """Log so many records."""
        for _ in range(count):
            logger.info("id=%d.%d %s.", self.slot, self.number, self._filler)
            self.number += 1
            if self._notes is not None:
                struct.pack_into("<q", self._notes, 8 * self.slot, self.number)
