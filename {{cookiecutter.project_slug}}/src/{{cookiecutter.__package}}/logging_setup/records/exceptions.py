"""An exception made into plain values, its secrets masked: what a record keeps of it."""

from types import TracebackType
from typing import Any, Final

from .redaction import redact
from .tracebacks import format_exception
from .values import safe_str

_MOST_CAUSES: Final = 200


def exception_fields(
    info: tuple[type[BaseException], BaseException, TracebackType | None] | None, text: str | None
) -> dict[str, Any] | None:
    """Type, message, stacktrace, notes and causes, of `exc_info` or else of a traceback's text; never raises."""
    if not isinstance(info, tuple) or len(info) != 3 or not isinstance(info[1], BaseException):
        return {"type": "", "message": "", "stacktrace": redact.text(str(text))} if text else None
    error = info[1]
    message = redact.text(safe_str(error))
    found: dict[str, Any] = {"type": _type_name(error), "message": message, "notes": [], "causes": []}
    try:
        text = format_exception(error, info[2])
        notes = getattr(error, "__notes__", None)
        found["notes"] = [redact.text(safe_str(note)) for note in notes] if isinstance(notes, list) else []
        found["causes"] = _causes(error)
    except Exception as failure:  # noqa: BLE001 - an exception's own class may be what fails
        text = f"{found['type']}: {message} [not in full: {type(failure).__name__}]"
    found["stacktrace"] = redact.text(text.rstrip("\n"))
    return found


def _causes(error: BaseException) -> list[dict[str, str]]:
    """The exceptions that led to `error`, nearest first; those of a group after its causes."""
    causes: list[dict[str, str]] = []
    seen = {id(error)}
    waiting = [error]
    while waiting and len(causes) < _MOST_CAUSES:
        current = waiting.pop(0)
        cause = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
        members = current.exceptions if isinstance(current, BaseExceptionGroup) else ()
        for found in (cause, *members):
            if found is not None and id(found) not in seen:
                seen.add(id(found))
                waiting.append(found)
                causes.append({"type": _type_name(found), "message": redact.text(safe_str(found))})
    return causes


def _type_name(error: BaseException) -> str:
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
