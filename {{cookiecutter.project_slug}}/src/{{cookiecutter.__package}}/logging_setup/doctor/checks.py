"""What there is to know of how logging is set up: settings and their origin, the logger tree, its faults.

Nothing here changes anything, so it may also be asked from within a running application.
"""

import difflib
import logging
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from ..env import parsers as parse
from ..get_handlers import OWN_HANDLERS
from ..records.redaction import MASK, redact
from ..settings import OWN_LOGGERS, Settings, setting_fields

_HERE: Final = ("localhost", "127.0.0.1", "::1")


def settings_now(settings: Settings, environ: Mapping[str, str]) -> list[dict[str, str]]:
    """Each setting as it would stand in the environment, secrets masked, and where it is from."""
    found, usual = [], Settings()
    for each in setting_fields():
        about, value, is_level = each.metadata, getattr(settings, each.name), each.name.endswith("level")
        origin = "default"
        if environ.get(about["variable"], "").strip():
            origin = "environment"
        elif value != getattr(usual, each.name):  # else: a password from its file
            origin = "LOG_LEVEL" if "level" in each.name else "another setting"
        text = _as_written(value, is_level=is_level)
        shown = (MASK if text else "") if about["secret"] else redact.text(text)
        found.append({"variable": about["variable"], "value": shown, "origin": origin})
    return found


def unknown_variables(environ: Mapping[str, str]) -> Iterator[str]:
    """A line for each LOG_* variable that nothing reads."""
    known = [each.metadata["variable"] for each in setting_fields()]
    for name in sorted(environ):
        if name.startswith("LOG_") and name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.8)
            yield f"{name} is not a setting" + (f": did you mean {near[0]}?" if near else "")


def sinks(settings: Settings) -> dict[str, int]:
    """Sink -> its level, for each sink that the settings turn on, and for handlers of your own. Opens nothing."""
    values = vars(settings)
    levels = {name.removesuffix("_level"): level for name, level in values.items() if name.endswith("_level")}
    # A sink that is somewhere else is off until it is told where.
    places = {name: values.get(f"{name}_host", values.get(f"{name}_url", "here")) for name in levels}
    own = dict.fromkeys((name.partition(":")[0] for name in OWN_HANDLERS), logging.NOTSET)  # theirs is not known here
    return {name: level for name, level in levels.items() if places[name]} | own


def loggers() -> list[dict[str, Any]]:
    """The root logger and every named one, in order of their names."""
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


def faults(settings: Settings, environ: Mapping[str, str]) -> list[str]:
    """What is wrong, a line each: why records would be missing, or there twice."""
    found = [*unknown_variables(environ)]
    if logging.root.manager.disable > 0:
        level = logging.getLevelName(logging.root.manager.disable)
        found.append(f"logging.disable() was called: everything up to {level} is hidden")
    for name, logger in _all_loggers():
        if name:
            found += [f"{name} {fault}" for fault in _faults_of(logger, settings)]
    found += _twice()
    values = vars(settings)
    url = urlsplit(values.get("collector_url", ""))
    if url.scheme == "http" and values.get("collector_token") and url.hostname not in _HERE:
        found.append(f"LOG_COLLECTOR_TOKEN goes to {url.hostname} for everybody to read: must be https")
    return [*found, *_overrides(settings, environ)]


def _overrides(settings: Settings, environ: Mapping[str, str]) -> Iterator[str]:
    """Yield a line for each level that hides what another variable asks for."""
    on, named = sinks(settings), logging.getLevelName
    asked = pairs = dict(parse.levels(environ.get("LOG_LEVELS", "")))
    if environ.get("LOG_LEVEL", "").strip():
        asked, general = {"root": settings.level, **pairs}, f"LOG_LEVEL={named(settings.level)}"
        single = {f"LOG_LEVELS={name}": pairs[name] for name in OWN_LOGGERS if name in pairs}
        single |= {f"LOG_{sink.upper()}_LEVEL": level for sink, level in on.items()}
        for variable, level in single.items():
            this = f"{variable}={named(level)}"
            if level > settings.level and variable != "LOG_EMAIL_LEVEL":
                yield f"{this} hides what {general} would show"
            elif logging.NOTSET < level < min(asked.values()):
                yield f"{general} hides what {this} would show"
    lowest = min(on.values(), default=logging.NOTSET)
    for name, wanted in asked.items():
        if wanted < lowest:
            yield f"{name} is asked for {named(wanted)}, but no sink takes less than {named(lowest)}"


def _faults_of(logger: logging.Logger, settings: Settings) -> Iterator[str]:
    own = ", ".join(handler_text(each) for each in logger.handlers if not isinstance(each, logging.NullHandler))
    cure = f'adopt_loggers("{logger.name}") makes it give way'
    if own and logger.propagate:
        yield f"has a handler of its own, {own}: its lines appear twice; {cure}"
    elif own:
        yield f"has a handler of its own, {own}, and does not propagate: its lines are not in the log; {cure}"
    elif not logger.propagate:
        yield f"does not propagate: its lines are not in the log; {cure}"
    if logger.disabled:
        yield "is disabled (by a logging.config without disable_existing_loggers=False): its lines are nowhere"
    if logger.level > settings.level and logger.name not in dict(settings.levels):
        was, level = logging.getLevelName(logger.level), logging.getLevelName(settings.level)
        cure = f"LOG_LEVELS={logger.name}={level} undoes that"
        yield f"is at {was}, by code, and hides what LOG_LEVEL={level} would show; {cure}"


def _twice() -> Iterator[str]:
    """A line for each place that is written to by handlers on more than one logger, or twice on one."""
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
    """A handler in a few words: its name or class, where it writes to, and its level."""
    place = getattr(handler, "baseFilename", None) or getattr(getattr(handler, "stream", None), "name", "")
    level = logging.getLevelName(handler.level) if handler.level else ""
    return " ".join(filter(None, map(str, (handler.name or type(handler).__name__, place, level))))


def _all_loggers() -> list[tuple[str, logging.Logger]]:
    named = logging.root.manager.loggerDict.copy()
    return [("", logging.root), *((n, each) for n, each in sorted(named.items()) if isinstance(each, logging.Logger))]


def _as_written(value: Any, *, is_level: bool = False) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        pairs = (f"{each[0]}={logging.getLevelName(each[1])}" if isinstance(each, tuple) else each for each in value)
        return ",".join(pairs)
    return str(logging.getLevelName(value) if is_level else value)
