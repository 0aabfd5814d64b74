"""Format strings of logging.Formatter as the format of a sink: checked at start-up, and safe from forged lines."""

import logging
import re
import time
from typing import Final

from .record import BLANK, PreparedRecord
from .text import INDENT, TextFormatter, escape, key_values

DIALECTS: Final = ("gcp", "ecs", "datadog")  # of dialects.py, which is imported for them only
_NAMES: Final = ("text", "json", *DIALECTS)
_FIELDS: Final = {*BLANK, "asctime", "fields", "message"} - {"args", "exc_info", "exc_text", "msg", "stack_info"}
FORMATS: Final = f"{', '.join(_NAMES)}, or a format string"  # the values that line_format() accepts
_FORM: Final = f"one of {FORMATS} such as %(asctime)s %(levelname)s %(message)s"
_LINES: Final = ("msg", "exc_text", "stack_info")  # may have several lines


def line_format(value: str) -> str:
    """Parse the name of a format, in any case, or a format string of logging.Formatter in %- or {-style."""
    if value.lower() in _NAMES:
        return value.lower()
    try:
        FormatStringFormatter(value)
    except Exception as error:  # noqa: BLE001 - an invalid format string may raise anything
        raise ValueError(f"{_FORM}, of {', '.join(sorted(_FIELDS))}: {error}") from None
    return value


def time_format(value: str) -> str:
    """Parse a format of time.strftime(), or empty text."""
    parts = re.findall("%[-_0^#EO:]*.?", value) if value else ()
    unknown = [each for each in parts if each != "%%" and time.strftime(each) == each]
    if unknown or escape(value) != value:
        wrong = ", ".join(unknown) or "control characters"
        raise ValueError(f"a format of time.strftime() such as %Y-%m-%dT%H:%M:%S%z, without {wrong}")
    return value


class FormatStringFormatter(logging.Formatter):
    """Format a prepared record with a format string, and time stamps with `date_format`. Raises if one is invalid.

    All texts of the record are escaped, and its further lines indented. `fields` is the context and the extras.
    """

    def __init__(self, fmt: str, date_format: str = "") -> None:
        percent = "%(" in fmt
        super().__init__(fmt, date_format or None, "%" if percent else "{")
        if percent and "%" in re.sub(r"%%|%\(\w+\)", "", fmt):
            raise ValueError("% without a field")
        if escape(plain := fmt.replace("\t", " ")) != plain:
            raise ValueError("control character")
        self._line(logging.makeLogRecord({"levelno": 0, "name": "", "funcName": ""}))

    def format(self, record: logging.LogRecord) -> str:
        try:
            line = self._line(record)
        except (TypeError, ValueError):  # a value is not a number in this record
            return TextFormatter().format(record)
        # With a first field that begins with spaces, the line would look like a further line of the previous record.
        return line.lstrip(" ") if line.startswith(INDENT) else line

    def _line(self, record: logging.LogRecord) -> str:
        data = {name: escape(value) if isinstance(value, str) else value for name, value in record.__dict__.items()}
        for name in _LINES:
            if record.__dict__[name]:
                data[name] = "\n".join(map(escape, str(record.__dict__[name]).rstrip("\n").split("\n")))
        data["fields"] = key_values(record.__dict__.get("fields") or {})[1:]
        # Indented last, because the format string may cut a text anywhere.
        return super().format(PreparedRecord(data)).replace("\n", f"\n{INDENT}")
