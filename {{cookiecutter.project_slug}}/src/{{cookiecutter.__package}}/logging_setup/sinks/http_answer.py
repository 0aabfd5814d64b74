"""What an HTTP answer means for the batch that was sent: delivered, later, or never."""

import time
from email.utils import parsedate_to_datetime
from typing import Final

from .background import RetryLaterError, RefusedError

_TRY_AGAIN: Final = (408, 425, 429)  # time-out, too early, too many


def check(status: int, reason: str, retry_after: str | None) -> None:
    """Return for 2xx; raise RetryLaterError for what may pass, 5xx above all, else RefusedError."""
    if 200 <= status < 300:
        return
    answer = f"the collector answered {status} {reason}".rstrip()
    if status in _TRY_AGAIN or status >= 500:
        raise RetryLaterError(answer, _seconds(retry_after))
    raise RefusedError(answer)


def _seconds(retry_after: str | None) -> float:
    """What a Retry-After header asks for, in seconds; 0 if it is not there or not understood."""
    if not retry_after:
        return 0.0
    try:
        if retry_after.strip().isdecimal():
            return float(retry_after)
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return 0.0
