"""The cache of tracebacks: its results equal those of Python's own `traceback`."""

import gc
import linecache
import os
import sys
import traceback
import types
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.project import Bake


@pytest.fixture(scope="module")
def package(bake: Bake) -> Iterator[SimpleNamespace]:
    with bake().imported() as load:
        yield SimpleNamespace(**{name: load(f"records.{name}") for name in ("values", "redaction")})


def nested(depth: int) -> None:
    if depth == 0:
        raise ValueError("no such order")
    nested(depth - 1)


def caused() -> None:
    try:
        nested(2)
    except ValueError as error:
        raise KeyError("order") from error


def amid_another() -> None:
    try:
        caused()
    except KeyError:
        _ = {}["order"] + [1, 2][3]


def suppressed() -> None:
    try:
        nested(1)
    except ValueError:
        raise OSError(2, "no such file") from None


def misspelt_name() -> None:
    wanted_name = 1
    print(wanted_nam, wanted_name)  # type: ignore[name-defined] # noqa: F821


class Shop:
    def __init__(self) -> None:
        self._orders = 1

    def misspelt(self) -> None:
        self.orders  # type: ignore[attr-defined] # noqa: B018


def no_syntax() -> None:
    compile("a b = 1\n", "shop.py", "exec")


def with_notes() -> None:
    error = ValueError("two\nlines")
    error.add_note("a note\nof two lines")
    raise error


def group() -> None:
    found: list[Exception] = []
    for fail in (caused, suppressed, lambda: nested(3)):
        try:
            fail()
        except Exception as error:  # noqa: BLE001
            found.append(error)
    inner = ExceptionGroup("inner", [*found, TypeError("never raised")])
    raise ExceptionGroup("outer", [inner, *map(ValueError, range(20))]) from found[0]


def circle() -> None:
    first, second = ValueError("first"), ValueError("second")
    first.__context__, second.__context__ = second, first
    raise first


def without_end() -> None:
    without_end()


class FalseError(Exception):
    """An exception that is false, such as one with a length of zero."""

    def __bool__(self) -> bool:
        return False


def false() -> None:
    try:
        _raise_false()
    except FalseError as error:
        raise ValueError("second") from error


def _raise_false() -> None:
    raise FalseError("first")


def without_text() -> None:
    class MuteError(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    raise MuteError


FAILURES = [
    lambda: nested(0), lambda: nested(40), lambda: nested(200), caused, amid_another, suppressed, misspelt_name,
    Shop().misspelt, no_syntax, with_notes, group, circle, without_end, false, without_text,
]  # fmt: skip


def raised(fail: Callable[[], Any]) -> BaseException:
    with pytest.raises(BaseException) as caught:
        fail()
    return caught.value


def text_of(package: SimpleNamespace, error: BaseException, stack: Any) -> str:
    text: str = package.values.format_exception(error, stack)[0]
    return text


def pythons(error: BaseException, stack: Any) -> str:
    return "".join(traceback.format_exception(type(error), error, stack))


def made(number: int) -> types.CodeType:
    name = f"made-{number}.py"
    linecache.cache[name] = (5, None, ["1 / 0"], name)
    return compile("1 / 0", name, "exec")


def causes_of(package: SimpleNamespace, error: BaseException) -> list[str]:
    found = package.values.exception_fields((type(error), error, error.__traceback__), None, str)
    return [cause["type"].rpartition(".")[2] for cause in found["causes"]]


class TestCache:
    """Stacks that are cached, or must not be."""

    @pytest.mark.parametrize("limit", [None, -1, 0, 2, -2, None])
    @pytest.mark.parametrize("fail", FAILURES)
    def test_traceback_equals_pythons_on_every_use(
        self, package: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, fail: Callable[[], Any], limit: int | None
    ) -> None:
        if limit is not None:
            monkeypatch.setattr(sys, "tracebacklimit", limit, raising=False)
        for _ in range(3):
            error = raised(fail)
            for stack in (error.__traceback__, None):
                expected = pythons(error, stack)
                assert text_of(package, error, stack) == expected
                assert text_of(package, error, stack) == expected

    def test_stack_is_formatted_once_for_all_exceptions(self, package: SimpleNamespace, tmp_path: Path) -> None:
        source = tmp_path / "orders.py"
        source.write_text("def take(number):\n    raise ValueError(number)\n")
        space: dict[str, Any] = {}
        exec(compile(source.read_text(), str(source), "exec"), space)  # noqa: S102
        first, second = (raised(lambda number=number: space["take"](number)) for number in (1, 2))
        before = text_of(package, first, first.__traceback__)
        assert "raise ValueError(number)" in before
        # An editor saves the file; the running code is still the old one, and so is the code shown.
        source.write_text("# a comment, which is not what failed\n" * 3)
        after = text_of(package, second, second.__traceback__)
        assert after == before.replace("ValueError: 1", "ValueError: 2")
        assert "which is not what failed" in pythons(second, second.__traceback__)

    def test_short_lived_code_is_not_taken_for_other_code(self, package: SimpleNamespace) -> None:
        # The next code object may get the address, and so the id, of the one before.
        for number in range(2000):
            error = raised(lambda number=number: exec(made(number), {}))  # noqa: S102
            text = text_of(package, error, error.__traceback__)
            assert f'"made-{number}.py"' in text
            del error

    def test_short_lived_code_is_not_kept_in_memory(self, package: SimpleNamespace) -> None:
        def fail(number: int) -> "weakref.ref[Any]":
            code = made(number)
            error = raised(lambda: exec(code, {}))  # noqa: S102
            text_of(package, error, error.__traceback__)
            return weakref.ref(code)

        codes = [fail(number) for number in range(1000)]
        gc.collect()
        assert sum(code() is not None for code in codes) <= 256

    def test_stack_of_a_thousand_frames_is_not_cached(self, package: SimpleNamespace) -> None:
        def frames(text: str) -> int:
            return text.count("  File ")

        error = raised(lambda: nested(500))
        before = len(package.values._remembered)  # noqa: SLF001 - what is kept shows nowhere else
        assert frames(text_of(package, error, error.__traceback__)) < 20
        assert len(package.values._remembered) == before  # noqa: SLF001

    def test_secret_in_a_cached_traceback_is_masked(self, package: SimpleNamespace) -> None:
        for secret in ("hunter2", "swordfish"):
            error = raised(lambda secret=secret: int(f"password={secret}"))
            info = type(error), error, error.__traceback__
            found = package.values.exception_fields(info, None, package.redaction.redact.text)
            assert "password=***" in found["stacktrace"]
            assert secret not in str(found)

    def test_false_exception_is_a_cause(self, package: SimpleNamespace) -> None:
        assert causes_of(package, raised(false)) == ["FalseError"]

    def test_exception_in_two_places_is_one_cause(self, package: SimpleNamespace) -> None:
        member = KeyError("a")
        member.__cause__ = OSError("b")
        error = ExceptionGroup("g", [member, member])
        error.__cause__ = member
        assert causes_of(package, error) == ["KeyError", "OSError"]

    def test_number_of_causes_is_bounded(self, package: SimpleNamespace) -> None:
        error = ExceptionGroup("g", [ValueError(number) for number in range(500)])
        assert len(causes_of(package, error)) == package.values.MAX_ITEMS


class TestSource:
    """The lines of source."""

    def test_source_without_a_file_is_shown_from_linecache(self, package: SimpleNamespace) -> None:
        name = f"<cell {os.getpid()}>"  # as notebooks do
        linecache.cache[name] = (6, None, ["1 / 0\n"], name)
        error = raised(lambda: exec(compile("1 / 0\n", name, "exec"), {}))  # noqa: S102
        for _ in range(2):
            assert "\n    1 / 0\n" in text_of(package, error, error.__traceback__)

    def test_source_is_shown_as_soon_as_it_is_readable(self, package: SimpleNamespace, tmp_path: Path) -> None:
        source = tmp_path / "late.py"
        code = compile("1 / 0\n", str(source), "exec")
        error = raised(lambda: exec(code, {}))  # noqa: S102
        assert "\n    1 / 0\n" not in text_of(package, error, error.__traceback__)
        source.write_text("1 / 0\n")
        assert "\n    1 / 0\n" in text_of(package, error, error.__traceback__)

    def test_line_without_an_instruction_is_shown(self, package: SimpleNamespace) -> None:
        frame, error = sys._getframe(), ValueError("compiled")  # noqa: SLF001
        for line in (2, 5, 9):  # as compilers to C make them
            stack = types.TracebackType(None, frame, -1, line)
            assert text_of(package, error, stack) == pythons(error, stack)
