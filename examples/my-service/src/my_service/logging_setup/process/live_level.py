"""Level changes at run time: the command `level` (__main__.py) writes a file that each process watches.

A thread reads it once a second. Its first line has the end of the change, in milliseconds since the epoch, and the
levels; each process that has applied them appends its pid. It is in a folder that only its user may access.
"""

import contextlib
import logging
import os
import signal
import threading
import time
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from ..env import parsers as parse
from ..records.text import format_time
from . import reports
from .global_state import PACKAGE, fork_lock, forked_handlers

Levels = Sequence[tuple[str, int]]

_LONGEST: Final = 25 * 3600 * 1000  # milliseconds: the command allows 24 hours, and clocks are adjusted


def location() -> str:
    """Return the path of the file."""
    folder = os.environ.get("TMPDIR") or os.environ.get("TEMP") or "/tmp"  # noqa: S108 - see `read`
    return os.path.join(folder, f"{PACKAGE}-{getattr(os, 'geteuid', int)()}", "levels")


def read() -> tuple[str, Levels, list[str]]:
    """Return the change in force, as text and as levels (empty: none), and the processes that have applied it.

    Raises OSError, also if file or folder is a link, another user's, or open to others; ValueError if it is invalid.
    """
    path = location()
    try:
        for each in (os.path.dirname(path), path):
            found = os.lstat(each)
            if os.name == "posix" and (found.st_uid != os.geteuid() or found.st_mode & 0o077):
                raise PermissionError(f"{each} belongs to another user, or is open to others")
        with open(path, encoding="utf-8") as file:
            first, *processes = file.read().splitlines()
    except FileNotFoundError:
        return "", (), []
    end, _, levels = first.partition(" ")
    left = int(end) - int(time.time() * 1000)
    if left > _LONGEST:
        raise ValueError("the change ends in more than 24 hours, as if the clock had been set back")
    if left <= 0:
        return "", (), processes
    return f"{levels} until {format_time(int(end))}", parse.levels(levels), processes


def write(levels: str, seconds: int) -> None:
    """Replace the change in force with one that ends after `seconds`; without `levels`, end it.

    Raises OSError as read() does, and ValueError for a logger name that does not fit on one line.
    """
    if not levels.isprintable():
        raise ValueError("names without line breaks and other control characters")
    path = location()
    with contextlib.suppress(FileExistsError):
        os.mkdir(os.path.dirname(path), 0o700)
    with contextlib.suppress(ValueError):  # invalid contents may be replaced
        read()  # refuses a folder or file of another user
    if not levels:  # also on a full disk
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        return
    new = f"{path}.{os.getpid()}"
    with open(new, "w", encoding="utf-8", opener=partial(os.open, mode=0o600)) as file:
        file.write(f"{int((time.time() + seconds) * 1000)} {levels}\n")
    os.replace(new, path)


class LiveLevels:
    """The thread that watches the file, and what it has changed in this process."""

    def __init__(self) -> None:
        self._ended: threading.Event | None = None  # None: not started
        self._sinks: Sequence[Any] = ()
        self._applied = ""
        self._former = contextlib.ExitStack()  # closing it restores the previous levels
        self._filters = contextlib.ExitStack()  # closing it removes them from the sinks

    def start(self, sinks: Sequence[Any] = ()) -> None:
        """Apply the change in force, if any, and watch the file; `sinks`: the GuardedHandlers of this process."""
        self._sinks = sinks
        self._look()
        self._ended = threading.Event()
        with contextlib.ExitStack() as stack:
            if hasattr(signal, "pthread_sigmask"):  # the thread takes no signal: other code may sigwait() for one
                mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
                stack.callback(signal.pthread_sigmask, signal.SIG_SETMASK, mask)
            with contextlib.suppress(RuntimeError):  # a sub-interpreter has no daemon threads
                threading.Thread(target=self._watch, args=(self._ended,), name="log-levels", daemon=True).start()

    def reset_in_child(self) -> None:
        """Start again in a forked child, unless gevent copies the thread."""
        if self._ended and not threading.get_ident.__module__.startswith("gevent"):
            self.start(self._sinks)

    def stop(self) -> None:
        """End the thread, and restore the previous levels."""
        if self._ended:
            self._ended.set()
            self._ended, self._applied = None, ""
            self._former.close()
            self._filters.close()

    def _watch(self, ended: threading.Event) -> None:
        process = os.getpid()
        while not ended.wait(1.0):
            self._look()
        if os.getpid() != process:  # gevent's copy in a forked child, where a Thread cannot end
            threading.Event().wait()

    def _look(self) -> None:
        try:
            text, levels, processes = read()
        except Exception as error:  # noqa: BLE001 - the file may contain anything
            text, levels, processes = f"change refused, levels as configured: {reports.describe(error)}", (), []
        if text != self._applied:
            with fork_lock:  # no child is forked during a change
                self._former.close()
                self._apply(levels)
                self._applied = text
            session = vars(logging.root).get(PACKAGE)  # None: this is the listener process
            if self._sinks and (session is None or session.is_owner):  # forked children report nothing
                reports.say(f"levels: {text or 'end of the change, previous levels restored'}")
        elif not levels:  # one check later: a batch that the lower level has let through may still be in progress
            with fork_lock:
                self._filters.close()
        if levels and str(os.getpid()) not in processes:
            with contextlib.suppress(OSError), open(os.open(location(), os.O_WRONLY | os.O_APPEND), "w") as file:
                file.write(f"{os.getpid()}\n")

    def _apply(self, levels: Levels) -> None:
        for name, level in levels:
            self._set_level(logging.getLogger(name), level)
        if not levels:
            return
        lowest = min(level for _, level in levels)
        with self._filters.pop_all():  # those of the previous change stay until the new ones are added
            for guarded in self._sinks:
                handler = guarded.handler
                if handler.level > lowest and not getattr(handler, "keeps_level", False):
                    passes = partial(_passes, guarded, handler.level, levels)
                    handler.addFilter(passes)  # before the level lets more through
                    self._filters.callback(handler.removeFilter, passes)
                    self._set_level(handler, lowest)

    def _set_level(self, target: Any, level: int) -> None:
        self._former.callback(target.setLevel, target.level)
        target.setLevel(level)


def _passes(guarded: Any, level: int, levels: Levels, record: logging.LogRecord) -> bool:
    """Return True for a record that a sink's own `level` lets through, or that the change asks for."""
    asked = [f"{name}." for name, least in levels if record.levelno >= least]
    passed = record.levelno >= level or "root." in asked or f"{record.name}.".startswith(tuple(asked))
    guarded.called -= not passed
    return passed


live: Final = LiveLevels()
forked_handlers.add(live)
