"""The listener as a thread of the main process: for LOG_LISTENER=thread, and off Linux.

It is the textbook pattern, with a multiprocessing.Queue, and has its weaknesses: it slows down
when the main process computes, dies with it, and a process that is killed while it holds the
queue's lock stops all the others' logging.
"""

import contextlib
import itertools
import marshal
import queue
import threading
from typing import Any, Final

from . import reports
from .dispatcher import Dispatcher
from .get_handlers import get_handlers
from .listener import Listener
from .log_queue import GoneError, ThreadQueue
from .main_logging import MainLogging
from .queue_handler import LogQueueHandler
from .settings import Settings

_END: Final = b""


class ListenerThread(MainLogging):
    """The same interface as ListenerProcess has."""

    queue: ThreadQueue

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.queue = ThreadQueue(settings)
        self._handler = LogQueueHandler(self.queue)
        self._handler.addFilter(lambda record: record.thread not in reports.own_threads)
        self._tokens = itertools.count(1)
        self._changed = threading.Condition(threading.RLock())
        self._acknowledged = 0
        self._dispatcher = Dispatcher(get_handlers(settings))
        self._thread = threading.Thread(target=self._listen, name="log-listener", daemon=True)
        self._thread.start()
        self.start([self._handler], keep=settings.reattach)

    def flush(self, timeout: float = 5.0) -> bool:
        """See MainLogging."""
        if not self.mine:
            return False
        token = next(self._tokens)
        try:
            if not self.queue.put(marshal.dumps(token), timeout):
                return False
        except GoneError:
            return False
        with self._changed:
            return self._changed.wait_for(lambda: self._acknowledged >= token, timeout)

    def counts(self) -> dict[str, Any]:
        """See MainLogging; blocks as flush() does."""
        self.flush()
        return {
            "accepted": self._handler.accepted,
            "dropped": self._handler.dropped,
            "handlers": self._dispatcher.counts(),
        }

    def _stop(self, within: float) -> None:
        self._handler.close()
        with contextlib.suppress(GoneError):
            self.queue.put(_END, within)
        self._thread.join(within)

    def _listen(self) -> None:
        incoming, listener = self.queue.queue, Listener(self._dispatcher, self._acknowledge)
        while True:
            try:
                data = incoming.get_nowait()
            except queue.Empty:
                listener.hand_over()
                data = incoming.get()
            if data == _END:
                break
            listener.take(data)
        listener.hand_over()
        self._dispatcher.close()

    def _acknowledge(self, answer: bytes) -> None:
        with self._changed:
            self._acknowledged = marshal.loads(answer)[0]  # noqa: S302 - from this very process
            self._changed.notify_all()
