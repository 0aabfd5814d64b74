"""Send one JSON object per datagram over UDP."""

import json
import logging
from collections.abc import Sequence
from typing import Final

from ..records.values import cut
from .background import BackgroundHandler
from .datagrams import Datagrams

_TIMEOUT: Final = 5.0  # seconds; UDP rarely blocks
_LONGEST: Final = 8_192  # bytes: longer datagrams have too many fragments to arrive reliably
_ALWAYS: Final = (
    "timestamp", "level", "logger", "message", "process.pid", "process.name", "thread.id", "thread.name",
    "code.file.path", "code.line.number", "code.function.name", "service.name",
)  # fmt: skip


class UdpHandler(BackgroundHandler[bytes]):
    """Send each record as one datagram, truncated to fit. Datagrams lost on the way are not counted."""

    def __init__(self, url: str) -> None:
        self._datagrams = Datagrams(url, timeout=_TIMEOUT)
        super().__init__("udp")
        self.uncounted = self._datagrams.uncounted

    def payload(self, record: logging.LogRecord) -> bytes:
        """Return the record as JSON of at most `_LONGEST` bytes."""
        line = self.format(record)
        data = line.encode()
        return data if len(data) <= _LONGEST else _cut(line)

    def deliver(self, batch: Sequence[bytes]) -> None:
        """Send a datagram."""
        for data in batch:
            self._datagrams.send(data)

    def forget(self) -> None:
        """See BackgroundHandler."""
        self._datagrams.close()


def _cut(line: str) -> bytes:
    """Return the JSON object `line` with long texts truncated and, if that is not enough, without extra fields."""
    entry = json.loads(line)
    for limit in (4_000, 1_000, 200):
        entry = {key: cut(value, limit) if isinstance(value, str) else value for key, value in entry.items()}
        data = json.dumps(entry).encode()
        if len(data) <= _LONGEST:
            return data
    return json.dumps({**{key: entry[key] for key in _ALWAYS}, "fields": "[left out: too large]"}).encode()
