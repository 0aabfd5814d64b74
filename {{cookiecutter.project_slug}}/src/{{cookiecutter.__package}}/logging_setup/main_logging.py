"""What setup_main_logging returns: logging that is set up, can be flushed, and is stopped once."""

import atexit
import contextlib
import logging
import os
import signal
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable
from functools import partial
from types import FrameType, TracebackType
from typing import Any, Final, Self

from .changes import change, undo
from .crashes import log_once
# {% if cookiecutter.multiprocessing %}
from .log_queue import LogQueue, ThreadQueue
# {% endif %}
from .root_logger import attach

STOP_WITHIN: Final = 10.0  # seconds: more than any handler takes to close
TERMINATE_WITHIN: Final = 1.5  # seconds between SIGTERM and the process's end


class MainLogging(ABC):
    """Logging of the main process. Stops at the end of a `with` block, or at exit, or at SIGTERM."""

    # {% if cookiecutter.multiprocessing %}
    queue: LogQueue | ThreadQueue  # for setup_proc_logging in other processes

    # {% endif %}
    def __init__(self) -> None:
        self._owner = os.getpid()
        self._handlers: list[logging.Handler] = []
        self._replaced: list[logging.Handler] = []
        self.stopped = False

    @abstractmethod
    def flush(self, timeout: float = 5.0) -> bool:
        """Block until all records sent so far have reached their handlers.

        False if that took more than `timeout` seconds, or this is not the main process.
        """

    @abstractmethod
    def counts(self) -> dict[str, Any]:
        """Records accepted and dropped by this process, and handled and failed per handler."""

    @abstractmethod
    def _stop(self, within: float) -> None:
        """Write what is left, in at most `within` seconds."""

    @property
    def mine(self) -> bool:
        """Whether this process has set it up, not inherited it by a fork."""
        return os.getpid() == self._owner

    def stop(self) -> None:
        """Write what has been logged, and stop; a second call does nothing.

        Blocks for as long as the slowest handler takes to close, about 10 s at the most;
        other processes that still log are not waited for, and what they log is written.
        """
        self._stop_within(STOP_WITHIN)

    def start(self, handlers: Iterable[logging.Handler], *, keep: bool) -> Self:
        """Attach `handlers` to the root logger, and register the shutdown hooks; `keep`: see root_logger.attach."""
        global _current
        self._handlers = list(handlers)
        others: list[logging.Handler] = []
        for handler in logging.getLogger().handlers:
            # What basicConfig has left would write every line a second time, and is put back by stop(); others
            # (of pytest, of an error tracker) have their own purpose, and stay.
            usual = type(handler).__module__.partition(".")[0] == "logging"
            (self._replaced if usual else others).append(handler)
        attach(self._handlers, others, keep=keep)
        _current = self
        atexit.register(self.stop)
        with contextlib.suppress(ValueError):  # not in the main thread: no signal handler
            if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
                change(partial(signal.getsignal, signal.SIGTERM), partial(signal.signal, signal.SIGTERM), _terminate)
        return self

    def _stop_within(self, within: float) -> None:
        if self.stopped or not self.mine:
            return
        self.stopped = True
        atexit.unregister(self.stop)
        root = logging.getLogger()
        root.handlers = [*self._replaced, *(each for each in root.handlers if each not in self._handlers)]
        self._stop(within)
        with contextlib.suppress(Exception):  # not in the main thread: the handler of SIGTERM stays; no stderr
            undo.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            log_once(error, "the main thread")  # sys.excepthook will come too late for it
        self.stop()


_current: MainLogging | None = None


def current() -> MainLogging | None:
    """The logging that this process has set up and not stopped."""
    return _current if _current and _current.mine and not _current.stopped else None


def _terminate(number: int, _frame: FrameType | None) -> None:
    """Write what has been logged, then end as the signal would have ended the process.

    In a container the end of the first process is the end of all, the listener included.
    """
    signal.signal(number, signal.SIG_DFL)
    if _current:
        _current._stop_within(TERMINATE_WITHIN)  # noqa: SLF001 - same module
    os.kill(os.getpid(), number)
    os._exit(128 + number)  # reached in a container: no signal's default ends its first process


# A SIGTERM that comes amid a fork waits until the child has its default action back: in between,
# Python would note the signal for a handler that is gone by the time it looks.
_fork = threading.local()


def _before_fork() -> None:
    if signal.getsignal(signal.SIGTERM) is _terminate:
        _fork.mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})


def _after_fork() -> None:
    mask = _fork.__dict__.pop("mask", None)
    if mask is not None:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _forget_in_child() -> None:
    if signal.getsignal(signal.SIGTERM) is _terminate:
        with contextlib.suppress(ValueError):
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_forget_in_child)
