"""Datagrams to one address: UDP, or a local socket such as /dev/log."""

import contextlib
import os
import socket
from typing import Any
from urllib.parse import urlsplit


class Datagrams:
    """Sends each datagram whole or raises OSError; looks the addresses up anew after a failure.

    UDP loses what the network or a busy receiver drops, without an error. Only a port without a
    receiver may be reported: at once on this machine, else with the next datagram.
    """

    def __init__(self, url: str, *, timeout: float) -> None:
        self._url = urlsplit(url)
        self._timeout = timeout
        self._socket: socket.socket | None = None
        self._address: tuple[int, Any] | None = None

    def send(self, data: bytes) -> None:
        """Send one datagram, to the first address that does not refuse it, which is then kept.

        Blocks up to the time-out if a local receiver does not keep up.
        """
        if self._socket is not None:
            self._send(self._socket, data)
            return
        addresses = self._addresses()
        while True:
            family, address = self._address = addresses.pop(0)
            try:
                self._socket = self._connected(family, address)
                self._send(self._socket, data)
            except OSError:
                if not addresses:
                    raise
            else:
                return

    def _send(self, connected: socket.socket, data: bytes) -> None:
        try:
            connected.send(data)
            _raise_pending(connected)
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the socket."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.close()
            self._socket = None

    def _addresses(self) -> list[tuple[int, Any]]:
        """Every address of the host, the one that was used last at the end: it has failed."""
        if self._url.scheme == "unix":
            return [(socket.AF_UNIX, self._url.path)]
        found = socket.getaddrinfo(self._url.hostname, self._url.port, type=socket.SOCK_DGRAM)
        return sorted(((family, address) for family, _, _, _, address in found), key=lambda each: each == self._address)

    def _connected(self, family: int, address: Any) -> socket.socket:
        made = socket.socket(family, socket.SOCK_DGRAM)
        try:
            made.settimeout(self._timeout)
            made.connect(address)
        except BaseException:
            made.close()
            raise
        return made


def _raise_pending(connected: socket.socket) -> None:
    """Raise what the kernel has learned since: that nobody listens there."""
    error = connected.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if error:
        raise OSError(error, os.strerror(error))
