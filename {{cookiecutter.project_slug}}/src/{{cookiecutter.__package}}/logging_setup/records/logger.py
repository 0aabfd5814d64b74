"""Loggers that make a record for this package's handlers without a LogRecord, which is most of a log call's time.

`logging` finds file, line and function out for every record. Here the place in the code, the thread and the logger
lead to what they were the last time. For `extra=`, `exc_info=`, `stack_info=` and `stacklevel=`, and wherever other
code could see or change the record (a handler, filter, factory, or method of its own), `logging` makes the record.
"""

import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any, ClassVar, Final

from .record import BLANK
from .redaction import redact
from .serialize import Flat, context_fields, merge, serialize_origin, usual_message
from .trace import active_span

Deliver = Callable[[Flat, int], object]

_MAX_PLACES: Final = 2048  # remembered
_TASKS: Final = "taskName" in BLANK  # from Python 3.12 on
_SOURCE: Final = logging.Logger.info.__code__.co_filename
_USUAL: Final = logging.Logger
_make, _handle, _call, _find = _USUAL.makeRecord, _USUAL.handle, _USUAL.callHandlers, _USUAL.findCaller
_record, _root = logging.LogRecord, logging.root
_ATTRIBUTES: Final = len(vars(logging.getLogger(__name__)))  # of a logger to which other code has added none

# Place, level, and names -> the origin, and the code object: as long as that is kept, no other one has its id.
_known: dict[tuple[Any, ...], tuple[bytes, CodeType]] = {}
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_known.clear)  # another process


class FastLogger(logging.Logger):
    """A logger of `logging`, with a shorter way to the handlers of this package."""

    own: ClassVar[list[logging.Handler]] = []  # the root logger's handlers; none: `logging` makes every record
    deliver: ClassVar[Deliver]  # gets what would go to these

    def __init_subclass__(cls) -> None:
        """Let the application's own class be one of `logging`: its findCaller() may count the frames."""
        if cls._log is FastLogger._log:
            cls._log = logging.Logger._log  # type: ignore[method-assign]  # noqa: SLF001

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
        flat = None
        try:
            if not (exc_info or extra or stack_info) and stacklevel == 1 and _is_free(self):
                origin = _origin(sys._getframe(1), self.name, level)  # noqa: SLF001 - as `logging` does
                task = _task_name() if _TASKS else None
                message = redact.text(merge(msg, args))
                flat = origin, time.time(), task, message, None, None, context_fields(), active_span()
        except Exception:  # noqa: BLE001, S110 - a name that is no text, for example: `logging` makes the record
            pass
        if flat:
            FastLogger.deliver(flat, level)
        else:
            super()._log(level, msg, args, exc_info, extra, stack_info, stacklevel + 1)


def _is_free(logger: logging.Logger) -> bool:
    """Return True if a record of `logger` would reach the own handlers, and nothing else would see it."""
    if (
        type(logger) is not FastLogger
        or len(logger.__dict__) != _ATTRIBUTES
        # Methods that error trackers replace, for example.
        or FastLogger.makeRecord is not _make
        or FastLogger.handle is not _handle
        or FastLogger.callHandlers is not _call
        or FastLogger.findCaller is not _find
        or _record.getMessage is not usual_message
        or logging.getLogRecordFactory() is not _record
        or logger.filters
        or _root.handlers != FastLogger.own
    ):
        return False
    for handler in FastLogger.own:
        if handler.filters:
            return False
    each: Any = logger
    while each is not _root:
        if each.handlers or not each.propagate:
            return False
        each = each.parent
    return True


def _origin(method: FrameType, name: str, level: int) -> bytes:
    """Return the origin of a record of the code that has called this method of `logging`; ValueError: unknown."""
    frame: Any = method.f_back
    code, at = frame.f_code, frame.f_lasti
    # A wrapper around _log(); a function of `logging` itself; compiled code, which has a line and no instruction.
    if method.f_code.co_filename != _SOURCE or code.co_filename == _SOURCE or at <= 0:
        raise ValueError
    library = sys.modules.get("multiprocessing")
    process = library.current_process().name if library else "MainProcess"
    thread, thread_name = threading.get_ident(), threading.current_thread().name
    level_name = logging.getLevelName(level)
    key = id(code), at, name, level, level_name, thread, thread_name, process
    if known := _known.get(key):
        return known[0]
    if len(_known) >= _MAX_PLACES:
        _known.clear()
    place = code.co_filename, frame.f_lineno, code.co_name
    values = name, process, thread_name, level, level_name, *place, os.getpid(), thread
    origin = serialize_origin(redact.text, values)
    _known[key] = origin, code
    return origin


def _task_name() -> str | None:
    library = sys.modules.get("asyncio")
    try:
        # current_task() would raise where no loop runs, which takes as long as the rest of this module.
        task = library.current_task() if library and library._get_running_loop() else None  # noqa: SLF001
        return task.get_name() if task else None
    except Exception:  # noqa: BLE001 - the class of a task may be the application's
        return None


def use_fast_loggers(handlers: list[logging.Handler], deliver: Deliver) -> Callable[[], None]:
    """Make the loggers of `logging` fast ones, and return a function that undoes that.

    `deliver` gets what would go to `handlers` of the root logger.
    """
    _known.clear()  # masked by other settings
    switches = ("logThreads", "logProcesses", "logMultiprocessing", "logAsyncioTasks")
    on = all(getattr(logging, switch, True) for switch in switches)
    FastLogger.own, FastLogger.deliver = handlers if on else [], deliver
    _convert(logging.Logger, FastLogger)
    return lambda: _convert(FastLogger, logging.Logger)


def _convert(old: type[logging.Logger], new: type[logging.Logger]) -> None:
    if logging.getLoggerClass() is old:
        logging.setLoggerClass(new)
    for each in list(_root.manager.loggerDict.values()):
        if type(each) is old:
            each.__class__ = new  # most loggers are made at import, before logging is set up
