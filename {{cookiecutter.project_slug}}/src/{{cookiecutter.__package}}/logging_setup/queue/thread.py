"""The listener as a thread of the main process: for LOG_LISTENER=thread, and off Linux.

It is the textbook pattern, with a multiprocessing.Queue, and has its weaknesses: it slows down
when the main process computes, dies with it, and a process that is killed while it holds the
queue's lock stops all the others' logging.
"""

import contextlib
import itertools
import queue
import threading
from typing import Any, Final

from ..get_handlers import get_handlers
from ..process import reports
from ..process.session import LoggingSession
from ..settings import Settings
from ..sinks.dispatcher import Dispatcher
from .encoding import TOKEN_SIZE, encode_flush
from .handler import QueueHandler
from .listener import TOGETHER, Listener
from .pipe import QueueClosedError, ThreadQueue

_END: Final = b""


class ThreadSession(LoggingSession):
    """The same interface as ProcessSession has."""

    queue: ThreadQueue

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.queue = ThreadQueue(settings)
        self._handler = QueueHandler(self.queue)
        self._handler.addFilter(lambda record: record.thread not in reports.own_threads)
        self._changed = threading.Condition(threading.RLock())
        self._flushing: set[bytes] = set()
        self._dispatcher = Dispatcher(get_handlers(settings))
        self._thread = threading.Thread(target=self._listen, name="log-listener", daemon=True)
        self._thread.start()
        self.start([self._handler], keep=settings.reattach)

    def flush(self, timeout: float = 5.0) -> bool:
        """See LoggingSession."""
        if not self.is_owner:
            return False
        marker, token = encode_flush()
        self._flushing.add(token)
        try:
            if not self.queue.put(marker, timeout):
                return False
            with self._changed:
                return self._changed.wait_for(lambda: token not in self._flushing, timeout)
        except QueueClosedError:
            return False
        finally:
            self._flushing.discard(token)

    def counts(self) -> dict[str, Any]:
        """See LoggingSession; blocks as flush() does."""
        self.flush()
        return {
            "accepted": self._handler.accepted,
            "dropped": self._handler.dropped,
            "handlers": self._dispatcher.counts(),
        }

    def _stop(self, within: float) -> None:
        self._handler.close()
        with contextlib.suppress(QueueClosedError):
            self.queue.put(_END, within)
        self._thread.join(within)

    def _listen(self) -> None:
        incoming, listener = self.queue.queue, Listener(self._dispatcher, self._acknowledge)
        for number in itertools.count(1):
            try:
                data = incoming.get_nowait()
            except queue.Empty:
                listener.hand_over()
                data = incoming.get()
            if data == _END:
                break
            listener.take(data)
            if number % TOGETHER == 0:
                listener.hand_over()
        listener.hand_over()
        self._dispatcher.close()

    def _acknowledge(self, answer: bytes) -> None:
        with self._changed:
            self._flushing.discard(answer[:TOKEN_SIZE])
            self._changed.notify_all()
