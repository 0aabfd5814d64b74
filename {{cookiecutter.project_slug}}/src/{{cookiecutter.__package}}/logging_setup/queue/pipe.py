"""The log queue: many processes in, one listener out, nothing in between that can break.

A multiprocessing.Queue holds records in a thread of the sender and guards its pipe with a
lock that all senders share: a process that is killed takes records, or the lock, with it.
Here a record is one write to a pipe (frames.py): one system call, whole or not at all, no
lock, no thread; once it is written, it outlives its sender. When the last sender is gone,
the listener reads end-of-file.

Outside Linux, and for LOG_LISTENER=thread, the same interface stands in front of a
multiprocessing.Queue, with that queue's weaknesses.
"""

import contextlib
import io
import multiprocessing
import os
import queue
import socket
import sys
import time
import weakref
from multiprocessing import reduction
from typing import Any, Final

from ..settings import Settings
from .frames import SHORT, framed, split

if sys.platform != "win32":
    import fcntl

_CAPACITY: Final = 1024 * 1024  # bytes: what the kernel gives to anybody (/proc/sys/fs/pipe-max-size)
# A program that closes all files, as daemons do, closes the queue's too, and the next ones that it opens get
# the lowest numbers. Under one of these, records would be written into a file of the application's.
_RARE_NUMBER: Final = 500
_MOMENT: Final = 0.001  # seconds between two attempts to write to a pipe that is full

# What a forked child must not keep. The reader: while anybody holds one, senders could not
# notice that nobody reads any more.
not_for_children: "weakref.WeakSet[socket.socket | io.FileIO]" = weakref.WeakSet()


def _close_in_child() -> None:
    for each in list(not_for_children):
        with contextlib.suppress(OSError):
            each.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_in_child)


def renumbered(descriptor: int, least: int = 3) -> int:
    """The same open file under the first free number from `least` on: 3 is above stdin, stdout and stderr."""
    if descriptor >= least:
        return descriptor
    try:
        found: int = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, least)
    except OSError:  # this process may not have so many
        return renumbered(descriptor)
    os.close(descriptor)
    return found


class QueueClosedError(Exception):
    """Nobody reads this queue any more, and nobody will."""


class LogQueue:
    """The sending end, picklable into a new process like a multiprocessing.Queue."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        reading, writing = map(renumbered, os.pipe())
        os.set_blocking(writing, False)  # for all senders, once: it is one open file that they share
        with contextlib.suppress(OSError):  # this user has many large pipes already: it stays small
            fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, _CAPACITY)
        self.reader = io.FileIO(reading, "rb")
        self._use(writing)
        not_for_children.add(self.reader)

    def _use(self, writing: int) -> None:
        self._writer = io.FileIO(renumbered(writing, _RARE_NUMBER), "wb")
        self._write = self._writer.write

    def put(self, data: bytes, timeout: float) -> bool:
        """Send one record; True once the kernel has all of it.

        Waits for room up to `timeout` seconds, then returns False. Raises QueueClosedError when there
        is no listener and no process that could start one.
        """
        try:
            if len(data) <= SHORT and self._write(framed(data)):
                return True
            return self._put_patiently(data, time.monotonic() + timeout)
        except (OSError, ValueError) as error:  # nobody reads; it is closed
            raise QueueClosedError from error

    def _put_patiently(self, data: bytes, until: float) -> bool:
        for frames in split(data):
            while not self._write(frames):  # the pipe is full
                left = until - time.monotonic()
                if left <= 0:
                    return False
                time.sleep(min(_MOMENT, left))
        return True

    def close(self) -> None:
        """Let go of both ends in this process; the other senders keep theirs."""
        self.reader.close()
        self._writer.close()

    def __getstate__(self) -> dict[str, Any]:
        return {"settings": self.settings, "writer": reduction.DupFd(self._writer.fileno())}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.settings = state["settings"]
        self._use(state["writer"].detach())


class ThreadQueue:
    """LogQueue's interface before a multiprocessing.Queue: for a listener that is a thread."""

    SIZE: Final = 10_000  # records

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        # Locks of the spawn context can be handed to processes of every start method.
        self.queue: multiprocessing.Queue[bytes] = multiprocessing.get_context("spawn").Queue(self.SIZE)

    def put(self, data: bytes, timeout: float) -> bool:
        """Queue one record; False if there was no room for `timeout` seconds. Raises QueueClosedError."""
        try:
            self.queue.put(data, timeout=timeout)
        except queue.Full:
            return False
        except (OSError, ValueError, AssertionError, RuntimeError) as error:
            raise QueueClosedError from error
        return True
