"""A record as one line of text; and the choice between that and JSON.

Whatever is in a record, it cannot forge another one (CWE-117): control characters are escaped,
and further lines indented.
"""

import logging
from functools import lru_cache

from .escapes import INDENT, as_pairs, clean, lines, stamp
from .json_formatter import JsonFormatter

__all__ = ["JsonFormatter", "TextFormatter", "clean", "make_formatter"]

_RESET = "\x1b[0m"
_COLOURS = {  # level number, rounded down to tens, over ten -> escape sequence
    1: "\x1b[2m",
    2: "",
    3: "\x1b[33m",
    4: "\x1b[31m",
    5: "\x1b[1;31m",
}


class TextFormatter(logging.Formatter):
    """`time level logger [process or thread] message key=value`, one line a record.

    Time is ISO 8601, local, with milliseconds and offset. Further lines of a message, and
    tracebacks, are indented. With `colour`, the level's word is coloured.
    """

    def __init__(self, *, colour: bool = False) -> None:
        super().__init__()
        self._levels = _level_words(colour)
        self._second = -1
        self._before = self._after = ""

    def format(self, record: logging.LogRecord) -> str:
        data = record.__dict__
        created = data["created"]
        second = int(created)
        if second != self._second:
            self._before, self._after = stamp(second)
            self._second = second
        level = self._levels.get(data["levelname"]) or f"{clean(data['levelname']):8}"
        where = _origin(data["name"], data["processName"], data["threadName"])
        message = data["msg"] if not data["args"] else record.getMessage()
        if type(message) is not str:
            message = str(message)
        rest = ""
        if not message.isprintable():
            message, newline, rest = lines(message.rstrip("\n")).partition("\n")
            rest = newline + rest
        fields = data.get("fields")
        pairs = as_pairs(fields) if fields else ""
        if data["exc_text"]:
            rest += f"\n{INDENT}{lines(data['exc_text'])}"
        if data["stack_info"]:
            rest += f"\n{INDENT}{lines(data['stack_info'])}"
        millis = int((created - second) * 1000)
        return f"{self._before}.{millis:03d}{self._after} {level} {where} {message}{pairs}{rest}"


@lru_cache(1024)
def _origin(logger: str, process: str | None, thread: str | None) -> str:
    """The logger, and where a record is from if that is not the main thread of the main process."""
    names = (name for name, main in ((process, "MainProcess"), (thread, "MainThread")) if name and name != main)
    text = clean("/".join(names))
    return f"{clean(logger)} [{text}]" if text else clean(logger)


def _level_words(colour: bool) -> dict[str, str]:
    words = {}
    for name, number in logging.getLevelNamesMapping().items():
        before = _COLOURS.get(number // 10, "") if colour else ""
        words[name] = f"{before}{clean(name):8}{_RESET if before else ''}"
    return words


def make_formatter(kind: str, *, colour: bool = False) -> logging.Formatter:
    """The formatter that `text` or `json` names; `colour` is for text."""
    if kind == "json":
        return JsonFormatter(service="my-service")
    return TextFormatter(colour=colour)
