"""The session that setup_main_logging returns: handlers of the root logger, and hooks that stop logging at the end."""

import atexit
import contextlib
import logging
import os
import signal
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import partial
from typing import Any, Final, NoReturn, Self

from .flood import flood_control
from .global_state import PACKAGE, attach, change, fork_lock, undo
from .uncaught import exit_cause, log_end, logger

STOP_WITHIN: Final = 10.0  # seconds: more than any handler takes to close
TERMINATE_WITHIN: Final = 1.5  # seconds between the signal and the process's end

ENDING: Final = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]


class LoggingSession(ABC):
    """Session of the main process. Stops at the end of a `with` block (see __exit__), at exit, SIGTERM or SIGHUP."""

    def __init__(self, handlers: list[logging.Handler]) -> None:
        self._owner = os.getpid()
        self.handlers = handlers
        self.sinks: Sequence[Any] = ()  # GuardedHandlers, if they run in this process
        self._replaced: list[logging.Handler] = []
        self._stop_lock = threading.RLock()
        self._stopping_in = 0  # ident of the thread that is in stop()
        self._terminated_by = 0  # the signal that this thread has received during it
        self.stopped = False

    @abstractmethod
    def flush(self, timeout: float = 5.0) -> bool:
        """Block until all records sent so far have reached their handlers.

        Returns False if that took more than `timeout` seconds, or if this is not the main process.
        """

    @abstractmethod
    def counts(self) -> dict[str, Any]:
        """Return how many records this process has accepted and dropped, and each handler has handled and failed on."""

    @abstractmethod
    def _stop(self, within: float) -> None:
        """Write the remaining records, in at most `within` seconds."""

    @property
    def is_owner(self) -> bool:
        """Return True in the process that has created the session, False in its forked children."""
        return os.getpid() == self._owner

    def stop(self, within: float = STOP_WITHIN) -> None:
        """Write what has been logged, and stop; a second call does nothing, or awaits a stop in another thread.

        Blocks until the slowest handler is closed, about `within` seconds at most. Other processes that still log are
        not awaited; a listener process writes their records.
        """
        if not self.is_owner or not self._stop_lock.acquire(timeout=within):
            return
        if self.stopped:
            self._stop_lock.release()
            return
        self._stopping_in = threading.get_ident()  # first: a signal may come between the two
        self.stopped = True
        try:
            atexit.unregister(self.stop)
            attach(self._replaced, self.handlers, keep=False)
            flood_control.report()
            self._stop(within)
            with contextlib.suppress(ValueError):  # not in the main thread: signal handlers stay
                undo.close()
        finally:
            self._stopping_in = 0
            self._stop_lock.release()
            if self._terminated_by:
                _end(self._terminated_by)

    def start(self, *, keep: bool) -> None:
        """Attach the handlers to the root logger, and register the shutdown hooks; `keep`: see global_state.attach."""
        # Those of basicConfig would write every line a second time; stop() attaches them again. Those of other
        # libraries (pytest, an error tracker) stay.
        self._replaced = [each for each in logging.root.handlers if type(each).__module__.split(".")[0] == "logging"]
        attach(self.handlers, self._replaced, keep=keep)
        vars(logging.root)[PACKAGE] = self
        atexit.register(self.stop)
        with contextlib.suppress(ValueError):  # not in the main thread: no signal handler
            for number in ENDING:
                if signal.getsignal(number) is signal.SIG_DFL:
                    change(partial(signal.getsignal, number), partial(signal.signal, number), _terminate)

    def end_by(self, number: int) -> None:
        """Stop, then end this process by that signal. During a stop, return; end when it is finished or overdue."""
        if self._stopping_in == threading.get_ident():
            self._terminated_by = number
            with contextlib.suppress(AttributeError):  # Windows
                signal.signal(signal.SIGALRM, lambda *_: _end(number))
                signal.setitimer(signal.ITIMER_REAL, TERMINATE_WITHIN)
            return
        if not self.stopped and self.flush(0.5):  # otherwise the line would wait while the queue is full
            logger.info("process: ended: %s", exit_cause(-number))
        self.stop(TERMINATE_WITHIN)
        _end(number)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        log_end(error)  # sys.excepthook would run too late
        # Non-daemon threads may log until the interpreter exits, when atexit calls stop().
        others = {each for each in threading.enumerate() if not each.daemon} - {threading.current_thread()}
        self.flush() if others else self.stop()


def current() -> Any:
    """Return the LoggingSession that this process has started and not stopped, or None."""
    found = vars(logging.root).get(PACKAGE)  # stored there, it is found after a reload of this module
    return found if found and found.is_owner and not found.stopped else None


def _terminate(number: int, _frame: object) -> None:
    """Write what has been logged, then end as the signal would have ended the process.

    In a container, the end of the first process ends all others, including the listener.
    """
    signal.signal(number, signal.SIG_DFL)
    _end_children()
    session, gevent = vars(logging.root)[PACKAGE], sys.modules.get("gevent")
    if gevent and isinstance(gevent.getcurrent(), gevent.hub.Hub):  # the hub cannot wait; a greenlet can
        gevent.spawn(session.end_by, number)
    else:
        session.end_by(number)


def _end(number: int) -> NoReturn:
    os.kill(os.getpid(), number)
    os._exit(128 + number)  # reached in a container, where no signal's default action ends the first process


def _end_children() -> None:
    """Send SIGTERM to multiprocessing's children, which would keep the listener running and the log file open."""
    library = sys.modules.get("multiprocessing.process")
    if not library:
        return
    # A pool's thread that detects the end of its workers must not start new ones.
    library.BaseProcess.start = lambda _: threading.Event().wait()
    for child in library.active_children():
        with contextlib.suppress(OSError):  # it may run as another user
            child.terminate()


# A SIGTERM or SIGHUP that arrives during a fork is blocked until the child has restored the default action: otherwise
# Python could record the signal for a handler that is replaced before it is called.
_blocked: set[int] = set()  # to unblock after the fork; not those that the application has blocked itself


def _before_fork() -> None:
    _blocked.clear()
    _blocked.update(number for number in ENDING if signal.getsignal(number) is _terminate)
    _blocked.difference_update(signal.pthread_sigmask(signal.SIG_BLOCK, _blocked))


def _reset_in_child() -> None:
    for number in ENDING:
        if signal.getsignal(number) is _terminate:
            signal.signal(number, signal.SIG_DFL)


if hasattr(os, "register_at_fork"):
    # After a fork, signals are unblocked in C, so that no KeyboardInterrupt can prevent it (`signal` wraps `_signal` in
    # Python). Before a fork, hooks run in reverse order: the lock is taken first.
    _unblock = partial(sys.modules["_signal"].pthread_sigmask, signal.SIG_UNBLOCK, _blocked)
    os.register_at_fork(before=_before_fork, after_in_parent=_unblock, after_in_child=_reset_in_child)
    os.register_at_fork(before=fork_lock.acquire, after_in_parent=fork_lock.release, after_in_child=_unblock)
    os.register_at_fork(after_in_child=getattr(fork_lock, "_at_fork_reinit", fork_lock.release))  # gevent's: release
