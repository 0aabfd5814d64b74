"""Send one JSON object per line over TCP, with TLS if the URL begins with `tls://`."""

import logging
from collections.abc import Sequence

from .background import BackgroundHandler
from .connection import Connection


class TcpHandler(BackgroundHandler[bytes]):
    """Send each record as one line; reconnect when the connection is lost.

    The last record before a lost connection may arrive twice, the first time truncated.
    """

    def __init__(self, url: str, *, timeout: float, ca_file: str = "") -> None:
        self._connection = Connection(url, timeout=timeout, ca_file=ca_file)
        super().__init__("tcp")
        self.uncounted = self._connection.uncounted

    def payload(self, record: logging.LogRecord) -> bytes:
        """Return the record as a line."""
        return self.format(record).encode() + b"\n"

    def deliver(self, batch: Sequence[bytes]) -> None:
        """Send a line. Blocks up to LOG_COLLECTOR_TIMEOUT each for connecting and for sending."""
        for line in batch:
            self._connection.send(line)

    def end(self) -> None:
        """See BackgroundHandler."""
        self._connection.end()

    def forget(self) -> None:
        """See BackgroundHandler."""
        self._connection.close()
