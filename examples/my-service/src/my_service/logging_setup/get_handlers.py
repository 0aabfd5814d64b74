"""The handlers that the settings ask for. One handler more is one file more, and a line here."""

import logging
from pkgutil import resolve_name
from typing import Final

from .formatters import make_formatter
from .handlers.console import ConsoleHandler, wants_colour
from .handlers.file_timed import TimedFileHandler
from .settings import Settings

# Handlers of your own: "audit:AuditHandler" is the class of that name in handlers/audit.py,
# which is called with the settings.
OWN_HANDLERS: Final[tuple[str, ...]] = ()


def get_handlers(settings: Settings) -> list[logging.Handler]:
    """Make every handler, each with its level and formatter.

    Called once, in the process that does the writing. Raises nothing for a sink that cannot
    be reached: the handler says so in the log, once, and tries again.
    """
    handlers: list[logging.Handler] = []
    console = ConsoleHandler(settings.console_stream)
    console.setFormatter(make_formatter(settings.console_format, colour=wants_colour(console.stream)))
    console.setLevel(settings.console_level)
    handlers.append(console)
    file = TimedFileHandler(settings.file, settings.file_when, settings.file_backups, compress=settings.file_compress)
    file.setFormatter(make_formatter(settings.file_format))
    file.setLevel(settings.file_level)
    handlers.append(file)
    if settings.email_host:
        from .handlers.email import EmailHandler, RecentRecords  # here: it takes long to import

        recent = RecentRecords(settings.email_history)
        email = EmailHandler(settings, recent)
        email.setFormatter(make_formatter("text"))
        email.setLevel(settings.email_level)
        handlers += [email, recent]
    handlers += [resolve_name(f"{__package__}.handlers.{name}")(settings) for name in OWN_HANDLERS]
    return handlers
