"""Declare settings that are read from LOG_* variables, and read them, listing every invalid value.

An empty variable counts as not set. Values are of built-in types, because settings are sent to the
listener process as JSON. Secrets are left out of the repr.
"""

import logging
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, ClassVar, Final, NamedTuple

from . import parsers as parse

MASK: Final = "***"

MakeFormatter = Callable[..., logging.Formatter]  # formatters.make_formatter


class Setting(NamedTuple):
    """The declaration of a setting."""

    variable: str
    parser: parse.Parser
    default: str
    about: str
    secret: bool = False
    unset: int | None = None  # for a level: its value if neither its variable nor LOG_LEVEL is set

    def value(self) -> Any:
        """Return the value of a setting that is not given."""
        return self.parser(self.default) if self.unset is None else self.unset


def setting(variable: str, parser: parse.Parser, default: str, about: str, *, secret: bool = False) -> Any:
    """Declare an attribute that is read from `variable`.

    .env.example and README.md must state the same `default` and `about`; a test compares them.
    """
    return Setting(variable, parser, default, about, secret)


def level_setting(variable: str, unset: int, about: str) -> Any:
    """Declare a level that follows LOG_LEVEL if `variable` is not set, and is `unset` if neither is set."""
    return Setting(variable, parse.level, "", about, unset=unset)


class Declared:
    """Base class of settings, which are created from keywords, constant, and equal if all their values are.

    Not a dataclass: `dataclasses` takes 7 of a start's 60 ms, for its imports and for the code that it generates.
    """

    def __init__(self, **values: Any) -> None:
        """Take the given values, by name, and the defaults of the others. Raises TypeError for an unknown name."""
        declared = variables(self)
        if unknown := values.keys() - declared.keys():
            raise TypeError(f"{type(self).__name__} has no setting {', '.join(sorted(unknown))}")
        vars(self).update({name: values[name] if name in values else each.value() for name, each in declared.items()})

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{name} cannot be set: settings are constant")

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(other) == vars(self)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        secrets = [name for name, each in variables(self).items() if each.secret]
        shown = (f"{name}={value!r}" for name, value in vars(self).items() if name not in secrets)
        return f"{type(self).__name__}({', '.join(shown)})"


def variables(settings: Any) -> dict[str, Setting]:
    """Return the settings that a class, or the class of an object, declares, by the names of their attributes."""
    kind = settings if isinstance(settings, type) else type(settings)
    found = {name: each for base in reversed(kind.__mro__) for name, each in vars(base).items()}
    return {name: each for name, each in found.items() if isinstance(each, Setting)}


def read(settings: Any, environ: Mapping[str, str], redact: Callable[[str], str]) -> tuple[dict[str, Any], list[str]]:
    """Return the values of the variables that are set, by field name, and a line for each that is invalid."""
    values: dict[str, Any] = {}
    problems = []
    for name, each in variables(settings).items():
        text = environ.get(each.variable, "").strip()
        try:
            if text:
                values[name] = each.parser(text)
        except ValueError as error:  # shown without the password of a URL
            shown = MASK if each.secret else re.sub("//.*@", f"//{MASK}@", redact(text[:200]))
            problems.append(f"{each.variable}={shown!r}: must be {error}")
    return values, problems


def read_secret_file(values: dict[str, Any], name: str, variable: str, parser: parse.Parser) -> list[str]:
    """Read the file named by `variable`_FILE into `values[name]`; return a line for each problem."""
    file = values.get(f"{name}_file")
    if file and values.get(name):
        return [f"{variable}: must not be set together with {variable}_FILE"]
    try:
        if file:
            with open(file, encoding="utf-8", errors="replace") as opened:
                values[name] = parser(opened.read().strip("\r\n"))
    except (OSError, ValueError) as error:  # without the name of the file, which may be the secret itself
        return [f"{variable}_FILE={MASK!r}: must be a file that contains it: {getattr(error, 'strerror', error)}"]
    return []


class Sink(Declared, ABC):
    """Base class of the settings of one sink; the table in get_handlers.py lists its subclasses."""

    name: ClassVar[str]  # in messages and in the doctor
    switch: ClassVar[str] = ""  # name of the field that turns the sink on when it is set; "": always on
    level: int

    @property
    def is_on(self) -> bool:
        """Return True if records are sent to this sink."""
        return not self.switch or bool(getattr(self, self.switch))

    @property
    def switch_variable(self) -> str:
        """Return the name of the variable that sets `switch`."""
        return variables(self)[self.switch].variable

    @abstractmethod
    def make_handlers(self, make_formatter: MakeFormatter) -> list[logging.Handler]:
        """Return new handlers; the caller sets their level. Must not connect, and not raise if a server is absent."""

    @classmethod
    def problems(cls, values: dict[str, Any]) -> Iterable[str]:  # noqa: ARG003 - for subclasses
        """Return a line for each contradiction between `values` (those set); may add values, e.g. from a file."""
        return ()


class BaseSettings(Declared):
    """The part of Settings (settings.py) that the subpackages use."""

    level: int  # of the root logger
    levels: tuple[tuple[str, int], ...]  # of individual loggers
    date_format: str  # of format strings
    sinks: dict[str, Sink]

    def variables(self) -> list[tuple[Setting, Any]]:
        """Return every setting that has a variable, those of the sinks included, with its value."""
        owners = (self, *self.sinks.values())
        return [(each, getattr(owner, name)) for owner in owners for name, each in variables(owner).items()]

    def unknown_variables(self, environ: Mapping[str, str]) -> Iterator[str]:
        """Yield a line for each LOG_* variable of `environ` that is not a setting."""
        known = [each.variable for each, _ in self.variables()]
        for name in sorted(environ):
            if name.startswith("LOG_") and name not in known:
                import difflib  # here: rarely needed

                near = difflib.get_close_matches(name, known, n=1, cutoff=0.8)
                yield f"{name} is not a setting" + (f": did you mean {near[0]}?" if near else "")
