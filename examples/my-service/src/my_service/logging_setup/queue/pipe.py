"""The log queue: a pipe from many processes to one listener.

A record is one atomic write to the pipe (frames.py), without a lock or a thread: it is not lost when its sender is
killed, and blocks no other sender. The listener reads end-of-file once the last write end is closed.

Outside Linux, PortableQueue has the same interface on top of a multiprocessing.Queue, which buffers records in a thread
of the sender, and whose senders share a lock: a killed process loses records, or blocks all others.
"""

import contextlib
import errno
import io
import os
import queue
import sys
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, Final

from ..process import reports
from ..process.global_state import forked_handlers
from .frames import SHORT, framed, read_batches, split

if sys.platform != "win32":
    import fcntl

_CAPACITY: Final = 1024 * 1024  # bytes: the default limit of an unprivileged user (/proc/sys/fs/pipe-max-size)
# A program that closes all descriptors, as daemons do, closes the queue's too, and the files that it opens next get
# the lowest numbers. If the queue had a low number, records would be written into one of these files.
_HIGH_NUMBER: Final = 500
_PAUSE: Final = 0.0003  # seconds before the second attempt to write to a full pipe; then twice as long each time
_LONGEST_PAUSE: Final = 0.004  # seconds


def renumber(descriptor: int, least: int = 3) -> int:
    """Move a descriptor to the lowest free number from `least` on; 3 is above stdin, stdout and stderr."""
    if descriptor >= least:
        return descriptor
    try:
        found: int = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, least)
    except OSError:  # above the limit of this process
        return renumber(descriptor)
    os.close(descriptor)
    return found


class LogQueue:
    """The two ends of the pipe. Can be passed to other processes: they get the write end and `settings`."""

    def __init__(self, settings: Any) -> None:
        """Keep a copy of `settings` without those of the sinks: their secrets stay with the listener."""
        self.settings: Any = SimpleNamespace(**{**vars(settings), "sinks": {}}, fault_file=settings.fault_file)
        self._open()

    def _open(self) -> None:
        reading, writing = map(renumber, os.pipe())
        os.set_blocking(writing, False)  # applies to all senders: they share one open file description
        with contextlib.suppress(OSError):  # this user has many large pipes already: the default size stays
            fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, _CAPACITY)
        self.reader = io.FileIO(reading, "rb")
        self._use(writing)
        forked_handlers.add(self)

    def _use(self, writing: int) -> None:
        self._writer = io.FileIO(renumber(writing, _HIGH_NUMBER), "wb")
        self._write = self._writer.write

    def reset_in_child(self) -> None:
        """In a forked child: close the reader. While one is open, senders cannot notice that the listener is gone."""
        self.reader.close()

    def put(self, data: bytes, timeout: float) -> bool:
        """Enqueue one record; return False if the queue was full for `timeout` seconds, or has no listener any more."""
        try:
            if len(data) <= SHORT and self._write(framed(data)):
                return True
            until, pause = time.monotonic() + timeout, _PAUSE
            for frames in split(data):
                while not self._write(frames):  # the pipe is full
                    left = until - time.monotonic()
                    if left <= 0:
                        return False
                    time.sleep(min(pause, left))
                    pause = min(2 * pause, _LONGEST_PAUSE)
        except (OSError, ValueError) as error:  # no read end, or closed in this process
            if getattr(error, "errno", 0) == errno.EBADF:  # for example by a program that becomes a daemon
                text = "queue: descriptor closed by other code, records dropped: set up logging after that"
                reports.report("descriptor", text)
            return False
        return True

    def batches(self) -> Iterator[list[bytes]]:
        """Yield what has been enqueued, a few records at a time; blocks while the queue is empty."""
        return read_batches(self.reader.fileno())

    def close(self) -> None:
        """Close both ends in this process; other processes keep their write ends."""
        self.reader.close()
        self._writer.close()

    def __getstate__(self) -> dict[str, Any]:
        from multiprocessing import context, reduction  # here: takes long to import

        number = self._writer.fileno()
        # Only a process that is being started inherits the descriptor; others, and sub-interpreters, open it by path.
        is_start = context.get_spawning_popen() is not None
        writer = reduction.DupFd(number) if is_start else f"/proc/{os.getpid()}/fd/{number}"
        return {"settings": self.settings, "writer": writer}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.settings = state["settings"]
        writer = state["writer"]
        self._use(os.open(writer, os.O_WRONLY | os.O_NONBLOCK) if isinstance(writer, str) else writer.detach())


class PortableQueue(LogQueue):
    """The same interface on top of a multiprocessing.Queue, for systems without such pipes."""

    def _open(self) -> None:
        import multiprocessing  # here: as above

        # Locks of the spawn context can be passed to processes of every start method.
        self._queue: multiprocessing.Queue[bytes] = multiprocessing.get_context("spawn").Queue(10_000)

    def put(self, data: bytes, timeout: float) -> bool:
        try:
            self._queue.put(data, timeout=timeout)
        except (queue.Full, OSError, ValueError, AssertionError, RuntimeError):  # all but the first: closed
            return False
        return True

    def batches(self) -> Iterator[list[bytes]]:
        while True:
            yield [self._queue.get()]

    def close(self) -> None:
        self._queue.close()
        self._queue.cancel_join_thread()  # the remaining data would never be read, and block the exit

    def __getstate__(self) -> dict[str, Any]:
        return vars(self).copy()

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
