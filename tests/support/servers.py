"""Web servers as processes of a generated project, and requests to them."""

import http.client
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.project import DEADLINE, Project


@contextmanager
def running(
    project: Project, folder: Path, port: int, *args: str, **variables: str
) -> Iterator["subprocess.Popen[str]"]:
    """Run a server until the end of the block; wait until it accepts connections."""
    path = f"{project.path / 'src'}:{folder}"
    process = project.start(*args, cwd=folder, PYTHONPATH=path, LOG_CONSOLE_LEVEL="60", **variables)
    try:
        deadline = time.monotonic() + DEADLINE
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=5).close()
                break
            except OSError:
                assert process.poll() is None, process.communicate()
                assert time.monotonic() < deadline
                time.sleep(0.05)
        yield process
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdout, process.stderr):
            assert stream
            stream.close()


def get(port: int, numbers: range) -> list[int]:
    """Request /<number> for each number, and return those answered; a reload may close connections."""
    answered = []
    for number in numbers:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        try:
            connection.request("GET", f"/{number}")
            if connection.getresponse().read() == b"ok":
                answered.append(number)
        except OSError:
            continue
        finally:
            connection.close()
    return answered


def stop(process: "subprocess.Popen[str]") -> tuple[str, str]:
    """Stop the server gracefully; return its stdout and stderr."""
    process.send_signal(signal.SIGTERM)
    return process.communicate(timeout=DEADLINE)
