"""From the text of an environment variable to its value, or a ValueError that says what would do."""

import logging
import os
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

Parser = Callable[[str], Any]

_YES, _NO = ("on", "true", "yes", "1"), ("off", "false", "no", "0")


def text(value: str) -> str:
    """Any text."""
    return value


def level(value: str) -> int:
    """A level's name, in any case, or its number."""
    names = logging.getLevelNamesMapping()
    if value.upper() in names:
        return names[value.upper()]
    if value.isdecimal() and len(value) < 10:
        return int(value)
    raise ValueError("a level: DEBUG, INFO, WARNING, ERROR, CRITICAL, or a number")


def levels(value: str) -> tuple[tuple[str, int], ...]:
    """`logger=LEVEL` pairs between commas, as a tuple of pairs."""
    pairs = []
    for pair in filter(None, map(str.strip, value.split(","))):
        name, equals, word = (part.strip() for part in pair.partition("="))
        if not name or not equals:
            raise ValueError("logger=LEVEL pairs between commas, for example urllib3=WARNING,my_app.db=DEBUG")
        pairs.append((name, level(word)))
    return tuple(pairs)


def one_of(*choices: str) -> Parser:
    """One of these words, in any case."""

    def parse(value: str) -> str:
        if value.lower() not in choices:
            raise ValueError(f"one of {', '.join(choices)}")
        return value.lower()

    return parse


def whole(least: int, most: int, unit: str) -> Parser:
    """A whole number between two others, both included."""

    def parse(value: str) -> int:
        if not value.isdecimal() or len(value) > 18 or not least <= int(value) <= most:
            raise ValueError(f"a whole number of {unit} from {least} to {most}")
        return int(value)

    return parse


def seconds(least: float, most: float) -> Parser:
    """A number of seconds between two others, both included."""

    def parse(value: str) -> float:
        try:
            number = float(value)
        except ValueError:
            number = -1.0
        if not least <= number <= most:  # also what NaN fails
            raise ValueError(f"a number of seconds from {least:g} to {most:g}")
        return number

    return parse


def switch(value: str) -> bool:
    """On or off."""
    if value.lower() in _YES:
        return True
    if value.lower() in _NO:
        return False
    raise ValueError("on or off")


def path(value: str) -> str:
    """A file's path, made absolute, so that a later change of folder does not move it."""
    if "\0" in value or value.endswith(("/", os.sep)) or os.path.isdir(value):  # noqa: PTH112 - text in, text out
        raise ValueError("the path of a file, not of a folder")
    return os.path.abspath(os.path.expanduser(value))  # noqa: PTH100, PTH111


def words(value: str) -> tuple[str, ...]:
    """Words between commas."""
    return tuple(filter(None, map(str.strip, value.split(","))))


def keys(value: str) -> tuple[str, ...]:
    """Words between commas, each with a letter or digit in it: a key without would fit everything."""
    found = words(value)
    if not all(any(char.isalnum() for char in word) for word in found):
        raise ValueError("words between commas, for example iban,card_number")
    return found


def addresses(value: str) -> tuple[str, ...]:
    """E-mail addresses between commas."""
    found = words(value)
    for address in found:
        name, at, domain = address.rpartition("@")
        if not (name and at and domain) or any(char.isspace() or char in "<>" for char in address):
            raise ValueError("e-mail addresses between commas, for example ops@example.com,me@example.com")
    return found


def url(*examples: str) -> Parser:
    """A URL of the form of one of `examples`, by its scheme: a host and a port, or a path; or nothing."""
    forms = {urlsplit(example).scheme: urlsplit(example) for example in examples}
    wanted = f"a URL such as {' or '.join(examples)}"

    def parse(value: str) -> str:
        if not value:
            return value
        if "@" in value:
            raise ValueError(f"{wanted}, without user and password")
        try:
            found = urlsplit(value)
            port = found.port
        except ValueError:
            raise ValueError(wanted) from None
        form = forms.get(found.scheme)
        if form is None or any(not char.isprintable() or char.isspace() for char in value):
            raise ValueError(wanted)
        if form.hostname and not (found.hostname and (port or not form.port)):
            raise ValueError(wanted)
        if not form.hostname and (found.hostname or not found.path.strip("/")):
            raise ValueError(wanted)
        if not form.path and found.path.strip("/"):
            raise ValueError(f"{wanted}, without a path")
        return value

    return parse


def token(value: str) -> str:
    """What may stand in an HTTP header: visible ASCII characters; or nothing."""
    if not re.fullmatch("[!-~]*", value):
        raise ValueError("a token of visible ASCII characters")
    return value


def without_credentials(value: str) -> str:
    """`value` for a message: if it is a URL, without what may be a user and a password."""
    return re.sub("//.*@", "//***@", value)
