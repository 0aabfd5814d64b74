"""The listener: reads the log queue, and dispatches the records to the handlers.

It runs in a process of its own (supervisor.py), or in a thread. The process ignores the signals that end
an application, and ends once the last write end of the queue is closed, so enqueued records are written even if
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
    """Dispatch a batch of records, and process the markers among them. Never raises.

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
            text = f"queue: deserialization failed, record dropped: {type(error).__name__}: {error}"
            reports.report("decode", text)
    if records:
        dispatcher.dispatch(records)


def main(reader_fd: int, control_fd: int, make_handlers: Callable[[dict[str, Any]], list[logging.Handler]]) -> None:
    """Run the listener process until the last write end of the queue is closed."""
    for name in _IGNORED:
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    # Records of the handlers' own libraries are discarded: each could cause further ones.
    logging.getLogger().addHandler(logging.NullHandler())
    with contextlib.suppress(AttributeError, OSError):  # not available on every system, or in every container
        if os.sched_getscheduler(0) == os.SCHED_OTHER:  # otherwise keep the application's choice, which is inherited
            # sched(7): wake-ups of this process do not preempt logging processes.
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    # The socket is read and written as a file: `socket` takes 3 ms to import.
    hello = json.loads(os.read(control_fd, 1 << 20))  # more than a socket accepts in one message
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
    os.close(control_fd)  # shows the main process that no other process has the queue open
    dispatcher.close()
