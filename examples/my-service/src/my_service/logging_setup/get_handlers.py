"""The table of sinks. To add a sink, create its module in sinks/ and append "module:SettingsClass" here.

The class (see env/variables.py) declares the sink's LOG_* variables and creates its handler.
"""

import logging
from functools import partial
from importlib import import_module
from typing import Final

from .env.variables import BaseSettings, Sink

SINKS: Final[list[str]] = [
    "console:ConsoleSink",
    "timed_file:FileSink",
    "email:EmailSink",
]


def sink_classes() -> dict[str, type[Sink]]:
    """Return a dict that maps the name of each sink in the table to its settings class."""
    parts = [each.partition(":") for each in SINKS]
    classes: list[type[Sink]] = [getattr(import_module(f".sinks.{name}", __package__), kind) for name, _, kind in parts]
    return {each.name: each for each in classes}


def get_handlers(settings: BaseSettings) -> list[logging.Handler]:
    """Create the handlers of every sink that is on, each with its level and formatter.

    Called once, in the process that writes. Raises nothing for a sink that cannot be reached: its
    handler reports the failure and retries.
    """
    from .formatters import make_formatter  # here: only the process that writes needs it

    handlers: list[logging.Handler] = []
    formatter = partial(make_formatter, date_format=settings.date_format)
    for sink in settings.sinks.values():
        for handler in sink.make_handlers(formatter) if sink.is_on else ():
            if getattr(handler, "delivers", True):  # otherwise it keeps records for another handler
                handler.setLevel(sink.level)
                handler.name = handler.name or sink.name
            handlers.append(handler)
    return handlers
