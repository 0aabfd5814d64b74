"""Log what is not caught: exceptions in any thread or process, warnings, fatal signals.

The exception of an asyncio task that is never awaited is logged by asyncio.
"""

import contextlib
import faulthandler
import logging
import multiprocessing
import os
import signal
import sys
import threading
# {% if cookiecutter.multiprocessing %}
import traceback
# {% endif %}
import warnings
from collections.abc import Callable
from functools import partial, wraps
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import IO, Any, Final, ParamSpec, TypeVar

from .global_state import change, undo
from .open_file import open_file

P = ParamSpec("P")
R = TypeVar("R")

logger = logging.getLogger(__name__)

_LOGGED: Final = "__logged__"  # set on an exception to the level at which it was logged; pickling keeps it
_previous: dict[Callable[..., Any], Callable[..., Any]] = {}  # our hook -> the one that it replaces, and calls


def log_uncaught(fault_file: str = "") -> None:
    """Install the hooks that log what is not caught in this process, each exception once. stderr keeps its lines.

    The stack of a fatal signal (SIGSEGV and its like) is appended to `fault_file`, or written to stderr if there is
    none, or if it cannot be opened.
    """
    shown = warnings.showwarning
    logging.captureWarnings(True)
    if (ours := warnings.showwarning) is not shown:
        undo.callback(lambda: logging.captureWarnings(warnings.showwarning is not ours))
    _replace(sys, "excepthook", _main_thread)
    _replace(threading, "excepthook", _other_thread)
    _replace(sys, "unraisablehook", _unraisable)
    _enable_faulthandler(fault_file)


def _replace(module: Any, name: str, ours: Callable[..., Any]) -> None:
    if ours not in _previous:  # else other code has wrapped it, and calls it
        undo.callback(lambda: getattr(module, name) is _previous.get(ours) and _previous.pop(ours))
        _previous[ours] = change(partial(getattr, module, name), partial(setattr, module, name), ours)


def log_once(error: BaseException, origin: str, level: int = logging.CRITICAL) -> None:
    """Log `error` with its stack trace, unless it has been logged at this level or a higher one."""
    if isinstance(error, KeyboardInterrupt | SystemExit) or vars(error).get(_LOGGED, 0) >= level:
        return
    with contextlib.suppress(Exception):  # its class may not allow the attribute
        setattr(error, _LOGGED, level)
    text = "Exception in %s" if level < logging.CRITICAL else "Uncaught exception in %s"
    logger.log(level, text, origin, exc_info=error)


def logged(job: Callable[P, R]) -> Callable[P, R]:
    """Decorate a function that a pool runs: log its exception, where it is raised, as ERROR, and raise it again."""

    @wraps(job)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return job(*args, **kwargs)
        except Exception as error:
            log_once(error, f"{job.__qualname__} in {multiprocessing.current_process().name}", logging.ERROR)
            raise

    return run


def log_exit(process: BaseProcess) -> None:
    """Log the exit of a child process, if a signal ended it or its status is not 0. Call it after join()."""
    if process.exitcode:
        logger.error("process: %s (pid %s) ended: %s", process.name, process.pid, exit_cause(process.exitcode))


def exit_cause(status: int) -> str:
    """Return "status 1", or the name of the signal that ended the process."""
    if status >= 0:
        return f"status {status}"
    return signal.Signals(-status).name if -status in {*signal.Signals} else f"signal {-status}"


# {% if cookiecutter.multiprocessing %}
def log_process_crash() -> None:
    """Install the hook that logs the exception which ends this process, if multiprocessing has started it.

    Process._bootstrap writes it to stderr only, and has no hook: so the function that it calls for that is replaced.
    (Finalizers, which saw the exception until 3.12, run too late from 3.13 on.)
    """
    _replace(traceback, "print_exc", _print_exc)


def _print_exc(*args: Any, **options: Any) -> None:
    error = sys.exc_info()[1]
    caller = sys._getframe(1).f_code  # noqa: SLF001 - as `inspect` does, at a hundredth of its cost
    if error is not None and caller is BaseProcess._bootstrap.__code__:  # type: ignore[attr-defined] # noqa: SLF001
        log_once(error, f"process {multiprocessing.current_process().name}")
    _previous[_print_exc](*args, **options)


# {% endif %}
def _main_thread(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    log_once(error, "the main thread")
    _previous[_main_thread](kind, error, trace)


def _other_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None:
        log_once(args.exc_value, f"thread {args.thread.name if args.thread else 'unknown'}")
    _previous[_other_thread](args)


def _unraisable(args: Any) -> None:
    if args.exc_value is not None:
        log_once(args.exc_value, getattr(args.object, "__qualname__", type(args.object).__qualname__))
    _previous[_unraisable](args)


def _enable_faulthandler(path: str) -> None:
    file: IO[str] | None = None
    enabled = faulthandler.is_enabled()
    if path:
        try:
            file = open(path, "a", encoding="utf-8", opener=open_file)  # noqa: SIM115 - open before a fault
        except (OSError, ValueError, RuntimeError) as error:
            if os.path.lexists(path):  # else the log file cannot be opened either, and is reported
                logger.warning("faults: %s cannot be opened, stacks of fatal signals go to stderr: %s", path, error)
    with contextlib.suppress(OSError, ValueError, RuntimeError, AttributeError):  # no stderr, or a closed one
        faulthandler.enable(file or sys.stderr)
    undo.callback(_disable_faulthandler, file, again=enabled)


def _disable_faulthandler(file: IO[str] | None, *, again: bool) -> None:
    """Close the fault file; `again`: have the stack of a fatal signal written to stderr, as before."""
    faulthandler.disable()
    with contextlib.suppress(OSError, ValueError, RuntimeError, AttributeError):
        if again:
            faulthandler.enable()
    if file:
        file.close()
