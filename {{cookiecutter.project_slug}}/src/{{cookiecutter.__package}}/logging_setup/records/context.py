"""Fields that go with every record of a piece of work: `with log_context(request_id="42")`."""

import contextlib
import functools
import inspect
# {% if cookiecutter.multiprocessing %}
import os
# {% endif %}
from collections.abc import Callable, Mapping
from contextvars import ContextVar, Token
from types import MappingProxyType
from typing import Any, ParamSpec, TypeVar, cast

P = ParamSpec("P")
R = TypeVar("R")

_NOTHING: Mapping[str, object] = MappingProxyType({})
_context: ContextVar[Mapping[str, object]] = ContextVar("log_context", default=_NOTHING)

current_context = _context.get  # the fields now in force, as a mapping not to be changed
# {% if cookiecutter.multiprocessing %}
_process = os.getpid()  # that has set them


def drop_inherited_context() -> None:
    """Clear the context if it is from before a fork; a second call in a process does nothing."""
    global _process
    if _process != os.getpid():
        _process = os.getpid()
        _context.set(_NOTHING)
# {% endif %}


class log_context:  # noqa: N801 - read as the statement that it is, like contextlib.suppress
    """Add `fields` to every record made inside, in this thread or asyncio task.

        with log_context(request_id="42"): ...

        @log_context(job="nightly")
        async def clean_up() -> None: ...

    Nests: an inner field hides an outer one of its name. The fields are taken when the record
    is made, so they travel with it to other processes. A task begins with the context of the
    code that made it; a thread begins with none (contextvars.copy_context().run hands it on).
    """

    def __init__(self, **fields: object) -> None:
        self._fields = fields
        self._tokens: list[Token[Mapping[str, object]]] = []

    def __enter__(self) -> None:
        self._tokens.append(_context.set({**_context.get(), **self._fields}))

    def __exit__(self, *_: object) -> None:
        # ValueError: a generator with this inside was begun in one context and closed in another,
        # as web frameworks do. There is nothing to put back there, and logging raises nothing.
        with contextlib.suppress(ValueError):
            _context.reset(self._tokens.pop())

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """As a decorator: each call has these fields, in an `async def` until it has been awaited.

        TypeError for a generator: its body does not run in its call. Use `with` in there.
        """
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(f"log_context cannot decorate the generator {function.__qualname__}: use `with` inside it")
        fields = self._fields
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def run_async(*args: P.args, **kwargs: P.kwargs) -> Any:
                with log_context(**fields):
                    return await function(*args, **kwargs)

            return cast("Callable[P, R]", run_async)

        @functools.wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> R:
            with log_context(**fields):
                return function(*args, **kwargs)

        return run
