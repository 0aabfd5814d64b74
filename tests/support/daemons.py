"""Real receivers as processes: rsyslogd, syslog-ng and nginx, where they are installed or unpacked by .ci/run."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support.network import wait_until
from tests.support.project import TEMPLATE

UNPACKED = TEMPLATE / "build" / "daemons"
PATHS = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", str(UNPACKED / "usr" / "sbin")))


def needs(program: str) -> pytest.MarkDecorator:
    """Skip a test if the program is not installed."""
    there = shutil.which(program, path=PATHS) is not None
    return pytest.mark.skipif(not there, reason=f"{program} is not installed (.ci/run unpacks it where apt-get can)")


def only(pattern: str) -> list[str]:
    """List the unpacked folders that match this pattern."""
    return [str(path) for path in UNPACKED.glob(pattern)]


class Daemon:
    """A program that runs in a folder of its own; `start` after `stop` is a restart."""

    def __init__(self, folder: Path, program: str, *options: str) -> None:
        self.folder = folder
        found = shutil.which(program, path=PATHS)
        assert found
        self.command = [found, *options]
        self.environment = dict(os.environ)
        if Path(found).is_relative_to(UNPACKED):  # not at the path that it was built for
            libraries = [*only("usr/lib/*-linux-gnu*"), *only("lib/*-linux-gnu*"), *only("usr/lib/syslog-ng")]
            self.environment["LD_LIBRARY_PATH"] = os.pathsep.join(libraries)
            self.environment["RSYSLOG_MODDIR"] = os.pathsep.join(only("usr/lib/*-linux-gnu*/rsyslog"))
            if program == "syslog-ng":
                self.command.append(f"--module-path={os.pathsep.join(only('usr/lib/syslog-ng/*.*'))}")

    def is_up(self) -> bool:
        raise NotImplementedError

    def start(self) -> None:
        self.process = subprocess.Popen(
            self.command, env=self.environment, cwd=self.folder, stderr=subprocess.PIPE, text=True
        )

        def running() -> bool:
            assert self.process.poll() is None, self.process.communicate()[1]
            return self.is_up()

        wait_until(running, self.command[0])

    def stop(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(number)
        self.process.communicate(timeout=20)
