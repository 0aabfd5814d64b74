"""Send batches of JSON lines (NDJSON) by HTTP POST."""

import http.client
import logging
import ssl
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from .answers import check
from .background import BackgroundHandler
from .connection import is_open

_BATCH: Final = 1_000  # records
_BATCH_SIZE: Final = 512 * 1024  # bytes: half of the default limit of nginx
_LONGEST_ANSWER: Final = 64 * 1024  # bytes


class HttpHandler(BackgroundHandler[bytes]):
    """Post the backlog in batches over a persistent connection.

    A batch is delivered when the answer is 2xx. It is retried after a connection error, 408, 425,
    429 or 5xx (so a batch arrives twice if only the answer was lost), halved after 413, and
    dropped after any other answer. Proxies are not used, redirects are not followed.
    """

    def __init__(self, url: str, *, token: str, timeout: float, ca_file: str = "") -> None:
        parts = urlsplit(url)
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._headers = {"Content-Type": "application/x-ndjson"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        host = parts.hostname or ""
        self._connection: http.client.HTTPConnection
        if parts.scheme == "https":
            context = ssl.create_default_context(cafile=ca_file or None)
            self._connection = http.client.HTTPSConnection(host, parts.port, timeout=timeout, context=context)
        else:
            self._connection = http.client.HTTPConnection(host, parts.port, timeout=timeout)
        self._timeout = timeout
        super().__init__("http", batch=_BATCH, batch_size=_BATCH_SIZE)

    def payload(self, record: logging.LogRecord) -> bytes:
        """Return the record as a line."""
        return self.format(record).encode() + b"\n"

    def deliver(self, batch: Sequence[bytes]) -> None:
        """Post a batch. Blocks up to LOG_COLLECTOR_TIMEOUT for each step."""
        kept = self._connection.sock
        if kept is not None:
            if not is_open(kept):
                self._connection.close()
            kept.settimeout(self._timeout)
        try:
            self._connection.request("POST", self._target, b"".join(batch), self._headers)
            answer = self._connection.getresponse()
            answer.read(_LONGEST_ANSWER)
        except BaseException:
            self._connection.close()
            raise
        if not answer.isclosed():  # the body is longer than _LONGEST_ANSWER
            self._connection.close()
        if answer.status == 413 and len(batch) > 1:  # too large
            self._halve(batch)
        else:
            check(answer.status, answer.reason, answer.getheader("Retry-After"))

    def _halve(self, batch: Sequence[bytes]) -> None:
        """Put a batch that is too large for the server back into the backlog, and limit batches to half its size."""
        size = sum(map(len, batch))
        with self._changed:
            self._batch_size = size // 2
            if not self._closed:  # otherwise close() has dropped the batch
                self._backlog.extendleft(reversed(batch))
                self._size, self._due, self._in_delivery = self._size + size, True, 0

    def forget(self) -> None:
        """See BackgroundHandler."""
        self._connection.close()
