"""The pytest fixture `logs`, which collects what a test logs. tests/conftest.py imports it; the application does not.

    def test_shortage_is_logged(logs: Logs) -> None:
        take_order(0)
        assert logs.messages("WARNING") == ["Nearly out of stock"]
        assert logs.records[-1].fields == {"order": 0, "left": 2}

Levels and masking are those of an empty environment.
"""

import contextlib
import logging
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from typing import Any, Final

import pytest

from .configure import use_settings
from .process.global_state import PACKAGE, all_loggers, attach, undo
from .process.session import ENDING, LoggingSession
from .records.record import PreparedRecord
from .records.redaction import redact
from .records.serialize import prepare
from .settings import Settings

_HOOKS: Final[list[tuple[Any, str]]] = [
    (sys, "excepthook"),
    (sys, "unraisablehook"),
    (threading, "excepthook"),
    (warnings, "showwarning"),
]


class Logs(LoggingSession):
    """Session of one test; setup_main_logging returns the same one. It ends with the test, whatever the test calls.

    `records` are those that sinks would get, masked: with `message`, `levelname`, `name`, `fields` (context and
    extras), `exception` (None, or its type, message and stacktrace).
    """

    def __init__(self) -> None:
        self.records: list[PreparedRecord] = []
        self.handler = logging.Handler()
        self.handler.emit = self._collect  # type: ignore[method-assign]
        super().__init__([self.handler])

    def messages(self, level: str = "NOTSET") -> list[str]:
        """Return the messages of the records at this level or above. Raises KeyError for an unknown level."""
        least = logging.getLevelNamesMapping()[level]
        return [record.message for record in self.records if record.levelno >= least]

    def flush(self, timeout: float = 5.0) -> bool:  # noqa: ARG002 - as with a listener
        """Return True: a record is in `records` when its log call returns."""
        return True

    def counts(self) -> dict[str, Any]:
        """See LoggingSession; there are no sinks."""
        return {"accepted": len(self.records), "dropped": 0, "handlers": {}}

    def stop(self, within: float = 0.0) -> None:
        """Do nothing: the fixture ends with the test."""

    def _stop(self, within: float) -> None:
        """Not called."""

    def _collect(self, record: logging.LogRecord) -> None:
        prepared = prepare(record)
        prepared.message = prepared.getMessage()
        self.records.append(prepared)


@pytest.fixture
def logs() -> Iterator[Logs]:
    """Set up logging with the default settings, without a queue, files or mails; restore everything after the test."""
    session, settings = Logs(), Settings()
    with _restored():
        attach([session.handler], keep=settings.reattach)
        vars(logging.root)[PACKAGE] = session
        use_settings(settings)
        yield session


@contextlib.contextmanager
def _restored() -> Iterator[None]:
    """Restore at the end what setup by this package or other code changes, and the setup from before the test."""
    with contextlib.ExitStack() as end:
        found = {each: (each.level, each.handlers.copy(), each.propagate, each.disabled) for each in all_loggers()}
        end.callback(_restore_loggers, found)
        for each in (undo, redact, logging, logging.root.manager):
            end.callback(vars(each).update, vars(each).copy())
        undo.pop_all()  # its callbacks belong to the setup from before the test
        for place, name in _HOOKS:
            end.callback(setattr, place, name, getattr(place, name))
        for number in ENDING if threading.current_thread() is threading.main_thread() else ():
            if (handler := signal.getsignal(number)) is not None:  # None: not installed from Python
                end.callback(signal.signal, number, handler)
        end.callback(vars(logging.root).update, {PACKAGE: vars(logging.root).get(PACKAGE)})
        end.callback(undo.close)
        yield


def _restore_loggers(found: dict[logging.Logger, Any]) -> None:
    for each in all_loggers():
        level, each.handlers, each.propagate, each.disabled = found.get(each, (logging.NOTSET, [], True, False))
        each.setLevel(level)
