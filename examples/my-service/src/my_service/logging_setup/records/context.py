"""The context of a record: `with log_context(request_id="42")`, and the OpenTelemetry span, if there is one."""

import contextlib
import functools
import os
import sys
from collections.abc import Callable, Mapping
from contextvars import ContextVar, Token
from typing import Any, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])

constant_fields: dict[str, object] = {}  # of LOG_FIELDS, in every context
_context: ContextVar[Mapping[str, object]] = ContextVar("log_context", default=constant_fields)

current_context = _context.get  # returns the fields in force; the mapping must not be changed
_process = os.getpid()  # pid of the process that the context belongs to


def drop_inherited_context() -> None:
    """Clear the context if this process has inherited it through a fork; a second call does nothing."""
    global _process
    if _process != os.getpid():
        _process = os.getpid()
        _context.set(constant_fields)


class log_context:  # noqa: N801 - read as the statement that it is, like contextlib.suppress
    """Context manager and decorator that adds `fields` to every record made inside, in this thread or asyncio task.

        with log_context(request_id="42"): ...

        @log_context(job="nightly")
        async def clean_up() -> None: ...

    An inner field overrides an outer one of the same name. Fields are added when the record is made, and are sent with
    it to other processes. A task starts with the context of the code that created it; a thread starts with none, unless
    its target is contextvars.copy_context().run.
    """

    def __init__(self, **fields: object) -> None:
        self._fields = fields
        self._tokens: list[Token[Mapping[str, object]]] = []

    def __enter__(self) -> None:
        self._tokens.append(_context.set({**_context.get(), **self._fields}))

    def __exit__(self, *_: object) -> None:
        # ValueError: a generator that uses this was started in one context and closed in another, as in web frameworks.
        # There is nothing to restore then, and logging raises nothing.
        with contextlib.suppress(ValueError):
            _context.reset(self._tokens.pop())

    def __call__(self, function: F) -> F:
        """Decorate `function` so that each call has these fields; for an `async def`, until it has been awaited.

        Raises TypeError for a generator, which must use `with` instead: its body does not run during its call.
        """
        import inspect  # here: takes long to import, and few modules use the decorator

        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(f"log_context cannot decorate the generator {function.__qualname__}: use `with` inside it")

        @functools.wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:
            with log_context(**self._fields):
                return function(*args, **kwargs)

        @functools.wraps(function)
        async def run_async(*args: Any, **kwargs: Any) -> Any:
            with log_context(**self._fields):
                return await function(*args, **kwargs)

        return cast("F", run_async if inspect.iscoroutinefunction(function) else run)


def active_span() -> bytes:
    """Return trace id (16 bytes), span id (8) and flags (1) of the caller's span, or b"" without one.

    Imports nothing: without OpenTelemetry in the application there is no span. Never raises.
    """
    if not (library := sys.modules.get("opentelemetry.trace")):
        return b""
    try:
        span = library.get_current_span().get_span_context()
        number: int = span.trace_id << 72 | span.span_id << 8 | span.trace_flags
        return number.to_bytes(25) if span.trace_id else b""
    except Exception:  # noqa: BLE001 - the library is being imported, or the span's class is the application's
        return b""


@functools.lru_cache(1024)
def span_fields(span: bytes) -> dict[str, str]:
    """Return the fields of a span from `active_span`, with OpenTelemetry's names: hexadecimal, lower case."""
    return {"trace_id": span[:16].hex(), "span_id": span[16:24].hex(), "trace_flags": span[24:].hex()}
