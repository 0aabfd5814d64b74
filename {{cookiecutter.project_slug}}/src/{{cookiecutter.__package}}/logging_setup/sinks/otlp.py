"""OTLP over HTTP to an OpenTelemetry collector, with OpenTelemetry's own exporter.

The SDK's `LoggingHandler` is deprecated, and its replacement has a thread and an atexit function
of its own. Neither is used: records are built from the SDK's data classes and exported in the
thread of BackgroundHandler, with its retries. Modules of OpenTelemetry whose names begin with an
underscore, as all for logs do, may change: only this file imports them, and pyproject.toml pins
their versions.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExportResult
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

from ..records.text import add_fields
from .answers import RefusedError, check
from .background import BackgroundHandler

_BATCH: Final = 500  # records
_BATCH_SIZE: Final = 1024 * 1024
_OVERHEAD: Final = 1_000  # bytes of a record without its texts
_SEVERITIES: Final = (
    (logging.CRITICAL, SeverityNumber.FATAL),
    (logging.ERROR, SeverityNumber.ERROR),
    (logging.WARNING, SeverityNumber.WARN),
    (logging.INFO, SeverityNumber.INFO),
    (logging.DEBUG, SeverityNumber.DEBUG),
)


@dataclass(frozen=True)
class Kept:
    """A record and its approximate size in memory, in bytes."""

    record: logging.LogRecord
    size: int

    def __len__(self) -> int:
        return self.size


class OtlpHandler(BackgroundHandler[Kept]):
    """Export batches to LOG_COLLECTOR_URL; `/v1/logs` is appended to a URL without a path.

    OTEL_RESOURCE_ATTRIBUTES, OTEL_SERVICE_NAME and OTEL_EXPORTER_OTLP_HEADERS are respected.
    """

    def __init__(self, url: str, *, token: str, timeout: float, ca_file: str = "") -> None:
        self._session = _OneAttempt()
        self._session.trust_env = False  # no proxy, no .netrc, like the other sinks
        self._exporter = OTLPLogExporter(
            url if urlsplit(url).path.strip("/") else f"{url.rstrip('/')}/v1/logs",
            certificate_file=ca_file or None,
            headers={"Authorization": f"Bearer {token}"} if token else None,
            timeout=timeout,
            session=self._session,
        )
        service = Resource({"service.name": "{{ cookiecutter.project_slug }}"})
        self._resource = service.merge(OTELResourceDetector().detect())
        super().__init__("otlp", batch=_BATCH, batch_size=_BATCH_SIZE)

    def payload(self, record: logging.LogRecord) -> Kept:
        """Return the record itself; it is converted only when it is sent."""
        texts = (record.getMessage(), record.exc_text, record.stack_info, record.__dict__.get("fields"))
        return Kept(record, _OVERHEAD + sum(len(str(text)) for text in texts if text))

    def deliver(self, batch: Sequence[Kept]) -> None:
        """Export a batch. Blocks up to LOG_COLLECTOR_TIMEOUT."""
        self._session.failure, self._session.status = None, 0
        result = self._exporter.export([self._readable(kept.record) for kept in batch])
        if self._session.status == 413 and len(batch) > 1:  # too large
            self._halve(batch)
        elif self._session.failure is not None:
            raise self._session.failure
        elif result is not LogRecordExportResult.SUCCESS:
            raise RefusedError("OpenTelemetry could not encode the batch")

    def forget(self) -> None:
        """See BackgroundHandler."""
        self._session.close()

    def _halve(self, batch: Sequence[Kept]) -> None:
        """Put a batch that is too large for the server back into the backlog, and limit batches to half its size."""
        size = sum(map(len, batch))
        with self._changed:
            self._batch_size = size // 2
            if not self._closed:  # otherwise close() has dropped the batch
                self._backlog.extendleft(reversed(batch))
                self._size, self._due, self._in_delivery = self._size + size, True, 0

    def _readable(self, record: logging.LogRecord) -> ReadableLogRecord:
        fields = dict(record.__dict__.get("fields") or {})
        entry = LogRecord(
            timestamp=int(record.created * 1e9),
            context=_take_span(fields),
            severity_text=_value(record.levelname),
            severity_number=next(
                (number for level, number in _SEVERITIES if record.levelno >= level), SeverityNumber.TRACE
            ),
            body=_value(record.getMessage()),
            attributes=_value({k: v for k, v in _attributes(record, fields).items() if v is not None}),
        )
        return ReadableLogRecord(entry, self._resource, InstrumentationScope(_value(record.name)))


class _OneAttempt(requests.Session):
    """Store the cause of a failed export, which the exporter does not return, and prevent the exporter's own retries.

    The exporter retries connection errors of `requests`, and some answers, until its timeout; here
    only BackgroundHandler retries.
    """

    failure: Exception | None = None
    status = 0  # of the last answer

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:
        try:
            answer = super().request(*args, **kwargs)
            self.status = answer.status_code
            check(answer.status_code, answer.reason or "", answer.headers.get("Retry-After"))
        except requests.RequestException as error:
            self.failure = ConnectionError(str(error))
            raise self.failure from error
        except Exception as error:
            self.failure = error
            raise
        return answer


def _attributes(record: logging.LogRecord, fields: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes of a record, with the names of the semantic conventions."""
    exception = record.__dict__.get("exception") or {}
    attributes = {
        "process.pid": record.process,
        "process.name": record.processName,
        "thread.id": record.thread,
        "thread.name": record.threadName,
        "code.file.path": record.pathname,
        "code.line.number": record.lineno,
        "code.function.name": record.funcName,
        "code.stacktrace": record.stack_info,
        "exception.type": exception.get("type"),
        "exception.message": exception.get("message"),
        "exception.stacktrace": exception.get("stacktrace"),
    }
    add_fields(attributes, fields)
    return attributes


def _take_span(fields: dict[str, Any]) -> Context | None:
    """Remove trace_id, span_id and trace_flags from `fields`, and return their span; None if they are not valid."""
    try:
        trace, span = int(fields["trace_id"], 16), int(fields["span_id"], 16)
        flags = TraceFlags(int(fields.get("trace_flags", "01"), 16) & 0xFF)
    except (KeyError, TypeError, ValueError):
        return None
    named = SpanContext(trace, span, is_remote=True, trace_flags=flags)
    if not named.is_valid:
        return None
    for name in ("trace_id", "span_id", "trace_flags"):
        fields.pop(name, None)
    return set_span_in_context(NonRecordingSpan(named))


def _value(value: Any) -> Any:
    """Return `value` in a form that protobuf can encode: no lone surrogates, no integer beyond 64 bits."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode()
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return str(value)
    if isinstance(value, dict):
        return {str(_value(key)): _value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_value(item) for item in value]
    return value
