"""Shared fixtures: `logs`, what a test logs; `run`, the application run as by a user, in an empty folder."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import my_service as package
from my_service.logging_setup.testing import Logs, logs

__all__ = ["Logs", "Run", "logs", "run"]

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run Python on these arguments in `tmp_path`, with these LOG_* variables and no others."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("LOG_")}
    environ["PYTHONPATH"] = str(Path(package.__path__[0]).parent)

    def run(*args: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, *args],
            cwd=tmp_path,
            env={**environ, **variables},
            capture_output=True,
            encoding="utf-8",
            timeout=60,
            check=False,
        )

    return run
