"""Loggers that make a record for the queue without a LogRecord, which would be most of the time of a log call.

`logging` works file, line and function out for every record; here the place in the code, with the thread and the
logger, leads straight to what they were the last time. That holds as long as only this package's handlers would get
the record: for any other one, and for `extra=`, `exc_info=`, `stack_info=` and `stacklevel=`, the call goes the way
of `logging`. So it does for loggers of the application's own class, and with a record factory of the application's.
"""

import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any, Final

from .record import BLANK
from .redaction import redact
from .serialize import Deliver, context_fields, merge, serialize_origin

_MAX_PLACES: Final = 2048  # remembered
_TASKS: Final = "taskName" in BLANK  # from Python 3.12 on
_usual: Final = logging.Logger
_make, _handle, _call = _usual.makeRecord, _usual.handle, _usual.callHandlers
_root: Final = logging.root


class FastLogger(logging.Logger):
    """A logger of `logging`, with a shorter way to the handlers of this package."""

    def _log(
        self,
        level: int,
        msg: object,
        args: Any,
        exc_info: Any = None,
        extra: Any = None,
        stack_info: bool = False,
        stacklevel: int = 1,
    ) -> None:
        if not (exc_info or extra or stack_info) and stacklevel == 1 and is_free(self):
            frame = sys._getframe(2)  # noqa: SLF001 - as `logging` does
            thread, name, library = threading.current_thread(), self.name, sys.modules.get("multiprocessing")
            try:
                process = library.current_process().name if library else "MainProcess"
                key = id(frame.f_code), frame.f_lasti, level, name, thread.ident, thread.name, process
                origin, code = _places.known.get(key) or _places.add(key, frame)
                if code:
                    task = _task_name() if _TASKS else None
                    message = redact.text(merge(msg, args))
                    _places.deliver((origin, time.time(), task, message, None, None, context_fields()), level)
                    return
            except Exception:  # noqa: BLE001, S110 - a name that is no text, for example: as `logging` does it
                pass
        super()._log(level, msg, args, exc_info, extra, stack_info, stacklevel + 1)


def is_free(logger: logging.Logger) -> bool:
    """Return True if nothing but the handlers of this package would see the logger's records."""
    usual = (
        # Replaced by error trackers, for example.
        _usual.makeRecord is _make
        and _usual.handle is _handle
        and _usual.callHandlers is _call
        and logging.getLogRecordFactory() is logging.LogRecord
        and _root.handlers == _places.handlers
        and type(logger) is FastLogger
    )
    each: Any = logger
    while usual and each is not _root:
        usual = each.propagate and not (each.handlers or each.filters)
        each = each.parent
    return usual


class _Places:
    """The places in the code that have logged, and what their records have in common."""

    deliver: Deliver

    def __init__(self) -> None:
        self.handlers: list[logging.Handler] = []  # of the root logger; none: no record goes this way
        self.start()

    def start(self) -> None:
        """Forget all: at first, after a change of the settings, and in a forked child."""
        self._process = os.getpid()  # cached, because it is a system call
        # Place, level, and names -> the origin, and the code object: while that is kept, no other one has its id.
        self.known: dict[tuple[Any, ...], tuple[bytes, CodeType | None]] = {}

    def add(self, key: tuple[Any, ...], frame: FrameType) -> tuple[bytes, CodeType | None]:
        """Return the origin of records of `frame`, and its code; None if that is a function of `logging` itself."""
        _, _, level, name, thread, thread_name, process_name = key
        code, path = frame.f_code, os.path.normcase(frame.f_code.co_filename)
        if path == logging._srcfile:  # noqa: SLF001
            return b"", None
        if len(self.known) >= _MAX_PLACES:
            self.known.clear()
        values = name, process_name, thread_name, level, logging.getLevelName(level), path, frame.f_lineno, code.co_name
        found = self.known[key] = serialize_origin(redact.text, (*values, self._process, thread)), code
        return found


def _task_name() -> str | None:
    library = sys.modules.get("asyncio")
    try:
        # current_task() would raise where no loop runs, which takes as long as the rest of this module.
        task = library.current_task() if library and library._get_running_loop() else None  # noqa: SLF001
        return task.get_name() if task else None
    except Exception:  # noqa: BLE001 - the class of a task may be the application's
        return None


def use_fast_loggers(handlers: list[logging.Handler], deliver: Deliver) -> Callable[[], None]:
    """Make the loggers of this process fast ones, and return a function that makes them usual ones again.

    `deliver` gets what would go to `handlers` of the root logger. Changes nothing if other code has set a class.
    """
    _places.start()
    switches = ("logThreads", "logProcesses", "logMultiprocessing", "logAsyncioTasks")
    on = all(getattr(logging, switch, True) for switch in switches)
    if not on or logging.getLoggerClass() not in (logging.Logger, FastLogger):
        return lambda: None
    _places.handlers, _places.deliver = handlers, deliver
    _convert(logging.Logger, FastLogger)
    return lambda: _convert(FastLogger, logging.Logger)


def _convert(old: type[logging.Logger], new: type[logging.Logger]) -> None:
    if logging.getLoggerClass() is old:
        logging.setLoggerClass(new)
    for each in list(logging.root.manager.loggerDict.values()):
        if type(each) is old:
            each.__class__ = new  # loggers are made before logging is set up, at import


_places = _Places()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_places.start)
