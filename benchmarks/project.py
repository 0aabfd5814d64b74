"""The projects under test, generated from the working tree."""

import compileall
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]

# A sink 100 times too slow, derived from the project's base class of slow sinks.
_SLOW = """\
import time
from collections.abc import Sequence
import logging
from .background import BackgroundHandler

class SlowHandler(BackgroundHandler[str]):
    def payload(self, record: logging.LogRecord) -> str:
        return record.getMessage()

    def deliver(self, batch: Sequence[str]) -> None:
        time.sleep({seconds})
"""


def make_projects(folder: Path, sink_sleeps: float) -> dict[str, Path]:
    """Generate into `folder`: `queue`, with a log queue; `slow`, with a slow sink too; `direct`, one process."""
    shutil.rmtree(folder, ignore_errors=True)
    projects = {
        "queue": _generate(folder / "queue", multiprocessing="true", email_handler="false"),
        "direct": _generate(folder / "direct", multiprocessing="false", email_handler="false"),
        # E-mail is off without a server, but its choice includes the base class of slow sinks.
        "slow": _generate(folder / "slow", multiprocessing="true", email_handler="true"),
    }
    _add_slow_sink(projects["slow"] / "src/my_service/logging_setup", sink_sleeps)
    for path in projects.values():
        compileall.compile_dir(path / "src", quiet=1)
    return projects


def _generate(folder: Path, **answers: str) -> Path:
    answers["console_handler"] = "none"
    command = [sys.executable, "-m", "cookiecutter", "--default-config", "--no-input", "--output-dir", str(folder)]
    command += [str(ROOT), *(f"{name}={answer}" for name, answer in answers.items())]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return folder / "my-service"


def _add_slow_sink(package: Path, seconds: float) -> None:
    (package / "sinks/slow.py").write_text(_SLOW.format(seconds=seconds), "utf-8")
    file = package / "get_handlers.py"
    code = file.read_text("utf-8")
    line = '    from .sinks.slow import SlowHandler\n    return [SlowHandler("slow"), *handlers]\n'
    file.write_text(code.replace("    return handlers\n", line), "utf-8")


def environment(project: Path, log_file: Path) -> dict[str, str]:
    """Return this environment without LOG_*, with the project and the benchmarks importable."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("LOG_")}
    path = os.pathsep.join((str(ROOT), str(project / "src")))
    return {**clean, "PYTHONPATH": path, "LOG_FILE": str(log_file)}
