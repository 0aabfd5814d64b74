"""Records as frames of 512 bytes, which is how they go through the log queue's pipe.

A pipe keeps no borders between what is written to it, and a listener that is killed may have
read the beginning of a record whose rest still waits there. Frames let the next one find its
place: all have the same size, and the first byte of each says whether a record begins with it.
What would be in the place of these bytes stands together behind the first of them: two moves of
a slice bring it back, however many frames there are.

Linux writes up to 4096 bytes to a pipe whole or not at all (pipe(7), PIPE_BUF). What is longer
goes in several parts, each such a write; those of other senders may come in between.
"""

import itertools
import os
import struct
from typing import Final

from . import reports

FRAME: Final = 512  # bytes
AT_ONCE: Final = 4096  # bytes: PIPE_BUF
SHORT: Final = FRAME - 1  # bytes of a record that fits into one frame
_LONG: Final = SHORT * (AT_ONCE // FRAME)  # bytes of a record, or of a part, in one write

# The first byte of a frame: how many belong to this write, or that it goes on with the one before.
_GOES_ON: Final = 0
_PART: Final = 0x80  # added to that number: what follows is a part of a record
_HEAD: Final = struct.Struct("=QQHH")  # of a part: sender, its number of the record, place, how many there are

_UNFINISHED: Final = 1_000  # records of which parts are awaited: the rest of some never comes, their sender was killed
_numbers = itertools.count()


def framed(data: bytes) -> bytes:
    """What to write for a record of SHORT bytes or less, as nearly all are."""
    return b"\1" + data.ljust(SHORT, b"\0")


def split(data: bytes) -> list[bytearray]:
    """What to write for a record of any length: each by itself, in this order."""
    if len(data) <= _LONG:
        return [_frames(data)]
    size = _LONG - _HEAD.size
    parts = [data[at : at + size] for at in range(0, len(data), size)]
    sender, number = os.getpid(), next(_numbers)
    return [_frames(_HEAD.pack(sender, number, place, len(parts)) + part, _PART) for place, part in enumerate(parts)]


def _frames(data: bytes, kind: int = 0) -> bytearray:
    """`data` as one write."""
    count = -(-len(data) // SHORT)
    write = bytearray(FRAME * count)
    write[0] = kind + count
    write[count : count + len(data)] = data
    write[1:count] = write[FRAME::FRAME]
    write[FRAME::FRAME] = bytes(count - 1)  # _GOES_ON
    return write


def _data(write: bytearray, count: int) -> bytearray:
    """What is in such a write of `count` frames, which is changed by that."""
    write[FRAME::FRAME] = write[1:count]
    return write[count:]


class FrameDecoder:
    """Finds the records in what is read from the pipe."""

    def __init__(self) -> None:
        self._left = b""  # of what was read last: the beginning of a write
        self._unfinished: dict[tuple[int, int], list[bytearray]] = {}

    def records(self, read: bytes) -> list[bytes | bytearray | memoryview]:
        """The records that are complete with these frames, each with zeros behind it."""
        if self._left:
            read = self._left + read
        found: list[bytes | bytearray | memoryview] = []
        view, at = memoryview(read), 0
        while at < len(read):
            kind = read[at]
            after = at + FRAME
            if kind == 1:
                found.append(view[at + 1 : after])
            elif kind != _GOES_ON:  # which comes here only if its beginning has gone with a listener
                count = kind & ~_PART
                after = at + FRAME * count
                if after > len(read):
                    break
                data = _data(bytearray(view[at:after]), count)
                if whole := self._join(data) if kind & _PART else data:
                    found.append(whole)
            at = after
        self._left = read[at:]
        return found

    def _join(self, data: bytearray) -> bytes:
        """The record that is complete with this part; empty if none is."""
        sender, number, place, count = _HEAD.unpack_from(data)
        key = sender, number
        if place == 0:
            self._unfinished[key] = []
            if len(self._unfinished) > _UNFINISHED:
                del self._unfinished[next(iter(self._unfinished))]
        parts = self._unfinished.get(key)
        if parts is None:  # those before it have gone with a listener
            if place == count - 1:
                reports.report("long records", f"{reports.COUNT} long records went with the listener before this one")
            return b""
        if place != len(parts):  # twice: a signal handler has forked amid this record, and both go on with it
            return b""
        parts.append(data[_HEAD.size :])
        return b"".join(self._unfinished.pop(key)) if len(parts) == count else b""
