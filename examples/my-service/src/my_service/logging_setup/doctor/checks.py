"""State of logging: settings and their origin, sinks, the tree of loggers, and faults in these.

Changes nothing, so it may also be called in a running application.
"""

import difflib
import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import Field
from typing import Any

from ..env import parsers as parse
from ..env.variables import MASK, AnySettings, variables
from ..records.redaction import redact

Values = list[tuple["Field[Any]", Any]]  # each setting with its value


def values_of(settings: AnySettings) -> Values:
    """Return every setting, those of the sinks included, with its value."""
    owners: tuple[Any, ...] = (settings, *settings.sinks.values())
    return [(each, getattr(owner, each.name)) for owner in owners for each in variables(owner)]


def settings_now(settings: AnySettings, usual: AnySettings, environ: Mapping[str, str]) -> list[dict[str, str]]:
    """Return each setting as the text of its variable, secrets masked, and its origin; `usual`: the defaults."""
    found = []
    for (each, value), (_, default) in zip(values_of(settings), values_of(usual), strict=True):
        about, is_level = each.metadata, each.metadata["parse"] in (parse.level, parse.levels) or each.name == "level"
        origin = "default"
        if environ.get(about["variable"], "").strip():
            origin = "environment"
        elif value != default:  # else: a password from its file
            origin = "LOG_LEVEL" if is_level else "another setting"
        text = _as_written(value, is_level=is_level)
        shown = (MASK if text else "") if about["secret"] else redact.text(text)
        found.append({"variable": about["variable"], "value": shown, "origin": origin})
    return found


def unknown_variables(environ: Mapping[str, str], known: Iterable[str]) -> Iterator[str]:
    """Yield a line for each LOG_* variable of `environ` that is not one of `known`."""
    known = list(known)
    for name in sorted(environ):
        if name.startswith("LOG_") and name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.8)
            yield f"{name} is not a setting" + (f": did you mean {near[0]}?" if near else "")


def sinks(settings: AnySettings) -> dict[str, int]:
    """Return the name of each sink that is on -> its level. Opens nothing."""
    return {name: sink.level for name, sink in settings.sinks.items() if sink.is_on}


def loggers() -> list[dict[str, Any]]:
    """Return the root logger and every named one, sorted by name."""
    return [
        {
            "name": name or "root",
            "level": logging.getLevelName(logger.level) if logger.level else "",
            "effective_level": logging.getLevelName(logger.getEffectiveLevel()),
            "propagate": logger.propagate,
            "disabled": logger.disabled,
            "handlers": [handler_text(handler) for handler in logger.handlers],
        }
        for name, logger in _all_loggers()
    ]


def faults(settings: AnySettings, own_loggers: Iterable[str], environ: Mapping[str, str]) -> Iterator[str]:
    """Yield a line for each cause of missing or duplicate records."""
    yield from unknown_variables(environ, [each.metadata["variable"] for each, _ in values_of(settings)])
    if logging.root.manager.disable > 0:
        level = logging.getLevelName(logging.root.manager.disable)
        yield f"logging.disable() was called: everything up to {level} is hidden"
    for name, logger in _all_loggers():
        if name:
            yield from (f"{name} {fault}" for fault in _faults_of(logger, settings))
    yield from _duplicates()
    for sink in settings.sinks.values():
        yield from sink.faults()
    yield from _overrides(settings, own_loggers, environ)


def _overrides(settings: AnySettings, own_loggers: Iterable[str], environ: Mapping[str, str]) -> Iterator[str]:
    """Yield a line for each level that hides records that another variable asks for."""
    named = logging.getLevelName
    asked = pairs = dict(parse.levels(environ.get("LOG_LEVELS", "")))
    if environ.get("LOG_LEVEL", "").strip():
        asked, general = {"root": settings.level, **pairs}, f"LOG_LEVEL={named(settings.level)}"
        single = {f"LOG_LEVELS={name}": (pairs[name], True) for name in own_loggers if name in pairs}
        for sink in settings.sinks.values():
            for each in variables(sink) if sink.is_on else ():
                if each.name == "level":
                    single[each.metadata["variable"]] = sink.level, "follows" in each.metadata
        for variable, (level, follows) in single.items():
            this = f"{variable}={named(level)}"
            if level > settings.level and follows:
                yield f"{this} hides what {general} would show"
            elif logging.NOTSET < level < min(asked.values()):
                yield f"{general} hides what {this} would show"
    lowest = min(sinks(settings).values(), default=logging.NOTSET)
    for name, wanted in asked.items():
        if wanted < lowest:
            yield f"{name} is set to {named(wanted)}, but no sink accepts less than {named(lowest)}"


def _faults_of(logger: logging.Logger, settings: AnySettings) -> Iterator[str]:
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
    for name, logger in _all_loggers():
        for handler in logger.handlers:
            if not isinstance(handler, logging.NullHandler):
                stream = getattr(handler, "stream", None)
                place = getattr(handler, "baseFilename", None) or id(stream or handler)
                places.setdefault(place, []).append(f"{name or 'root'} ({handler_text(handler)})")
    for users in places.values():
        if len(users) > 1:
            yield f"one place is written to twice, by {' and '.join(users)}"


def handler_text(handler: logging.Handler) -> str:
    """Describe a handler: its name or class, the place that it writes to, and its level."""
    place = getattr(handler, "baseFilename", None) or getattr(getattr(handler, "stream", None), "name", "")
    level = logging.getLevelName(handler.level) if handler.level else ""
    return " ".join(filter(None, map(str, (handler.name or type(handler).__name__, place, level))))


def _all_loggers() -> list[tuple[str, logging.Logger]]:
    named = logging.root.manager.loggerDict.copy()
    return [("", logging.root), *((n, each) for n, each in sorted(named.items()) if isinstance(each, logging.Logger))]


def _as_written(value: Any, *, is_level: bool) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        pairs = (f"{each[0]}={logging.getLevelName(each[1])}" if isinstance(each, tuple) else each for each in value)
        return ",".join(pairs)
    return str(logging.getLevelName(value) if is_level else value)
