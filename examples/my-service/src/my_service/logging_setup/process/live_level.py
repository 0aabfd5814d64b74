"""Levels changed while the service runs: the command (doctor/level.py) writes a file, which each process follows.

A thread reads the file once a second. It is in a folder that is open to its user alone.
"""

import contextlib
import logging
import os
import signal
import threading
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from ..env import parsers as parse
from . import reports

_INTERVAL: Final = 1.0  # seconds between two looks
_NAME: Final = (__package__ or __name__).rpartition(".")[0]

Levels = tuple[tuple[str, int], ...]


def location() -> Path:
    """Return the path of the file. Beside it, each process that has applied the change has a file, named by its pid."""
    folder = os.environ.get("TMPDIR") or os.environ.get("TEMP") or "/tmp"  # noqa: S108 - see `check`
    return Path(folder, f"{_NAME}-{getattr(os, 'geteuid', int)()}", "levels")


def check(path: Path) -> os.stat_result:
    """Return the status of `path`; raise PermissionError if it is another user's, or open to others, or a link."""
    found = path.lstat()
    if os.name == "posix" and (found.st_uid != os.geteuid() or found.st_mode & 0o077):
        raise PermissionError(f"{path} is another user's, or open to others")
    return found


def read() -> tuple[str, Levels]:
    """Return the change in force, as text and as levels; both empty if there is none. Raises OSError or ValueError."""
    try:
        check(location().parent)
        if check(location()).st_mtime <= time.time():  # it is dated at the end of the change
            return "", ()
        text = location().read_text("utf-8")
    except FileNotFoundError:
        return "", ()
    return text, parse.levels(text.partition(" until ")[0])


class LiveLevels:
    """The thread that follows the file, and what it has changed in this process."""

    def __init__(self) -> None:
        self._ended: threading.Event | None = None  # None: not started
        self._sinks: Sequence[Any] = ()
        self._reports = False
        self._applied: tuple[str, Levels] = "", ()
        self._former = contextlib.ExitStack()  # closing it restores the former levels

    def start(self, sinks: Sequence[Any] = (), *, reports_changes: bool = True) -> None:
        """Apply the change in force, if any, and follow the file; `sinks`: the GuardedHandlers of this process."""
        self._sinks, self._reports = sinks, bool(sinks) and reports_changes
        self._look()
        self._ended = threading.Event()
        with contextlib.ExitStack() as stack:
            if hasattr(signal, "pthread_sigmask"):  # the thread takes no signal: other code may sigwait() for one
                mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
                stack.callback(signal.pthread_sigmask, signal.SIG_SETMASK, mask)
            stack.enter_context(contextlib.suppress(RuntimeError))  # a sub-interpreter has no daemon threads
            threading.Thread(target=self._watch, args=(self._ended,), name="log-levels", daemon=True).start()

    def start_in_child(self) -> None:
        """Start again in a forked child, unless gevent copies the thread. The parent reports the change."""
        self._reports = False
        if self._ended and not threading.get_ident.__module__.startswith("gevent"):
            self.start(self._sinks, reports_changes=False)

    def stop(self) -> None:
        """End the thread, and restore the former levels."""
        if self._ended:
            self._ended.set()
            self._ended, self._applied = None, ("", ())
            self._former.close()

    def _watch(self, ended: threading.Event) -> None:
        owner = os.getpid()
        while not ended.wait(_INTERVAL):
            self._look()
        if os.getpid() != owner:  # gevent's copy in a forked child, where a Thread cannot end
            threading.Event().wait()

    def _look(self) -> None:
        change: tuple[str, Levels] = "", ()
        try:
            change = read()
        except Exception as error:  # noqa: BLE001 - the file may contain anything
            if self._reports:
                reports.report("levels", f"levels: change refused, levels stay as set: {reports.describe(error)}")
        if change != self._applied:
            self._former.close()
            self._apply(change[1])
            self._applied = change  # last: a child that is forked before repeats it
            if self._reports:
                reports.say(f"levels: {change[0] or 'end of the change, former ones restored'}")
        if change[0]:
            with contextlib.suppress(OSError):
                location().with_name(str(os.getpid())).touch()

    def _apply(self, levels: Levels) -> None:
        for name, level in levels:
            logger = logging.getLogger(name)
            self._former.callback(logger.setLevel, logger.level)
            logger.setLevel(level)
        lowest = min((level for _, level in levels), default=logging.CRITICAL)
        for guarded in self._sinks:
            handler, level = guarded.handler, guarded.handler.level
            if level > lowest and not getattr(handler, "keeps_level", False):
                passes = partial(_passes, guarded, level, levels)
                handler.addFilter(passes)  # before the level lets more through
                self._former.callback(handler.removeFilter, passes)
                self._former.callback(handler.setLevel, level)
                handler.setLevel(lowest)


def _passes(guarded: Any, level: int, levels: Levels, record: logging.LogRecord) -> bool:
    """Return True for a record that a sink's own `level` lets through, or that the change asks for."""
    asked = [f"{name}." for name, least in levels if record.levelno >= least]
    passed = record.levelno >= level or "root." in asked or f"{record.name}.".startswith(tuple(asked))
    guarded.called -= not passed
    return passed


live: Final = LiveLevels()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=live.start_in_child)
