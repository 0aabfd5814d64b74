"""The OpenTelemetry span in which a record is made, if the application uses OpenTelemetry; this imports none of it."""

import sys
from functools import lru_cache


def active_span() -> bytes:
    """Return trace id (16 bytes), span id (8) and flags (1) of the caller's span, or b"" without one. Never raises."""
    if not (library := sys.modules.get("opentelemetry.trace")):
        return b""
    try:
        span = library.get_current_span().get_span_context()
        number: int = span.trace_id << 72 | span.span_id << 8 | span.trace_flags
        return number.to_bytes(25) if span.trace_id else b""
    except Exception:  # noqa: BLE001 - it is being imported, or the class of the span is the application's
        return b""


@lru_cache(1024)
def span_fields(span: bytes) -> dict[str, str]:
    """Return the fields for what `active_span` has returned, with OpenTelemetry's names: hexadecimal, lower case."""
    return {"trace_id": span[:16].hex(), "span_id": span[16:24].hex(), "trace_flags": span[24:].hex()}
