"""Secrets never reach a sink: they are masked before a record leaves the process that made it.

Masked are the values of keys that sound secret (in extras and context, and as `key=value`,
`key: value`, `"key": "value"`, `("key", "value")` or `--key value` in any text), headers of
authorization and cookies, passwords in URLs, and private keys. It is a net, not a wall: a
secret with no key beside it cannot be told from a word. docs/logging.md says what it costs.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final

MASK: Final = "***"
KEYS: Final = (
    "password", "passwd", "pwd", "passphrase", "secret", "token", "api_key", "apikey",
    "access_key", "private_key", "authorization", "credential", "cookie",
)  # fmt: skip

# What is masked is what comes after the first group; KEY stands for any of the secret words.
_PRIVATE_KEY = (
    r"()-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----(?s:.*?)(?:-----END [A-Z ]*PRIVATE KEY(?: BLOCK)?-----|\Z)"
)
_URL = r"""(\b[a-z][a-z0-9+.-]{0,20}://[^\s/@:"']{0,200}:)[^\s/"']+(?=@)"""
_URL_USER = r"""(\bhttps?://)[^\s/@:"']+(?=@)"""  # most likely a token
_BEARER = r"\b(bearer\s+)[\w.~+/=-]+"
# To the end of its line or of the string literal that it stands in, but for key="value" in it.
_HEADER = (
    r"""((?:cookie["']?[ \t]{0,3}[:=]|authorization["']?[ \t]{0,3}:)[ \t]{0,3})"""
    r"""(?=[^\s"'\\])(?:[^\r\n"'\\]|(?<==)"[^"\r\n]*"?)+"""
)
_QUOTED = r"""b?"(?:[^"\\]|\\.)*"?|b?'(?:[^'\\]|\\.)*'?|\\"(?:[^"\\]|\\[^"])*(?:\\")?"""
_SCHEME = r"(?:(?:basic|bearer|digest|token|negotiate|ntlm|api-?key|splunk)\s+)?"
_VALUE = rf"""(?:{_QUOTED}|{_SCHEME}[^\s,;&"')\x7d\]]+)"""
_NAME = r"[\w-]{0,40}KEY[\w-]{0,40}"
_PAIRS: Final = (
    r"""(KEY[\w-]{0,40}\\?["']?[ \t]{0,3}(?:=>|:?=|:)[ \t]{0,3})""" + _VALUE,
    r"""([(\[]b?["']""" + _NAME + rf"""["'],\s?)(?:{_QUOTED})(?=\s?[)\]])""",
    "(--" + _NAME + r"""["']?[,\s]\s?)(?!["']?-)""" + _VALUE,
)
_RAREST_FIRST: Final = "/zqxjkvbpygfwmucldrhsniotae"  # letters, in English
_MOST_NAMES: Final = 4096  # names whose masked form is remembered


class Redactor:
    """Masks secrets. `keys` are words that make a key secret, wherever they stand in its name."""

    def __init__(self, keys: Iterable[str] = KEYS) -> None:
        words = sorted({key.lower() for key in keys})
        self._compiled: list[re.Pattern[str]] = []
        self._any_word = f"(?:{'|'.join(map(_either, words))})"
        # A text without any of these has nothing to mask; looking is cheaper than matching, and
        # cheapest for one character: so they stand under the rarest that they have.
        self._hints = _by_rarest({_stem(word) for word in words} | {"://", "bearer", "private key"})
        # The same few names come with record after record.
        self.names = lru_cache(_MOST_NAMES)(self._masked_names)
        self._field = lru_cache(_MOST_NAMES)(self._masked_field)

    def text(self, text: str) -> str:
        """`text` with each secret in it masked."""
        # Whatever is masked has one of these in it, and most messages have none. In one
        # expression, because this is what every log call pays for.
        marked = "=" in text or ":" in text or "'" in text or '"' in text or "--" in text
        if not marked and "earer" not in text and "EARER" not in text:
            return text
        small = text.lower()
        if not small.isascii():  # letters that fit i and s when case is ignored
            small = small.replace("\u0131", "i").replace("\u0307", "").replace("\u017f", "s")
        for rare, hints in self._hints:
            if rare in small:
                for hint in hints:
                    if hint in small:
                        return self._mask(text)
        return text

    def _mask(self, text: str) -> str:
        # Compiled when first needed: it takes some milliseconds, which no start has to wait for. No
        # lock: a fork might come amid it, and twice does no harm.
        for pattern in self._compiled or self._compile():
            text = pattern.sub(rf"\1{MASK}", text)
        return text

    def _compile(self) -> list[re.Pattern[str]]:
        pairs = [pair.replace("KEY", self._any_word) for pair in _PAIRS]
        patterns = (_PRIVATE_KEY, _URL, _URL_USER, _HEADER, *pairs, _BEARER)
        self._compiled = [re.compile(pattern, re.IGNORECASE) for pattern in patterns]
        return self._compiled

    def fields(self, fields: dict[str, Any]) -> dict[str, Any]:
        """`fields` with the value of each secret key masked, and each text looked through."""
        masked = {}
        for key, value in fields.items():
            name, secret = self._field(key)
            masked[name] = MASK if secret else self._value(value)
        return masked

    def _value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return self.fields(value)
        if isinstance(value, tuple):
            return tuple(self._member(item) for item in value)
        return value

    def _member(self, item: Any) -> Any:
        """A member of a collection; one of two members may be a key and its value, as headers often are."""
        if isinstance(item, tuple) and len(item) == 2 and isinstance(item[0], str) and self._field(item[0])[1]:
            return (item[0], MASK)
        return self._value(item)

    def _masked_field(self, key: str) -> tuple[str, bool]:
        """A field's name, masked, and whether its value is a secret."""
        return self.text(key), re.search(self._any_word, key, re.IGNORECASE) is not None

    def _masked_names(self, *names: str | None) -> tuple[str | None, ...]:
        """The names of a record's logger, process and thread, masked."""
        return tuple(name and self.text(name) for name in names)


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
    """What is in a word however it is written: its longest part."""
    return max(re.split(r"[-_ ]", word), key=len) or word


def _rarity(character: str) -> int:
    return _RAREST_FIRST.find(character) % 99  # the last if it is not there


def _by_rarest(words: Iterable[str]) -> list[tuple[str, list[str]]]:
    """The words under one character each that they have, as rare as can be."""
    found: dict[str, list[str]] = {}
    for word in words:
        found.setdefault(min(word, key=_rarity), []).append(word)
    return list(found.items())


class _Current:
    """The redactor in force in this process; a holder, so that importers see a later change."""

    def __init__(self) -> None:
        self.use(Redactor())

    def configure(self, *, on: bool, keys: Iterable[str] = ()) -> None:
        """Mask the values of `keys` too, beside those of KEYS; or mask nothing."""
        self.use(Redactor((*KEYS, *keys)) if on else NoRedactor((*KEYS, *keys)))

    def use(self, redactor: Redactor) -> None:
        self.redactor = redactor
        self.text = redactor.text
        self.fields = redactor.fields
        self.names = redactor.names


redact = _Current()
