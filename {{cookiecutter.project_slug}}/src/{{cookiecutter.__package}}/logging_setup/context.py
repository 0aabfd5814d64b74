"""Fields that go with every record of a piece of work: `with log_context(request_id="42")`."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType

_NOTHING: Mapping[str, object] = MappingProxyType({})
_context: ContextVar[Mapping[str, object]] = ContextVar("log_context", default=_NOTHING)

current_context = _context.get  # the fields now in force, as a mapping not to be changed


@contextmanager
def log_context(**fields: object) -> Iterator[None]:
    """Add `fields` to every record made inside, in this thread or asyncio task.

    Nests: an inner field hides an outer one of its name. Also serves as a decorator. The
    fields are taken when the record is made, so they travel with it to other processes.
    """
    token = _context.set({**_context.get(), **fields})
    try:
        yield
    finally:
        _context.reset(token)
