"""Logging for an application: set up once, then `logging.getLogger(__name__)` everywhere.

    with setup_main_logging():  # in the entry point, once
        ...
    with log_context(request_id="42"):  # added to every record made inside
        ...

Handlers are attached to the root logger only, and configured by LOG_* environment variables (.env.example).

To change something, read settings.py, get_handlers.py and formatters.py; to test what is logged, testing.py (a pytest
fixture); to understand the rest, configure.py, then the subpackages sinks/, records/, queue/, process/, env/ and
doctor/. The __init__.py of each gives its reading order.
"""

from .configure import (
    adopt_loggers,
    setup_main_logging,
    setup_proc_logging,
)
from .get_handlers import get_handlers
from .process.session import LoggingSession
from .process.uncaught import log_exit, log_once, logged
from .queue.pipe import LogQueue
from .records.context import log_context
from .settings import Settings

__all__ = [
    "LogQueue",
    "LoggingSession",
    "Settings",
    "adopt_loggers",
    "get_handlers",
    "log_context",
    "log_exit",
    "log_once",
    "logged",
    "setup_main_logging",
    "setup_proc_logging",
]
