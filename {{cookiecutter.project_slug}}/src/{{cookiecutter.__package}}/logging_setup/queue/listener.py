"""The listener: reads the log queue, and dispatches the records to the handlers.

It runs in a process of its own (supervisor.py), or in a thread. The process ignores the signals that end
an application, and ends once the last writing end of the queue is closed: so what was enqueued is written even if
all processes of the application are killed.
"""

import contextlib
import json
import logging
import os
import signal
from collections.abc import Callable
from typing import Any, Final

from ..process import reports
from ..process.live_level import live
from ..records.context import constant_fields
from ..records.redaction import redact
from ..records.serialize import restore
from ..sinks.dispatcher import Dispatcher
from .encoding import RECORD, decode, decode_marker
from .frames import read_batches

_IGNORED: Final = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2")


def handle(batch: list[bytes], dispatcher: Dispatcher, acknowledge: Callable[[bytes], object]) -> None:
    """Dispatch a batch of records, and carry out the markers among them. Never raises.

    A flush is acknowledged with the marker's token and the counts of the handlers.
    """
    records: list[logging.LogRecord] = []
    for data in batch:
        try:
            if data[0] == RECORD:
                records.append(restore(decode(data)))
                continue
            process, dropped, token = decode_marker(data)
            dispatcher.dispatch(records)
            records.clear()
            if dropped:
                cause = f"full for longer than LOG_QUEUE_TIMEOUT (process {process})"
                reports.report("dropped", f"queue: {reports.COUNT} records dropped: {cause}", dropped)
            else:
                dispatcher.flush()
                acknowledge(token + json.dumps(dispatcher.counts()).encode())
        except Exception as error:  # noqa: BLE001 - other processes may write anything
            text = f"queue: record dropped, it cannot be deserialized: {type(error).__name__}: {error}"
            reports.report("decode", text)
    if records:
        dispatcher.dispatch(records)


def main(reader_fd: int, control_fd: int, make_handlers: Callable[[dict[str, Any]], list[logging.Handler]]) -> None:
    """Run the listener process until the last writing end of the queue is closed."""
    for name in _IGNORED:
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    # What the handlers' own libraries log is discarded: in the log each record could cause further ones.
    logging.getLogger().addHandler(logging.NullHandler())
    with contextlib.suppress(AttributeError, OSError):  # not on every system, nor in every container
        if os.sched_getscheduler(0) == os.SCHED_OTHER:  # otherwise the application's choice is inherited
            # sched(7): wake-ups of this process do not preempt logging processes.
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    # Read and written as files: `socket` takes 3 ms to import.
    hello = json.loads(os.read(control_fd, 1 << 20))  # a socket takes no longer message
    os.set_blocking(control_fd, False)
    settings = hello["settings"]
    redact.configure(on=settings["redact"], keys=settings["redact_keys"])  # for the reports of this process
    constant_fields.update(settings["fields"])
    dispatcher = Dispatcher(make_handlers(settings))
    if settings["level_control"]:
        live.start(dispatcher.handlers)
    if hello["note"]:
        reports.say(hello["note"])

    def acknowledge(answer: bytes) -> None:
        with contextlib.suppress(OSError):  # the main process may have ended
            os.write(control_fd, answer)

    for batch in read_batches(reader_fd):
        handle(batch, dispatcher, acknowledge)
    os.close(control_fd)  # by which the main process learns that no other process has the queue open
    dispatcher.close()
