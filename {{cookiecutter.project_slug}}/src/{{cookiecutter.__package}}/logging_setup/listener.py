"""The listener: takes records from the log queue and hands them to the handlers.

It runs in a process of its own (see supervisor.py), or in a thread where that cannot be. The
process ignores the signals that end an application, and ends by itself when the last process
that could log has gone: what was accepted is written even if all of these are killed.
"""

import contextlib
import logging
import marshal
import os
import signal
import socket
from collections.abc import Callable
from typing import Final

from . import reports
from .dispatcher import Dispatcher
from .frames import AT_ONCE, FrameDecoder
from .get_handlers import get_handlers
from .records import restore
from .settings import Settings
from .wire import MAX_BYTES, decode

ENDING: Final = b"ending"  # said on the control socket once every sender has gone
TOGETHER: Final = 8  # records that are handed over at once while more wait; a killed listener takes them with it
_IGNORED: Final = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2")


class Listener:
    """Does what is asked for through the queue."""

    def __init__(self, dispatcher: Dispatcher, acknowledge: Callable[[bytes], object]) -> None:
        self._dispatcher = dispatcher
        self._acknowledge = acknowledge
        self._records: list[logging.LogRecord] = []  # taken, and not yet handed over

    def take(self, data: bytes | bytearray | memoryview) -> None:
        """Carry out a flush marker or a count of drops; hand a record over, at once or with some more. Never raises."""
        try:
            item = decode(data)
            if type(item) is int:
                self.hand_over()
                self._dispatcher.flush()
                self._acknowledge(marshal.dumps((item, self._dispatcher.counts())))
                return
            if len(item) == 2:
                self._report_drops(*item)
                return
            record = restore(item)
            if item[7]:
                self._report_drops(record.process, item[7])
            self._records.append(record)
            if len(self._records) >= TOGETHER:
                self.hand_over()
        except Exception as error:  # noqa: BLE001 - whatever was sent, the next one is wanted
            reports.report("decode", f"a record could not be read: {type(error).__name__}: {error}")

    def hand_over(self) -> None:
        """Hand the handlers what has been taken: to be called when there is nothing to take. Never raises."""
        if self._records:
            records, self._records = self._records, []
            self._dispatcher.dispatch(records)

    def _report_drops(self, process: int | None, dropped: int) -> None:
        self.hand_over()
        text = f"{reports.COUNT} records dropped: the log queue was full for too long (process {process})"
        reports.report("dropped", text, dropped)


def main(reader_fd: int, control_fd: int) -> None:
    """The life of the listener process."""
    for name in _IGNORED:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    # What the handlers' own libraries log stays here: in the log it could make more of itself.
    logging.getLogger().addHandler(logging.NullHandler())
    _give_way()
    control = socket.socket(fileno=control_fd)
    hello = decode(control.recv(MAX_BYTES))
    dispatcher = Dispatcher(get_handlers(Settings(**hello["settings"])))
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
