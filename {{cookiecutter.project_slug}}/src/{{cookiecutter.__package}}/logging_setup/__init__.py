"""Logging for an application: set up once, then `logging.getLogger(__name__)` everywhere.

    with setup_main_logging():  # in the entry point, once
        ...
    with log_context(request_id="42"):  # goes with every record made inside
        ...

Handlers hang on the root logger only. Their levels, formats and places come from the LOG_*
environment variables, which .env.example lists.
"""

from .configure import (
    adopt_loggers,
    setup_main_logging,
    # {% if cookiecutter.multiprocessing %}
    setup_proc_logging,
    # {% endif %}
)
from .get_handlers import get_handlers
from .process.session import LoggingSession
from .process.uncaught import log_exit, log_once, logged
# {% if cookiecutter.multiprocessing %}
from .queue.pipe import LogQueue
# {% endif %}
from .records.context import log_context
from .settings import Settings

__all__ = [
    # {% if cookiecutter.multiprocessing %}
    "LogQueue",
    # {% endif %}
    "LoggingSession",
    "Settings",
    "adopt_loggers",
    "get_handlers",
    "log_context",
    "log_exit",
    "log_once",
    "logged",
    "setup_main_logging",
    # {% if cookiecutter.multiprocessing %}
    "setup_proc_logging",
    # {% endif %}
]
