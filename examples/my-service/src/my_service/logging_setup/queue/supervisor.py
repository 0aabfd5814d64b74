"""Sessions with a listener process or a listener thread: start it, restart it after a crash, await its end.

A listener process ends when no process holds a write end of the queue any more; nothing here terminates it.
"""

import contextlib
import io
import json
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from ..process import reports
from ..process.global_state import fork_lock, forked_handlers
from ..process.uncaught import exit_cause
from .encoding import encode_marker
from .frames import TOGETHER
from .pipe import LogQueue, PortableQueue, renumber
from .session import QueueSession

_MAIN: Final = os.path.join(os.path.dirname(__file__), "listener_main.py")
_ENDING_WITHIN: Final = 0.5  # seconds in which a listener notices that the last write end is closed
# Seconds before each restart of a listener that crashes repeatedly at start-up: at first less than
# LOG_QUEUE_TIMEOUT, so that nothing is dropped; finally so long that the restarts cost nothing.
_PAUSES: Final = (0.0, 0.0, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
_STABLE_AFTER: Final = 1.0  # seconds that a listener has to run before its crash counts as the first again


def can_start_process() -> bool:
    """Return False outside Linux, and in a frozen or embedded interpreter, which cannot start another of its kind."""
    name = os.path.basename(sys.executable or "").lower()
    return sys.platform == "linux" and ("python" in name or "pypy" in name) and os.path.isfile(__file__)


class ProcessSession(QueueSession):
    """A session with a listener process, which has a POSIX session of its own (setsid): Ctrl-C does not reach it.

    A thread waits for its end, and starts the next one. Meanwhile, records stay in the pipe, whose read end is open in
    this process too.
    """

    def __init__(self, settings: Any) -> None:
        super().__init__(LogQueue(settings))
        self._settings = settings
        self._closing = threading.Event()
        self._ending = threading.Event()  # the listener has read the last record, or has crashed
        self._start_listener(note="")
        forked_handlers.add(self)
        self._supervisor = threading.Thread(target=self._supervise, name="log-supervisor", daemon=True)
        self._supervisor.start()

    def reset_in_child(self) -> None:
        """In a forked child: close the socket of the listener, which answers the main process alone."""
        self._control.close()

    def _end_listener(self, until: float) -> None:
        self._closing.set()
        self.queue.close()
        # The listener continues while other processes have the queue open; it is not awaited then.
        if self._ending.wait(min(_ENDING_WITHIN, until - time.monotonic())):
            self._supervisor.join(max(0.0, until - time.monotonic()))

    def _start_listener(self, note: str) -> None:
        # A child forked meanwhile would keep the listener's end of the pair open, and the pipe that Popen reads.
        with fork_lock:
            pair = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            self._control, theirs = (socket.socket(fileno=renumber(end.detach())) for end in pair)
            self._control.send(json.dumps({"settings": self._settings, "note": note}, default=vars).encode())
            # A duplicate: gevent's Popen forks in Python, and in that child the queue's own reader is closed.
            with theirs, io.FileIO(renumber(os.dup(self.queue.reader.fileno()))) as reader:
                fds = reader.fileno(), theirs.fileno()
                self._process = subprocess.Popen(  # noqa: S603 - this interpreter, and a file next to this one
                    [sys.executable, "-P", _MAIN, *map(str, fds), __package__],
                    pass_fds=fds,
                    stdin=subprocess.DEVNULL,
                    # None if stdout was closed at start: its number may now belong to any other file.
                    stdout=subprocess.DEVNULL if sys.__stdout__ is None else None,
                    stderr=subprocess.DEVNULL if sys.__stderr__ is None else None,
                    start_new_session=True,
                )
        self._ending.clear()

    def _supervise(self) -> None:
        deaths = 0
        while True:
            started = time.monotonic()
            # The listener closes its end of the pair after the last record, or when it crashes.
            with self._control as control, contextlib.suppress(OSError):
                while message := control.recv(1 << 16):
                    self._acknowledge(message)
            self._ending.set()
            status = self._process.wait()
            if self._closing.is_set():
                return
            deaths = 0 if time.monotonic() - started > _STABLE_AFTER else deaths + 1
            cause = exit_cause(status) if status else "unknown"  # other code has waited for it, or SIGCHLD is ignored
            note = f"listener: restarted, up to {TOGETHER} records may be missing: {cause}"
            self._restart(deaths, note)

    def _restart(self, deaths: int, note: str) -> None:
        while not self._closing.wait(_PAUSES[min(deaths, len(_PAUSES) - 1)]):
            if not self.is_owner:  # in a gevent greenlet that a fork has copied
                self._closing.wait()
            try:
                self._start_listener(note)
            except (OSError, ValueError) as error:  # ValueError: the queue is being closed
                deaths += 1
                reports.say(f"listener: restart failed, will be retried: {error}", logging.ERROR)
            else:
                break
        for answers in list(self._flushing.values()):
            answers.put(False)


class ThreadSession(QueueSession):
    """A session with a listener thread: for LOG_LISTENER=thread, and where no listener process can be started.

    It is slow while the main process computes, and ends with it; records of other processes are lost after that.
    """

    def __init__(self, settings: Any, make_handlers: Callable[[Any], list[Any]]) -> None:
        from ..sinks.dispatcher import Dispatcher  # here: not needed with a listener process

        super().__init__((LogQueue if sys.platform == "linux" else PortableQueue)(settings))
        self._closing = False
        self._dispatcher = Dispatcher(make_handlers(settings))
        self.sinks = self._dispatcher.handlers
        self._thread = threading.Thread(target=self._listen, name="log-listener", daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        from .listener import handle  # here: as above

        for batch in self.queue.batches():
            handle(batch, self._dispatcher, self._acknowledge)
            if self._closing:
                break
        self.queue.close()
        self._dispatcher.close()

    def _end_listener(self, until: float) -> None:
        self._closing = True
        self.queue.put(encode_marker(), 0.0)  # wakes the thread, which is not needed if the queue is full
        self._thread.join(max(0.0, until - time.monotonic()))
