"""Frames of 512 bytes, the format of the log queue's pipe.

A pipe keeps no boundaries between writes, a listener that is killed may have read part of a record, and a process may
write bytes that are not a record. So every write begins with a header: its number of frames, and a mark of four bytes
that no UTF-8 text contains. The decoder skips bytes that are not a valid write, up to the next header, and counts them.

Each further frame of a write begins with a zero byte in place of a payload byte. Payload bytes displaced by these are
stored together after the header, so that two slices restore them, however many frames there are.

Linux writes up to 4096 bytes to a pipe atomically (pipe(7), PIPE_BUF). A longer record is split into parts, each with
a write of its own; writes of other senders may come in between.
"""

import itertools
import os
import re
import struct
from collections.abc import Iterator
from typing import Final

from ..process import reports

FRAME: Final = 512  # bytes
AT_ONCE: Final = 4096  # bytes: PIPE_BUF
TOGETHER: Final = AT_ONCE // FRAME  # records read and dispatched together; lost if the listener is killed meanwhile
MAX_BYTES: Final = 64 * 1024  # of a record; encoding.py cuts longer ones
_PART: Final = 0x80  # added to the number of frames if the payload is a part of a record
_MARK: Final = b"\xff\xfe\xfd\xfc"
_SINGLE: Final = b"\1" + _MARK  # the header of a write of one frame
_HEAD_SIZE: Final = len(_SINGLE)
_ANY_HEAD: Final = rb"[\x01-\x08\x81-\x88]\xff\xfe\xfd\xfc"  # compiled by FrameDecoder, because senders do not need it
SHORT: Final = FRAME - _HEAD_SIZE  # bytes of a record that fits into one frame
_LONG: Final = (FRAME - 1) * (AT_ONCE // FRAME) - len(_MARK)  # bytes of a record, or of a part, in one write
_PART_HEAD: Final = struct.Struct("<QQHH")  # sender, number of the record, number of the part, number of parts
_UNFINISHED: Final = 256  # incomplete records to keep: the rest of a killed sender's record never comes
_numbers = itertools.count()


def framed(data: bytes) -> bytes:
    """Return the bytes to write for a record of at most SHORT bytes, as nearly all are."""
    return _SINGLE + data.ljust(SHORT, b"\0")


def split(data: bytes) -> list[bytearray]:
    """Return the writes for a record of at most MAX_BYTES, in order."""
    if len(data) <= _LONG:
        return [_frames(data)]
    size = _LONG - _PART_HEAD.size
    parts = [data[at : at + size] for at in range(0, len(data), size)]
    key = os.getpid(), next(_numbers)
    return [_frames(_PART_HEAD.pack(*key, place, len(parts)) + part, _PART) for place, part in enumerate(parts)]


def _frames(data: bytes, kind: int = 0) -> bytearray:
    count = -(-(len(data) + len(_MARK)) // (FRAME - 1))
    write = bytearray(FRAME * count)
    start = len(_MARK) + count  # of the payload: after the header and the displaced bytes
    write[start : start + len(data)] = data
    write[_HEAD_SIZE:start] = write[FRAME::FRAME]
    write[FRAME::FRAME] = bytes(count - 1)
    write[:_HEAD_SIZE] = bytes((kind + count,)) + _MARK
    return write


def _payload(write: bytearray, count: int) -> bytes:
    start = len(_MARK) + count
    write[FRAME::FRAME] = write[_HEAD_SIZE:start]
    return bytes(write[start:])


def _is_write(read: bytes, at: int, after: int) -> bool:
    """Return True for the frames of one write: further ones begin with a zero byte, and there is no other header."""
    first = read.find(_MARK[:1], at + _HEAD_SIZE, after)  # found fast, and in no text
    return not any(read[at + FRAME : after : FRAME]) and (first < 0 or read.find(_MARK, first, after) < 0)


class FrameDecoder:
    """Find the records in the bytes read from the pipe. Memory is bounded, whatever the bytes are."""

    def __init__(self) -> None:
        self._left = b""  # the beginning of a write that has not been read completely
        self._begun = False  # until True, a write may lack its beginning: the previous listener has read it
        self._unfinished: dict[tuple[int, int], list[bytes]] = {}
        self._any_head = re.compile(_ANY_HEAD)

    def records(self, read: bytes) -> list[bytes]:
        """Return the records that `read` completes, each padded with zeros. Never raises."""
        if self._left:
            read = self._left + read
        found: list[bytes] = []
        at, end, is_single = 0, len(read), read.startswith
        while at < end - len(_MARK):
            after = at + FRAME
            if is_single(_SINGLE, at):
                if after > end:
                    break
                found.append(read[at + _HEAD_SIZE : after])
            elif head := self._any_head.match(read, at):
                count = head[0][0] & ~_PART
                after = at + FRAME * count
                if not _is_write(read, at, after):
                    after = self._skip(read, at)
                elif after > end:
                    break
                else:
                    data = _payload(bytearray(read[at:after]), count)
                    if whole := self._join(data) if head[0][0] & _PART else data:
                        found.append(whole)
            else:
                after = self._skip(read, at)
            at = after
        self._left = read[at:]
        self._begun = self._begun or bool(found)
        return found

    def _skip(self, read: bytes, at: int) -> int:
        """Return where the next header begins or, without one, the first position where one may begin."""
        head = self._any_head.search(read, at + 1)
        after = head.start() if head else max(at + 1, len(read) - len(_MARK))
        if self._begun or read[at]:
            _report("bytes skipped: not a record", after - at)
        return after

    def _join(self, data: bytes) -> bytes:
        """Return the record that this part completes; empty if there is none."""
        sender, number, place, count = _PART_HEAD.unpack_from(data)
        key = sender, number
        size = len(data) - _PART_HEAD.size
        if not place < count <= 1 + MAX_BYTES // size:
            _report("parts of long records dropped: invalid header")
            return b""
        if place == 0:
            self._unfinished[key] = []
            if len(self._unfinished) > _UNFINISHED:
                del self._unfinished[next(iter(self._unfinished))]
        parts = self._unfinished.get(key)
        if parts is None:  # the previous listener has read the earlier parts
            if place == count - 1:
                _report("long records dropped: partially read by the previous listener")
            return b""
        if place != len(parts):  # sent twice: a signal handler forked while this record was being sent
            return b""
        parts.append(data[_PART_HEAD.size :])
        return b"".join(self._unfinished.pop(key)) if len(parts) == count else b""


def _report(what: str, count: int = 1) -> None:
    reports.report(what, f"queue: {reports.COUNT} {what}", count)


def read_batches(reader: int) -> Iterator[list[bytes]]:
    """Yield the records of each read from the pipe, up to TOGETHER, until all its write ends are closed."""
    decoder = FrameDecoder()
    while read := os.read(reader, AT_ONCE):
        yield decoder.records(read)
