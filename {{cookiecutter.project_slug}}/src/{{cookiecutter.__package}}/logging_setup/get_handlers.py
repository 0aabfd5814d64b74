"""The handlers that the settings ask for. One handler more is one file more, and a line here."""

import logging
from pkgutil import resolve_name
from typing import Final

# {% if cookiecutter.email_handler or cookiecutter.console_handler != "none" or cookiecutter.file_handler != "none" %}
from .formatters import make_formatter
# {% endif %}
from .settings import Settings
# {% if cookiecutter.console_handler != "none" %}
from .sinks.console import ConsoleHandler, wants_colour
# {% endif %}
# {% if cookiecutter.file_handler == "size" %}
from .sinks.size_file import SizeFileHandler
# {% endif %}
# {% if cookiecutter.file_handler == "timed" %}
from .sinks.timed_file import TimedFileHandler
# {% endif %}

# Handlers of your own: "audit:AuditHandler" is the class of that name in sinks/audit.py,
# which is called with the settings.
OWN_HANDLERS: Final[tuple[str, ...]] = ()


def get_handlers(settings: Settings) -> list[logging.Handler]:
    """Make every handler, each with its level and formatter.

    Called once, in the process that does the writing. Raises nothing for a sink that cannot
    be reached: the handler says so in the log, once, and tries again.
    """
    handlers: list[logging.Handler] = []
    # {% if cookiecutter.console_handler != "none" %}
    console = ConsoleHandler(settings.console_stream)
    console.setFormatter(make_formatter(settings.console_format, colour=wants_colour(console.stream)))
    console.setLevel(settings.console_level)
    handlers.append(console)
    # {% endif %}
    # {% if cookiecutter.file_handler == "timed" %}
    file = TimedFileHandler(settings.file, settings.file_when, settings.file_backups, compress=settings.file_compress)
    # {% endif %}
    # {% if cookiecutter.file_handler == "size" %}
    max_bytes = settings.file_max_bytes
    file = SizeFileHandler(settings.file, max_bytes, settings.file_backups, compress=settings.file_compress)
    # {% endif %}
    # {% if cookiecutter.file_handler != "none" %}
    file.setFormatter(make_formatter(settings.file_format))
    file.setLevel(settings.file_level)
    handlers.append(file)
    # {% endif %}
    # {% if cookiecutter.email_handler %}
    if settings.email_host:
        from .sinks.email import EmailHandler, RecentRecords  # here: it takes long to import

        recent = RecentRecords(settings.email_history)
        email = EmailHandler(settings, recent)
        email.setFormatter(make_formatter("text"))
        email.setLevel(settings.email_level)
        handlers += [email, recent]
    # {% endif %}
    # {% if cookiecutter.collector_handler != "none" %}
    if settings.collector_url:
        # {% filter replace("syslog", cookiecutter.collector_handler) %}
        # {% filter replace("Syslog", cookiecutter.collector_handler | capitalize) %}
        from .sinks.syslog import SyslogHandler  # here, where it is wanted: some libraries take long to import

        collector = SyslogHandler(settings)
        # {% endfilter %}
        # {% endfilter %}
        collector.setLevel(settings.collector_level)
        handlers.append(collector)
    # {% endif %}
    handlers += [resolve_name(f"{__package__}.sinks.{name}")(settings) for name in OWN_HANDLERS]
    return handlers
