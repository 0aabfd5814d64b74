"""Command line of the doctor: its options, the report as text or JSON, and the probe of every sink."""

import argparse
import contextlib
import importlib
import json
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ..env.variables import AnySettings
from ..process import reports
from ..records.redaction import redact
from ..records.serialize import prepare
from ..records.text import escape
from . import checks

_NAME: Final = f"python -m {(__package__ or '').rpartition('.')[0]}"
_TEXT: Final = f"This is a test, by {_NAME} --probe"


def main(
    package: str,
    own_loggers: Sequence[str],
    defaults: Callable[[], AnySettings],
    read_settings: Callable[[], AnySettings],
    use_settings: Callable[[Any], None],
    get_handlers: Callable[[AnySettings], list[logging.Handler]],
) -> int:
    """Examine logging, print the report, and return the exit status; `package` is the application's."""
    options = _options(f"{package}.main" if package else "")
    settings = read_settings()
    # What is printed meanwhile, and the console's test record, must not get into the JSON.
    with contextlib.redirect_stdout(sys.stderr if options.json else sys.stdout):
        failed = _import(options.modules)
        use_settings(settings)
        verdicts = probe(get_handlers(settings), options.timeout) if options.probe else []
    report: dict[str, Any] = {
        "settings": checks.settings_now(settings, defaults(), os.environ),
        "sinks": {name: logging.getLevelName(level) for name, level in checks.sinks(settings).items()},
        "loggers": checks.loggers(),
        "faults": [*map(redact.text, failed), *checks.faults(settings, own_loggers, os.environ)],
        "probe": [vars(verdict) for verdict in verdicts],
    }
    sys.stdout.write(json.dumps(report, indent=2) + "\n" if options.json else as_text(report))
    return 0 if all(verdict.good for verdict in verdicts) else 1


def _options(entry: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=_NAME, description="Examine how logging is set up.")
    parser.add_argument("--probe", action="store_true", help="send a test record through every sink")
    parser.add_argument("--timeout", type=float, default=10.0, metavar="SECONDS", help="for the probe; default: 10")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument(
        "--import",
        dest="modules",
        nargs="*",
        default=[entry] if entry else [],
        metavar="MODULE",
        help=f"import these first, for the loggers that they make; default: {entry or 'none'}",
    )
    return parser.parse_args()


def _import(modules: list[str]) -> list[str]:
    """Import the modules that make loggers; return a line for each failure."""
    failed = []
    for name in modules:
        try:
            importlib.import_module(name)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the application's own code
            failed.append(f"{name} cannot be imported, its loggers are not shown: {reports.describe(error)}")
    return failed


def as_text(report: dict[str, Any]) -> str:
    """Return the report as text."""
    lines = ["Settings"]
    lines += [f"  {each['variable']:24} {each['value'] or '-':32} {each['origin']}" for each in report["settings"]]
    lines += ["", "Sinks", *(f"  {name:24} {level}" for name, level in report["sinks"].items())]
    lines += ["", "Loggers"]
    names = {each["name"] for each in report["loggers"]}
    for each in report["loggers"]:
        parts = each["name"].split(".")
        depth = sum(".".join(parts[:n]) in names for n in range(1, len(parts))) + (each["name"] != "root")
        notes = [*each["handlers"], "" if each["propagate"] else "does not propagate", "disabled" * each["disabled"]]
        level = each["level"] or f"({each['effective_level']})"
        lines.append(f"  {'  ' * depth + each['name']:32} {level:10} {', '.join(filter(None, notes))}".rstrip())
    lines += ["", "Faults", *(f"  - {fault}" for fault in report["faults"] or ["none found"])]
    if report["probe"]:
        lines += ["", "Probe"]
        lines += [f"  {each['sink']:24} {each['verdict']:10} {each['words']}" for each in report["probe"]]
    return "".join(f"{escape(line.rstrip())}\n" for line in lines)


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
    plain = logging.LogRecord(__package__ or __name__, logging.INFO, __file__, 0, _TEXT, (), None, "probe")
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
