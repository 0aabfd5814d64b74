"""Set up logging: once in the entry point, and at the start of every other process."""

import logging
import os
from collections.abc import Sequence
from functools import partial
from typing import Any

from .get_handlers import get_handlers
from .process import reports, uncaught
from .process.flood import flood_control
from .process.global_state import all_loggers, attach, change, fork_lock, undo
from .process.live_level import live
from .process.session import current
from .queue.pipe import LogQueue
from .queue.session import QueueHandler, QueueSession
from .queue.supervisor import ProcessSession, ThreadSession, can_start_process
from .records.context import constant_fields, drop_inherited_context
from .records.logger import use_fast_loggers
from .records.redaction import redact
from .records.serialize import Deliver
from .settings import Settings

Session = QueueSession

logger = logging.getLogger(__name__)


def setup_main_logging(settings: Settings | None = None) -> Session:
    """Set up logging for the whole application; call it once, in the main process.

    Returns the session: leave its `with` block or call stop() to end logging. A second call returns the same object and
    changes nothing. Without `settings`, the LOG_* variables are read: if any are invalid, all of them are listed on
    stderr and SystemExit(2) is raised; a variable that looks misspelt is logged. A sink that cannot be reached raises
    nothing. Takes a few milliseconds.
    """
    with fork_lock:
        running: Session | None = current()
        if running:
            return running
        from_environ = settings is None
        settings = settings or settings_or_exit()
        running = _start_listener(settings)
        running.start(keep=settings.reattach)
        _setup_process(settings, running.handlers, running.deliver, running.sinks)
    if from_environ:
        for line in settings.unknown_variables(os.environ):
            if "did you mean" in line:  # otherwise it may belong to another program
                logger.warning("%s", line)
    for name, sink in settings.sinks.items():
        if not sink.is_on:
            logger.info("%s: off: %s is not set", name, sink.switch_variable)
    return running


def _start_listener(settings: Settings) -> Session:
    if settings.listener == "process" and can_start_process():
        try:
            return ProcessSession(settings)
        except OSError as error:  # no more descriptors or processes are available
            reports.say(f"listener: process not started, replaced by a thread: {error}")
    return ThreadSession(settings, get_handlers)


def setup_proc_logging(queue: LogQueue) -> None:
    """Send what this process logs to the listener.

    Call it first in a Process's target, or pass it to a Pool or ProcessPoolExecutor as `initializer=`, with
    `initargs=(queue,)`. The process starts without its parent's log_context. A second call changes nothing. Never
    raises or blocks.
    """
    drop_inherited_context()
    handler = QueueHandler(queue)
    attach([handler], keep=queue.settings.reattach)
    _setup_process(queue.settings, [handler], handler.deliver)


def adopt_loggers(*names: str) -> None:
    """Send records of these loggers, and of all below them, to the root logger only.

        adopt_loggers("uvicorn", "gunicorn", "celery")

    Removes and closes their own handlers, and enables propagation and the loggers themselves; levels stay. Call it
    after the library has set up its logging.
    """
    for name in names:
        logging.getLogger(name)  # so that it exists, and its propagation is set
    for other in all_loggers()[1:]:
        if f"{other.name}.".startswith(tuple(f"{name}." for name in names)):
            for handler in other.handlers[:]:
                other.removeHandler(handler)
                handler.close()
            other.propagate = True
            other.disabled = False


def use_settings(settings: Settings) -> None:
    """Apply the levels, the masking and the constant fields of `settings` in this process. Opens nothing."""
    redact.configure(on=settings.redact, keys=settings.redact_keys)
    constant_fields.clear()
    constant_fields.update(settings.fields)
    for name, level in (("", settings.level), *settings.levels):
        each = logging.getLogger(name)
        change(partial(getattr, each, "level"), each.setLevel, level)


def settings_or_exit() -> Settings:
    """Read the environment; print invalid values to stderr and raise SystemExit(2)."""
    try:
        return Settings.from_environ()
    except ValueError as error:
        reports.to_stderr("ERROR", str(error))
        raise SystemExit(2) from None


def _setup_process(
    settings: Settings, handlers: list[logging.Handler], deliver: Deliver, sinks: Sequence[Any] = ()
) -> None:
    """Set up what every process needs; `sinks`: the GuardedHandlers that run in it."""
    live.stop()
    use_settings(settings)
    deliver = flood_control.limit(settings.repeat, handlers, deliver)
    undo.callback(use_fast_loggers(handlers, deliver))
    uncaught.log_uncaught(settings.fault_file)
    if settings.level_control:
        live.start(sinks)
        undo.callback(live.stop)
