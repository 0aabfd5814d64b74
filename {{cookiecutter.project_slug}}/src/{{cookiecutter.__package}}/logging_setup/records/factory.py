"""The classes of log records: LogRecord, made by each log call, and PreparedRecord, which handlers get.

A LogRecord takes half of the time of logging.LogRecord, which is most of a log call: `logging` computes anew what
hardly ever changes, such as the name of the module. Here that is cached, or tested at low cost.
"""

import logging
import os
import sys
import threading
import time
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

# The attributes of every record, whatever factory the application uses.
BLANK: Final[Mapping[str, Any]] = logging.LogRecord("", 0, "", 0, "", (), None).__dict__
START: Final[float] = BLANK["created"] - BLANK["relativeCreated"] / 1000  # of `logging`, seconds since the epoch
_TASKS: Final = "taskName" in BLANK  # from Python 3.12 on


class LogRecord(logging.LogRecord):
    """A record with the attributes of logging.LogRecord, and the same values."""

    def __init__(
        self,
        name: str,
        level: int,
        pathname: str,
        lineno: int,
        msg: object,
        args: Any,
        exc_info: Any,
        func: Any = None,
        sinfo: Any = None,
        **_: object,
    ) -> None:
        created = time.time()
        self.name = name
        self.msg = msg
        if args and len(args) == 1 and isinstance(args[0], Mapping) and args[0]:
            args = args[0]
        self.args = args
        self.levelname = logging.getLevelName(level)
        self.levelno = level
        self.pathname = pathname
        try:
            self.filename, self.module = file_and_module(pathname)
        except (TypeError, ValueError, AttributeError):  # no path at all
            self.filename, self.module = pathname, "Unknown module"
        self.exc_info = exc_info
        self.exc_text = None
        self.stack_info = sinfo
        self.lineno = lineno
        self.funcName = func
        self.created = created
        self.msecs = created % 1 * 1000 // 1
        self.relativeCreated = (created - START) * 1000
        self.thread = threading.get_ident()
        self.threadName = threading.current_thread().name
        library = sys.modules.get("multiprocessing")
        try:
            self.processName = library.current_process().name if library else "MainProcess"
        except Exception:  # noqa: BLE001 - as `logging` does: a module that is being imported may lack anything
            self.processName = "MainProcess"
        self.process = _process
        if _TASKS:
            self.taskName = _task_name()

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as a record of `logging`, which can be unpickled where this class is not installed."""
        return logging.makeLogRecord, (self.__dict__.copy(),)


class PreparedRecord(logging.LogRecord):
    """The record that handlers get: message and arguments merged, secrets masked, all values of built-in types."""

    fields: Mapping[str, Any] = MappingProxyType({})  # context and extras
    exception: dict[str, Any] | None = None  # its type, message, stacktrace, notes, causes

    def __init__(self, data: dict[str, Any]) -> None:
        self.__dict__ = data  # faster than filling the present one


_process = os.getpid()  # cached, because os.getpid() is a system call


def _note_process() -> None:
    global _process
    _process = os.getpid()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note_process)


@lru_cache(1024)
def file_and_module(pathname: str) -> tuple[str, str]:
    """Return a record's `filename` and `module`."""
    filename = os.path.basename(pathname)  # noqa: PTH119 - half the time of a Path
    return filename, os.path.splitext(filename)[0]  # noqa: PTH122


def _task_name() -> str | None:
    library = sys.modules.get("asyncio")
    try:
        # current_task() would raise where no loop runs, which takes as long as the rest of this module.
        task = library.current_task() if library and library._get_running_loop() else None  # noqa: SLF001
        return task.get_name() if task else None
    except Exception:  # noqa: BLE001 - as above; and the class of a task may be the application's
        return None


def is_usable() -> bool:
    """Return True if no other record factory is in force, and LogRecord lacks nothing that `logging` would set."""
    usual = logging.getLogRecordFactory() is logging.LogRecord
    on = logging.logThreads and logging.logProcesses and logging.logMultiprocessing
    made = LogRecord("", 0, "", 0, "", (), None)
    return usual and on and getattr(logging, "logAsyncioTasks", True) and vars(made).keys() == BLANK.keys()
