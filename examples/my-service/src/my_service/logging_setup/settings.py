"""Settings that every project has, and those of the sinks in get_handlers.py, read from LOG_* variables.

To add a variable, add a field to Settings: setting("LOG_NAME", parser, "default", "meaning"). The parser is any
function that converts text and raises ValueError with the expected form; `parse.` has level, one_of, checked and more.
A test requires the same default and meaning in .env.example and in the table of README.md.
"""

import logging
import os
from collections.abc import Mapping
from typing import Any, Final, Self

from .env import parsers as parse
from .env.variables import BaseSettings, Sink, level_setting, read, setting, variables
from .get_handlers import sink_classes
from .records.format_strings import time_format
from .records.redaction import Redactor

PACKAGE: Final = (__package__ or "").rpartition(".")[0]  # the application's own package
OWN_LOGGERS: Final = (PACKAGE, "__main__", "__mp_main__") if PACKAGE else ()  # DEBUG, unless LOG_LEVEL is set


class Settings(BaseSettings):
    """All settings of logging. Read by `from_environ`; may also be created directly.

    The settings of a sink may be given as a dict: Settings(sinks={"console": {"level": 30}}).
    """

    level: int = level_setting(
        "LOG_LEVEL", logging.INFO, "level of loggers and sinks; empty: INFO, and DEBUG for the application's package"
    )
    levels: tuple[tuple[str, int], ...] = setting(
        "LOG_LEVELS", parse.levels, "", "levels of individual loggers, instead of LOG_LEVEL: name=LEVEL,name=LEVEL"
    )
    date_format: str = setting(
        "LOG_DATE_FORMAT",
        time_format,
        "",
        "asctime in format strings, as in time.strftime; empty: 2026-01-31 23:59:59,123",
    )
    level_control: bool = setting(
        "LOG_LEVEL_CONTROL", parse.switch, "on", "follow the command that changes levels at run time: on or off"
    )
    reattach: bool = setting(
        "LOG_REATTACH",
        parse.switch,
        "on",
        "attach the handlers again when other code detaches them from the root logger: on or off",
    )
    redact: bool = setting("LOG_REDACT", parse.switch, "on", "mask secrets: on or off")
    redact_keys: tuple[str, ...] = setting(
        "LOG_REDACT_KEYS", parse.keys, "", "additional words that make a key secret, comma-separated"
    )
    repeat: str = setting(
        "LOG_REPEAT", parse.rate, "", "limit of records per line of code and time, for example 10/60s; empty: no limit"
    )
    fields: tuple[tuple[str, str], ...] = setting(
        "LOG_FIELDS", parse.fields, "", "constant fields of every record: name=value,name=value"
    )
    listener: str = setting(
        "LOG_LISTENER", parse.one_of("process", "thread"), "process", "where the listener runs: process or thread"
    )
    queue_timeout: float = setting(
        "LOG_QUEUE_TIMEOUT", parse.seconds(0, 60), "1", "seconds that a log call waits while the queue is full"
    )

    def __init__(self, sinks: Mapping[str, Any] | None = None, **values: Any) -> None:
        """Take the given values; add sinks and levels that are not given. Raises TypeError for an unknown name."""
        super().__init__(**values)
        is_set = "level" in values
        levels = dict.fromkeys(OWN_LOGGERS, self.level if is_set else logging.DEBUG) | dict(self.levels)
        made: dict[str, Sink] = {}
        classes = sink_classes()
        if unknown := (sinks or {}).keys() - classes.keys():
            raise TypeError(f"{type(self).__name__} has no sink {', '.join(sorted(unknown))}")
        for name, sink in classes.items():
            given: Any = (sinks or {}).get(name, {})
            if not isinstance(given, sink):  # a dict: from a test, or from JSON
                follow = [field for field, each in variables(sink).items() if each.unset is not None]
                given = sink(**dict.fromkeys(follow if is_set else (), self.level) | given)
            made[name] = given
        vars(self).update(levels=tuple(levels.items()), sinks=made)

    @property
    def fault_file(self) -> str:
        """Path of the file for stacks of fatal signals, next to the log file; "": stderr (if that file is a device)."""
        path = getattr(self.sinks.get("file"), "path", os.devnull)
        return "" if path == os.devnull or path.rpartition("/")[0] == "/dev" else f"{path}.fault"

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Read the environment. Raises ValueError, with a line for each invalid variable that says what is expected."""
        environ = os.environ if environ is None else environ
        redact = Redactor().text
        values, problems = read(cls, environ, redact)
        values["sinks"] = {}
        for name, sink in sink_classes().items():
            values["sinks"][name], invalid = read(sink, environ, redact)
            problems += [*invalid, *sink.problems(values["sinks"][name])]
        if problems:
            raise ValueError("logging: invalid settings, not started:" + "".join(f"\n  - {each}" for each in problems))
        return cls(**values)
