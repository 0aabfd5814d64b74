"""Loggers that pass a log call to this package's handlers without a LogRecord, which takes most of the call's time.

`logging` determines file, line and function for every record. Here they are cached by the place in the code, the
thread and the logger. For `extra=`, `exc_info=`, `stack_info=` and `stacklevel=`, and wherever other
code could see or change the record (a handler, filter, factory, or method of its own), `logging` makes the record.
"""

import logging
import os
import sys
import threading
from collections.abc import Callable
from operator import attrgetter
from types import CodeType, FrameType
from typing import Any, ClassVar, Final

from .redaction import redact
from .serialize import Deliver, serialize_origin

_MAX_PLACES: Final = 2048  # cached
_SOURCE: Final = logging.Logger.info.__code__.co_filename
_root: Final = logging.root
_methods: Final = attrgetter("makeRecord", "handle", "callHandlers", "findCaller")  # error trackers replace some
_USUAL: Final = _methods(logging.Logger)
_USUAL_MESSAGE: Final = logging.LogRecord.getMessage
_ATTRIBUTES: Final = len(vars(logging.getLogger(__name__)))  # of a logger to which other code has added none

# Place, level, and names -> the origin, and the code object: as long as that is kept, no other object has its id.
_known: dict[tuple[Any, ...], tuple[bytes, CodeType]] = {}
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_known.clear)  # the child has another pid


class FastLogger(logging.Logger):
    """A logger of `logging`, with a shorter path to the handlers of this package."""

    own: ClassVar[list[logging.Handler]]  # the root logger's handlers
    deliver: ClassVar[Deliver]  # is called in place of these; never raises

    def __init_subclass__(cls) -> None:
        """Give the application's subclass the _log() of `logging`, because its findCaller() may count frames."""
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
        origin = None
        try:
            if not (exc_info or extra or stack_info) and stacklevel == 1 and _is_free(self):
                origin = _origin(sys._getframe(1), self.name, level)  # noqa: SLF001 - as `logging` does
        except Exception:  # noqa: BLE001, S110 - for example, a name that is not a str
            pass
        if origin:
            FastLogger.deliver(origin, msg, args, level)
        else:
            super()._log(level, msg, args, exc_info, extra, stack_info, stacklevel + 1)


def _is_free(logger: logging.Logger) -> bool:
    """Return True if a record of `logger` would reach this package's handlers, and no other code would see it."""
    if (
        len(logger.__dict__) != _ATTRIBUTES
        or _methods(FastLogger) != _USUAL
        or logging.LogRecord.getMessage is not _USUAL_MESSAGE
        or logging.getLogRecordFactory() is not logging.LogRecord
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
    """Return the origin for the code that has called this method of `logging`. Raises ValueError if it is unknown."""
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


def use_fast_loggers(handlers: list[logging.Handler], deliver: Deliver) -> Callable[[], None]:
    """Turn the loggers of `logging` into FastLoggers, and return a function that undoes this.

    `deliver` is called in place of the root logger's `handlers`. Changes nothing if part of a record is switched off.
    """
    switches = ("logThreads", "logProcesses", "logMultiprocessing", "logAsyncioTasks")
    if not all(getattr(logging, switch, True) for switch in switches):
        return lambda: None
    FastLogger.own, FastLogger.deliver = handlers, deliver
    _known.clear()  # masked with other settings
    _convert(logging.Logger, FastLogger)
    return lambda: _convert(FastLogger, logging.Logger)


def _convert(old: type[logging.Logger], new: type[logging.Logger]) -> None:
    if logging.getLoggerClass() is old:
        logging.setLoggerClass(new)
    for each in list(_root.manager.loggerDict.values()):
        if type(each) is old:
            each.__class__ = new  # most loggers are made at import, before logging is set up
