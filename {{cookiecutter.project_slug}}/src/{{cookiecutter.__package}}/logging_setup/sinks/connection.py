"""TCP connection that is only written to: with or without TLS, opened when needed."""

# {% if cookiecutter.collector_handler in ("syslog", "tcp") %}
import contextlib
# {% endif %}
import socket
import ssl
# {% if cookiecutter.collector_handler in ("syslog", "tcp") %}
from typing import Final
from urllib.parse import urlsplit

_END_WITHIN: Final = 1.0  # seconds for the receiver to read the remaining data, and close
_BUFFER: Final = 128 * 1024  # bytes of the kernel's send buffer, which are lost with the receiver, and not counted
_VANISHED_AFTER: Final = 30_000  # milliseconds without an acknowledgement


class Connection:
    """Connect at the first `send`, and again after a failure or after end().

    Data that the kernel has accepted and the receiver has not read is lost when the receiver dies, and
    TCP does not report that. A connection known to be closed is replaced before data is sent.
    """

    uncounted = ", not counting those that the receiver had not read"

    def __init__(self, url: str, *, timeout: float, ca_file: str = "") -> None:
        parts = urlsplit(url)
        self._address = (parts.hostname or "", parts.port or 0)
        self._timeout = timeout
        self._tls = ssl.create_default_context(cafile=ca_file or None) if parts.scheme == "tls" else None
        self._socket: socket.socket | None = None

    def send(self, data: bytes) -> None:
        """Send all of `data`, or raise OSError; blocks up to the timeout.

        Closes the connection after a failure: the receiver may have a part of `data`, and must not
        take the next data for the rest of it.
        """
        if self._socket is not None and not is_open(self._socket):
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
        """Close the connection after the receiver has read everything, or after a second.

        Closing at once could lose data: if anything received is unread, such as TLS tickets, the
        kernel resets the connection.
        """
        ending, self._socket = self._socket, None
        if ending is None:
            return
        with contextlib.suppress(OSError, ValueError):
            ending.settimeout(_END_WITHIN)
            if isinstance(ending, ssl.SSLSocket):
                ending = ending.unwrap()
            ending.shutdown(socket.SHUT_WR)
            while ending.recv(4096):
                pass
        ending.close()

    def close(self) -> None:
        """Close the connection at once."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.close()
            self._socket = None

    def _connect(self) -> socket.socket:
        plain = socket.create_connection(self._address, self._timeout)
        try:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
            if hasattr(socket, "TCP_USER_TIMEOUT"):  # otherwise the kernel retries for a quarter of an hour
                plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _VANISHED_AFTER)
            if self._tls:
                return self._tls.wrap_socket(plain, server_hostname=self._address[0])
        except BaseException:
            plain.close()
            raise
        return plain
# {% endif %}


def is_open(connected: socket.socket) -> bool:
    """Return True if the receiver has not closed or reset the connection, as far as is known.

    Without this check, the first record after a close would be lost. Received data is discarded.
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
