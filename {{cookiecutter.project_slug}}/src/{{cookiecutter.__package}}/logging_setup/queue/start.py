"""Chooses between the listener process and the listener thread."""

import sys
from pathlib import Path

from ..process.session import LoggingSession
from ..settings import Settings


def start_listener(settings: Settings) -> LoggingSession:
    """Start the listener that LOG_LISTENER asks for; a thread where a process cannot be had."""
    if settings.listener == "process" and _can_start_process():
        from .supervisor import ProcessSession  # does not import on Windows

        return ProcessSession(settings)
    from .thread import ThreadSession

    return ThreadSession(settings)


def _can_start_process() -> bool:
    """Linux has such pipes; a frozen or embedded interpreter cannot start another of its kind."""
    is_python = "python" in Path(sys.executable or "").name.lower() or "pypy" in sys.executable.lower()
    return sys.platform == "linux" and is_python and Path(__file__).is_file()
