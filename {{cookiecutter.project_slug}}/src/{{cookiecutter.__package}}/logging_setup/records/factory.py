"""Log records as `logging` makes them, in half of the time: most of a log call is this.

For each record `logging` works out anew what hardly ever changes: the name of the module, that
no task is running. Here that is remembered, or cheaply seen. The way in is the documented one,
logging.setLogRecordFactory; it is not taken where another factory is in force, nor by a Python
whose records have attributes that these lack.
"""

import logging
import os
import sys
import threading
import time
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

# What every record has, whatever factory the application uses.
BLANK: Final[Mapping[str, Any]] = logging.LogRecord("", 0, "", 0, "", (), None).__dict__
START: Final[float] = BLANK["created"] - BLANK["relativeCreated"] / 1000  # of `logging`, seconds since the epoch
_TASKS: Final = "taskName" in BLANK  # from Python 3.12 on


class LogRecord(logging.LogRecord):
    """The attributes of logging.LogRecord, with the same values."""

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
        except Exception:  # noqa: BLE001 - as logging has it: what is just being imported may lack anything
            self.processName = "MainProcess"
        self.process = _process
        if _TASKS:
            self.taskName = _task_name()

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled as a record of logging's own, which can be read where this class is not."""
        return logging.makeLogRecord, (self.__dict__.copy(),)


_process = os.getpid()  # to ask for it is a system call, and it changes by a fork only


def _note_process() -> None:
    global _process
    _process = os.getpid()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note_process)


@lru_cache(1024)
def file_and_module(pathname: str) -> tuple[str, str]:
    """A record's `filename` and `module`."""
    filename = os.path.basename(pathname)  # noqa: PTH119 - half the time of a Path
    return filename, os.path.splitext(filename)[0]  # noqa: PTH122


def _task_name() -> str | None:
    library = sys.modules.get("asyncio")
    try:
        # current_task() would raise where no loop runs, which takes as long as all else here.
        task = library.current_task() if library and library._get_running_loop() else None  # noqa: SLF001
        return task.get_name() if task else None
    except Exception:  # noqa: BLE001 - as above; and a task's class may be anybody's
        return None


def is_usable() -> bool:
    """Return True if no other record factory is in force, and LogRecord lacks nothing that `logging` would set."""
    usual = logging.getLogRecordFactory() is logging.LogRecord
    on = logging.logThreads and logging.logProcesses and logging.logMultiprocessing
    made = LogRecord("", 0, "", 0, "", (), None)
    return usual and on and getattr(logging, "logAsyncioTasks", True) and vars(made).keys() == BLANK.keys()
