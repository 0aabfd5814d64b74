"""One JSON object a line over TCP, with TLS if the URL says `tls://`."""

import logging
from collections.abc import Sequence

from ..formatters import make_formatter
from ..settings import Settings
from .background import BackgroundHandler
from .connection import Connection


class TcpHandler(BackgroundHandler[bytes]):
    """Sends each record as one line of JSON; connects again whenever it must.

    The last record before a broken connection may arrive twice, the first time cut short.
    """

    def __init__(self, settings: Settings) -> None:
        self._connection = Connection(
            settings.collector_url, timeout=settings.collector_timeout, ca_file=settings.collector_ca_file
        )
        super().__init__("tcp")
        self.setFormatter(make_formatter("json"))

    def payload(self, record: logging.LogRecord) -> bytes:
        """The record as a line of JSON."""
        return self.format(record).encode() + b"\n"

    def deliver(self, batch: Sequence[bytes]) -> None:
        """Send one line. Blocks up to LOG_COLLECTOR_TIMEOUT each for connecting and for sending."""
        for line in batch:
            self._connection.send(line)

    def end(self) -> None:
        """See BackgroundHandler."""
        self._connection.end()

    def forget(self) -> None:
        """See BackgroundHandler."""
        self._connection.close()
