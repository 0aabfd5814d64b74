"""The listener: takes records from the log queue and hands them to the handlers.

It runs in a process of its own (see supervisor.py), or in a thread where that cannot be. The
process ignores the signals that end an application, and ends by itself when the last process
that could log has gone: what was accepted is written even if all of these are killed.
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
from .encoding import DROPS, FLUSH, RECORD, decode, decode_drops, decode_flush
from .frames import AT_ONCE, FRAME, MAX_BYTES, FrameDecoder

ENDING: Final = b"ending"  # said on the control socket once every sender has gone
TOGETHER: Final = AT_ONCE // FRAME  # records that are handed over at once; lost if the listener is killed meanwhile
_IGNORED: Final = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2")


class Listener:
    """Does what is asked for through the queue."""

    def __init__(self, dispatcher: Dispatcher, acknowledge: Callable[[bytes], object]) -> None:
        self._dispatcher = dispatcher
        self._acknowledge = acknowledge
        self._records: list[logging.LogRecord] = []  # taken, and not yet handed over

    def take(self, data: bytes) -> None:
        """Carry out a flush marker or a count of drops; keep a record for `hand_over`. Never raises."""
        try:
            if data[0] != RECORD:
                self._obey(data)
                return
            item = decode(data)
            record = restore(item)
            if item[7]:
                self._report_drops(record.process, item[7])
            self._records.append(record)
        except Exception as error:  # noqa: BLE001 - whatever was sent, the next one is wanted
            reports.report("decode", f"queue: record dropped, it cannot be decoded: {type(error).__name__}: {error}")

    def _obey(self, marker: bytes) -> None:
        if marker[0] == FLUSH:
            self.hand_over()
            self._dispatcher.flush()
            self._acknowledge(decode_flush(marker) + json.dumps(self._dispatcher.counts()).encode())
        elif marker[0] == DROPS:
            self._report_drops(*decode_drops(marker))
        else:
            raise ValueError("neither a record nor a marker")

    def hand_over(self) -> None:
        """Hand the handlers what has been taken: to be called when there is nothing to take. Never raises."""
        if self._records:
            records, self._records = self._records, []
            self._dispatcher.dispatch(records)

    def _report_drops(self, process: int | None, dropped: int) -> None:
        self.hand_over()
        text = f"{reports.COUNT} records dropped: the log queue was full for too long (process {process})"
        reports.report("dropped", text, dropped)


def main(reader_fd: int, control_fd: int, make_handlers: Callable[[dict[str, Any]], list[logging.Handler]]) -> None:
    """The life of the listener process."""
    for name in _IGNORED:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    # What the handlers' own libraries log stays here: in the log it could make more of itself.
    logging.getLogger().addHandler(logging.NullHandler())
    _give_way()
    control = socket.socket(fileno=control_fd)
    hello = json.loads(control.recv(MAX_BYTES))
    settings = hello["settings"]
    redact.configure(on=settings["redact"], keys=settings["redact_keys"])  # for the reports of this process
    dispatcher = Dispatcher(make_handlers(settings))
    if hello["note"]:
        reports.say(hello["note"])

    def acknowledge(answer: bytes) -> None:
        with contextlib.suppress(OSError):  # the main process may be gone
            control.send(answer, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)

    read_all(reader_fd, Listener(dispatcher, acknowledge))
    acknowledge(ENDING)
    dispatcher.close()


def _give_way() -> None:
    """Have no wakeup of this process push one that logs off its core: sched(7), SCHED_BATCH.

    It gets its share of the time all the same, and takes what has gathered meanwhile in one go.
    """
    with contextlib.suppress(AttributeError, OSError):  # not everywhere, nor in every container
        if os.sched_getscheduler(0) == os.SCHED_OTHER:  # else somebody has chosen
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def read_all(reader: int, listener: Listener) -> None:
    """Take what comes through the pipe, eight records at a time or what there is, until the last sender has gone."""
    frames, take = FrameDecoder(), listener.take
    while read := os.read(reader, AT_ONCE):
        for data in frames.records(read):
            take(data)
        listener.hand_over()
