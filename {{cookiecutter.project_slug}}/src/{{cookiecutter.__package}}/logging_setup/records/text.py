"""A record as one line of text.

Whatever is in a record, it cannot forge another one (CWE-117): control characters are escaped,
and further lines indented.
"""

import logging
from functools import lru_cache

from .escapes import INDENT, escape, escape_lines, format_pairs, format_time, is_printable

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
        self._colour = colour

    def format(self, record: logging.LogRecord) -> str:
        data = record.__dict__
        head = _head(data["levelname"], data["name"], data["processName"], data["threadName"], self._colour)
        message = data["msg"] if not data["args"] else record.getMessage()
        if type(message) is not str:
            message = str(message)
        rest = ""
        if not is_printable(message):
            message, newline, rest = escape_lines(message.rstrip("\n")).partition("\n")
            rest = newline + rest
        fields = data.get("fields")
        pairs = format_pairs(fields) if fields else ""
        if data["exc_text"]:
            rest += f"\n{INDENT}{escape_lines(data['exc_text'])}"
        if data["stack_info"]:
            rest += f"\n{INDENT}{escape_lines(data['stack_info'])}"
        return f"{format_time(int(data['created'] * 1000))} {head} {message}{pairs}{rest}"


@lru_cache(1024)
def _head(level: str, logger: str, process: str | None, thread: str | None, colour: bool) -> str:
    """The level, the logger, and where a record is from if that is not the main thread of the main process."""
    number = logging.getLevelNamesMapping().get(level, 0)
    before = _COLOURS.get(number // 10, "") if colour else ""
    word = f"{before}{escape(level):8}{_RESET if before else ''}"
    names = (name for name, main in ((process, "MainProcess"), (thread, "MainThread")) if name and name != main)
    where = escape("/".join(names))
    return f"{word} {escape(logger)} [{where}]" if where else f"{word} {escape(logger)}"
