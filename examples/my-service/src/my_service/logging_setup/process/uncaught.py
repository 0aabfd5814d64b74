"""Log uncaught exceptions in any thread or process, warnings, and fatal signals.

The exception of an asyncio task that is never awaited is logged by asyncio.
"""

import contextlib
import logging
import os
import re
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TextIO, TypeVar

from ..records.text import format_time
from .global_state import change, undo
from .open_file import open_file

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

try:
    import faulthandler
except ImportError:  # in a sub-interpreter; a fatal signal concerns the whole process
    faulthandler = None  # type: ignore[assignment]

P = ParamSpec("P")
R = TypeVar("R")

logger = logging.getLogger(__name__)

_LOGGED: Final = "__logged__"  # set on an exception to the level at which it was logged; pickling keeps it
_REPR: Final = r"<(?:function|\w+ object) (\S+) at "  # repr() of functions, generators and coroutines
_STARTED: Final = "started "  # beginning of a line that a start writes to the fault file
_extended: dict[tuple[str, str], bool] = {}  # module and name of a hook -> True while it is extended


def log_uncaught(fault_file: str = "") -> None:
    """Install the hooks that log this process's uncaught exceptions, each once. They are still written to stderr.

    The stack of a fatal signal (SIGSEGV and the like) is appended to `fault_file`, below a line per start, and the
    next start logs that. Without a fault file, or if it cannot be opened, the stack is written to stderr.
    """
    shown = warnings.showwarning
    logging.captureWarnings(True)
    if warnings.showwarning is not shown:
        undo.callback(_release_warnings, warnings.showwarning)
    _extend(sys, "excepthook", lambda _, error, __: log_end(error))
    _extend(threading, "excepthook", _log_thread)
    _extend(sys, "unraisablehook", _log_unraisable)
    if _is_child():
        _extend(traceback, "print_exc", _log_process_crash)
    if faulthandler:
        _write_fatal_signals_to(fault_file)


def _extend(module: Any, name: str, log: Callable[..., None]) -> None:
    """Replace a hook with a function that calls `log`, then the original hook."""
    place, previous = (module.__name__, name), getattr(module, name)
    if _extended.get(place):  # other code has wrapped the extended hook, and calls it
        return

    def extended(*args: Any, **options: Any) -> None:
        log(*args)
        previous(*args, **options)

    _extended[place] = True
    undo.callback(lambda: _extended.update({place: getattr(module, name) is not previous}))
    change(partial(getattr, module, name), partial(setattr, module, name), extended)


def _release_warnings(ours: Callable[..., None]) -> None:
    """Stop capturing; keep what has replaced `ours`, for example at the end of a `catch_warnings` block."""
    theirs = warnings.showwarning
    logging.captureWarnings(False)
    if theirs is not ours:
        warnings.showwarning = theirs


def _is_child() -> bool:
    """Return True in a process started by multiprocessing; if that is not imported, return False."""
    library = sys.modules.get("multiprocessing.process")
    return bool(library and library.parent_process())


def log_once(error: BaseException | None, origin: str, level: int = logging.CRITICAL) -> None:
    """Log `error`, if any, with its stack trace, unless it has been logged at this level or a higher one."""
    if error is None or isinstance(error, KeyboardInterrupt | SystemExit) or vars(error).get(_LOGGED, 0) >= level:
        return
    with contextlib.suppress(Exception):  # its class may not allow the attribute
        setattr(error, _LOGGED, level)
    text = "Exception in %s" if level < logging.CRITICAL else "Uncaught exception in %s"
    logger.log(level, text, origin, exc_info=error)


def log_end(error: BaseException | None) -> None:
    """Log what ends the main thread, once: an exception, Ctrl-C, or an exit with a text or a non-zero status."""
    if isinstance(error, SystemExit) and error.code:
        logger.error("process: ended: %s", exit_cause(error.code) if isinstance(error.code, int) else error.code)
    elif isinstance(error, KeyboardInterrupt) and _LOGGED not in vars(error):
        vars(error)[_LOGGED] = logging.INFO
        logger.info("process: ended: Ctrl-C")
    log_once(error, "the main thread")


def logged(job: Callable[P, R]) -> Callable[P, R]:
    """Decorate a function that a pool runs: log its exception as ERROR where it is raised, and re-raise it."""

    @wraps(job)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return job(*args, **kwargs)
        except Exception as error:
            log_once(error, f"{job.__qualname__} in {logging.makeLogRecord({}).processName}", logging.ERROR)
            raise

    return run


def log_exit(process: "BaseProcess") -> None:
    """Log the exit of a child process, if a signal ended it or its status is not 0. Call it after join()."""
    if process.exitcode:
        logger.error("process: %s (pid %s) ended: %s", process.name, process.pid, exit_cause(process.exitcode))


def exit_cause(status: int) -> str:
    """Return "status 1", or the name of the signal that ended the process."""
    if status >= 0:
        return f"status {status}"
    return signal.Signals(-status).name if -status in {*signal.Signals} else f"signal {-status}"


def _log_thread(args: threading.ExceptHookArgs) -> None:
    log_once(args.exc_value, f"thread {args.thread.name if args.thread else 'unknown'}")


def _log_unraisable(args: Any) -> None:
    if args.object is not None:
        name = getattr(args.object, "__qualname__", type(args.object).__qualname__)
    else:  # from CPython 3.14 on, only `err_msg` may contain the name
        found = re.search(_REPR, args.err_msg or "")
        name = found[1] if found else (args.err_msg or "unknown").removeprefix("Exception ignored while ")
    log_once(args.exc_value, name)


def _log_process_crash(*_: Any) -> None:
    """Log the exception that ends a process started by multiprocessing.

    Process._bootstrap only writes it to stderr and has no hook, so the function that it calls to do this is replaced.
    (Finalizers, which saw the exception until 3.12, run too late from 3.13 on.)
    """
    caller = sys._getframe(2).f_code  # noqa: SLF001 - as `inspect` does, at a hundredth of its cost
    if caller is sys.modules["multiprocessing.process"].BaseProcess._bootstrap.__code__:  # noqa: SLF001
        log_once(sys.exc_info()[1], f"process {logging.makeLogRecord({}).processName}")


def _write_fatal_signals_to(path: str) -> None:
    file = sys.stderr
    if path:
        try:
            file = open(path, "a+", encoding="utf-8", errors="replace", opener=open_file)  # noqa: SIM115 - before a fault
            undo.callback(file.close)
            if not _is_child():
                _note_start(file)
        except (OSError, ValueError, RuntimeError) as error:
            if os.path.lexists(path):  # otherwise the log file cannot be opened either, which is reported
                logger.warning("faults: %s cannot be opened, stacks of fatal signals go to stderr: %s", path, error)
    if faulthandler.is_enabled():
        undo.callback(_enable_faulthandler, sys.stderr)
    undo.callback(faulthandler.disable)  # before the file is closed
    _enable_faulthandler(file)


def _note_start(file: TextIO) -> None:
    written = format_time(int(os.fstat(file.fileno()).st_mtime * 1000))
    file.seek(max(0, file.seek(0, os.SEEK_END) - 99))  # not the whole file, which may be large
    lines = file.readlines()
    if lines and not lines[-1].startswith(_STARTED):
        logger.error("process: earlier run ended by a fatal signal, stack written at %s: %s", written, file.name)
    os.write(file.fileno(), f"{_STARTED}{format_time(int(time.time() * 1000))} (pid {os.getpid()})\n".encode())


def _enable_faulthandler(file: Any) -> None:
    with contextlib.suppress(OSError, ValueError, RuntimeError, AttributeError):  # stderr may be None or closed
        faulthandler.enable(file)
