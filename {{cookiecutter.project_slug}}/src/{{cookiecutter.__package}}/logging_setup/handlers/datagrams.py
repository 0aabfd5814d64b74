"""Datagrams to one address: UDP, or a local socket such as /dev/log."""

import contextlib
import os
import socket
from urllib.parse import urlsplit


class Datagrams:
    """Sends each datagram whole or raises OSError; looks the address up anew after a failure.

    UDP loses what the network or a busy receiver drops, and nobody can tell. Only a port on
    which nobody listens may be told of: at once on this machine, else with the next datagram.
    """

    def __init__(self, url: str, *, timeout: float) -> None:
        self._url = urlsplit(url)
        self._timeout = timeout
        self._socket: socket.socket | None = None

    def send(self, data: bytes) -> None:
        """Send one datagram; blocks up to the time-out if a local receiver does not keep up."""
        if self._socket is None:
            self._socket = self._connect()
        try:
            self._socket.send(data)
            _raise_pending(self._socket)
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the socket."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.close()
            self._socket = None

    def _connect(self) -> socket.socket:
        if self._url.scheme == "unix":
            return self._connected(socket.AF_UNIX, self._url.path)
        found = socket.getaddrinfo(self._url.hostname, self._url.port, type=socket.SOCK_DGRAM)
        return self._connected(found[0][0], found[0][4])

    def _connected(self, family: int, address: object) -> socket.socket:
        made = socket.socket(family, socket.SOCK_DGRAM)
        try:
            made.settimeout(self._timeout)
            made.connect(address)  # type: ignore[arg-type]
        except BaseException:
            made.close()
            raise
        return made


def _raise_pending(connected: socket.socket) -> None:
    """Raise what the kernel has learned since: that nobody listens there."""
    error = connected.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if error:
        raise OSError(error, os.strerror(error))
