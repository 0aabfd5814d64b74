"""Fields of every record of a piece of work: `with log_context(request_id="42")`."""

import contextlib
import functools
import os
from collections.abc import Callable, Mapping
from contextvars import ContextVar, Token
from typing import Any, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])

constant_fields: dict[str, object] = {}  # of LOG_FIELDS, in every context
_context: ContextVar[Mapping[str, object]] = ContextVar("log_context", default=constant_fields)

current_context = _context.get  # returns the fields in force; the mapping must not be changed
_process = os.getpid()  # of which the context is


def drop_inherited_context() -> None:
    """Clear the context if this process has inherited it by a fork; a second call does nothing."""
    global _process
    if _process != os.getpid():
        _process = os.getpid()
        _context.set(constant_fields)


class log_context:  # noqa: N801 - read as the statement that it is, like contextlib.suppress
    """Context manager and decorator that adds `fields` to every record made inside, in this thread or asyncio task.

        with log_context(request_id="42"): ...

        @log_context(job="nightly")
        async def clean_up() -> None: ...

    An inner field overrides an outer one of its name. The fields are added when the record is made, and are sent with
    it to other processes. A task starts with the context of the code that created it; a thread starts with none, unless
    it is started by contextvars.copy_context().run.
    """

    def __init__(self, **fields: object) -> None:
        self._fields = fields
        self._tokens: list[Token[Mapping[str, object]]] = []

    def __enter__(self) -> None:
        self._tokens.append(_context.set({**_context.get(), **self._fields}))

    def __exit__(self, *_: object) -> None:
        # ValueError: a generator with this inside was started in one context and closed in another, as web frameworks
        # do. There is nothing to restore then, and logging raises nothing.
        with contextlib.suppress(ValueError):
            _context.reset(self._tokens.pop())

    def __call__(self, function: F) -> F:
        """Decorate `function` so that each call has these fields; an `async def` until it has been awaited.

        Raises TypeError for a generator, which must use `with` instead: its body does not run during its call.
        """
        import inspect  # here: takes long to import, and few modules decorate

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
