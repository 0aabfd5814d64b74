"""Meaning of a server's answer for the batch that was sent: delivered, refused or retry later."""
# {% if cookiecutter.collector_handler in ("http", "otlp") or cookiecutter.webhook_handler %}

import time
from email.utils import parsedate_to_datetime
from typing import Final

_RETRY: Final = (408, 425, 429)  # timeout, too early, too many requests
# {% endif %}


class RefusedError(Exception):
    """The server has refused this batch, and a retry would be refused as well: it is dropped."""


class RetryLaterError(Exception):
    """The server has asked for a retry, not before `seconds` have passed (Retry-After)."""

    def __init__(self, reason: object, seconds: float) -> None:
        super().__init__(reason)
        self.seconds = seconds
# {% if cookiecutter.collector_handler in ("http", "otlp") or cookiecutter.webhook_handler %}


def check(status: int, reason: str, retry_after: str | None) -> None:
    """Return for 2xx; raise RetryLaterError for 408, 425, 429 and 5xx, else RefusedError."""
    if 200 <= status < 300:
        return
    answer = f"the server answered {status} {reason}".rstrip()
    if status in _RETRY or status >= 500:
        raise RetryLaterError(answer, _seconds(retry_after))
    raise RefusedError(answer)


def _seconds(retry_after: str | None) -> float:
    """Return the seconds that a Retry-After header asks for; 0 if it is absent or invalid."""
    if not retry_after:
        return 0.0
    try:
        if retry_after.strip().isdecimal():
            return float(retry_after)
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return 0.0
# {% endif %}
