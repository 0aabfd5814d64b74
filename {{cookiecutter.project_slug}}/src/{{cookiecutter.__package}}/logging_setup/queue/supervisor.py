"""The listener process seen from the main process: started, kept alive, flushed, let go.

It ends by itself when nobody holds a sending end of the queue any more; nothing here stops it.
"""

import contextlib
import io
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from ..process import reports
from ..process.session import LoggingSession, fork_lock
from ..settings import Settings
from .encoding import TOKEN_SIZE, encode_flush
from .handler import QueueHandler
from .listener import ENDING, TOGETHER
from .pipe import LogQueue, QueueClosedError, not_for_children, renumbered

_MAIN: Final = Path(__file__).with_name("listener_main.py")
_ENDING_WITHIN: Final = 0.5  # seconds in which a listener notices that nobody is left to log
# Seconds before each restart of a listener that dies young, again and again: at first less than
# a log call waits, so that nothing is lost; in the end, so little that a crash costs nothing.
_PAUSES: Final = (0.0, 0.0, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
_LIVED_WELL: Final = 1.0  # seconds after which a listener's death counts as the first again


class ProcessSession(LoggingSession):
    """A listener in a process of its own, in a session of its own: Ctrl-C does not reach it.

    A thread waits for its death, and starts the next one; what waits in the queue meanwhile
    stays there, for this process keeps the queue's reading end open.
    """

    queue: LogQueue

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.queue = LogQueue(settings)
        self._handler = QueueHandler(self.queue)
        # Re-entrant: a signal handler may flush while its own thread is in flush().
        self._changed = threading.Condition(threading.RLock())
        self._flushing: set[bytes] = set()  # tokens of the flush markers that the listener has not acknowledged
        self._generation = 0  # how many listeners there have been
        self._counts: dict[str, Any] = {}
        self._letting_go = threading.Event()
        self._ending = self._ended = False
        self._start_listener(note="")
        threading.Thread(target=self._supervise, name="log-supervisor", daemon=True).start()
        self.start([self._handler], keep=settings.reattach)

    def flush(self, timeout: float = 5.0) -> bool:
        """See LoggingSession. A listener that dies meanwhile is asked again when it is back."""
        if not self.is_owner:
            return False
        until = time.monotonic() + timeout
        marker, token = encode_flush()
        self._flushing.add(token)
        try:
            while token in self._flushing and (left := until - time.monotonic()) > 0:
                generation = self._generation
                # Not under the lock: the supervisor needs it to restart a listener that has stopped reading.
                if not self.queue.put(marker, left):
                    return False
                with self._changed:
                    self._changed.wait_for(
                        lambda: token not in self._flushing or self._generation != generation,  # noqa: B023
                        until - time.monotonic(),
                    )
        except QueueClosedError:
            return False
        else:
            return token not in self._flushing
        finally:
            self._flushing.discard(token)

    def counts(self) -> dict[str, Any]:
        """See LoggingSession; blocks as flush() does."""
        self.flush()
        return {
            "accepted": self._handler.accepted,
            "dropped": self._handler.dropped,
            "handlers": dict(self._counts),
        }

    def _stop(self, within: float) -> None:
        until = time.monotonic() + within
        self._handler.close()
        self.flush(within)
        self._letting_go.set()
        self.queue.close()
        with self._changed:
            # Other processes may still log: then the listener goes on, and is not waited for.
            self._changed.wait_for(lambda: self._ending or self._ended, min(_ENDING_WITHIN, within))
            if self._ending:
                self._changed.wait_for(lambda: self._ended, until - time.monotonic())

    def _start_listener(self, note: str) -> None:
        # A child forked amid this would keep the listener's end of the pair open, and the pipe that Popen reads.
        with fork_lock:
            pair = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            ours, theirs = (socket.socket(fileno=renumbered(end.detach())) for end in pair)
            not_for_children.add(ours)
            ours.send(json.dumps({"settings": asdict(self.queue.settings), "note": note}).encode())
            # A duplicate: the Popen of gevent forks in Python, and that child closes what is not for children.
            with theirs, io.FileIO(renumbered(os.dup(self.queue.reader.fileno()))) as reader:
                fds = reader.fileno(), theirs.fileno()
                self._process = subprocess.Popen(  # noqa: S603 - this very interpreter, and a file beside this one
                    [sys.executable, "-P", _MAIN, *map(str, fds), __package__],
                    pass_fds=fds,
                    stdin=subprocess.DEVNULL,
                    # A closed stdout is None here, and its number free for any file to take.
                    stdout=subprocess.DEVNULL if sys.__stdout__ is None else None,
                    stderr=subprocess.DEVNULL if sys.__stderr__ is None else None,
                    start_new_session=True,
                )
        self._control = ours

    def _supervise(self) -> None:
        deaths = 0
        while True:
            started = time.monotonic()
            self._hear()
            status = self._process.wait()
            with self._changed:
                if self._letting_go.is_set():
                    self._ended = True
                    self._changed.notify_all()
                    return
            deaths = 0 if time.monotonic() - started > _LIVED_WELL else deaths + 1
            note = f"queue: listener {_how(status)} and restarted, up to {TOGETHER} records it had read may be missing"
            self._restart(deaths, note)

    def _restart(self, deaths: int, note: str) -> None:
        while not self._letting_go.wait(_PAUSES[min(deaths, len(_PAUSES) - 1)]):
            if not self.is_owner:  # a greenlet of gevent's, which a fork copies
                self._letting_go.wait()
            try:
                self._start_listener(note)
            except (OSError, ValueError) as error:  # ValueError: the queue is being closed
                deaths += 1
                reports.say(f"Cannot restart the log listener: {error}", logging.ERROR)
            else:
                break
        with self._changed:
            self._generation += 1
            self._changed.notify_all()

    def _hear(self) -> None:
        """Take what the listener says, until it ends."""
        with self._control as control, contextlib.suppress(OSError):
            while message := control.recv(1 << 16):
                with self._changed:
                    if message == ENDING:
                        self._ending = True
                    else:
                        self._flushing.discard(message[:TOKEN_SIZE])
                        self._counts = json.loads(message[TOKEN_SIZE:])
                    self._changed.notify_all()


def _how(status: int) -> str:
    if status >= 0:
        return f"ended with status {status}"
    try:
        return f"killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"killed by signal {-status}"
