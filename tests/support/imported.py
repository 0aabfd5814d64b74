"""The logging package of a generated project, imported into the tests' process, to call its parts one by one.

Use projects with different slugs: an interpreter has one package of a name.
"""

import importlib
import logging
import sys
from types import ModuleType
from typing import Any

from tests.support.project import Project


class Imported:
    """The modules of one generated `logging_setup`; their reports are collected in `reported`."""

    def __init__(self, project: Project) -> None:
        self._package = f"{project.package}.logging_setup"
        source = str(project.path / "src")
        if source not in sys.path:
            sys.path.append(source)
        self.reported: list[str] = []
        self.handlers: list[logging.Handler] = []
        reports: Any = self.module("process.reports")
        reports._held.clear()  # noqa: SLF001 - as in a process that has just started
        reports._next.clear()  # noqa: SLF001
        reports.connect(self._reported)

    def module(self, name: str) -> ModuleType:
        return importlib.import_module(f"{self._package}.{name}")

    def use(self, handler: logging.Handler) -> logging.Handler:
        """Send reports to `handler` too, as an application does, and close it at the end of the test."""
        self.handlers.append(handler)
        return handler

    def hand_over(self, handler: logging.Handler, records: list[logging.LogRecord]) -> None:
        """Pass these records to `handler` as one batch, as the listener does."""
        self.module("sinks.dispatcher").GuardedHandler(handler).handle(*records)

    def close(self) -> None:
        for handler in self.handlers:
            handler.close()
        self.module("process.reports").connect(None)

    def _reported(self, record: logging.LogRecord) -> bool:
        self.reported.append(record.getMessage())
        for handler in self.handlers:
            if record.levelno >= handler.level:
                handler.handle(record)
        return True


def record(text: str, created: float | None = None, level: int = logging.INFO) -> logging.LogRecord:
    """Make a record of that time, as a listener passes it to a handler."""
    made = logging.LogRecord("test", level, __file__, 1, text, None, None, "test")
    if created is not None:
        made.created = created
    return made
