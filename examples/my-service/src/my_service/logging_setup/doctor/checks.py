"""State of logging: settings and their origin, the tree of loggers, and faults in both.

Changes nothing, so it may also be called in a running application.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..env import parsers as parse
from ..env.variables import MASK, BaseSettings, variables
from ..process.global_state import all_loggers
from ..records.redaction import redact


def settings_now(settings: BaseSettings, environ: Mapping[str, str]) -> list[dict[str, str]]:
    """Return each setting as the text of its variable, secrets masked, with its origin."""
    found = []
    for (each, value), (_, default) in zip(settings.variables(), type(settings)().variables(), strict=True):
        is_level = each.parser in (parse.level, parse.levels)
        if environ.get(each.variable, "").strip():
            origin = "environment"
        elif value == default:
            origin = "default"
        else:  # another setting: that of a file with a password
            origin = "LOG_LEVEL" if is_level else "another setting"
        text = _as_written(value, is_level=is_level)
        shown = (MASK if text else "") if each.secret else redact.text(text)
        found.append({"variable": each.variable, "value": shown, "origin": origin})
    return found


def loggers() -> list[dict[str, Any]]:
    """Return the root logger and every named one, sorted by name."""
    return [
        {
            "name": logger.name,
            "level": logging.getLevelName(logger.level) if logger.level else "",
            "effective_level": logging.getLevelName(logger.getEffectiveLevel()),
            "propagate": logger.propagate,
            "disabled": logger.disabled,
            "handlers": [handler_text(handler) for handler in logger.handlers],
        }
        for logger in all_loggers()
    ]


def faults(settings: BaseSettings, own_loggers: Iterable[str], environ: Mapping[str, str]) -> Iterator[str]:
    """Yield a line for each cause of missing or duplicate records."""
    yield from settings.unknown_variables(environ)
    if logging.root.manager.disable > 0:
        level = logging.getLevelName(logging.root.manager.disable)
        yield f"logging.disable() was called: everything up to {level} is hidden"
    for logger in all_loggers()[1:]:
        yield from (f"{logger.name} {fault}" for fault in _faults_of(logger, settings))
    yield from _duplicates()
    yield from _overrides(settings, own_loggers, environ)


def _overrides(settings: BaseSettings, own_loggers: Iterable[str], environ: Mapping[str, str]) -> Iterator[str]:
    """Yield a line for each level that hides records that another variable asks for."""
    named = logging.getLevelName
    asked = dict(parse.levels(environ.get("LOG_LEVELS", "")))
    on = [sink for sink in settings.sinks.values() if sink.is_on]
    if environ.get("LOG_LEVEL", "").strip():
        general = f"LOG_LEVEL={named(settings.level)}"
        single = [(f"LOG_LEVELS={name}", asked[name], True) for name in own_loggers if name in asked]
        levels = [(sink.level, variables(sink)["level"]) for sink in on]
        single += [(each.variable, level, each.unset is not None) for level, each in levels]
        asked = {"root": settings.level} | asked
        for variable, level, follows in single:
            if level > settings.level and follows:
                yield f"{variable}={named(level)} hides what {general} would show"
            elif logging.NOTSET < level < min(asked.values()):
                yield f"{general} hides what {variable}={named(level)} would show"
    lowest = min((sink.level for sink in on), default=logging.NOTSET)
    for name, wanted in asked.items():
        if wanted < lowest:
            yield f"{name} is set to {named(wanted)}, but no sink accepts less than {named(lowest)}"


def _faults_of(logger: logging.Logger, settings: BaseSettings) -> Iterator[str]:
    own = ", ".join(handler_text(each) for each in logger.handlers if not isinstance(each, logging.NullHandler))
    fix = f'fix: adopt_loggers("{logger.name}")'
    if own and logger.propagate:
        yield f"has a handler of its own, {own}: its lines appear twice; {fix}"
    elif own:
        yield f"has a handler of its own, {own}, and does not propagate: its lines are not in the log; {fix}"
    elif not logger.propagate:
        yield f"does not propagate: its lines are not in the log; {fix}"
    if logger.disabled:
        yield "is disabled (by a logging.config without disable_existing_loggers=False): its lines are lost"
    if logger.level > settings.level and logger.name not in dict(settings.levels):
        found, level = logging.getLevelName(logger.level), logging.getLevelName(settings.level)
        fix = f"fix: LOG_LEVELS={logger.name}={level}"
        yield f"is at {found}, set by code, and hides what LOG_LEVEL={level} would show; {fix}"


def _duplicates() -> Iterator[str]:
    """Yield a line for each file or stream that several handlers write to."""
    places: dict[object, list[str]] = {}
    for logger in all_loggers():
        for handler in logger.handlers:
            if not isinstance(handler, logging.NullHandler):
                stream = getattr(handler, "stream", None)
                place = getattr(handler, "baseFilename", None) or id(stream or handler)
                places.setdefault(place, []).append(f"{logger.name} ({handler_text(handler)})")
    for users in places.values():
        if len(users) > 1:
            yield f"lines are written twice: {' and '.join(users)} write to the same place"


def handler_text(handler: logging.Handler) -> str:
    """Describe a handler: its name or class, where it writes to, and its level."""
    place = getattr(handler, "baseFilename", None) or getattr(getattr(handler, "stream", None), "name", "")
    level = logging.getLevelName(handler.level) if handler.level else ""
    return " ".join(filter(None, map(str, (handler.name or type(handler).__name__, place, level))))


def _as_written(value: Any, *, is_level: bool) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        pairs = ((name, logging.getLevelName(text) if is_level else text) for name, text in value)
        return ",".join(map("=".join, pairs) if value and isinstance(value[0], tuple) else value)
    return str(logging.getLevelName(value) if is_level else value)
