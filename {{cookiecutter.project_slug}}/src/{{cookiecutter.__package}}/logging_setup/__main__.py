"""The doctor: python -m {{ cookiecutter.__package }}.logging_setup [--probe] [--json]

Shows how logging would be set up here and now, and what is wrong with it. Exit status: 0, 1 if
a sink failed its probe, 2 if a LOG_* value cannot be used. docs/logging.md has more.
"""

import argparse
import contextlib
import importlib
import json
import logging
import os
import sys
from typing import Any

from .configure import settings_or_exit, use_settings
from .doctor import checks as doctor
from .doctor.probe import probe
from .process import reports
from .records.redaction import redact
from .records.text import escape
from .settings import PACKAGE

_ENTRY = [f"{PACKAGE}.main"] if PACKAGE else []


def main() -> int:
    """Examine, tell, and return the exit status."""
    options = _options()
    settings = settings_or_exit()
    # What is printed meanwhile, and the console's test record, must not get into the JSON.
    with contextlib.redirect_stdout(sys.stderr if options.json else sys.stdout):
        faults = _imported(options.modules)
        use_settings(settings)
        verdicts = probe(settings, options.timeout) if options.probe else []
    report: dict[str, Any] = {
        "settings": doctor.settings_now(settings, os.environ),
        "sinks": {name: logging.getLevelName(level) for name, level in doctor.sinks(settings).items()},
        "loggers": doctor.loggers(),
        "faults": [*map(redact.text, faults), *doctor.faults(settings, os.environ)],
        "probe": [vars(verdict) for verdict in verdicts],
    }
    sys.stdout.write(json.dumps(report, indent=2) + "\n" if options.json else _as_text(report))
    return 0 if all(verdict.good for verdict in verdicts) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=f"python -m {__package__}", description="Examine how logging is set up.")
    parser.add_argument("--probe", action="store_true", help="send a test record through every sink")
    parser.add_argument("--timeout", type=float, default=10.0, metavar="SECONDS", help="for the probe; default: 10")
    parser.add_argument("--json", action="store_true", help="for machines")
    parser.add_argument(
        "--import",
        dest="modules",
        nargs="*",
        default=_ENTRY,
        metavar="MODULE",
        help=f"import these first, for the loggers that they make; default: {' '.join(_ENTRY) or 'none'}",
    )
    return parser.parse_args()


def _imported(modules: list[str]) -> list[str]:
    """Import what makes the loggers; returns what went wrong."""
    faults = []
    for name in modules:
        try:
            importlib.import_module(name)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the application's own code
            faults.append(f"{name} cannot be imported, so its loggers are not seen: {reports.describe(error)}")
    return faults


def _as_text(report: dict[str, Any]) -> str:
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


if __name__ == "__main__":
    sys.exit(main())
