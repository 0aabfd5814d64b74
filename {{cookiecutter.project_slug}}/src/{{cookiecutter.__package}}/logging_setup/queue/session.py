"""The logging session of a main process with a log queue, and the one with the listener in a thread.

That is for LOG_LISTENER=thread, and where no listener process can be started. The thread is slow while the main process
computes, and ends with it: then records of other processes are lost.
"""

import contextlib
import json
import queue
import sys
import threading
import time
from abc import abstractmethod
from collections.abc import Callable
from typing import Any

from ..process import reports
from ..process.session import LoggingSession
from ..sinks.dispatcher import Dispatcher
from .encoding import TOKEN_SIZE, encode_marker
from .handler import QueueHandler
from .listener import Listener
from .pipe import LogQueue, PortableQueue, QueueClosedError


class QueueSession(LoggingSession):
    """Sends records through `queue`, which setup_proc_logging takes in other processes."""

    def __init__(self, log_queue: LogQueue) -> None:
        self.queue = log_queue
        self._handler = QueueHandler(log_queue)
        super().__init__([self._handler])
        # Token of a marker -> True once it is acknowledged, False after each restart of the listener. No lock is held:
        # a signal handler may call flush() while its own thread is in flush().
        self._flushing: dict[bytes, queue.SimpleQueue[bool]] = {}
        self._counts: dict[str, Any] = {}

    def flush(self, timeout: float = 5.0) -> bool:
        """See LoggingSession. After a restart of the listener the marker is sent again."""
        if not self.is_owner:
            return False
        until = time.monotonic() + timeout
        marker, token = encode_marker()
        answers = self._flushing[token] = queue.SimpleQueue()
        try:
            while self.queue.put(marker, until - time.monotonic()):
                if answers.get(timeout=max(0.0, until - time.monotonic())):
                    return True
        except (QueueClosedError, queue.Empty):
            pass
        finally:
            del self._flushing[token]
        return False

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
        """Note the listener's answer to a marker: its token, and the counts of the handlers."""
        self._counts = json.loads(answer[TOKEN_SIZE:])
        if (answers := self._flushing.get(answer[:TOKEN_SIZE])) is not None:
            answers.put(True)


class ThreadSession(QueueSession):
    """A session with a listener thread, which reads the queue until stop()."""

    def __init__(self, settings: Any, make_handlers: Callable[[Any], list[Any]]) -> None:
        super().__init__((LogQueue if sys.platform == "linux" else PortableQueue)(settings))
        self._handler.addFilter(lambda record: record.thread not in reports.own_threads)
        self._closing = False
        self._dispatcher = Dispatcher(make_handlers(settings))
        self._thread = threading.Thread(target=self._listen, name="log-listener", daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        listener = Listener(self._dispatcher, self._acknowledge)
        for batch in self.queue.batches():
            listener.handle(batch)
            if self._closing:
                break
        self.queue.close()
        self._dispatcher.close()

    def _end_listener(self, until: float) -> None:
        self._closing = True
        with contextlib.suppress(QueueClosedError):
            self.queue.put(encode_marker()[0], 0.0)  # wakes the thread; if the queue is full, that need not be
        self._thread.join(max(0.0, until - time.monotonic()))
