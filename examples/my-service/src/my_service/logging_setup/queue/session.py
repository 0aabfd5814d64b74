"""The logging session of a main process with a log queue: what both kinds of listener share."""

import json
import threading
import time
from abc import abstractmethod
from typing import Any

from ..process.session import LoggingSession
from .encoding import TOKEN_SIZE, encode_flush
from .handler import QueueHandler
from .pipe import LogQueue, QueueClosedError


class QueueSession(LoggingSession):
    """Sends records through `queue`, which setup_proc_logging takes in other processes."""

    def __init__(self, queue: LogQueue) -> None:
        self.queue = queue
        self._handler = QueueHandler(queue)
        super().__init__([self._handler])
        # Re-entrant: a signal handler may call flush() while its own thread is in flush().
        self._changed = threading.Condition(threading.RLock())
        self._flushing: set[bytes] = set()  # tokens of the flush markers that no listener has acknowledged
        self._generation = 0  # how often the listener has been restarted
        self._counts: dict[str, Any] = {}

    def flush(self, timeout: float = 5.0) -> bool:
        """See LoggingSession. After a restart of the listener the marker is sent again."""
        if not self.is_owner:
            return False
        until = time.monotonic() + timeout
        marker, token = encode_flush()
        self._flushing.add(token)
        try:
            while token in self._flushing and (left := until - time.monotonic()) > 0:
                generation = self._generation
                # Not under the lock: the supervisor needs it to restart a listener that has stopped reading.
                if not self.queue.put(marker, left):
                    return False
                with self._changed:
                    self._changed.wait_for(
                        lambda: token not in self._flushing or self._generation != generation,  # noqa: B023
                        until - time.monotonic(),
                    )
        except QueueClosedError:
            return False
        else:
            return token not in self._flushing
        finally:
            self._flushing.discard(token)

    def counts(self) -> dict[str, Any]:
        """See LoggingSession. Blocks as flush() does."""
        self.flush()
        return {
            "accepted": self._handler.accepted,
            "dropped": self._handler.dropped,
            "handlers": dict(self._counts),
        }

    def _stop(self, within: float) -> None:
        until = time.monotonic() + within
        self._handler.close()
        self.flush(within)
        self._end_listener(until)

    @abstractmethod
    def _end_listener(self, until: float) -> None:
        """Close the queue in this process, and wait for the listener's end until then, in monotonic seconds."""

    def _acknowledge(self, answer: bytes) -> None:
        """Note the listener's answer to a flush marker: its token, and the counts of the handlers."""
        with self._changed:
            self._flushing.discard(answer[:TOKEN_SIZE])
            self._counts = json.loads(answer[TOKEN_SIZE:])
            self._changed.notify_all()
