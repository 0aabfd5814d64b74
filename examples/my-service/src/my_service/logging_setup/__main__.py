"""The doctor: python -m my_service.logging_setup [--probe] [--json]

Shows how logging would be set up in this environment, and its faults. Exit status: 0; 1 if a sink
failed its probe; 2 if a LOG_* value is invalid. docs/logging.md has more.

With `level` as the first word, the command that changes levels in the running service: doctor/level.py.
"""

import argparse
import contextlib
import importlib
import json
import logging
import os
import sys
from collections.abc import Iterator
from typing import Any

from .configure import settings_or_exit, use_settings
from .doctor import level
from .doctor.checks import faults, loggers, settings_now
from .doctor.probe import probe
from .formatters import service_name
from .get_handlers import get_handlers
from .process.reports import describe
from .records.redaction import redact
from .records.text import escape
from .settings import OWN_LOGGERS, PACKAGE, Settings


def main() -> int:
    """Examine logging, print the report, and return the exit status."""
    if sys.argv[1:2] == ["level"]:
        return level.main(sys.argv[2:], f"python -m {__package__} level")
    options = parse_options([f"{PACKAGE}.main"] if PACKAGE else [])
    settings = settings_or_exit()
    # What is printed meanwhile, and the console's test record, must not get into the JSON.
    with contextlib.redirect_stdout(sys.stderr if options.json else sys.stdout):
        failed = [*import_modules(options.modules)]
        use_settings(settings)
        results = probe(get_handlers(settings), options.timeout) if options.probe else []
    report: dict[str, Any] = {
        "service.name": service_name(),
        "settings": settings_now(settings, Settings(), os.environ),
        "sinks": {name: logging.getLevelName(sink.level) for name, sink in settings.sinks.items() if sink.is_on},
        "level_change": level.shown(),
        "loggers": loggers(),
        "faults": [*map(redact.text, failed), *faults(settings, OWN_LOGGERS, os.environ)],
        "probe": results,
    }
    sys.stdout.write(json.dumps(report, indent=2) + "\n" if options.json else as_text(report))
    return 0 if all(each["verdict"] == "reached" for each in results) else 1


def parse_options(modules: list[str]) -> argparse.Namespace:
    """Parse the command line; `modules` are those imported by default."""
    parser = argparse.ArgumentParser(prog=f"python -m {__package__}", description="Examine how logging is set up.")
    parser.add_argument("--probe", action="store_true", help="send a test record through every sink")
    parser.add_argument("--timeout", type=float, default=10.0, metavar="SECONDS", help="for the probe; default: 10")
    parser.add_argument("--json", action="store_true", help="print JSON")
    about = f"import these first, for the loggers that they make; default: {' '.join(modules) or 'none'}"
    parser.add_argument("--import", dest="modules", nargs="*", default=modules, metavar="MODULE", help=about)
    return parser.parse_args()


def import_modules(names: list[str]) -> Iterator[str]:
    """Import the modules that make loggers; yield a line for each failure."""
    for name in names:
        try:
            importlib.import_module(name)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the application's own code
            yield f"{name} cannot be imported, its loggers are not shown: {describe(error)}"


def as_text(report: dict[str, Any]) -> str:
    """Return the report as text."""
    lines = [f"Service: {report['service.name']}", "", "Settings"]
    lines += [f"  {each['variable']:24} {each['value'] or '-':32} {each['origin']}" for each in report["settings"]]
    lines += ["", "Sinks", *(f"  {name:24} {level}" for name, level in report["sinks"].items())]
    lines += ["", "Level change", f"  {report['level_change']}", "", "Loggers"]
    for each in report["loggers"]:
        depth = 0 if each["name"] == "root" else 1 + each["name"].count(".")
        notes = [*each["handlers"], "" if each["propagate"] else "does not propagate", "disabled" * each["disabled"]]
        level_text = each["level"] or f"({each['effective_level']})"
        lines.append(f"  {'  ' * depth + each['name']:32} {level_text:10} {', '.join(filter(None, notes))}")
    lines += ["", "Faults", *(f"  - {fault}" for fault in report["faults"] or ["none found"])]
    if report["probe"]:
        lines += ["", "Probe"]
        lines += [f"  {each['sink']:24} {each['verdict']:10} {each['words']}" for each in report["probe"]]
    return "".join(f"{escape(line.rstrip())}\n" for line in lines)


if __name__ == "__main__":
    sys.exit(main())
