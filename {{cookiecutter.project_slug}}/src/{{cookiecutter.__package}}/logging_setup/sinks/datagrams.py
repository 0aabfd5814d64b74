"""Datagrams to one address: UDP, or a local socket such as /dev/log."""

import contextlib
import os
import socket
from typing import Any
from urllib.parse import urlsplit


class Datagrams:
    """Send each datagram whole or raise OSError; resolve the host again after a failure.

    Datagrams dropped by the network or a busy receiver cause no error. A port without a receiver
    may: at once on this machine, otherwise with the next datagram.
    """

    uncounted = ", not counting datagrams lost on the way"

    def __init__(self, url: str, *, timeout: float) -> None:
        self._url = urlsplit(url)
        self._timeout = timeout
        self._socket: socket.socket | None = None
        self._address: tuple[int, Any] | None = None

    def send(self, data: bytes) -> None:
        """Send one datagram to the first address that does not refuse it, which is then kept.

        Blocks up to the timeout if a local receiver is too slow.
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
        """Close the socket."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.close()
            self._socket = None

    def _addresses(self) -> list[tuple[int, Any]]:
        """Return every address of the host; the last one used, which has failed, is at the end."""
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
    """Raise the error that the kernel has received since, such as a port without a receiver."""
    error = connected.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if error:
        raise OSError(error, os.strerror(error))
