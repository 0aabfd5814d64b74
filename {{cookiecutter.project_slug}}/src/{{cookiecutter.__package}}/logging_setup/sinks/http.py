"""Batches of JSON lines (NDJSON) by HTTP POST."""

import http.client
import logging
import ssl
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from ..formatters import make_formatter
from ..settings import Settings
from .background import BackgroundHandler
from .connection import is_there
from .http_answer import check

_BATCH: Final = 1_000  # records
_BATCH_SIZE: Final = 512 * 1024  # bytes: half of what nginx takes unless told otherwise
_LONGEST_ANSWER: Final = 64 * 1024  # bytes


class HttpHandler(BackgroundHandler[bytes]):
    """Posts what has gathered, one batch at a time, over a connection that is kept.

    A batch is delivered when the answer is 2xx. It is sent again after a connection error, 408,
    425, 429 or 5xx (so a batch of which only the answer was lost arrives twice), and given up
    after any other answer. No proxy, no redirection: the URL is where the records go.
    """

    def __init__(self, settings: Settings) -> None:
        url = urlsplit(settings.collector_url)
        self._target = (url.path or "/") + (f"?{url.query}" if url.query else "")
        self._headers = {"Content-Type": "application/x-ndjson"}
        if settings.collector_token:
            self._headers["Authorization"] = f"Bearer {settings.collector_token}"
        host, timeout = url.hostname or "", settings.collector_timeout
        self._connection: http.client.HTTPConnection
        if url.scheme == "https":
            context = ssl.create_default_context(cafile=settings.collector_ca_file or None)
            self._connection = http.client.HTTPSConnection(host, url.port, timeout=timeout, context=context)
        else:
            self._connection = http.client.HTTPConnection(host, url.port, timeout=timeout)
        self._timeout = timeout
        super().__init__("http", batch=_BATCH, batch_size=_BATCH_SIZE)
        self.setFormatter(make_formatter("json"))

    def payload(self, record: logging.LogRecord) -> bytes:
        """The record as a line of JSON."""
        return self.format(record).encode() + b"\n"

    def deliver(self, batch: Sequence[bytes]) -> None:
        """Post one batch. Blocks up to LOG_COLLECTOR_TIMEOUT for each step of it."""
        kept = self._connection.sock
        if kept is not None:
            if not is_there(kept):
                self._connection.close()
            kept.settimeout(self._timeout)
        try:
            self._connection.request("POST", self._target, b"".join(batch), self._headers)
            answer = self._connection.getresponse()
            answer.read(_LONGEST_ANSWER)
        except BaseException:
            self._connection.close()
            raise
        if not answer.isclosed():  # the body is longer than that
            self._connection.close()
        check(answer.status, answer.reason, answer.getheader("Retry-After"))

    def forget(self) -> None:
        """See BackgroundHandler."""
        self._connection.close()
