"""The listener as a thread of the main process, for LOG_LISTENER=thread and where no listener process can be started.

It is slow while the main process computes, and ends with it: then records of other processes are lost.
"""

import contextlib
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from ..process import reports
from ..sinks.dispatcher import Dispatcher
from .encoding import encode_flush
from .listener import Listener, report_skipped
from .pipe import LogQueue, PortableQueue, QueueClosedError
from .session import QueueSession


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
        for batch in self.queue.batches(report_skipped):
            listener.handle(batch)
            if self._closing:
                break
        self.queue.close()
        self._dispatcher.close()

    def _end_listener(self, until: float) -> None:
        self._closing = True
        with contextlib.suppress(QueueClosedError):
            self.queue.put(encode_flush()[0], 0.0)  # wakes the thread; if the queue is full, that need not be
        self._thread.join(max(0.0, until - time.monotonic()))
