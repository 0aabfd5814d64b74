"""Free ports, and waiting for events."""

import socket
import time
from collections.abc import Callable

from tests.support.project import DEADLINE


def wait_until(true: Callable[[], object], what: str = "", within: float = DEADLINE) -> None:
    """Poll until `true()`; fail after `within` seconds."""
    until = time.monotonic() + within
    while not true():
        assert time.monotonic() < until, f"not within {within} s: {what}"
        time.sleep(0.01)


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
