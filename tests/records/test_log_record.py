"""Log records prepared for handlers: odd attributes, additions of the application, names, masking."""

import itertools
import logging
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.hostile import NamelessError, raised
from tests.support.project import Bake


@pytest.fixture(scope="module")
def package(bake: Bake) -> Iterator[SimpleNamespace]:
    with bake().imported() as load:
        names = ("records.serialize", "records.redaction", "records.context", "queue.encoding")
        yield SimpleNamespace(**{name.rpartition(".")[2]: load(name) for name in names})


class TestSent:
    """Records that are sent."""

    def test_received_records_skip_the_application_factory(
        self, package: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A factory may require a name, and its additions belong to the records of one process only."""
        numbers = itertools.count()

        def factory(name: str, *args: Any, **more: Any) -> logging.LogRecord:
            record: logging.LogRecord = logging.LogRecord(name, *args, **more)
            record.short = name.split(".")[-1]
            record.number = next(numbers)
            return record

        monkeypatch.setattr(logging, "_logRecordFactory", factory)
        made = [logging.getLogger("a.b").makeRecord("a.b", 20, "p.py", 1, "m", (), None) for _ in range(2)]
        restored = [package.serialize.restore(package.serialize.flatten(record)) for record in made]
        assert [(record.short, record.number) for record in restored] == [("b", 0), ("b", 1)]
        assert [record.fields for record in restored] == [{"short": "b", "number": 0}, {"short": "b", "number": 1}]

    @pytest.mark.parametrize(
        "attribute", ["name", "threadName", "levelname", "lineno", "funcName", "process", "pathname"]
    )
    @pytest.mark.parametrize(
        "value", [["a"], {"a": 1}, None, 7, "x" * 100_000, "\U0001f600" * 9_000, ("y" * 999,) * 99]
    )
    def test_odd_attributes_are_sent_with_bounded_length(
        self, package: SimpleNamespace, attribute: str, value: Any
    ) -> None:
        record = logging.LogRecord("n", 20, "p.py", 1, "the message", (), None)
        setattr(record, attribute, value)
        for _ in range(2):  # the second time from the cache
            data = package.encoding.encode(package.serialize.flatten(record))
            assert len(data) <= package.encoding.MAX_BYTES
            restored = package.serialize.restore(package.encoding.decode(data))
            assert restored.getMessage() == "the message"
            assert str(getattr(restored, attribute))[:2] == str(value).replace("[", "(")[:2]

    def test_exception_class_without_a_name_is_sent(self, package: SimpleNamespace) -> None:
        record = logging.LogRecord("n", 40, "p.py", 1, "m", (), raised(NamelessError("why")))
        prepared = package.serialize.prepare(record)
        assert prepared.exception["message"] == "why"
        assert "why" in prepared.exc_text

    def test_cached_logger_name_is_masked_by_current_rules(self, package: SimpleNamespace) -> None:
        redact, records = package.redaction, package.serialize
        record = logging.LogRecord("user=ann", 20, __file__, 1, "m", (), None)
        before = records.restore(records.flatten(record)).name
        redact.redact.configure(keys=["user"])
        after = records.restore(records.flatten(record)).name
        redact.redact.configure()
        assert (before, after) == ("user=ann", "user=***")


@pytest.fixture(scope="module")
def direct(bake: Bake) -> Iterator[SimpleNamespace]:
    with bake(project_slug="direct-records", multiprocessing=False).imported() as load:
        yield SimpleNamespace(**{name: load(f"records.{name}") for name in ("serialize", "context")})


class TestPrepare:
    """Without the queue, a record is prepared without serialization to bytes."""

    @pytest.mark.parametrize("value", ["password=hunter2", 7, ["password=hunter2"], None])
    def test_names_are_masked_text(self, direct: SimpleNamespace, value: Any) -> None:
        record = logging.LogRecord("n", 20, "p.py", 1, "m", (), None)
        record.threadName = value
        prepared = direct.serialize.prepare(record)
        assert prepared.threadName is None if value is None else "hunter2" not in prepared.threadName

    def test_no_unmasked_text_remains(self, direct: SimpleNamespace) -> None:
        record = logging.LogRecord("n", 20, "p.py", 1, "token=%s", ("hunter2",), None)
        record.__dict__ |= {"password": "hunter2", "message": "token=hunter2", "asctime": "now", "count": 2}
        with direct.context.log_context(cookie="hunter2"):
            prepared = direct.serialize.prepare(record)
        assert "hunter2" not in str(vars(prepared))
        assert prepared.fields == {"cookie": "***", "password": "***", "count": 2}
        assert (prepared.password, prepared.count) == ("***", 2)

    def test_record_equals_one_from_the_queue(self, direct: SimpleNamespace, package: SimpleNamespace) -> None:
        info = raised(ValueError("password=hunter2"))
        for extra in ({}, {"name of": "x", "left": 2}):
            record = logging.getLogger("a").makeRecord("a", 40, __file__, 1, "m %d", (1,), info, "f", extra, "a stack")
            with direct.context.log_context(levelname="mine"), package.context.log_context(levelname="mine"):
                found, expected = (vars(each.serialize.prepare(record)) for each in (direct, package))
            times = ("msecs", "relativeCreated", "taskName")
            assert {k: v for k, v in found.items() if k not in times} == {
                k: v for k, v in expected.items() if k not in times
            }
