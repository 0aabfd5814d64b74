"""Syslog messages (RFC 5424): to a local socket, by UDP (RFC 5426), TCP (RFC 6587) or TLS (RFC 5425).

Over TCP each message is preceded by its length, so that it may contain newlines; with LF or NUL
between messages, as the standard library's SysLogHandler sends them, receivers split tracebacks.
"""

import json
import logging
import re
import socket
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit

from ..records.text import add_fields, escape, escape_lines, syslog_severity
from .background import BackgroundHandler
from .connection import Connection
from .datagrams import Datagrams

_FACILITY: Final = 1  # user-level messages
_LONGEST: Final = 8_000  # bytes: the default limit of rsyslog is 8,192
_LONGEST_DATA: Final = 2_000  # characters of structured data, to leave space for the text
_LONGEST_VALUE: Final = 200
_NOT_IN_NAME: Final = re.compile(r'[^!-~]|[="\]]')
_ESCAPED: Final = re.compile(r'(["\\\]])')
_SERVICE: Final = "{{ cookiecutter.project_slug }}"


class SyslogHandler(BackgroundHandler[bytes]):
    """Send each record as one message; logger, context and extras are its structured data."""

    def __init__(self, url: str, *, timeout: float, ca_file: str = "") -> None:
        self._counted = urlsplit(url).scheme in ("tcp", "tls")
        self._sink: Connection | Datagrams
        if self._counted:
            self._sink = Connection(url, timeout=timeout, ca_file=ca_file)
        else:
            self._sink = Datagrams(url, timeout=timeout)
        self._host = _NOT_IN_NAME.sub("", socket.gethostname())[:255] or "-"
        super().__init__("syslog")
        self.uncounted = self._sink.uncounted

    def payload(self, record: logging.LogRecord) -> bytes:
        """Return the message, preceded by its length if the transport is a stream."""
        message = self._message(record)
        return b"%d %s" % (len(message), message) if self._counted else message

    def deliver(self, batch: Sequence[bytes]) -> None:
        """Send a message. Blocks up to LOG_COLLECTOR_TIMEOUT each for connecting and for sending."""
        for message in batch:
            self._sink.send(message)

    def end(self) -> None:
        """See BackgroundHandler."""
        if isinstance(self._sink, Connection):
            self._sink.end()

    def forget(self) -> None:
        """See BackgroundHandler."""
        self._sink.close()

    def _message(self, record: logging.LogRecord) -> bytes:
        time = datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        process = _NOT_IN_NAME.sub("", str(record.process)) or "-"
        header = f"<{_FACILITY * 8 + syslog_severity(record.levelno)}>1 {time} {self._host} {_SERVICE} {process} - "
        texts = (record.getMessage(), record.exc_text, record.stack_info)
        # Without the byte order mark of RFC 5424: receivers treat it as text.
        text = escape_lines("\n".join(filter(None, texts)))
        message = f"{header}{_structured_data(record)} {text}".encode("utf-8", "replace")
        if len(message) <= _LONGEST:
            return message
        cut = message[:_LONGEST].decode("utf-8", "ignore").rstrip()  # not within an indentation
        return cut.encode() + b" ... [cut, %d bytes]" % len(message)


def _structured_data(record: logging.LogRecord) -> str:
    """Return `[log@32473 name="value" ...]`; 32473 is the enterprise number of RFC 5612, free for any use."""
    exception = record.__dict__.get("exception") or {}
    values: dict[str, Any] = {
        "logger": record.name,
        "process": record.processName,
        "thread": record.threadName,
        "exception": exception.get("type"),
    }
    add_fields(values, record.__dict__.get("fields") or {})
    data = "[log@32473"
    for key, value in values.items():
        pair = f' {_name(key)}="{_value(value)}"'
        if value is not None and len(data) + len(pair) < _LONGEST_DATA:
            data += pair
    return f"{data}]"


def _name(key: str) -> str:
    return _NOT_IN_NAME.sub("_", key)[:32] or "_"


def _value(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    return _ESCAPED.sub(r"\\\1", escape(text[:_LONGEST_VALUE]))
