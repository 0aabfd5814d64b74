"""Secrets never reach a sink: they are masked before a record leaves the process that made it.

Masked are the values of keys that sound secret (in extras and context, and as `key=value`,
`key: value` or `"key": "value"` in any text), bearer tokens, passwords in URLs, and private
keys. It is a net, not a wall: a secret with no key beside it cannot be told from a word.
"""

import re
from collections.abc import Iterable
from typing import Any

MASK = "***"
KEYS = (
    "password", "passwd", "pwd", "passphrase", "secret", "token", "api_key", "apikey",
    "access_key", "private_key", "authorization", "credential", "cookie",
)  # fmt: skip

_URL = re.compile(r"(\b[a-z][a-z0-9+.-]{0,20}://[^\s/@:]{0,200}:)[^\s/@]+(?=@)", re.IGNORECASE)
_BEARER = re.compile(r"\b(bearer\s+)[\w.~+/=-]+", re.IGNORECASE)
_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)


class Redactor:
    """Masks secrets. `keys` are words that make a key secret, wherever they stand in its name."""

    def __init__(self, keys: Iterable[str] = KEYS) -> None:
        words = sorted({key.lower() for key in keys})
        self._key = re.compile("|".join(_either(word) for word in words), re.IGNORECASE)
        value = r"""(?:"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?|(?:(?:basic|bearer|digest|token)\s+)?[^\s,;&"')}\]]+)"""
        self._pair = re.compile(
            rf"""((?:{self._key.pattern})[\w-]{{0,40}}\\?["']?\s{{0,3}}(?:=>|[:=])\s{{0,3}}){value}""",
            re.IGNORECASE,
        )
        self._cookie = re.compile(r"""(cookie["']?\s{0,3}[:=]\s{0,3})[^\r\n"']+""", re.IGNORECASE)
        # A text without any of these has nothing to mask; looking is cheaper than matching.
        self._hints = tuple({_stem(word) for word in words} | {"://", "bearer", "private key"})

    def text(self, text: str) -> str:
        """`text` with each secret in it masked."""
        small = text.lower()
        for hint in self._hints:
            if hint in small:
                break
        else:
            return text
        text = _PRIVATE_KEY.sub(MASK, text)
        text = _URL.sub(rf"\1{MASK}", text)
        text = self._cookie.sub(rf"\1{MASK}", text)
        text = self._pair.sub(rf"\1{MASK}", text)
        return _BEARER.sub(rf"\1{MASK}", text)

    def fields(self, fields: dict[str, Any]) -> dict[str, Any]:
        """`fields` with the value of each secret key masked, and each text looked through."""
        return {self.text(key): MASK if self._key.search(key) else self._value(value) for key, value in fields.items()}

    def _value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return self.fields(value)
        if isinstance(value, tuple):
            return tuple(self._value(item) for item in value)
        return value


class NoRedactor(Redactor):
    """Masks nothing: what LOG_REDACT=off asks for."""

    def text(self, text: str) -> str:
        return text

    def fields(self, fields: dict[str, Any]) -> dict[str, Any]:
        return fields


def _either(word: str) -> str:
    """api_key, api-key, api key and apiKey are one word."""
    return "[-_ ]?".join(re.escape(part) for part in re.split(r"[-_ ]", word))


def _stem(word: str) -> str:
    return re.split(r"[-_ ]", word)[-1]


class _Current:
    """The redactor in force in this process; a holder, so that importers see a later change."""

    def __init__(self) -> None:
        self.use(Redactor())

    def use(self, redactor: Redactor) -> None:
        self.text = redactor.text
        self.fields = redactor.fields


redact = _Current()
