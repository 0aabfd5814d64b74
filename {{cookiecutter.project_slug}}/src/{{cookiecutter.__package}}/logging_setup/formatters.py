"""A record as one line of text, or as one line of JSON.

Whatever is in a record, it cannot forge another one (CWE-117): in text, control characters
are escaped and further lines indented; JSON escapes by its nature.
"""

import json
import logging
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

INDENT = "    "  # before every further line of a record; no record begins with a space

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff]")
_NOT_BARE = re.compile(r"""[\s"'=\\]|^$""")
_IN_JSON = re.compile("[\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_SHORT = {"\t": r"\t", "\r": r"\r", "\n": r"\n"}
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
            self._before, self._after = _stamp(second)
            self._second = second
        level = self._levels.get(data["levelname"]) or f"{clean(data['levelname']):8}"
        where = _origin(data["processName"], data["threadName"])
        message = data["msg"] if not data["args"] else record.getMessage()
        if type(message) is not str:
            message = str(message)
        rest = ""
        if not message.isprintable():
            message, newline, rest = _lines(message).partition("\n")
            rest = newline + rest
        fields = data.get("fields")
        pairs = _pairs(fields) if fields else ""
        if data["exc_text"]:
            rest += f"\n{INDENT}{_lines(data['exc_text'])}"
        if data["stack_info"]:
            rest += f"\n{INDENT}{_lines(data['stack_info'])}"
        millis = int((created - second) * 1000)
        return f"{self._before}.{millis:03d}{self._after} {level} {clean(data['name'])}{where} {message}{pairs}{rest}"


class JsonFormatter(logging.Formatter):
    """One strict JSON object, on one line, with OpenTelemetry's names for what they name.

    `service` becomes service.name. docs/log-record.schema.json describes the result.
    """

    def __init__(self, service: str = "") -> None:
        super().__init__()
        self._service = service
        self._second = -1
        self._before = self._after = ""

    def format(self, record: logging.LogRecord) -> str:
        data = record.__dict__
        created = data["created"]
        second = int(created)
        if second != self._second:
            self._before, self._after = _stamp(second)
            self._second = second
        entry: dict[str, Any] = {
            "timestamp": f"{self._before}.{int((created - second) * 1000):03d}{self._after}",
            "level": data["levelname"],
            "logger": data["name"],
            "message": record.getMessage(),
            "process.pid": data["process"],
            "process.name": data["processName"],
            "thread.id": data["thread"],
            "thread.name": data["threadName"],
            "code.file.path": data["pathname"],
            "code.line.number": data["lineno"],
            "code.function.name": data["funcName"],
            "service.name": self._service,
        }
        exception = data.get("exception")
        if exception:
            entry["exception.type"] = exception["type"]
            entry["exception.message"] = exception["message"]
            entry["exception.stacktrace"] = exception["stacktrace"]
            if exception.get("notes"):
                entry["exception.notes"] = exception["notes"]
            if exception.get("causes"):
                entry["exception.causes"] = exception["causes"]
        if data["stack_info"]:
            entry["code.stacktrace"] = data["stack_info"]
        for key, value in (data.get("fields") or {}).items():
            entry[key if key not in entry else f"fields.{key}"] = value
        return _json(entry)


def clean(text: str) -> str:
    """`text` on one line, with every control character, newlines too, written as its escape."""
    return text if text.isprintable() else _CONTROL.sub(_escape, text)


def _lines(text: str) -> str:
    return "\n".join(map(clean, text.split("\n"))).replace("\n", f"\n{INDENT}")


def _escape(match: re.Match[str]) -> str:
    char = match.group()
    code = ord(char)
    return _SHORT.get(char) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")


def _origin(process: str | None, thread: str | None) -> str:
    """Where a record is from, if it is from elsewhere than the main thread of the main process."""
    if process == "MainProcess" and thread == "MainThread":
        return ""
    names = (name for name, main in ((process, "MainProcess"), (thread, "MainThread")) if name and name != main)
    text = clean("/".join(names))
    return f" [{text}]" if text else ""


def _pairs(fields: Mapping[str, Any]) -> str:
    return "".join(f" {clean(str(key))}={_bare(value)}" for key, value in fields.items())


def _bare(value: object) -> str:
    text = value if isinstance(value, str) else str(value)
    return clean(json.dumps(text, ensure_ascii=False) if _NOT_BARE.search(text) else text)


def _json(entry: dict[str, Any]) -> str:
    try:
        line = _encode(entry)
    except ValueError:  # NaN or infinity, which JSON does not have
        line = _encode(_finite(entry))
    if line.isascii() and "\x7f" not in line:
        return line
    return _IN_JSON.sub(lambda match: f"\\u{ord(match.group()):04x}", _SURROGATE.sub("\ufffd", line))


_encode: Callable[[object], str] = json.JSONEncoder(ensure_ascii=False, allow_nan=False, default=str).encode


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not -1.8e308 < value < 1.8e308:
        return str(value)
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


def _level_words(colour: bool) -> dict[str, str]:
    words = {}
    for name, number in logging.getLevelNamesMapping().items():
        before = _COLOURS.get(number // 10, "") if colour else ""
        words[name] = f"{before}{name:8}{_RESET if before else ''}"
    return words


def _stamp(second: int) -> tuple[str, str]:
    """What stands before and after the fraction of that second in its time stamp."""
    local = time.localtime(second)
    sign, offset = ("-", -local.tm_gmtoff) if local.tm_gmtoff < 0 else ("+", local.tm_gmtoff)
    return time.strftime("%Y-%m-%dT%H:%M:%S", local), f"{sign}{offset // 3600:02d}:{offset // 60 % 60:02d}"


def make_formatter(kind: str, *, colour: bool = False) -> logging.Formatter:
    """The formatter that `text` or `json` names; `colour` is for text."""
    if kind == "json":
        return JsonFormatter(service="{{ cookiecutter.project_slug }}")
    return TextFormatter(colour=colour)
