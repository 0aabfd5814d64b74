"""Send a test record through every sink, each in a thread of its own, and return the results."""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ..process import reports
from ..records.redaction import redact
from ..records.serialize import prepare

TEXT = f"This is a test, by python -m {(__package__ or '').rpartition('.')[0]} --probe"


@dataclass
class Verdict:
    """Result of the test record: `reached`, `refused`, `timed out`, `failed` or `not tried`, and the cause."""

    sink: str
    verdict: str
    words: str = ""

    @property
    def good(self) -> bool:
        return self.verdict == "reached"


def probe(handlers: Iterable[logging.Handler], timeout: float) -> list[Verdict]:
    """Try all handlers at the same time, and close them; blocks up to `timeout` seconds."""
    heard: dict[str | None, list[str]] = {}

    def hear(report: logging.LogRecord) -> bool:
        if report.levelno >= logging.WARNING:
            heard.setdefault(report.threadName, []).append(report.getMessage())
        return True

    reports.connect(hear)
    tries = []
    deadline = time.monotonic() + timeout
    for handler in handlers:
        if getattr(handler, "delivers", True):
            verdict = Verdict(handler.name or type(handler).__name__, "timed out", f"no answer within {timeout:g} s")
            thread = threading.Thread(
                target=try_handler, args=(handler, verdict), name=f"probe-{verdict.sink}", daemon=True
            )
            thread.start()
            tries.append((handler, thread, verdict))
    for handler, thread, verdict in tries:
        thread.join(max(0.0, deadline - time.monotonic()))
        words = heard.get(thread.name)
        if words and verdict.good:
            verdict.verdict, verdict.words = "failed", "; ".join(words)
        if not thread.is_alive() or hasattr(handler, "deliver"):  # the thread of the latter is idle
            handler.close()
    reports.connect(None)
    return [verdict for _, _, verdict in tries]


def try_handler(handler: logging.Handler, verdict: Verdict) -> None:
    """Send the test record to `handler` and write the result into `verdict`. Raises nothing."""
    plain = logging.LogRecord(__package__ or __name__, logging.INFO, __file__, 0, TEXT, (), None, "probe")
    record = prepare(plain)
    try:
        if not handler.filter(record):
            verdict.verdict, verdict.words = "not tried", "its own filter rejects the test record"
            return
        words = _send(handler, record)
    except TimeoutError as error:
        verdict.verdict, verdict.words = "timed out", redact.text(str(error))
    except Exception as error:  # noqa: BLE001 - of any library, for any reason
        # By its name: the module of RefusedError exists only for sinks that may refuse.
        refused = isinstance(error, ConnectionRefusedError) or type(error).__name__ == "RefusedError"
        verdict.verdict = "refused" if refused else "failed"
        verdict.words = redact.text(str(error) or type(error).__name__)
    else:
        verdict.verdict, verdict.words = "reached", words


def _send(handler: Any, record: logging.LogRecord) -> str:
    """Write `record` now, and raise what prevents it; return a remark for the report."""
    probe: Callable[[logging.LogRecord], str] | None = getattr(handler, "probe", None)
    if probe:
        return probe(record)
    if hasattr(handler, "deliver"):  # a BackgroundHandler: at once, without backlog and retries
        handler.deliver([handler.payload(record)])
        return ""

    def failed(_record: logging.LogRecord) -> None:
        raise  # the error that is being handled

    handler.handleError = failed
    handler.handle(record)
    return ""
