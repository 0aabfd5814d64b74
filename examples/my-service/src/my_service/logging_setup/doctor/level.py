"""The command `level NAME=LEVEL ... [--for 10m] | --show | --reset` after python -m the package.

Changes levels in the running service, for a time. Exit status 2 if that fails. docs/logging.md has more.
"""

import argparse
import contextlib
import os
import re
import sys
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from ..env import parsers as parse
from ..process.live_level import check, location, read

_LONGEST: Final = 24 * 3600  # seconds that a change may last
_UNITS: Final = {"s": 1, "m": 60, "h": 3600}  # seconds
_WAIT: Final = 2.5  # seconds: every process looks once a second
_LATEST: Final = 10.0  # seconds that the first process may take on a busy machine


def main(arguments: Sequence[str], program: str) -> int:
    """Run the command and return 0; prints the change in force. Raises SystemExit(2) with a message."""
    parser = argparse.ArgumentParser(prog=program, description="Change levels in the running service.")
    parser.add_argument("levels", nargs="*", metavar="NAME=LEVEL", help="of a logger; root=LEVEL: of the root logger")
    about = "such as 30s, 10m or 2h; at most 24h; default: 10m"
    parser.add_argument("--for", dest="seconds", type=duration, default="10m", metavar="TIME", help=about)
    parser.add_argument("--show", action="store_true", help="show the change in force")
    parser.add_argument("--reset", action="store_true", help="end it")
    options = parser.parse_args(arguments)
    try:
        with contextlib.suppress(ValueError):  # contents that are no change may be replaced
            read()  # refuses a file of another user
        if options.levels:
            change(",".join(options.levels), options.seconds)
        elif options.reset:
            location().unlink(missing_ok=True)
        elif not options.show:
            parser.error("NAME=LEVEL, --show or --reset is required")
        sys.stdout.write(f"{shown()}\n")
    except (OSError, ValueError) as error:
        parser.error(str(error))
    return 0


def duration(text: str) -> int:
    """Parse a duration and return its seconds."""
    found = re.fullmatch("([0-9]{1,5})([smh])", text)
    seconds = int(found[1]) * _UNITS[found[2]] if found else 0
    if not 0 < seconds <= _LONGEST:
        raise argparse.ArgumentTypeError(f"{text!r}: must be a time such as 30s, 10m or 2h, at most 24h")
    return seconds


def change(levels: str, seconds: int) -> None:
    """Write the change, and block for some seconds until processes have applied it; OSError if none has."""
    try:
        parse.levels(levels)
    except ValueError as error:
        raise ValueError(f"{levels!r}: must be {error}") from None
    location().parent.mkdir(0o700, exist_ok=True)
    check(location().parent)
    for process in processes():
        location().with_name(process).unlink()
    until = datetime.now().astimezone() + timedelta(seconds=seconds)
    new = location().with_name("new")
    new.touch(0o600)
    new.write_text(f"{levels} until {until.isoformat(timespec='seconds')}", "utf-8")
    os.utime(new, (until.timestamp(), until.timestamp()))
    new.replace(location())
    started = time.monotonic()
    while time.monotonic() < started + (_WAIT if processes() else _LATEST):
        time.sleep(0.1)
    if not processes():
        location().unlink()
        raise OSError(f"no process of this service has read {location()}: is it running, with this user and TMPDIR?")


def processes() -> list[str]:
    """Return the numbers of the processes that have applied the change."""
    return sorted((each.name for each in location().parent.glob("[0-9]*")), key=int)


def shown() -> str:
    """Describe the change in force."""
    try:
        text, _ = read()
    except (OSError, ValueError) as error:
        return f"refused: {error}"
    return f"{text}, in processes {', '.join(processes())}" if text else "none"
