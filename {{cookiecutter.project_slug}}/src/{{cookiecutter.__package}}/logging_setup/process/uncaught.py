"""What nobody caught reaches the log: exceptions in any thread or process, warnings, fatal signals.

An asyncio task's exception that nobody awaits is logged by asyncio itself.
"""

import contextlib
import faulthandler
import logging
import multiprocessing
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable
from functools import partial, wraps
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import TracebackType
from typing import IO, Any, ParamSpec, TypeVar

from .global_state import change, undo

P = ParamSpec("P")
R = TypeVar("R")

logger = logging.getLogger(__name__)

_LOGGED = "__logged__"  # set on an exception to the level at which it is in the log; pickling keeps it
_previous: dict[Callable[..., Any], Callable[..., Any]] = {}  # ours -> what it stands in the place of
_fault_file: IO[str] | None = None  # kept open: a fault has no time to open it


def log_crashes(fault_file: str = "") -> None:
    """Log what is not caught in this process, each once. The usual lines on stderr stay.

    The stack of a fatal signal (SIGSEGV and its like) is appended to `fault_file`, or goes to
    stderr if there is none, or if it cannot be written.
    """
    shown = warnings.showwarning
    logging.captureWarnings(True)
    if (ours := warnings.showwarning) is not shown:
        undo.callback(lambda: logging.captureWarnings(warnings.showwarning is not ours))
    _replace(sys, "excepthook", _main_thread)
    _replace(threading, "excepthook", _other_thread)
    _replace(sys, "unraisablehook", _unraisable)
    undo.callback(_release_faults, again=faulthandler.is_enabled())
    _catch_faults(fault_file)


def _replace(module: Any, name: str, ours: Callable[..., Any]) -> None:
    if ours not in _previous:  # else other code has wrapped it, and calls it
        undo.callback(lambda: getattr(module, name) is _previous.get(ours) and _previous.pop(ours))
        _previous[ours] = change(partial(getattr, module, name), partial(setattr, module, name), ours)


def log_once(error: BaseException, origin: str, level: int = logging.CRITICAL) -> None:
    """Log `error` with its traceback, unless it is in the log already at this level or a higher one."""
    if isinstance(error, KeyboardInterrupt | SystemExit) or vars(error).get(_LOGGED, 0) >= level:
        return
    with contextlib.suppress(Exception):  # its class may leave no room for an attribute
        setattr(error, _LOGGED, level)
    text = "Exception in %s" if level < logging.CRITICAL else "Uncaught exception in %s"
    logger.log(level, text, origin, exc_info=error)


def logged(job: Callable[P, R]) -> Callable[P, R]:
    """Decorator for what a pool runs: log its exception where it happens, as ERROR, and raise it."""

    @wraps(job)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return job(*args, **kwargs)
        except Exception as error:
            log_once(error, f"{job.__qualname__} in {multiprocessing.current_process().name}", logging.ERROR)
            raise

    return run


def log_exit(process: BaseProcess) -> None:
    """Log how a process ended, if it ended badly: the parent alone can know. Call it after join()."""
    status = process.exitcode
    if status is not None and status < 0:
        try:
            name = signal.Signals(-status).name
        except ValueError:
            name = f"signal {-status}"
        logger.error("%s (pid %s) was ended by %s", process.name, process.pid, name)
    elif status:
        logger.error("%s (pid %s) ended with status %s", process.name, process.pid, status)


def log_process_crash() -> None:
    """Have this process, if it was started by multiprocessing, log the exception that ends it.

    Process._bootstrap tells it to nobody but stderr, and has no hook: so what it calls for that
    is watched. (Finalizers, which saw the exception until 3.12, come too late from 3.13 on.)
    """
    _replace(traceback, "print_exc", _print_exc)


def _print_exc(*args: Any, **options: Any) -> None:
    error = sys.exc_info()[1]
    caller = sys._getframe(1).f_code  # noqa: SLF001 - inspect's own way, at a hundredth of its cost
    if error is not None and caller is BaseProcess._bootstrap.__code__:  # type: ignore[attr-defined] # noqa: SLF001
        log_once(error, f"process {multiprocessing.current_process().name}")
    _previous[_print_exc](*args, **options)


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


def _catch_faults(path: str) -> None:
    global _fault_file
    try:
        if path:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            _fault_file = open(path, "a", encoding="utf-8")  # noqa: PTH123, SIM115
            faulthandler.enable(_fault_file)
        else:
            faulthandler.enable()
    except (OSError, ValueError, RuntimeError):  # a folder that is read-only; no stderr
        with contextlib.suppress(OSError, ValueError, RuntimeError, AttributeError):
            faulthandler.enable()


def _release_faults(*, again: bool) -> None:
    """Close the fault file; `again`: have the stack of a fatal signal go to stderr, as before."""
    global _fault_file
    faulthandler.disable()
    with contextlib.suppress(OSError, ValueError, RuntimeError, AttributeError):
        if again:
            faulthandler.enable()
    if _fault_file:
        _fault_file.close()
        _fault_file = None
