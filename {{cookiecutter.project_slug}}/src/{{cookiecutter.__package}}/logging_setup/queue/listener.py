"""The listener: reads the log queue, and dispatches the records to the handlers.

It runs in a process of its own (supervisor.py), or in a thread (session.py). The process ignores the signals that end
an application, and ends once the last writing end of the queue is closed: so what was enqueued is written even if
all processes of the application are killed.
"""

import contextlib
import json
import logging
import os
import signal
import socket
from collections.abc import Callable
from typing import Any, Final

from ..process import reports
from ..records.redaction import redact
from ..records.serialize import restore
from ..sinks.dispatcher import Dispatcher
from .encoding import RECORD, decode, decode_marker
from .frames import MAX_BYTES, read_batches

_IGNORED: Final = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2")


class Listener:
    """Dispatches records, and answers markers by `acknowledge`: with their token and the handlers' counts."""

    def __init__(self, dispatcher: Dispatcher, acknowledge: Callable[[bytes], object]) -> None:
        self._dispatcher = dispatcher
        self._acknowledge = acknowledge
        self._records: list[logging.LogRecord] = []  # read, and not yet dispatched

    def handle(self, batch: list[bytes]) -> None:
        """Deserialize and dispatch a batch of records; carry out the markers among them. Never raises."""
        for data in batch:
            try:
                if data[0] == RECORD:
                    item = decode(data)
                    record = restore(item)
                    if item[7]:
                        self._report_drops(record.process, item[7])
                    self._records.append(record)
                else:
                    self._carry_out(*decode_marker(data))
            except Exception as error:  # noqa: BLE001 - other processes may write anything
                text = f"queue: record dropped, it cannot be deserialized: {type(error).__name__}: {error}"
                reports.report("decode", text)
        self._dispatch()

    def _carry_out(self, process: int, dropped: int, token: bytes) -> None:
        self._dispatch()
        if dropped:
            self._report_drops(process, dropped)
        self._dispatcher.flush()
        self._acknowledge(token + json.dumps(self._dispatcher.counts()).encode())

    def _dispatch(self) -> None:
        if self._records:
            records, self._records = self._records, []
            self._dispatcher.dispatch(records)

    def _report_drops(self, process: int | None, dropped: int) -> None:
        self._dispatch()
        cause = f"full for longer than LOG_QUEUE_TIMEOUT (process {process})"
        reports.report("dropped", f"queue: {reports.COUNT} records dropped: {cause}", dropped)


def main(reader_fd: int, control_fd: int, make_handlers: Callable[[dict[str, Any]], list[logging.Handler]]) -> None:
    """Run the listener process until the last writing end of the queue is closed."""
    for name in _IGNORED:
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    # What the handlers' own libraries log is discarded: in the log each record could cause further ones.
    logging.getLogger().addHandler(logging.NullHandler())
    _use_batch_scheduling()
    control = socket.socket(fileno=control_fd)
    hello = json.loads(control.recv(MAX_BYTES))
    settings = hello["settings"]
    redact.configure(on=settings["redact"], keys=settings["redact_keys"])  # for the reports of this process
    dispatcher = Dispatcher(make_handlers(settings))
    if hello["note"]:
        reports.say(hello["note"])

    def acknowledge(answer: bytes) -> None:
        with contextlib.suppress(OSError):  # the main process may have ended
            control.send(answer, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)

    listener = Listener(dispatcher, acknowledge)
    for batch in read_batches(reader_fd):
        listener.handle(batch)
    control.close()  # by which the main process learns that no other process has the queue open
    dispatcher.close()


def _use_batch_scheduling() -> None:
    """Use SCHED_BATCH (sched(7)), so that wake-ups of this process do not preempt logging processes."""
    with contextlib.suppress(AttributeError, OSError):  # not on every system, nor in every container
        if os.sched_getscheduler(0) == os.SCHED_OTHER:  # otherwise the application's choice is inherited
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
