"""The record that handlers get, and what `logging` puts into every record."""

import logging
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

# The attributes of every record, whatever factory the application uses.
BLANK: Final[Mapping[str, Any]] = logging.LogRecord("", 0, "", 0, "", (), None).__dict__
START: Final[float] = BLANK["created"] - BLANK["relativeCreated"] / 1000  # `logging`'s import, seconds since the epoch


class PreparedRecord(logging.LogRecord):
    """The record that handlers get: message and arguments merged, secrets masked, all values of built-in types."""

    fields: Mapping[str, Any] = MappingProxyType({})  # context and extras
    exception: dict[str, Any] | None = None  # its type, message, stacktrace, notes, causes

    def __init__(self, data: dict[str, Any]) -> None:
        self.__dict__ = data  # faster than filling the existing one
