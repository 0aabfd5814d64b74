"""Mask secrets before a record leaves the process that made it.

Masks values of keys that name a secret, in fields and texts; authorization and cookie headers; passwords in URLs,
commands and SQL; private keys; tokens of known forms. Counts, states and placeholders stay (see redaction_rules.py).
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final

from .redaction_rules import KEYS, PARTS, RULES, TOKENS, has_hint
from .values import cut

MASK: Final = "***"
_underscored: Final = re.compile("_[A-Za-z0-9]{16}").search
LONGEST: Final = 60_000  # characters of a text; longer ones are cut, so that masking and sending take bounded time


class Redactor:
    """Mask secrets; `keys` are words that make a key secret, at the end of any part of its name."""

    def __init__(self, keys: Iterable[str] = KEYS) -> None:
        words = {key: re.split("[-_ ]", _small(key)) for key in keys}
        # Compiled when first needed: that takes 15 ms. Without a lock: one held during a fork could deadlock the child.
        self._rules = lru_cache(1)(self._compile)
        # api_key, api-key, api key and apiKey are one word, whose longest part is in each form.
        self._key = f"(?:{'|'.join('[-_ ]?'.join(map(re.escape, parts)) for parts in words.values())})"
        own = [max(parts, key=len) for key, parts in words.items() if key not in KEYS]
        self._has_hint = (lambda s: has_hint(s) or any(word in s for word in own)) if own else has_hint
        self._field = lru_cache(4096)(self._masked_field)  # nearly all records have the same few names

    def text(self, text: str) -> str:
        """Return `text`, cut to LONGEST characters if it is longer, with each secret in it masked."""
        if len(text) > LONGEST:
            text = cut(text, LONGEST)
        # Single characters first: every log call pays for this.
        if (
            "=" in text
            or ":" in text
            or "'" in text
            or '"' in text
            or ">" in text
            or ("-" in text and "--" in text)
            or "earer " in text
        ) and self._has_hint(text.lower() if text.isascii() else _small(text)):
            return self._mask(text)
        if (
            ("-" in text and ("k-" in text or "gl" in text or "pypi-" in text or "xox" in text or "xapp-" in text))
            or ("_" in text and _underscored(text))
            or ("S" in text and ("SG." in text or "SK" in text))
            or ("I" in text and ("IA" in text or "AIza" in text))
            or ("J" in text and "eyJ" in text)
        ):
            return re.sub(TOKENS, MASK, text)
        return text

    def _mask(self, text: str) -> str:
        text = re.sub(TOKENS, MASK, text)
        small = _small(text)
        for lead, value, shown in self._rules():
            parts, at, found = [""], 0, lead.search(small)
            while found:
                end = found.end()
                if not shown.match(small, end) and (secret := value.match(small, end)):
                    parts += text[at:end], MASK
                    at = end = secret.end()
                found = lead.search(small, end)
            if at:
                text = "".join((*parts, text[at:]))
                small = _small(text)
        return text

    def _compile(self) -> list[tuple[re.Pattern[str], ...]]:
        def expand(pattern: str) -> str:
            return re.sub("|".join(parts), lambda name: expand(parts[name[0]]), pattern)

        parts = {**PARTS, "KEY": self._key}
        return [tuple(re.compile(expand(pattern)) for pattern in (*rule, "SHOWN")) for rule in RULES]

    def fields(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Return `fields` with the value of each secret key, and each secret in a text, masked."""
        return {(f := self._field(k))[0]: self._under(f, v) if f[1] else self._value(v) for k, v in fields.items()}

    def _under(self, field: tuple[str, str, bool, bool], value: Any) -> Any:
        """Return a field's value, masked as in text; a collection is masked if the name makes any word a secret."""
        _, name, secret, number = field
        if isinstance(value, int | float):
            secret = number and not isinstance(value, bool)
        elif isinstance(value, str):
            secret = bool(name) and self._mask(f"{name}={value}") != f"{name}={value}"
        return MASK if secret and value is not None else self._value(value)

    def _value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return self.fields(value)
        if isinstance(value, tuple):
            if len(value) == 2 and isinstance(value[0], str):  # may be a key and its value, as headers often are
                return (self.text(value[0]), self._under(self._field(value[0]), value[1]))
            return tuple(map(self._value, value))
        return value

    def _masked_field(self, key: str) -> tuple[str, str, bool, bool]:
        """Return a field's name, masked; the name to test texts with, or ""; True if a word, if a number is secret."""
        name = re.sub(r"\W+", "_", key)
        word, number, other = (self.text(f"{name}={it}").endswith(MASK) for it in ("swordfish", "4711", "x7q2m9kp4z"))
        return self.text(key), name if word or number or other else "", word, number


def _small(text: str) -> str:
    """Return `text` in lower case, with the same length; some letters that are not ASCII count as i and s."""
    return text.replace("\u0130", "i").lower().replace("\u0131", "i").replace("\u017f", "s")


class _Current:
    """The redactor in force in this process; a holder, so that importers see a later change."""

    def configure(self, *, on: bool = True, keys: Iterable[str] = ()) -> None:
        """Mask the values of KEYS and of `keys`; with `on` False, mask nothing."""
        redactor = _redactor((*KEYS, *keys))
        self.text = redactor.text if on else _unmasked
        self.fields = redactor.fields if on else _unmasked


# One redactor per set of keys: caches of other modules have its methods as keys, and would keep it alive.
_redactor: Final = lru_cache(4)(Redactor)


def _unmasked(data: Any) -> Any:
    return data


redact = _Current()
redact.configure()
