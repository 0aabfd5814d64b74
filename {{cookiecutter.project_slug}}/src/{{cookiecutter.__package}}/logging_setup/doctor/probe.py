"""Sends a test record through every sink, each in a thread of its own, and tells what became of it."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..get_handlers import get_handlers
from ..process import reports
from ..records.redaction import redact
from ..records.serialize import flatten, restore
from ..settings import Settings

TEXT = f"This is a test, by python -m {__package__} --probe"


@dataclass
class Verdict:
    """What became of the test record, in whose words: `reached`, `refused`, `timed out`, `failed`, `not tried`."""

    sink: str
    verdict: str
    words: str = ""

    @property
    def good(self) -> bool:
        return self.verdict == "reached"


def probe(settings: Settings, timeout: float) -> list[Verdict]:
    """Try every sink at once; blocks for `timeout` seconds at most."""
    said: dict[str | None, list[str]] = {}

    def hear(report: logging.LogRecord) -> bool:
        if report.levelno >= logging.WARNING:
            said.setdefault(report.threadName, []).append(report.getMessage())
        return True

    reports.connect(hear)
    handlers = [handler for handler in get_handlers(settings) if getattr(handler, "delivers", True)]
    verdicts = {}
    threads = []
    deadline = time.monotonic() + timeout
    for handler in handlers:
        name = handler.name or type(handler).__name__
        verdicts[name] = Verdict(name, "timed out", f"no answer within {timeout:g} s")
        thread = threading.Thread(target=_try, args=(handler, verdicts[name]), name=f"probe-{name}", daemon=True)
        thread.start()
        threads.append(thread)
    for handler, thread, verdict in zip(handlers, threads, verdicts.values(), strict=True):
        thread.join(max(0.0, deadline - time.monotonic()))
        words = said.get(thread.name)
        if words and verdict.good:
            verdict.verdict, verdict.words = "failed", "; ".join(words)
        if not thread.is_alive() or hasattr(handler, "deliver"):  # whose own thread has nothing to do
            handler.close()
    reports.connect(None)
    return list(verdicts.values())


def _try(handler: logging.Handler, verdict: Verdict) -> None:
    plain = logging.LogRecord(__package__ or __name__, logging.INFO, __file__, 0, TEXT, (), None, "probe")
    record = restore(flatten(plain))
    try:
        if not handler.filter(record):
            verdict.verdict, verdict.words = "not tried", "its own filter does not let the test record through"
            return
        words = _send(handler, record)
    except TimeoutError as error:
        verdict.verdict, verdict.words = "timed out", redact.text(str(error))
    except Exception as error:  # noqa: BLE001 - any library's, for any reason
        # By its name, for the module of RefusedError is there only for sinks that may refuse.
        refused = isinstance(error, ConnectionRefusedError) or type(error).__name__ == "RefusedError"
        verdict.verdict = "refused" if refused else "failed"
        verdict.words = redact.text(str(error) or type(error).__name__)
    else:
        verdict.verdict, verdict.words = "reached", words


def _send(handler: Any, record: logging.LogRecord) -> str:
    """Have `handler` write `record` now, and raise what is in the way; returns what is to be said of it."""
    probe: Callable[[logging.LogRecord], str] | None = getattr(handler, "probe", None)
    if probe:
        return probe(record)
    if hasattr(handler, "deliver"):  # a BackgroundHandler: at once, past its backlog and its patience
        handler.deliver([handler.payload(record)])
        return ""

    def failed(_record: logging.LogRecord) -> None:
        raise  # the error that is being handled: this is called for it

    handler.handleError = failed
    handler.handle(record)
    return ""
