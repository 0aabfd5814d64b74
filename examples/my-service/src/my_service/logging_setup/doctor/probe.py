"""The probe: send a test record through every sink, and report which of them accept it."""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, Final

from ..process import reports
from ..records.redaction import redact
from ..records.serialize import prepare

_TEXT: Final = f"This is a test record, sent by python -m {(__package__ or '').rpartition('.')[0]} --probe"


def probe(handlers: Iterable[logging.Handler], timeout: float) -> list[dict[str, str]]:
    """Try all handlers concurrently, then close them. Blocks up to `timeout` seconds.

    Returns for each handler its name as `sink`, the `verdict` (`reached`, `refused`, `timed out`, `failed` or
    `not tried`), and the cause in `words`.
    """
    heard: dict[str | None, str] = {}  # name of a thread -> the first failure reported in it
    verdicts: dict[logging.Handler, tuple[str, str]] = {}

    def hear(report: logging.LogRecord) -> bool:
        if report.levelno >= logging.WARNING:
            heard.setdefault(report.threadName, report.getMessage())
        return True

    def run(handler: logging.Handler) -> None:
        verdicts[handler] = try_handler(handler)

    reports.connect(hear)
    tried = [each for each in handlers if getattr(each, "delivers", True)]
    threads = [threading.Thread(target=run, args=(each,), name=f"probe-{each.name}", daemon=True) for each in tried]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + timeout
    results = []
    for handler, thread in zip(tried, threads, strict=True):
        thread.join(max(0.0, deadline - time.monotonic()))
        verdict, words = verdicts.get(handler, ("timed out", f"no answer within {timeout:g} s"))
        if verdict == "reached" and thread.name in heard:
            verdict, words = "failed", heard[thread.name]
        results.append({"sink": str(handler.name), "verdict": verdict, "words": words})
        if not thread.is_alive() or hasattr(handler, "deliver"):  # a BackgroundHandler's own thread is idle
            handler.close()
    reports.connect(None)
    return results


def try_handler(handler: logging.Handler) -> tuple[str, str]:
    """Send the test record to `handler`; return the verdict, and the cause or a remark. Raises nothing."""
    record = prepare(logging.LogRecord(__package__ or __name__, logging.INFO, __file__, 0, _TEXT, (), None, "probe"))
    try:
        if not handler.filter(record):
            return "not tried", "its own filter rejects the test record"
        return "reached", _send(handler, record)
    except Exception as error:  # noqa: BLE001 - any library may raise anything
        verdict = "failed"
        if isinstance(error, TimeoutError):
            verdict = "timed out"
        # Compared by name: the module of RefusedError exists only if a sink may be refused.
        elif isinstance(error, ConnectionRefusedError) or type(error).__name__ == "RefusedError":
            verdict = "refused"
        return verdict, redact.text(str(error) or type(error).__name__)


def _send(handler: Any, record: logging.LogRecord) -> str:
    """Write `record` at once, and return a remark for the report. Raises what prevents it."""
    probe: Callable[[logging.LogRecord], str] | None = getattr(handler, "probe", None)
    if probe:
        return probe(record)
    if hasattr(handler, "deliver"):  # a BackgroundHandler: without backlog or retries
        handler.deliver([handler.payload(record)])
        return ""

    def failed(_record: logging.LogRecord) -> None:
        raise  # the error that is being handled

    handler.handleError = failed
    handler.handle(record)
    return ""
