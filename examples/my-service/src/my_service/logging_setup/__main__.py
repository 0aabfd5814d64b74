"""The doctor: python -m my_service.logging_setup [--probe] [--json]

Show how logging would be set up in this environment, and its faults. Exit status: 0; 1 if a sink
failed its probe; 2 if a LOG_* value is invalid. See docs/logging.md.

With `level` as the first argument: change levels in the running service temporarily. Exit status 2 if that fails.
"""

import argparse
import contextlib
import importlib
import json
import logging
import os
import re
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

from .configure import settings_or_exit, use_settings
from .doctor.checks import faults, loggers, settings_now
from .doctor.probe import probe
from .env import parsers as parse
from .formatters import service_name
from .get_handlers import get_handlers
from .process import live_level
from .process.reports import describe
from .records.redaction import redact
from .records.text import escape
from .settings import OWN_LOGGERS, PACKAGE


def main() -> int:
    """Examine logging, print the report, and return the exit status."""
    if sys.argv[1:2] == ["level"]:
        return level_command(sys.argv[2:])
    options = parse_options([f"{PACKAGE}.main"] if PACKAGE else [])
    settings = settings_or_exit()
    # Output of the imported modules and the console's test record must not get into the JSON.
    with contextlib.redirect_stdout(sys.stderr if options.json else sys.stdout):
        failed = [*import_modules(options.modules)]
        use_settings(settings)
        results = probe(get_handlers(settings), options.timeout) if options.probe else []
    report: dict[str, Any] = {
        "service.name": service_name(),
        "settings": settings_now(settings, os.environ),
        "sinks": {
            name: logging.getLevelName(sink.level) if sink.is_on else f"off: {sink.switch_variable} is not set"
            for name, sink in settings.sinks.items()
        },
        "level_change": level_change(),
        "loggers": loggers(),
        "faults": [*map(redact.text, failed), *faults(settings, OWN_LOGGERS, os.environ)],
        "probe": results,
    }
    sys.stdout.write(json.dumps(report, indent=2) + "\n" if options.json else as_text(report))
    return 0 if all(each["verdict"] == "reached" for each in results) else 1


def parse_options(modules: list[str]) -> argparse.Namespace:
    """Parse the command line; `modules` are those imported by default."""
    program = f"python -m {__package__}"
    level = f"To change levels in the running service: {program} level --help"
    parser = argparse.ArgumentParser(prog=program, description="Examine how logging is set up.", epilog=level)
    parser.add_argument("--probe", action="store_true", help="send a test record through every sink")
    parser.add_argument("--timeout", type=float, default=10.0, metavar="SECONDS", help="probe timeout; default: 10")
    parser.add_argument("--json", action="store_true", help="print JSON")
    about = f"modules to import first, so that their loggers exist; default: {' '.join(modules) or 'none'}"
    parser.add_argument("--import", dest="modules", nargs="*", default=modules, metavar="MODULE", help=about)
    return parser.parse_args()


def import_modules(names: list[str]) -> Iterator[str]:
    """Import the modules that create loggers; yield a line for each failure."""
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
    parents = [f"{each['name']}." for each in report["loggers"]]
    for each in report["loggers"]:
        depth = 0 if each["name"] == "root" else 1 + sum(map(each["name"].startswith, parents))
        notes = [*each["handlers"], "" if each["propagate"] else "does not propagate", "disabled" * each["disabled"]]
        level_text = each["level"] or f"({each['effective_level']})"
        lines.append(f"  {'  ' * depth + each['name']:32} {level_text:10} {', '.join(filter(None, notes))}")
    lines += ["", "Faults", *(f"  - {fault}" for fault in report["faults"] or ["none found"])]
    if report["probe"]:
        lines += ["", "Probe"]
        lines += [f"  {each['sink']:24} {each['verdict']:10} {each['words']}" for each in report["probe"]]
    return "".join(f"{escape(line.rstrip())}\n" for line in lines)


def level_command(arguments: Sequence[str]) -> int:
    """Run the command `level`, print the change in force, and return 0. Raises SystemExit(2) with a message."""
    parser = argparse.ArgumentParser(prog=f"python -m {__package__} level", description="Change levels temporarily.")
    parser.add_argument("levels", nargs="*", metavar="NAME=LEVEL", help="level of a logger (root: the root logger)")
    about = "such as 30s, 10m or 2h; at most 24h; default: 10m"
    parser.add_argument("--for", dest="seconds", type=duration, default="10m", metavar="TIME", help=about)
    parser.add_argument("--show", action="store_true", help="show the change in force")
    parser.add_argument("--reset", action="store_true", help="end the change in force")
    options = parser.parse_args(arguments)
    levels = ",".join(options.levels)
    try:
        if parse.levels(levels):
            change_levels(levels, options.seconds)
        elif options.reset:
            live_level.write("", 0)
        elif not options.show:
            parser.error("NAME=LEVEL, --show or --reset is required")
    except ValueError as error:
        parser.error(f"{levels!r}: must be {error}")
    except OSError as error:
        parser.error(str(error))
    sys.stdout.write(f"{level_change()}\n")
    return 0


def duration(text: str) -> int:
    """Return the seconds of a duration such as 10m."""
    found = re.fullmatch("([0-9]{1,5})([smh])", text)
    seconds = int(found[1]) * {"s": 1, "m": 60, "h": 3600}[found[2]] if found else 0
    if not 0 < seconds <= 24 * 3600:
        raise argparse.ArgumentTypeError(f"{text!r}: must be a duration such as 30s, 10m or 2h, at most 24h")
    return seconds


def change_levels(levels: str, seconds: int) -> None:
    """Write the change, and block for some seconds until processes have applied it. Raises OSError if none has."""
    live_level.write(levels, seconds)
    started = time.monotonic()  # every process checks once a second, but later on a busy machine
    while time.monotonic() < started + (2.5 if live_level.read()[2] else 10):
        time.sleep(0.1)
    if not live_level.read()[2]:
        live_level.write("", 0)
        needed = "is it running, with this user and TMPDIR, and LOG_LEVEL_CONTROL=on?"
        raise OSError(f"no process of this service has read {live_level.location()}: {needed}")


def level_change() -> str:
    """Describe the change of levels in force."""
    try:
        text, _, processes = live_level.read()
    except (OSError, ValueError) as error:
        return f"refused: {error}"
    return f"{text}, in processes {', '.join(processes)}" if text else "none"


if __name__ == "__main__":
    sys.exit(main())
