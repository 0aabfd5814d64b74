"""The log queue: many processes in, one listener out, nothing in between that can break.

A multiprocessing.Queue holds records in a thread of the sender and guards its pipe with a
lock that all senders share: a process that is killed takes records, or the lock, with it.
Here a record is one datagram in a socket pair of the kernel's (AF_UNIX, SOCK_SEQPACKET):
one system call, whole or not at all, no lock, no thread; once it is sent, it outlives its
sender. When the last sender is gone, the listener reads end-of-file.

Where the system has no such sockets (macOS, Windows), and for LOG_LISTENER=thread, the
same interface stands in front of a multiprocessing.Queue, with that queue's weaknesses.
"""

import contextlib
import multiprocessing
import os
import queue
import select
import socket
import time
import weakref
from multiprocessing import reduction
from typing import Any, Final

from .settings import Settings

_BUFFER: Final = 4 * 1024 * 1024  # bytes asked of the kernel, which gives what it allows
_NOW: Final = getattr(socket, "MSG_DONTWAIT", 0) | getattr(socket, "MSG_NOSIGNAL", 0)

# Sockets that a forked child must not keep. The reader: while anybody holds one, senders
# could not notice that nobody reads any more.
not_for_children: "weakref.WeakSet[socket.socket]" = weakref.WeakSet()


def _close_in_child() -> None:
    for each in list(not_for_children):
        with contextlib.suppress(OSError):
            each.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_in_child)


def socket_pair() -> tuple[socket.socket, socket.socket]:
    """Two connected sockets, numbered above stdin, stdout and stderr even where these are closed."""
    pair = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if min(map(socket.socket.fileno, pair)) > 2:
        return pair
    with pair[0], pair[1]:  # the low numbers stay taken meanwhile
        return socket_pair()


class GoneError(Exception):
    """Nobody reads this queue any more, and nobody will."""


class LogQueue:
    """The sending end, picklable into a new process like a multiprocessing.Queue."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.reader, self._writer = socket_pair()
        self._writer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
        self._send = self._writer.send
        not_for_children.add(self.reader)

    def put(self, data: bytes, timeout: float) -> bool:
        """Send one record; True once the kernel has it.

        Waits for room up to `timeout` seconds, then returns False. Raises GoneError when there
        is no listener and no process that could start one.
        """
        try:
            # Not settimeout: it would set O_NONBLOCK for every process that shares the socket.
            self._send(data, _NOW)
        except BlockingIOError:
            return self._put_within(data, timeout)
        except OSError as error:
            raise GoneError from error
        return True

    def _put_within(self, data: bytes, timeout: float) -> bool:
        until = time.monotonic() + timeout
        poll = select.poll()
        poll.register(self._writer, select.POLLOUT)
        while (left := until - time.monotonic()) > 0:
            poll.poll(left * 1000)
            try:
                self._writer.send(data, _NOW)
            except BlockingIOError:
                continue
            except OSError as error:
                raise GoneError from error
            return True
        return False

    def close(self) -> None:
        """Let go of both ends in this process; the other senders keep theirs."""
        self.reader.close()
        self._writer.close()

    def __getstate__(self) -> dict[str, Any]:
        return {"settings": self.settings, "writer": reduction.DupFd(self._writer.fileno())}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.settings = state["settings"]
        self._writer = socket.socket(fileno=state["writer"].detach())
        self._send = self._writer.send


class ThreadQueue:
    """LogQueue's interface before a multiprocessing.Queue: for a listener that is a thread."""

    SIZE: Final = 10_000  # records

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        # Locks of the spawn context can be handed to processes of every start method.
        self.queue: multiprocessing.Queue[bytes] = multiprocessing.get_context("spawn").Queue(self.SIZE)

    def put(self, data: bytes, timeout: float) -> bool:
        """Queue one record; False if there was no room for `timeout` seconds. Raises GoneError."""
        try:
            self.queue.put(data, timeout=timeout)
        except queue.Full:
            return False
        except (OSError, ValueError, AssertionError, RuntimeError) as error:
            raise GoneError from error
        return True
