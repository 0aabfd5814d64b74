"""The compared libraries. Each is set up according to its documentation, and writes the same lines:

    time with milliseconds, level, logger, process, message

or JSON with the same, as far as they can.

Each process makes its own peer. Libraries are imported where they are used, so that a peer's memory
does not include the others'.
"""

import contextlib
import logging
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Any, ClassVar, Final

NAME: Final = "shop.orders"  # of the logger
SINK_SLEEPS: Final = 0.001  # seconds per record: 100 times the time to write it
FORMAT: Final = "%(asctime)s %(levelname)-8s %(name)s [%(processName)s] %(message)s"
_SILENCE: Final = 2.0  # seconds without a line after which no more are expected
PERCENT: Final = "id=%d.%d %s"
BRACES: Final = "id={}.{} {}"

Log = Callable[..., object]


class SlowHandler(logging.Handler):
    """A sink that is 100 times too slow."""

    def emit(self, record: logging.LogRecord) -> None:  # noqa: ARG002 - only the time matters
        time.sleep(SINK_SLEEPS)


class Peer(ABC):
    """One way to log from many processes into `folder`; `slow` adds the sink that is too slow, `json` is the format."""

    title: ClassVar[str]
    template: ClassVar[str] = PERCENT
    listens: ClassVar[bool] = True  # True if one process or thread writes for all
    safe: ClassVar[bool] = True  # True if several processes may use it on one file
    needs: ClassVar[str] = "logging"  # module that does not exist for every Python

    def __init__(self, folder: Path, *, slow: bool = False, json: bool = False) -> None:
        self.folder = folder
        self.slow = slow
        self.json = json

    def start(self, context: BaseContext) -> Any:  # noqa: ARG002
        """Start in the main process; return what the workers need."""
        return None

    @abstractmethod
    def join(self, handle: Any) -> None:
        """Set up a process that logs, before its first record."""

    def calls(self) -> tuple[Log, Log]:
        """Return the functions that log a record, and one with a traceback."""
        logger = logging.getLogger(NAME)
        return logger.info, logger.exception

    def leave(self) -> None:  # noqa: B027
        """Block until all records have left this process."""

    def finish(self, lines: int) -> None:  # noqa: B027
        """Block in the main process until all `lines` are in the file; called after all leave()."""

    def listener(self) -> int | None:
        """Return the id of the process that writes for all, if there is one."""
        return None

    def handlers(self) -> list[logging.Handler]:
        """Return the file handler, for peers that are handlers of `logging`; one per process for the floor."""
        return [_formatted(logging.FileHandler(self.folder / "app.log")), *self.slow_handlers()]

    def slow_handlers(self) -> list[logging.Handler]:
        return [SlowHandler()] if self.slow else []


class Ours(Peer):
    title = "this template"

    def start(self, context: BaseContext) -> Any:  # noqa: ARG002
        from my_service.logging_setup import setup_main_logging

        if self.json:
            os.environ["LOG_FILE_FORMAT"] = "json"
        self._logs: Any = setup_main_logging()
        self._logs.flush()
        return getattr(self._logs, "queue", None)

    def join(self, handle: Any) -> None:
        if handle is not None:
            from my_service.logging_setup import setup_proc_logging

            setup_proc_logging(handle)

    def finish(self, lines: int) -> None:  # noqa: ARG002
        self._logs.flush(60)

    def listener(self) -> int | None:
        for task in Path("/proc/self/task").iterdir():
            for child in (task / "children").read_text().split():
                with contextlib.suppress(OSError):
                    if b"listener_main.py" in Path(f"/proc/{child}/cmdline").read_bytes():
                        return int(child)
        return None


class Textbook(Peer):
    title = "textbook (QueueHandler, multiprocessing.Queue, QueueListener)"

    def start(self, context: BaseContext) -> Any:
        from logging.handlers import QueueListener

        queue = context.Queue(-1)
        self._listener = QueueListener(queue, *self.handlers())
        self._listener.start()
        return queue

    def join(self, handle: Any) -> None:
        from logging.handlers import QueueHandler

        self._queue = handle
        _attach([QueueHandler(handle)])

    def leave(self) -> None:
        self._queue.close()
        self._queue.join_thread()

    def finish(self, lines: int) -> None:  # noqa: ARG002
        self._listener.stop()


class Loguru(Peer):
    title = "loguru, enqueue=True"
    template = BRACES
    enqueue: ClassVar[bool] = True

    def start(self, context: BaseContext) -> Any:
        from loguru import logger

        form = "{time:YYYY-MM-DD HH:mm:ss,SSS} {level: <8} {name} [{process.name}] {message}"
        common: dict[str, Any] = {"format": form, "level": "INFO", "backtrace": False, "diagnose": False}
        if self.enqueue:
            common |= {"enqueue": True, "context": context}
        if self.json:
            common |= {"serialize": True}
        logger.remove()
        logger.add(str(self.folder / "app.log"), **common)
        for handler in self.slow_handlers():
            logger.add(handler, **common)
        return logger

    def join(self, handle: Any) -> None:
        self._logger = handle

    def calls(self) -> tuple[Log, Log]:
        return self._logger.info, self._logger.exception

    def finish(self, lines: int) -> None:  # noqa: ARG002
        from loguru import logger

        logger.complete()


class LoguruDirect(Loguru):
    title = "loguru"
    enqueue = False


class ConcurrentLogHandler(Peer):
    title = "concurrent-log-handler"
    listens = False

    def join(self, handle: Any) -> None:  # noqa: ARG002
        from concurrent_log_handler import ConcurrentRotatingFileHandler

        file = ConcurrentRotatingFileHandler(str(self.folder / "app.log"), "a", 1 << 30, 5)
        _attach([_formatted(file), *self.slow_handlers()])


class LogbookQueue(Peer):
    title = "Logbook, multiprocessing queue"
    template = BRACES

    def start(self, context: BaseContext) -> Any:
        from logbook.queues import MultiProcessingSubscriber

        queue = context.Queue(-1)
        MultiProcessingSubscriber(queue).dispatch_in_background(self.target())
        return queue

    def target(self) -> Any:
        import logbook

        class Slow(logbook.Handler):
            def emit(self, record: object) -> None:  # noqa: ARG002
                time.sleep(SINK_SLEEPS)

        form = "{record.time:%Y-%m-%d %H:%M:%S.%f} {record.level_name:<8} {record.channel} [{record.process_name}] "
        file = logbook.FileHandler(str(self.folder / "app.log"), bubble=True, format_string=form + "{record.message}")
        return logbook.NestedSetup([file, Slow(bubble=True)]) if self.slow else file

    def join(self, handle: Any) -> None:
        from logbook.queues import MultiProcessingHandler

        self._queue = handle
        MultiProcessingHandler(handle).push_application()

    def calls(self) -> tuple[Log, Log]:
        import logbook

        logger = logbook.Logger(NAME)
        return logger.info, logger.exception

    def leave(self) -> None:
        self._queue.close()
        self._queue.join_thread()

    def finish(self, lines: int) -> None:
        # Its controller's stop() does not drain the queue, so the file is watched.
        found, tail, seen_at = 0, b"", time.monotonic()
        with (self.folder / "app.log").open("rb") as file:
            while found < lines and time.monotonic() < seen_at + _SILENCE:
                if block := file.read():
                    found += (tail + block).count(b" id=")
                    tail, seen_at = block[-3:], time.monotonic()
                else:
                    time.sleep(0.002)


class LogbookDirect(LogbookQueue):
    title = "Logbook"

    def start(self, context: BaseContext) -> Any:  # noqa: ARG002
        return None

    def join(self, handle: Any) -> None:  # noqa: ARG002
        self.target().push_application()

    def leave(self) -> None:
        """Return: records are written synchronously."""

    def finish(self, lines: int) -> None:
        """Return: each record was flushed."""


class OwnFiles(Peer):
    title = "each process its own file, uncoordinated (floor)"
    listens = safe = False

    def join(self, handle: Any) -> None:  # noqa: ARG002
        _attach([_formatted(logging.FileHandler(self.folder / f"app.{os.getpid()}.log")), *self.slow_handlers()])


class PlainFile(Peer):
    title = "logging.FileHandler"

    def join(self, handle: Any) -> None:  # noqa: ARG002
        _attach(self.handlers())


class JsonLogger(PlainFile):
    title = "logging.FileHandler with python-json-logger"
    needs = "pythonjsonlogger"

    def handlers(self) -> list[logging.Handler]:
        from pythonjsonlogger.json import JsonFormatter

        file = logging.FileHandler(self.folder / "app.log")
        file.setFormatter(JsonFormatter(["asctime", "levelname", "name", "processName", "message"]))
        return [file]


class Structlog(Peer):
    title = "structlog, JSON"
    needs = "structlog"

    def join(self, handle: Any) -> None:  # noqa: ARG002
        import structlog

        process = structlog.processors.CallsiteParameterAdder({structlog.processors.CallsiteParameter.PROCESS_NAME})
        structlog.configure(
            cache_logger_on_first_use=True,
            wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
            processors=[
                structlog.contextvars.merge_contextvars,
                structlog.processors.add_log_level,
                structlog.processors.format_exc_info,
                structlog.processors.TimeStamper(fmt="iso"),
                process,
                structlog.processors.JSONRenderer(),
            ],
            logger_factory=structlog.WriteLoggerFactory((self.folder / "app.log").open("a", encoding="utf-8")),
        )

    def calls(self) -> tuple[Log, Log]:
        import structlog

        logger = structlog.get_logger().bind(logger_name=NAME)
        return logger.info, logger.exception


class Picologging(Peer):
    title = "picologging.FileHandler"
    needs = "picologging"

    def join(self, handle: Any) -> None:  # noqa: ARG002
        import picologging

        file = picologging.FileHandler(str(self.folder / "app.log"))
        # Its format has no milliseconds, no field width, and no process name.
        form = "%(asctime)s %(levelname)s %(name)s [%(process)d] %(message)s"
        file.setFormatter(picologging.Formatter(form, "%Y-%m-%d %H:%M:%S"))
        self._logger = picologging.getLogger(NAME)
        self._logger.setLevel(picologging.INFO)
        self._logger.addHandler(file)

    def calls(self) -> tuple[Log, Log]:
        return self._logger.info, self._logger.exception


class Logly(Peer):
    title = "logly"
    template = BRACES
    needs = "logly"

    def join(self, handle: Any) -> None:  # noqa: ARG002
        from logly import logger

        form = {"serialize": True} if self.json else {"format": "{time} {level} {name} [{process}] {message}"}
        logger.remove()
        logger.add(str(self.folder / "app.log"), level="INFO", **form)

    def calls(self) -> tuple[Log, Log]:
        from logly import logger

        return logger.info, logger.exception

    def leave(self) -> None:
        from logly import logger

        logger.complete()


def _formatted(handler: logging.Handler) -> logging.Handler:
    handler.setFormatter(logging.Formatter(FORMAT))
    return handler


def _attach(handlers: list[logging.Handler]) -> None:
    root = logging.getLogger()
    root.setLevel(logging.INFO)
    for handler in handlers:
        root.addHandler(handler)


PEERS: Final[dict[str, type[Peer]]] = {
    "ours": Ours,
    "textbook": Textbook,
    "loguru": Loguru,
    "concurrent": ConcurrentLogHandler,
    "logbook": LogbookQueue,
    "floor": OwnFiles,
    "plain": PlainFile,
    "loguru-direct": LoguruDirect,
    "logbook-direct": LogbookDirect,
    "json-logger": JsonLogger,
    "structlog": Structlog,
    "picologging": Picologging,
    "logly": Logly,
}
