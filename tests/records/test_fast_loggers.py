"""Loggers that create no LogRecord: their records equal those of `logging`, which is used if other code sees them."""

import asyncio
import contextlib
import functools
import json
import logging
import multiprocessing
import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, FunctionType, SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.project import Bake
from tests.support.scripts import HEAD

NOW = ("created", "msecs", "relativeCreated")
logger = logging.getLogger("shop.orders")
logger.setLevel(logging.DEBUG)


@pytest.fixture(scope="module")
def package(bake: Bake) -> Iterator[SimpleNamespace]:
    with bake().imported() as load:
        names = ("logger", "serialize", "redaction", "context")
        yield SimpleNamespace(**{name: load(f"records.{name}") for name in names})


class Seen(logging.Handler):
    """The root logger's only handler, and what gets the flat records."""

    def __init__(self, package: SimpleNamespace) -> None:
        super().__init__()
        self._serialize = package.serialize
        self.fast: list[Any] = []
        self.slow: list[Any] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.slow.append(self._serialize.prepare(record))

    def deliver(self, origin: bytes, msg: object, args: Any, level: int) -> None:
        record = self._serialize.restore(self._serialize.flatten_call(origin, msg, args))
        assert record.levelno == level
        self.fast.append(record)


@contextlib.contextmanager
def fast_loggers(package: SimpleNamespace) -> Iterator[Seen]:
    seen, before = Seen(package), logging.root.handlers
    logging.root.handlers = [seen]
    undo = package.logger.use_fast_loggers([seen], seen.deliver)
    try:
        yield seen
    finally:
        undo()
        logging.root.handlers = before


def both(package: SimpleNamespace, call: Callable[[], object]) -> tuple[str, Any]:
    """Run `call` with a fast logger and with one of `logging`; return "fast" or "logging", the former's way, and its
    record.

    The two records are checked to be the same.
    """
    with fast_loggers(package) as seen:
        for kind in (type(logger), logging.Logger):
            logger.__class__ = kind
            call()
        logger.__class__ = package.logger.FastLogger
    [found, expected] = [*seen.fast, *seen.slow]
    assert {k: v for k, v in vars(found).items() if k not in NOW} == {
        k: v for k, v in vars(expected).items() if k not in NOW
    }
    assert 0 <= expected.created - found.created < 5
    assert list(vars(found)) == list(vars(expected))
    return "fast" if seen.fast else "logging", found


VALUES = st.one_of(st.none(), st.integers(), st.text(max_size=5), st.dictionaries(st.text(max_size=3), st.integers()))
FORMATS = st.one_of(VALUES, st.sampled_from(["%s", "%s and %s", "%(a)s", "%d", "password=%s", "a\n%r", "100%"]))


class TestSameRecord:
    @given(
        level=st.integers(10, 60),
        message=FORMATS,
        args=st.lists(VALUES, max_size=3).map(tuple),
        name=st.text(max_size=9),
    )
    def test_fast_record_equals_that_of_logging(self, package: SimpleNamespace, **values: Any) -> None:
        before, logger.name = logger.name, values["name"]
        level, message, args = values["level"], values["message"], values["args"]
        try:
            with package.context.log_context(order=7):
                way, record = both(package, lambda: logger.log(level, message, *args))
        finally:
            logger.name = before
        assert way == "fast"
        assert record.fields == {"order": 7}

    @pytest.mark.parametrize("args", [({"a": 1},), ({},), (1,), (1, 2, 3), ({"b": 1},)])
    def test_mapping_and_wrong_arguments_merge_alike(self, package: SimpleNamespace, args: Any) -> None:
        way, record = both(package, lambda: logger.warning("a is %(a)s", *args))
        assert way == "fast"
        assert ("not merged" in record.msg) is (args != ({"a": 1},))

    def test_thread_and_task_are_named(self, package: SimpleNamespace) -> None:
        found = []

        async def job() -> None:
            found.append(both(package, lambda: logger.info("m")))

        async def main() -> None:
            await asyncio.create_task(job(), name="a task")

        thread = threading.Thread(target=lambda: asyncio.run(main()), name="a thread")
        thread.start()
        thread.join()
        [(way, record)] = found
        assert (way, record.threadName, getattr(record, "taskName", "a task")) == ("fast", "a thread", "a task")

    def test_task_without_a_name_is_accepted(self, package: SimpleNamespace) -> None:
        class Nameless(asyncio.Task[None]):
            def get_name(self) -> str:
                raise RuntimeError("no name")

        async def job() -> None:
            assert both(package, lambda: logger.info("m"))[0] == "fast"

        async def main() -> None:
            await Nameless(job(), loop=asyncio.get_running_loop())

        asyncio.run(main())

    @pytest.mark.parametrize("kind", ["threadName", "processName", "levelname", "name"])
    def test_new_name_is_in_the_next_record(
        self, package: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, kind: str
    ) -> None:
        """The same line logs again after a change."""
        with fast_loggers(package) as seen:
            for name in ("one", "two"):
                if kind == "threadName":
                    monkeypatch.setattr(threading.current_thread(), "name", name)
                elif kind == "processName":
                    monkeypatch.setattr(multiprocessing.current_process(), "name", name)
                elif kind == "levelname":
                    monkeypatch.setitem(logging._levelToName, 20, name)  # noqa: SLF001 - as addLevelName() does
                else:
                    monkeypatch.setattr(logger, "name", name)
                logger.info("m")
        assert [getattr(record, kind) for record in seen.fast] == ["one", "two"]

    def test_forked_child_has_its_process_id(self, package: SimpleNamespace) -> None:
        reading, writing = os.pipe()
        with fast_loggers(package) as seen:
            for _ in range(2):  # the second time in the child, after the line is known
                child = -1 if not seen.fast else os.fork()
                logger.info("m")
                if not child:
                    os.write(writing, str(seen.fast[-1].process).encode())
                    os._exit(0)
        os.waitpid(child, 0)
        assert int(os.read(reading, 20)) == child
        assert seen.fast[-1].process == os.getpid()
        os.close(reading)
        os.close(writing)

    def test_eight_threads_keep_their_names(self, package: SimpleNamespace) -> None:
        def work() -> None:
            for _ in range(200):
                logger.info("%s", threading.current_thread().name)

        with fast_loggers(package) as seen:
            threads = [threading.Thread(target=work, name=f"worker {number}") for number in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert len(seen.fast) == 1600
        assert all(record.threadName == record.msg for record in seen.fast)

    def test_greenlets_have_logging_s_names(self, bake: Bake, tmp_path: Path) -> None:
        pytest.importorskip("gevent")
        body = """
def work(number):
    logger.info("%s %s %s", type(logger).__name__, threading.current_thread().name, threading.get_ident())
    logger.__class__ = logging.Logger
    logger.info("%s %s %s", type(logger).__name__, threading.current_thread().name, threading.get_ident())
    logger.__class__ = fast
    gevent.sleep()

with setup_main_logging():
    fast = type(logger)
    gevent.joinall([gevent.spawn(work, number) for number in range(5)])
"""
        patched = "from gevent import monkey; monkey.patch_all()\nimport gevent\n"
        project = bake()
        app = tmp_path / "gevent_app.py"
        app.write_text(patched + HEAD + body, "utf-8")
        run = project.run(str(app), cwd=tmp_path, LOG_FILE="app.log", LOG_FILE_FORMAT="json")
        assert run.returncode == 0, run.stderr
        entries = map(json.loads, (tmp_path / "app.log").read_text("utf-8").splitlines())
        found = [(e["message"].split(), e["thread.name"], e["thread.id"]) for e in entries if "Logger " in e["message"]]
        assert [words[0] for words, _, _ in found] == ["FastLogger", "Logger"] * 5
        assert all(words[1:] == [name, str(ident)] for words, name, ident in found)


def through_wrapper() -> None:
    logger._log(logging.INFO, "m", ())  # noqa: SLF001 - as methods for levels of one's own do


def with_stacklevel(level: int) -> None:
    logger.info("m", stacklevel=level)


class TestOrigin:
    """The line of code that a record comes from."""

    @pytest.mark.parametrize(
        ("call", "way", "function"),
        [
            (through_wrapper, "logging", "through_wrapper"),
            (functools.partial(with_stacklevel, 1), "fast", "with_stacklevel"),
            (functools.partial(with_stacklevel, 2), "logging", "both"),
            (functools.partial(with_stacklevel, 99), "logging", None),
            (lambda: logging.LoggerAdapter(logger, {}).info("m"), "logging", "<lambda>"),
            (lambda: logger.warn("m"), "logging", "<lambda>"),  # type: ignore[deprecated]  # noqa: G010
            (lambda: logger.info("m"), "fast", "<lambda>"),
        ],
    )
    @pytest.mark.filterwarnings("ignore::DeprecationWarning")
    def test_function_is_the_one_logging_finds(
        self, package: SimpleNamespace, call: Callable[[], None], way: str, function: str | None
    ) -> None:
        found, record = both(package, call)
        assert found == way
        assert function in (None, record.funcName)

    def test_module_functions_name_their_caller(self, package: SimpleNamespace) -> None:
        with fast_loggers(package) as seen:
            logging.error("m")  # noqa: LOG015
        assert [record.funcName for record in seen.slow] == ["test_module_functions_name_their_caller"]

    def test_each_line_of_a_function_has_its_number(self, package: SimpleNamespace) -> None:
        with fast_loggers(package) as seen:
            for _ in range(2):
                logger.info("m")
                logger.info("m")
        first, second, *again = [record.lineno for record in seen.fast]
        assert second == first + 1
        assert again == [first, second]

    def test_deleted_code_is_not_taken_for_later_code(self, package: SimpleNamespace) -> None:
        with fast_loggers(package) as seen:
            for number in range(50):
                code = with_stacklevel.__code__.replace(co_name=f"f{number}")
                FunctionType(code, globals())(1)
                del code  # its id is free then
        assert [record.funcName for record in seen.fast] == [f"f{number}" for number in range(50)]

    @pytest.mark.parametrize("instruction", [-1, 0])
    def test_compiled_code_without_instructions_is_left_to_logging(
        self, package: SimpleNamespace, instruction: int
    ) -> None:
        code: CodeType = logging.Logger.info.__code__
        here = SimpleNamespace(f_code=through_wrapper.__code__, f_lasti=instruction, f_lineno=1)
        with pytest.raises(ValueError, match=r"^$"):
            package.logger._origin(SimpleNamespace(f_code=code, f_back=here), "n", 20)  # noqa: SLF001

    def test_cached_places_are_bounded(self, package: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(package.logger, "_MAX_PLACES", 9)
        with fast_loggers(package) as seen:
            for level in range(1, 50):
                logger.log(level + 10, "m")
                assert len(package.logger._known) <= 9  # noqa: SLF001
        assert [record.levelno for record in seen.fast] == list(range(11, 60))

    def test_names_are_masked_by_the_latest_setup(self, package: SimpleNamespace) -> None:
        names = []
        try:
            logger.name = "user=ann"
            for keys in ([], ["user"]):
                package.redaction.redact.configure(keys=keys)
                with fast_loggers(package) as seen:
                    logger.info("m")
                names += [record.name for record in seen.fast]
        finally:
            logger.name = "shop.orders"
            package.redaction.redact.configure()
        assert names == ["user=ann", "user=***"]


class Own(logging.Logger):
    """The application's own logger class."""


class Interference:
    """Changes of a logger by other code; each method is a case, which `monkeypatch` undoes."""

    def __init__(self, package: SimpleNamespace, patch: pytest.MonkeyPatch) -> None:
        self.package = package
        self.patch = patch
        self.calls: list[str] = []

    def _spy(self, owner: Any, name: str) -> None:
        original = getattr(owner, name)

        def spy(*args: Any, **more: Any) -> Any:
            self.calls.append(name)
            return original(*args, **more)

        self.patch.setattr(owner, name, spy)

    def class_of_its_own(self) -> None:
        self.patch.setattr(logger, "__class__", Own)
        self.calls.append("")

    def record_factory(self) -> None:
        self._spy(logging, "_logRecordFactory")

    def make_record(self) -> None:
        self._spy(logging.Logger, "makeRecord")

    def handle(self) -> None:
        self._spy(logging.Logger, "handle")

    def call_handlers(self) -> None:  # as Sentry does
        self._spy(logging.Logger, "callHandlers")

    def call_handlers_of_the_class_in_force(self) -> None:
        self._spy(logging.getLoggerClass(), "callHandlers")

    def find_caller(self) -> None:
        self._spy(logging.Logger, "findCaller")

    def get_message(self) -> None:
        self._spy(logging.LogRecord, "getMessage")

    def method_of_one_logger(self) -> None:
        self._spy(logger, "makeRecord")

    def filter_of_the_logger(self) -> None:
        self.patch.setattr(logger, "filters", [lambda record: self.calls.append(record.msg) or True])

    def filter_of_the_root_handler(self) -> None:
        [handler] = logging.root.handlers
        handler.addFilter(lambda record: self.calls.append(record.msg) or True)

    def _handler(self) -> logging.Handler:
        handler = logging.NullHandler()
        self._spy(handler, "handle")
        return handler

    def handler_of_the_logger(self) -> None:
        self.patch.setattr(logger, "handlers", [self._handler()])

    def handler_of_the_parent(self) -> None:
        self.patch.setattr(logging.getLogger("shop"), "handlers", [self._handler()])

    def handler_of_the_root(self) -> None:
        self.patch.setattr(logging.root, "handlers", [*logging.root.handlers, self._handler()])


CASES = [name for name in vars(Interference) if not name.startswith("_")]


class TestFallback:
    """`logging` makes the record where other code would see it."""

    @pytest.mark.parametrize("case", CASES)
    def test_other_code_sees_the_record(self, package: SimpleNamespace, case: str) -> None:
        with fast_loggers(package) as seen, pytest.MonkeyPatch.context() as patch:
            logger.info("before")
            other = Interference(package, patch)
            getattr(other, case)()
            logger.info("%s", "during")
            patch.undo()
        assert other.calls
        assert [record.msg for record in seen.fast] == ["before"]
        [found] = seen.slow
        assert found.msg == "during"
        assert found.funcName == "test_other_code_sees_the_record" or case == "find_caller"  # which adds a frame

    @pytest.mark.parametrize("more", [{"extra": {"a": 1}}, {"exc_info": ValueError("x")}, {"stack_info": True}])
    def test_rare_arguments_go_to_logging(self, package: SimpleNamespace, more: dict[str, Any]) -> None:
        with fast_loggers(package) as seen:
            logger.info("m", **more)
        [record] = seen.slow
        assert record.funcName == "test_rare_arguments_go_to_logging"
        assert record.fields or record.exception or "in test_rare_arguments_go_to_logging" in record.stack_info

    @pytest.mark.parametrize("stop", ["shop", "shop.orders"])
    def test_logger_that_does_not_propagate_reaches_no_handler(self, package: SimpleNamespace, stop: str) -> None:
        with fast_loggers(package) as seen, pytest.MonkeyPatch.context() as patch:
            patch.setattr(logging.getLogger(stop), "propagate", False)
            logger.info("m")
        assert not seen.fast + seen.slow

    def test_logger_without_a_parent_raises_nothing(self, package: SimpleNamespace) -> None:
        with fast_loggers(package) as seen:
            logging.getLoggerClass()("alone").info("m")
        assert not seen.fast + seen.slow

    @pytest.mark.parametrize("switch", ["logThreads", "logProcesses", "logMultiprocessing"])
    def test_switches_of_logging_are_respected(
        self, package: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, switch: str
    ) -> None:
        monkeypatch.setattr(logging, switch, False)
        with fast_loggers(package) as seen:
            logger.info("m")
        assert len(seen.slow) == 1

    def test_subclass_sees_the_frames_of_logging(self, package: SimpleNamespace) -> None:
        """A findCaller() that counts frames, in a class that is created after setup, like absl's."""
        with fast_loggers(package) as seen, pytest.MonkeyPatch.context() as patch:

            class Counting(logging.getLoggerClass()):  # type: ignore[misc]
                def findCaller(self, *_: Any) -> tuple[str, int, str, None]:  # noqa: N802
                    code = sys._getframe(3).f_code  # noqa: SLF001 - _log, info, and their caller
                    return code.co_filename, 1, code.co_name, None

            patch.setattr(logger, "__class__", Counting)
            logger.info("m")
        assert [record.funcName for record in seen.slow] == ["test_subclass_sees_the_frames_of_logging"]


class TestClasses:
    def test_loggers_of_logging_become_fast_until_stop(self, package: SimpleNamespace) -> None:
        before = logging.getLogger("made before")
        with fast_loggers(package):
            during = logging.getLogger("made during")
            assert type(before) is type(during) is logging.getLoggerClass() is package.logger.FastLogger
        assert type(before) is type(during) is logging.getLoggerClass() is logging.Logger

    def test_own_classes_stay(self, package: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(logging, "_loggerClass", Own)
        before = logging.getLogger("made by the application's class")
        with fast_loggers(package):
            assert type(before) is Own is logging.getLoggerClass()
        assert type(before) is Own is logging.getLoggerClass()


BELOW = """
import logging
from my_service.logging_setup import setup_main_logging
with setup_main_logging():
    for handler in logging.getLogger().handlers:
        handler.setLevel(logging.ERROR)
    logging.getLogger("my_service.app").warning("below")
    logging.getLogger("my_service.app").error("above")
"""


@pytest.mark.parametrize("queue", [True, False], ids=["queue", "direct"])
def test_level_of_the_root_handler_is_respected(bake: Bake, tmp_path: Path, queue: bool) -> None:
    app = tmp_path / "app.py"
    app.write_text(BELOW, "utf-8")
    run = bake(multiprocessing=queue).run(str(app), cwd=tmp_path, LOG_FILE="app.log")
    lines = (tmp_path / "app.log").read_text("utf-8")
    assert run.returncode == 0, run.stderr
    assert "above" in lines
    assert "below" not in lines
