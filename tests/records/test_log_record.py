"""The record factory: records equal to logging.LogRecord's, and the original class where that is not possible."""

import asyncio
import itertools
import logging
import os
import pickle
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.hostile import raised
from tests.support.project import Bake

NOW = ("created", "msecs", "relativeCreated")


@pytest.fixture(scope="module")
def package(bake: Bake) -> Iterator[SimpleNamespace]:
    with bake().imported() as load:
        yield SimpleNamespace(
            **{
                name.rpartition(".")[2]: load(name)
                for name in (
                    "records.factory",
                    "records.serialize",
                    "records.redaction",
                    "records.context",
                    "queue.encoding",
                )
            }
        )


@pytest.fixture
def ours(package: SimpleNamespace) -> Iterator[Any]:
    yield package.factory
    logging.setLogRecordFactory(logging.LogRecord)


def use(ours: Any) -> None:
    if ours.is_usable():
        logging.setLogRecordFactory(ours.LogRecord)


def same(ours: Any, *args: Any, **more: Any) -> dict[str, Any]:
    """Return the attributes of our record, checked to be logging's own except for times."""
    theirs, record = logging.LogRecord(*args, **more), ours.LogRecord(*args, **more)
    expected, found = vars(theirs), vars(record)
    assert list(found) and found.keys() == expected.keys()
    assert {k: v for k, v in found.items() if k not in NOW} == {k: v for k, v in expected.items() if k not in NOW}
    assert abs(record.created - theirs.created) < 5
    assert abs((record.created - theirs.created) * 1000 - (record.relativeCreated - theirs.relativeCreated)) < 1
    assert record.msecs == int(record.created * 1000 % 1000) or record.msecs == int(record.created % 1 * 1000)
    assert type(record.msecs) is type(theirs.msecs)
    return found


VALUES = st.one_of(st.none(), st.integers(), st.text(max_size=5), st.dictionaries(st.text(max_size=3), st.integers()))


@given(
    name=st.text(max_size=9),
    level=st.integers(-1, 60),
    path=st.text(alphabet="ab/.\\é ", max_size=12),
    message=VALUES,
    args=st.one_of(st.none(), st.lists(VALUES, max_size=3).map(tuple)),
    function=st.one_of(st.none(), st.text(max_size=5)),
)
def test_record_has_the_attributes_of_a_log_record(package: SimpleNamespace, **values: Any) -> None:
    order = (values["name"], values["level"], values["path"], 7, values["message"], values["args"], None)
    same(package.factory, *order, values["function"], "a stack")


def test_record_names_thread_task_and_process(ours: Any) -> None:
    args = ("n", 20, __file__, 1, "m", (), None)
    found = []

    async def job() -> None:
        found.append(same(ours, *args))

    async def main() -> None:
        await asyncio.create_task(job(), name="a task")

    def work() -> None:
        found.append(same(ours, *args))
        asyncio.run(main())

    thread = threading.Thread(target=work, name="a thread")
    thread.start()
    thread.join()
    assert [record["threadName"] for record in found] == ["a thread"] * 2
    assert found[1].get("taskName", "a task") == "a task"
    assert found[0]["process"] == os.getpid()


def test_record_of_a_forked_child_has_its_process_id(ours: Any) -> None:
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        record = ours.LogRecord("n", 20, __file__, 1, "m", (), None)
        os.write(writing, str(record.process).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert int(os.read(reading, 20)) == child
    os.close(reading)
    os.close(writing)


@pytest.mark.parametrize("path", [None, 7, ["a"]])
def test_record_accepts_a_pathname_that_is_no_path(package: SimpleNamespace, path: Any) -> None:
    found = same(package.factory, "n", 20, path, 1, "m", (), None)
    assert found["module"] == "Unknown module"


def test_record_survives_a_task_without_a_name(package: SimpleNamespace) -> None:
    class Nameless(asyncio.Task[None]):
        def get_name(self) -> str:
            raise RuntimeError("no name")

    async def job() -> None:
        same(package.factory, "n", 20, __file__, 1, "m", (), None)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        await Nameless(job(), loop=loop)

    asyncio.run(main())


def test_record_unpickles_without_the_package(ours: Any) -> None:
    record = ours.LogRecord("n", 20, __file__, 1, "m %d", (1,), None)
    data = pickle.dumps(record)
    assert b"logging_setup" not in data
    assert vars(pickle.loads(data)) == vars(record)  # noqa: S301 - our own


@pytest.mark.parametrize("place", ["after", "before"])
def test_application_factory_is_not_used_for_received_records(package: SimpleNamespace, ours: Any, place: str) -> None:
    """A factory may require a name, and its additions belong to the records of one process only."""
    numbers = itertools.count()
    usual = ours.LogRecord if place == "after" else logging.LogRecord

    def factory(name: str, *args: Any, **more: Any) -> logging.LogRecord:
        record: logging.LogRecord = usual(name, *args, **more)
        record.short = name.split(".")[-1]
        record.number = next(numbers)
        return record

    logging.setLogRecordFactory(factory)
    made = [logging.getLogger("a.b").makeRecord("a.b", 20, "p.py", 1, "m", (), None) for _ in range(2)]
    restored = [package.serialize.restore(package.serialize.flatten(record)) for record in made]
    assert [(record.short, record.number) for record in restored] == [("b", 0), ("b", 1)]
    assert [record.fields for record in restored] == [{"short": "b", "number": 0}, {"short": "b", "number": 1}]


@pytest.mark.parametrize("attribute", ["name", "threadName", "levelname", "lineno", "funcName", "process", "pathname"])
@pytest.mark.parametrize("value", [["a"], {"a": 1}, None, 7, "x" * 100_000, "\U0001f600" * 9_000, ("y" * 999,) * 99])
def test_odd_attributes_are_sent_with_bounded_length(package: SimpleNamespace, attribute: str, value: Any) -> None:
    record = logging.LogRecord("n", 20, "p.py", 1, "the message", (), None)
    setattr(record, attribute, value)
    for _ in range(2):  # the second time from the cache
        data = package.encoding.encode(record)
        assert len(data) <= package.encoding.MAX_BYTES
        restored = package.serialize.restore(package.encoding.decode(data))
        assert restored.getMessage() == "the message"
        assert str(getattr(restored, attribute))[:2] == str(value).replace("[", "(")[:2]


def test_exception_class_without_a_name_is_sent(package: SimpleNamespace) -> None:
    class Nameless(type):
        @property
        def __module__(cls) -> str:  # type: ignore[override]
            raise RuntimeError

    class HostileError(Exception, metaclass=Nameless):
        pass

    record = package.factory.LogRecord("n", 40, "p.py", 1, "m", (), raised(HostileError("why")))
    prepared = package.serialize.prepare(record)
    assert prepared.exception["message"] == "why"
    assert "why" in prepared.exc_text


def test_factory_makes_all_records(ours: Any) -> None:
    use(ours)
    assert type(logging.getLogger("any").makeRecord("n", 20, "p", 1, "m", (), None)) is ours.LogRecord
    assert logging.makeLogRecord({"msg": "hello", "created": 1.5}).created == 1.5


def test_factory_set_by_other_code_stays(ours: Any) -> None:
    def factory(*args: Any, **more: Any) -> logging.LogRecord:
        return logging.LogRecord(*args, **more)

    logging.setLogRecordFactory(factory)
    use(ours)
    assert logging.getLogRecordFactory() is factory


@pytest.mark.parametrize("switch", ["logThreads", "logProcesses", "logMultiprocessing"])
def test_factory_respects_the_switches_of_logging(ours: Any, monkeypatch: pytest.MonkeyPatch, switch: str) -> None:
    monkeypatch.setattr(logging, switch, False)
    use(ours)
    assert logging.getLogRecordFactory() is logging.LogRecord


def test_factory_is_not_used_if_records_have_more_attributes(ours: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    newer = logging.makeLogRecord({})
    newer.__dict__["of a later Python"] = 1
    monkeypatch.setattr(ours, "BLANK", newer.__dict__)
    use(ours)
    assert logging.getLogRecordFactory() is logging.LogRecord


def test_cached_logger_name_is_masked_by_current_rules(package: SimpleNamespace) -> None:
    redact, records = package.redaction, package.serialize
    record = package.factory.LogRecord("user=ann", 20, __file__, 1, "m", (), None)
    before = records.restore(records.flatten(record)).name
    redact.redact.configure(keys=["user"])
    after = records.restore(records.flatten(record)).name
    redact.redact.configure()
    assert (before, after) == ("user=ann", "user=***")


@pytest.fixture(scope="module")
def direct(bake: Bake) -> Iterator[SimpleNamespace]:
    with bake(project_slug="direct-records", multiprocessing=False).imported() as load:
        yield SimpleNamespace(**{name: load(f"records.{name}") for name in ("factory", "serialize", "context")})


class TestPrepare:
    """Without the queue, a record is prepared with no serialization between."""

    @pytest.mark.parametrize("value", ["password=hunter2", 7, ["password=hunter2"], None])
    def test_names_are_masked_text(self, direct: SimpleNamespace, value: Any) -> None:
        record = direct.factory.LogRecord("n", 20, "p.py", 1, "m", (), None)
        record.threadName = value
        prepared = direct.serialize.prepare(record)
        assert prepared.threadName is None if value is None else "hunter2" not in prepared.threadName

    def test_nothing_unmasked_is_left(self, direct: SimpleNamespace) -> None:
        record = direct.factory.LogRecord("n", 20, "p.py", 1, "token=%s", ("hunter2",), None)
        record.__dict__ |= {"password": "hunter2", "message": "token=hunter2", "asctime": "now", "count": 2}
        with direct.context.log_context(cookie="hunter2"):
            prepared = direct.serialize.prepare(record)
        assert "hunter2" not in str(vars(prepared))
        assert prepared.fields == {"cookie": "***", "password": "***", "count": 2}
        assert (prepared.password, prepared.count) == ("***", 2)

    def test_it_equals_a_record_from_the_queue(self, direct: SimpleNamespace, package: SimpleNamespace) -> None:
        info = raised(ValueError("password=hunter2"))
        for extra in ({}, {"name of": "x", "left": 2}):
            record = logging.getLogger("a").makeRecord("a", 40, __file__, 1, "m %d", (1,), info, "f", extra, "a stack")
            with direct.context.log_context(levelname="mine"), package.context.log_context(levelname="mine"):
                found, expected = (vars(each.serialize.prepare(record)) for each in (direct, package))
            times = ("msecs", "relativeCreated", "taskName")
            assert {k: v for k, v in found.items() if k not in times} == {
                k: v for k, v in expected.items() if k not in times
            }
