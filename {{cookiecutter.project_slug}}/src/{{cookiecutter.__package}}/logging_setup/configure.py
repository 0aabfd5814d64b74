"""Set logging up: once in the entry point, and at the start of every other process."""

import logging
import os
from functools import partial

from .get_handlers import get_handlers
from .process import reports, uncaught
# {% if cookiecutter.multiprocessing %}
from .process.global_state import attach, change
# {% endif %}
# {% if not cookiecutter.multiprocessing %}
from .process.global_state import change
# {% endif %}
from .process.session import current, fork_lock
# {% if cookiecutter.multiprocessing %}
from .queue.handler import QueueHandler
from .queue.pipe import LogQueue, WorkerSettings
from .queue.session import QueueSession
from .queue.supervisor import ProcessSession, can_start_process
from .queue.thread import ThreadSession
from .records.context import drop_inherited_context
# {% endif %}
from .records.factory import LogRecord, is_usable
from .records.redaction import redact
from .settings import Settings, setting_fields
# {% if not cookiecutter.multiprocessing %}
from .sinks.direct import DirectLogging
# {% endif %}

# {% if cookiecutter.multiprocessing %}
Session = QueueSession
ProcessSettings = Settings | WorkerSettings
# {% endif %}
# {% if not cookiecutter.multiprocessing %}
Session = DirectLogging
ProcessSettings = Settings
# {% endif %}

logger = logging.getLogger(__name__)


def setup_main_logging(settings: Settings | None = None) -> Session:
    """Set logging up for the whole application; to be called once, in the main process.

    Returns what ends it: leave its `with` block, or call stop(). A second call returns the
    same, and changes nothing. Without `settings` the LOG_* environment is read; if a value
    there cannot be used, all such values are named on stderr, and SystemExit(2) is raised; a
    variable that looks misspelt is named in the log.
    A sink that cannot be reached raises nothing. Takes a few milliseconds.
    """
    with fork_lock:
        running: Session | None = current()
        if running:
            return running
        from_environ = settings is None
        settings = settings or settings_or_exit()
        # {% if cookiecutter.multiprocessing %}
        is_process = settings.listener == "process" and can_start_process()
        running = ProcessSession(settings) if is_process else ThreadSession(settings, get_handlers)
        running.start(keep=settings.reattach)
        # {% endif %}
        # {% if not cookiecutter.multiprocessing %}
        running = DirectLogging(get_handlers(settings), keep=settings.reattach)
        # {% endif %}
        _setup_process(settings)
    if from_environ:
        _name_misspelt()
    # {% if cookiecutter.email_handler %}
    if not settings.email_host:
        logger.info("E-mail alerts are off: LOG_EMAIL_HOST is not set")
    # {% endif %}
    # {% if cookiecutter.collector_handler != "none" %}
    if not settings.collector_url:
        logger.info("Nothing is sent to a collector: LOG_COLLECTOR_URL is not set")
    # {% endif %}
    return running


# {% if cookiecutter.multiprocessing %}
def setup_proc_logging(queue: LogQueue) -> None:
    """Send what this process logs to the listener.

    The first line of a Process's target, or the `initializer=` of a Pool or
    ProcessPoolExecutor, with `initargs=(queue,)`. The process begins without its parent's log_context.
    A second call changes nothing. Raises nothing, and does not block.
    """
    drop_inherited_context()
    # Not those copied by a fork, with their parent's counts; after a reload they are of another class.
    others = [each for each in logging.getLogger().handlers if f"{type(each)}" != f"{QueueHandler}"]
    attach([QueueHandler(queue)], others, keep=queue.settings.reattach)
    _setup_process(queue.settings)
    uncaught.log_process_crash()


# {% endif %}
def _setup_process(settings: ProcessSettings) -> None:
    """What every process needs, whatever its handlers are."""
    use_settings(settings)
    if is_usable():
        change(logging.getLogRecordFactory, logging.setLogRecordFactory, LogRecord)
    uncaught.log_uncaught(settings.fault_file)


def _name_misspelt() -> None:
    """Warn of each LOG_* variable that nothing reads, and that looks like one that is read."""
    known = {each.metadata["variable"] for each in setting_fields()}
    if any(name.startswith("LOG_") and name not in known for name in os.environ):
        from .doctor.checks import unknown_variables  # here: hardly ever wanted

        for line in unknown_variables(os.environ):
            if "did you mean" in line:
                logger.warning("%s", line)


def use_settings(settings: ProcessSettings) -> None:
    """Have this process mask and filter as `settings` say; opens nothing."""
    redact.configure(on=settings.redact, keys=settings.redact_keys)
    for name, level in (("", settings.level), *settings.levels):
        each = logging.getLogger(name)
        change(partial(getattr, each, "level"), each.setLevel, level)


def settings_or_exit() -> Settings:
    """Read the environment; for values that cannot be used, say so on stderr and raise SystemExit(2)."""
    try:
        return Settings.from_environ()
    except ValueError as error:
        reports.to_stderr("ERROR", str(error))
        raise SystemExit(2) from None
