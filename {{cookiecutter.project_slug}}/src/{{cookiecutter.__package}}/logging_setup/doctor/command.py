"""Command line of the doctor: its options, and the report as text or JSON."""

import argparse
import contextlib
import importlib
import json
import logging
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from ..env.variables import AnySettings
from ..process import reports
from ..records.redaction import redact
from ..records.text import escape
from . import checks
from .probe import probe


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
    name = f"python -m {(__package__ or '').rpartition('.')[0]}"
    parser = argparse.ArgumentParser(prog=name, description="Examine how logging is set up.")
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
