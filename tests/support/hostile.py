"""Hostile values, exceptions and characters, as Hypothesis strategies; formatting must not fail on any."""

import datetime
import decimal
import logging
import re
from typing import Any

from hypothesis import strategies as st

BEGINS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d ")
FORGED = "2026-01-01T00:00:00.000+00:00 CRITICAL forged"
MARKS = "\U000e0041\u061c\u200e\u200f\u2028\u2029\u202a\u202c\u202e\u2060\u2066\u2069\ufeff\ud800\udfff"
FORBIDDEN = frozenset([*map(chr, range(0x20)), *map(chr, range(0x7F, 0xA0)), *MARKS])


class HostileError(Exception):
    """An exception whose text and notes cannot be read."""

    def __str__(self) -> str:
        raise RuntimeError("no")

    __repr__ = __str__
    __notes__ = property(__str__)  # type: ignore[assignment]


class _Nameless(type):
    @property
    def __module__(cls) -> str:  # type: ignore[override]
        raise RuntimeError


class NamelessError(Exception, metaclass=_Nameless):
    """An exception whose class has no readable module."""


class Liar(str):
    """A text whose methods return values of wrong types."""

    __slots__ = ()

    def __str__(self) -> Any:
        return self

    def __mod__(self, _: object) -> Any:
        return 7

    def lower(self) -> Any:
        return None


def huge() -> int:
    """Return a number with more digits than Python converts."""
    return -(7**9000)


def cyclic() -> Any:
    """Return a collection that contains itself, many times."""
    wide: dict[Any, Any] = {"again": []}
    wide["again"].extend([wide] * 150)
    return wide


def shared() -> Any:
    """Return a collection of 10**30 members, by sharing."""
    laughs: list[Any] = ["ha"] * 10
    for _ in range(30):
        laughs = [laughs] * 10
    return laughs


def raised(error: BaseException) -> Any:
    """Raise `error`, and return its exc_info."""
    try:
        raise error  # noqa: TRY301
    except BaseException as caught:  # noqa: BLE001
        return type(caught), caught, caught.__traceback__


FORGERIES = [
    "\n2026-01-01T00:00:00.000+00:00 CRITICAL forged",
    "\r",
    "\x1b[2J",
    "\x85",
    "\u2028",
    "\u202e",
    "\x00",
    "\ud800",
]
texts = st.text(st.characters(codec=None, exclude_categories=()), max_size=30) | st.sampled_from(FORGERIES).flatmap(
    lambda forgery: st.text(max_size=5).map(lambda text: text + forgery + text)
)
numbers = st.integers() | st.floats() | st.decimals() | st.builds(huge)
leaves = (
    st.none()
    | st.booleans()
    | numbers
    | texts
    | st.binary(max_size=20)
    | st.datetimes()
    | st.builds(cyclic)
    | st.builds(HostileError)
    | texts.map(Liar)
    | st.sampled_from([object(), len, int, ..., decimal.Decimal("NaN"), datetime.timedelta(1)])
)
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(texts | st.integers() | st.tuples(texts, st.floats()), inner, max_size=4)
    ),
    max_leaves=12,
)


@st.composite
def exceptions(draw: Any) -> BaseException:
    """Draw an exception: with notes, with a cause, in a group, hostile."""
    error: BaseException = draw(
        st.builds(ValueError, values) | st.builds(HostileError) | st.builds(OSError, st.integers(), texts)
    )
    if isinstance(error, ValueError):
        for note in draw(st.lists(texts, max_size=2)):
            error.add_note(note)
        if draw(st.booleans()):
            error.__cause__ = draw(st.builds(HostileError) | st.builds(KeyError, values))
    return ExceptionGroup(draw(texts), [error, KeyError(1)]) if draw(st.booleans()) else error


# Names that makeRecord refuses with a KeyError to the caller are left out.
extras = st.dictionaries(
    (
        texts
        | st.sampled_from(
            ["level", "timestamp", "exception.type", "exception.causes", "fields", "_ready", "fields.level"]
        )
    ).filter(lambda name: name not in {*logging.makeLogRecord({}).__dict__, "message", "asctime"}),
    values,
    max_size=4,
)
