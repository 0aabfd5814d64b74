"""The listener process seen from the main process: started, kept alive, flushed, let go.

It ends by itself when nobody holds a sending end of the queue any more; nothing here stops it.
"""

import contextlib
import itertools
import marshal
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from . import reports
from .listener import ENDING
from .log_queue import GoneError, LogQueue, not_for_children, renumbered
from .main_logging import MainLogging
from .queue_handler import LogQueueHandler
from .settings import Settings

_MAIN: Final = Path(__file__).with_name("listener_main.py")
_ENDING_WITHIN: Final = 0.5  # seconds in which a listener notices that nobody is left to log
# Seconds before each restart of a listener that dies young, again and again: at first less than
# a log call waits, so that nothing is lost; in the end, so little that a crash costs nothing.
_PAUSES: Final = (0.0, 0.0, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
_LIVED_WELL: Final = 1.0  # seconds after which a listener's death counts as the first again


class ListenerProcess(MainLogging):
    """A listener in a process of its own, in a session of its own: Ctrl-C does not reach it.

    A thread waits for its death, and starts the next one; what waits in the queue meanwhile
    stays there, for this process keeps the queue's reading end open.
    """

    queue: LogQueue

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.queue = LogQueue(settings)
        self._handler = LogQueueHandler(self.queue)
        self._tokens = itertools.count(1)
        # Re-entrant: a signal handler may flush while its own thread is in flush().
        self._changed = threading.Condition(threading.RLock())
        self._acknowledged = 0  # the last flush that the listener has carried out
        self._generation = 0  # how many listeners there have been
        self._counts: dict[str, Any] = {}
        self._letting_go = threading.Event()
        self._ending = self._ended = False
        self._start_listener(note="")
        threading.Thread(target=self._supervise, name="log-supervisor", daemon=True).start()
        self.start([self._handler], keep=settings.reattach)

    def flush(self, timeout: float = 5.0) -> bool:
        """See MainLogging. A listener that dies meanwhile is asked again when it is back."""
        if not self.mine:
            return False
        until = time.monotonic() + timeout
        token = next(self._tokens)
        with self._changed:
            while self._acknowledged < token and (left := until - time.monotonic()) > 0:
                generation = self._generation
                try:
                    if not self.queue.put(marshal.dumps(token), left):
                        return False
                except GoneError:
                    return False
                self._changed.wait_for(
                    lambda: self._acknowledged >= token or self._generation != generation,  # noqa: B023
                    until - time.monotonic(),
                )
            return self._acknowledged >= token

    def counts(self) -> dict[str, Any]:
        """See MainLogging; blocks as flush() does."""
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
        pair = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours, theirs = (socket.socket(fileno=renumbered(end.detach())) for end in pair)
        not_for_children.add(ours)
        ours.send(marshal.dumps({"settings": asdict(self.queue.settings), "note": note}))
        reader = self.queue.reader.fileno()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - this very interpreter, and a file beside this one
                [sys.executable, "-P", _MAIN, str(reader), str(theirs.fileno()), __package__],
                pass_fds=(reader, theirs.fileno()),
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
            self._restart(deaths, f"The log listener {_how(status)}; this is a new one")

    def _restart(self, deaths: int, note: str) -> None:
        while not self._letting_go.wait(_PAUSES[min(deaths, len(_PAUSES) - 1)]):
            try:
                self._start_listener(note)
            except (OSError, ValueError) as error:  # ValueError: the queue is being closed
                deaths += 1
                reports.to_stderr("ERROR", f"Cannot restart the log listener: {error}")
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
                        self._acknowledged, self._counts = marshal.loads(message)  # noqa: S302 - our own process
                    self._changed.notify_all()


def _how(status: int) -> str:
    if status >= 0:
        return f"ended with status {status}"
    try:
        return f"was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"was ended by signal {-status}"
