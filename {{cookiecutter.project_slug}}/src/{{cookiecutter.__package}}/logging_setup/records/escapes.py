"""What the formatters share: escapes for lines of text, strict JSON, and the time stamp."""

import json
import re
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

INDENT = "    "  # before every further line of a record; no record begins with a space

# As texts: `re` compiles each when it is first needed, and keeps it. Most programs never need most of them.
_CONTROL = "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff]"
_ASCII_CONTROL = bytes((*range(0x20), 0x7F))
_LONG = 200  # characters
_NOT_BARE = re.compile(r"""[\s"'=\\]|^$""")
_IN_JSON = "[\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]"
_SURROGATE = "[\ud800-\udfff]"
_SHORT = {"\t": r"\t", "\r": r"\r", "\n": r"\n"}


def escape(text: str) -> str:
    """`text` on one line, with every control character, newlines too, written as its escape."""
    return text if is_printable(text) else re.sub(_CONTROL, _escape_match, text)


def is_printable(text: str) -> bool:
    """Return True if `escape` has nothing to do; False leaves that open."""
    if len(text) < _LONG or not text.isascii():
        return text.isprintable()
    return len(text.encode().translate(None, _ASCII_CONTROL)) == len(text)  # four times as quick


def escape_lines(text: str) -> str:
    return "\n".join(map(escape, text.split("\n"))).replace("\n", f"\n{INDENT}")


def _escape_match(match: re.Match[str]) -> str:
    char = match.group()
    code = ord(char)
    return _SHORT.get(char) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")


def format_pairs(fields: Mapping[str, Any]) -> str:
    return "".join(f" {escape(str(key))}={_bare(value)}" for key, value in fields.items())


def _bare(value: object) -> str:
    text = value if isinstance(value, str) else str(value)
    return escape(json.dumps(text, ensure_ascii=False) if _NOT_BARE.search(text) else text)


def to_json(entry: dict[str, Any]) -> str:
    try:
        line = _encode(entry)
    except ValueError:  # NaN or infinity, which JSON does not have
        line = _encode(_finite(entry))
    if line.isascii() and "\x7f" not in line:
        return line
    # A lone surrogate, which no UTF-8 can carry, becomes its escape as text.
    line = re.sub(_SURROGATE, lambda match: f"\\\\u{ord(match.group()):04x}", line)
    return re.sub(_IN_JSON, lambda match: f"\\u{ord(match.group()):04x}", line)


_encode: Callable[[object], str] = json.JSONEncoder(ensure_ascii=False, allow_nan=False, default=str).encode


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not -1.8e308 < value < 1.8e308:
        return str(value)
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


@lru_cache(4)  # under load, many records share a millisecond
def format_time(milliseconds: int) -> str:
    """The time stamp of that moment since the epoch: ISO 8601, local, with its offset."""
    before, after = _second(milliseconds // 1000)
    return f"{before}.{milliseconds % 1000:03d}{after}"


@lru_cache(4)
def _second(second: int) -> tuple[str, str]:
    local = time.localtime(second)
    sign, offset = ("-", -local.tm_gmtoff) if local.tm_gmtoff < 0 else ("+", local.tm_gmtoff)
    return time.strftime("%Y-%m-%dT%H:%M:%S", local), f"{sign}{offset // 3600:02d}:{offset // 60 % 60:02d}"
