"""A TCP connection that is sent to and never asked: with or without TLS, made when needed."""

import contextlib
import socket
import ssl
from typing import Final
from urllib.parse import urlsplit

_LEAVE_WITHIN: Final = 1.0  # seconds for the other side to read what is left, and close
_BUFFER: Final = 128 * 1024  # bytes for the kernel to hold: what is there is lost with the receiver, uncounted
_VANISHED_AFTER: Final = 30_000  # milliseconds in which a receiver has not so much as acknowledged


class Connection:
    """Connects at the first `send`, and again after a failure or an end.

    What TCP has taken and the receiver has not yet read is lost when the receiver dies: TCP
    does not tell. Everything that can be known before a record is sent is asked first.
    """

    def __init__(self, url: str, *, timeout: float, ca_file: str = "") -> None:
        parts = urlsplit(url)
        self._address = (parts.hostname or "", parts.port or 0)
        self._timeout = timeout
        self._tls = ssl.create_default_context(cafile=ca_file or None) if parts.scheme == "tls" else None
        self._socket: socket.socket | None = None

    def send(self, data: bytes) -> None:
        """Send all of `data`, or raise OSError; blocks up to the time-out.

        After a failure the connection is given up, for the receiver may have a part of `data`:
        what follows, on a new one, can never be taken for the rest of it.
        """
        if self._socket is not None and not is_there(self._socket):
            self.close()
        if self._socket is None:
            self._socket = self._connect()
        try:
            self._socket.settimeout(self._timeout)
            self._socket.sendall(data)
        except OSError:
            self.close()
            raise

    def end(self) -> None:
        """Say that this is all, and let the receiver read it before the connection goes.

        Closing at once could lose it: with anything of theirs unread, TLS tickets for one, the
        kernel resets the connection instead.
        """
        leaving, self._socket = self._socket, None
        if leaving is None:
            return
        with contextlib.suppress(OSError, ValueError):
            leaving.settimeout(_LEAVE_WITHIN)
            if isinstance(leaving, ssl.SSLSocket):
                leaving = leaving.unwrap()
            leaving.shutdown(socket.SHUT_WR)
            while leaving.recv(4096):
                pass
        leaving.close()

    def close(self) -> None:
        """Let go of the connection, without a word."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.close()
            self._socket = None

    def _connect(self) -> socket.socket:
        plain = socket.create_connection(self._address, self._timeout)
        try:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
            if hasattr(socket, "TCP_USER_TIMEOUT"):  # else the kernel goes on trying for a quarter of an hour
                plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _VANISHED_AFTER)
            if self._tls:
                return self._tls.wrap_socket(plain, server_hostname=self._address[0])
        except BaseException:
            plain.close()
            raise
        return plain


def is_there(connected: socket.socket) -> bool:
    """Whether the other side has neither closed nor reset the connection, as far as is known.

    Without asking, the first record after its end would be sent, and be lost. What it has
    said is thrown away.
    """
    connected.settimeout(0)
    try:
        while connected.recv(4096):
            pass
    except (BlockingIOError, ssl.SSLWantReadError):
        return True
    except OSError:
        return False
    return False
