"""Parsers of environment variables. Each raises ValueError with what is expected, to follow "must be"."""

# {% set alerts = cookiecutter.email_handler or cookiecutter.webhook_handler %}
# {% set encrypted = alerts or cookiecutter.collector_handler not in ("none", "udp") %}
import logging
# {% if cookiecutter.file_handler != "none" %}
import os
# {% endif %}
import re
from collections.abc import Callable
from typing import Any
# {% if cookiecutter.collector_handler != "none" %}
from urllib.parse import urlsplit
# {% endif %}

Parser = Callable[[str], Any]

_YES, _NO = ("on", "true", "yes", "1"), ("off", "false", "no", "0")


def level(value: str) -> int:
    """Parse the name of a level, in any case, or its number."""
    names = logging.getLevelNamesMapping()
    if value.upper() in names:
        return names[value.upper()]
    if value.isdecimal() and len(value) < 10:
        return int(value)
    raise ValueError("a level: DEBUG, INFO, WARNING, ERROR, CRITICAL, or a number")


def checked(is_valid: Callable[[str], object], expected: str, convert: Parser = str) -> Parser:
    """Return a parser that converts valid text, and raises ValueError(expected) for other text."""

    def parse(value: str) -> Any:
        if not is_valid(value):
            raise ValueError(expected)
        return convert(value)

    return parse


def split(value: str) -> tuple[str, ...]:
    """Parse comma-separated words."""
    return tuple(filter(None, map(str.strip, value.split(","))))


def pairs(form: str, parse_value: Parser) -> Parser:
    """Return a parser of comma-separated `name=value` pairs; `form` is for the message."""

    def parse(value: str) -> tuple[tuple[str, Any], ...]:
        found = [[part.strip() for part in pair.partition("=")[::2]] for pair in split(value)]
        if not all(map(all, found)):
            raise ValueError(f"comma-separated {form}")
        return tuple((name, parse_value(text)) for name, text in found)

    return parse


levels = pairs("logger=LEVEL pairs, for example urllib3=WARNING,my_app.db=DEBUG", level)
fields = pairs("name=value pairs, for example env=prod,team=shop", str)


def one_of(*choices: str) -> Parser:
    """Return a parser that accepts one of `choices`, in any case."""
    return checked(lambda value: value.lower() in choices, f"one of {', '.join(choices)}", str.lower)


# {% if alerts or cookiecutter.file_handler != "none" %}
def whole(least: int, most: int, unit: str) -> Parser:
    """Return a parser of whole numbers from `least` to `most`; `unit`: what is counted, "": nothing."""
    kind = f"a whole number of {unit}" if unit else "a whole number"
    expected = f"{kind} from {least} to {most}"
    return checked(lambda it: it.isdecimal() and len(it) <= 18 and least <= int(it) <= most, expected, int)


# {% endif %}
# {% if cookiecutter.multiprocessing or encrypted %}
def seconds(least: float, most: float) -> Parser:
    """Return a parser of numbers of seconds from `least` to `most`."""
    expected = f"a number of seconds from {least:g} to {most:g}"
    return checked(lambda it: re.fullmatch(r"\d*\.?\d+", it) and least <= float(it) <= most, expected, float)


# {% endif %}
rate = checked(
    lambda value: not value or re.fullmatch(r"[1-9]\d{0,8}/[1-9]\d{0,5}s", value),
    "a number of records / a number of seconds, for example 10/60s",
)
switch = checked(lambda value: value.lower() in _YES + _NO, "on or off", lambda value: value.lower() in _YES)


# {% if cookiecutter.file_handler != "none" %}
def path(value: str) -> str:
    """Return the path of a file as an absolute path: the working directory may change later."""
    if "\0" in value or value.endswith(("/", os.sep)) or os.path.isdir(value):
        raise ValueError("the path of a file, not of a folder")
    expanded = os.path.expanduser(value)
    try:
        return os.path.abspath(expanded)
    except OSError:  # the working directory has been deleted: the sink reports that it cannot open the file
        return expanded


# {% endif %}
# {% if cookiecutter.collector_handler != "none" %}
def url(*examples: str) -> Parser:
    """Return a parser of URLs of the form of one of `examples` (scheme, host and port, or path), or empty text."""
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


# {% endif %}
# {% if cookiecutter.collector_handler in ("http", "otlp") %}
# As the value of an HTTP header may be.
token = checked(lambda value: re.fullmatch("[!-~]*", value), "a token of visible ASCII characters")


# {% endif %}
# {% if encrypted %}
def certificates(value: str) -> str:
    """Return the path of a file of trusted certificates, or empty text."""
    if value:
        import ssl  # here: takes long to import, and is rarely needed

        try:
            ssl.create_default_context(cafile=value)
        except OSError as error:
            raise ValueError(f"a file of certificates: {error}") from error
    return value


# {% endif %}
def words(form: str, expected: str) -> Parser:
    """Return a parser of comma-separated words that match the regular expression `form`."""
    return checked(
        lambda value: all(re.fullmatch(form, word) for word in split(value)), f"comma-separated {expected}", split
    )


keys = words(r".*[^\W_].*", "words, for example iban,card_number")  # one without a letter would match everything
# {% if cookiecutter.email_handler %}
_addresses = words(r"[!-;=?-~]+@[^\s<>@]+", "e-mail addresses, ASCII before @, such as ops@example.com,me@example.com")


def addresses(value: str) -> tuple[str, ...]:
    """Parse comma-separated e-mail addresses, and convert their domains to ASCII (punycode)."""
    parts = (address.rpartition("@") for address in _addresses(value))
    return tuple(f"{name}@{domain.encode('idna').decode()}" for name, _, domain in parts)
# {% endif %}
