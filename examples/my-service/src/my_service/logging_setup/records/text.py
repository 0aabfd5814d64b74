"""Records as lines: escapes, time stamps, strict JSON, and the text formatter.

No record can forge another one (CWE-117): control characters are escaped, and further lines are indented.
"""

import json
import logging
import re
import time
from collections.abc import Callable, Container, Mapping
from functools import lru_cache
from typing import Any, Final

INDENT: Final = "    "  # before every further line of a record; no record begins with a space

# Patterns as strings: `re` compiles each when it is first needed, and most programs never need most of them.
_ASCII: Final = "\x00-\x1f\x7f"
# C1, line ends, directions, and invisible characters; not U+200B to U+200D and variation selectors, which some scripts
# and emoji need.
_OTHERS: Final = "\x80-\x9f\u061c\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"
_SURROGATES: Final = "\ud800-\udfff"  # which UTF-8 cannot encode
_CONTROL: Final = f"[{_ASCII}{_OTHERS}{_SURROGATES}]"
_ASCII_CONTROL: Final = bytes((*range(0x20), 0x7F))
_NOT_BARE: Final = re.compile(r"""[\s"'=\\]|^$""")

_SEVERITIES: Final = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))  # RFC 5424
_COLOURS: Final = {1: "2", 3: "33", 4: "31", 5: "1;31"}  # a tenth of the level's number -> ANSI code


class TextFormatter(logging.Formatter):
    """Format a record as `time level logger [process/thread] message key=value`.

    Time is ISO 8601, local, with milliseconds and offset. Further lines of a message, and stack traces, are indented.
    With `colour`, the level is coloured.
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
        pairs = key_values(fields) if fields else ""
        if data["exc_text"]:
            rest += f"\n{INDENT}{escape_lines(data['exc_text'])}"
        if data["stack_info"]:
            rest += f"\n{INDENT}{escape_lines(data['stack_info'])}"
        return f"{format_time(int(data['created'] * 1000))} {head} {message}{pairs}{rest}"


@lru_cache(1024)
def _head(level: str, logger: str, process: str | None, thread: str | None, colour: bool) -> str:
    """Return level and logger, and process and thread unless these are the main ones."""
    word = f"{escape(level):8}"
    if colour and (code := _COLOURS.get(logging.getLevelNamesMapping().get(level, 0) // 10)):
        word = f"\x1b[{code}m{word}\x1b[0m"
    where = escape("/".join(name for name in (process, thread) if name not in (None, "", "MainProcess", "MainThread")))
    return f"{word} {escape(logger)} [{where}]" if where else f"{word} {escape(logger)}"


def key_values(fields: Mapping[str, Any]) -> str:
    """Return context and extras, each as ` key=value`."""
    return "".join(f" {_bare(key)}={_bare(value)}" for key, value in fields.items())


def _bare(value: object) -> str:
    """Return the key or the value of a `key=value` pair, in quotes where it could be taken for several."""
    text = value if isinstance(value, str) else str(value)
    if text.isalnum() or text.isidentifier():  # most are one of these, and both checks are fast
        return text
    return escape(json.dumps(text, ensure_ascii=False) if _NOT_BARE.search(text) else text)


def add_fields(entry: dict[str, Any], fields: Mapping[str, Any], reserved: Container[str] = ()) -> None:
    """Add context and extras to `entry`; a name that is taken or reserved gets the prefix "fields."."""
    for name, value in fields.items():
        key = name
        while key in entry or key in reserved:
            key = f"fields.{key}"
        entry[key] = value


def escape(text: str) -> str:
    """Return `text` on one line, with every control character, including newlines, escaped."""
    if is_printable(text):
        return text
    return re.sub(_CONTROL, lambda match: match[0].encode("unicode_escape").decode(), text)


def escape_lines(text: str) -> str:
    """Return `text` with its control characters escaped and its lines, from the second on, indented."""
    return f"\n{INDENT}".join(map(escape, text.split("\n")))


def is_printable(text: str) -> bool:
    """Return True only if `text` has no control character; it may have none if the result is False."""
    if len(text) < 100 or not text.isascii():
        return text.isprintable()
    return len(text.encode().translate(None, _ASCII_CONTROL)) == len(text)  # four times as fast


def syslog_severity(level: int) -> int:
    """Return the severity of a level in syslog and in systemd's journal."""
    return next((number for least, number in _SEVERITIES if level >= least), 7)  # 7: debug


def to_json(entry: Mapping[str, Any]) -> str:
    """Return `entry` as one line of strict JSON, without control characters."""
    try:
        line = _encode(entry)
    except ValueError:  # NaN or infinity, which JSON does not have
        text = json.dumps(entry, default=str)
        line = _encode(json.loads(text, parse_constant=lambda name: str(float(name))))
    if line.isascii() and "\x7f" not in line:
        return line
    # A lone surrogate becomes its escape as text, because UTF-8 cannot encode it.
    line = re.sub(f"[{_SURROGATES}]", lambda match: f"\\\\u{ord(match.group()):04x}", line)
    # What `json` does not escape.
    return re.sub(f"[\x7f{_OTHERS}]", lambda match: json.dumps(match[0])[1:-1], line)


_encode: Callable[[object], str] = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, check_circular=False, default=str
).encode


@lru_cache(4)  # under load, many records share a millisecond
def format_time(milliseconds: int) -> str:
    """Return the time stamp for milliseconds since the epoch: ISO 8601, local, with its offset."""
    second = _format_second(milliseconds // 1000)
    return f"{second[:19]}.{milliseconds % 1000:03d}{second[19:]}"


@lru_cache(4)
def _format_second(second: int) -> str:
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(second))  # `datetime` takes a millisecond to import
    return f"{stamp[:-2]}:{stamp[-2:]}"
