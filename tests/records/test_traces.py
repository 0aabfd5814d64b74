"""trace_id, span_id and trace_flags of OpenTelemetry's active span, and service.name from its variables."""

import json
import logging
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from tests.support.doctor import examine
from tests.support.project import Bake, Project
from tests.support.receivers import OtlpReceiver

JSON = {"LOG_FILE": "app.log", "LOG_FILE_FORMAT": "json", "LOG_CONSOLE_LEVEL": "60"}
OTLP = {"collector_handler": "otlp", "email_handler": False, "file_handler": "none"}
WAYS = {"process": {"LOG_LISTENER": "process"}, "thread": {"LOG_LISTENER": "thread"}, "direct": {}}
IDS = ("trace_id", "span_id", "trace_flags")

# Each log call is followed by what its record is expected to have, in a file of the process.
HEAD = """
import json, logging, multiprocessing, os, sys, threading
from opentelemetry import context, propagate, trace
from opentelemetry.sdk.trace import TracerProvider
from my_service.logging_setup import *

logger = logging.getLogger("my_service.app")
tracer = TracerProvider().get_tracer("test")
lock = threading.Lock()

def log(name, **options):
    logger.info(name, **options)
    span = trace.get_current_span().get_span_context()
    ids = (f"{span.trace_id:032x}", f"{span.span_id:016x}", f"{span.trace_flags:02x}") if span.is_valid else None
    with lock, open(f"expected.{os.getpid()}", "a") as file:
        file.write(json.dumps([name, ids]) + "\\n")

def nested(name, outer=None):
    log(f"{name} before")
    token = context.attach(propagate.extract(outer)) if outer else None
    with tracer.start_as_current_span("outer"):
        log(f"{name} outer")
        with tracer.start_as_current_span("inner"):
            log(f"{name} inner")
            log(f"{name} extra", extra={"order": 7})
            with log_context(request="42"):
                log(f"{name} context")
            try:
                1 / 0
            except ZeroDivisionError:
                log(f"{name} exception", exc_info=True)
        log(f"{name} outer again")
    if token:
        context.detach(token)
    log(f"{name} after")
"""
THREADS = """
with setup_main_logging():
    nested("main")
    threads = [threading.Thread(target=nested, args=(f"thread {number}",)) for number in range(4)]
    with tracer.start_as_current_span("of the main thread"):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
"""
PROCESSES = """
def work(queue, number, carrier):
    setup_proc_logging(queue)
    nested(f"process {number}", carrier)

if __name__ == "__main__":
    with setup_main_logging() as logs:
        start = multiprocessing.get_context(sys.argv[1])
        with tracer.start_as_current_span("request"):
            log("request")
            carrier = {}
            propagate.inject(carrier)
            processes = [start.Process(target=work, args=(logs.queue, number, carrier)) for number in range(3)]
            for process in processes:
                process.start()
            for process in processes:
                process.join()
"""


def assert_ids(folder: Path, records: int) -> dict[str, list[str]]:
    """Compare the file's ids with those that the programs have noted; return these by message."""
    lines = [line for file in folder.glob("expected.*") for line in file.read_text("utf-8").splitlines()]
    expected = dict(map(json.loads, lines))
    entries = list(map(json.loads, (folder / "app.log").read_text("utf-8").splitlines()))
    found = {entry["message"]: [entry.get(name) for name in IDS] for entry in entries}
    assert Counter(entry["message"] for entry in entries if entry["message"] in expected) == Counter(expected.keys())
    assert len(expected) == records
    assert {name: found[name] for name in expected} == {name: ids or [None] * 3 for name, ids in expected.items()}
    return expected


class TestSpans:
    """The SDK of OpenTelemetry in a program."""

    @pytest.mark.parametrize("way", WAYS)
    def test_ids_are_those_of_the_callers_span(self, bake: Bake, tmp_path: Path, way: str) -> None:
        project = bake(multiprocessing=way != "direct")
        run = project.run("-c", HEAD + THREADS, cwd=tmp_path, **JSON, **WAYS[way])
        assert (run.returncode, run.stderr) == (0, "")
        expected = assert_ids(tmp_path, 5 * 8)
        assert len({tuple(ids) for ids in expected.values() if ids}) == 5 * 2  # spans

    @pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
    def test_ids_of_other_processes_are_theirs(self, project: Project, tmp_path: Path, method: str) -> None:
        (tmp_path / "app.py").write_text(HEAD + PROCESSES, "utf-8")
        run = project.run("app.py", method, cwd=tmp_path, **JSON)
        assert (run.returncode, run.stderr) == (0, "")
        expected = assert_ids(tmp_path, 1 + 3 * 8)
        (trace,) = {ids[0] for ids in expected.values() if ids}  # handed over by traceparent
        assert expected["request"][0] == trace

    @pytest.mark.parametrize("way", WAYS)
    def test_text_and_json_have_the_ids(self, bake: Bake, tmp_path: Path, way: str) -> None:
        project = bake(multiprocessing=way != "direct")
        code = (
            f"{HEAD}\nwith setup_main_logging(), tracer.start_as_current_span('a'): log('within', extra={{'order': 7}})"
        )
        run = project.run("-c", code, cwd=tmp_path, LOG_FILE="app.log", LOG_FILE_FORMAT="json", **WAYS[way])
        (entry,) = (e for e in map(json.loads, (tmp_path / "app.log").open(encoding="utf-8")) if "order" in e)
        shown = " ".join(f"{name}={entry[name]}" for name in IDS)
        assert f" my_service.app within order=7 {shown}\n" in run.stdout
        assert [len(entry[name]) for name in IDS] == [32, 16, 2]
        assert int(entry["trace_flags"], 16) & 1  # sampled

    @pytest.mark.parametrize(
        ("dialect", "trace", "span"),
        [
            ("ecs", "trace.id", "span.id"),
            ("gcp", "logging.googleapis.com/trace", "logging.googleapis.com/spanId"),
            ("datadog", "dd.trace_id", "dd.span_id"),
        ],
    )
    def test_dialect_has_the_ids_by_its_names(
        self, project: Project, tmp_path: Path, dialect: str, trace: str, span: str
    ) -> None:
        code = f"{HEAD}\nwith setup_main_logging(), tracer.start_as_current_span('a'): log('within')"
        run = project.run("-c", code, cwd=tmp_path, LOG_CONSOLE_FORMAT=dialect)
        (entry,) = (each for each in map(json.loads, run.stdout.splitlines()) if each["message"] == "within")
        (file,) = tmp_path.glob("expected.*")
        _, ids = json.loads(file.read_text("utf-8"))
        if dialect == "datadog":  # the low 64 bits, in decimal
            ids = [str(int(each[-16:], 16)) for each in ids]
        assert [entry[trace], entry[span]] == ids[:2]

    @pytest.mark.parametrize("multiprocessing", [True, False])
    def test_opentelemetry_is_not_imported(self, bake: Bake, tmp_path: Path, multiprocessing: bool) -> None:
        project = bake(multiprocessing=multiprocessing)
        code = (
            "import logging, sys\n"
            "from my_service.logging_setup import setup_main_logging\n"
            "with setup_main_logging():\n"
            "    logging.getLogger('shop').info('Sold', extra={'order': 7})\n"
            "    print([name for name in sys.modules if 'opentelemetry' in name])"
        )
        run = project.run("-c", code, cwd=tmp_path, LOG_CONSOLE_FORMAT="json")
        assert "[]\n" in run.stdout
        assert "Sold" in run.stdout
        assert "trace_id" not in run.stdout


@pytest.fixture(scope="module")
def package(bake: Bake) -> Iterator[SimpleNamespace]:
    """Import the modules that are tested here."""
    with bake().imported() as load:
        yield SimpleNamespace(
            serialize=load("records.serialize"),
            encoding=load("queue.encoding"),
            text=load("records.text"),
            context=load("records.context"),
        )


def sent(package: SimpleNamespace, message: str = "m", name: str = "n", **extra: Any) -> Any:
    """Return a record made now, as it arrives at the other end of the queue."""
    made = logging.getLogger(name).makeRecord(name, 20, __file__, 1, message, (), None, extra=extra)
    data = package.encoding.encode(package.serialize.flatten(made))
    return package.serialize.restore(package.encoding.decode(data.ljust(len(data) + 100, b"\0")))


class TestFields:
    """The fields of one record."""

    TRACER = TracerProvider().get_tracer("test")

    def test_own_ids_replace_those_of_the_span(self, package: SimpleNamespace) -> None:
        with self.TRACER.start_as_current_span("a"):
            assert sent(package, trace_id="mine").fields == {"trace_id": "mine"}
            with package.context.log_context(span_id=7):
                assert sent(package).fields == {"span_id": 7}

    def test_flags_state_that_a_span_is_not_sampled(self, package: SimpleNamespace) -> None:
        with TracerProvider(sampler=ALWAYS_OFF).get_tracer("test").start_as_current_span("a"):
            assert not int(sent(package).fields["trace_flags"], 16) & 1

    def test_record_that_is_too_large_keeps_its_ids(self, package: SimpleNamespace) -> None:
        with self.TRACER.start_as_current_span("a"):
            ids = sent(package).fields
            large = sent(package, "x" * 10**6, **{f"field {number}": "y" * 500 for number in range(1_000)})
        assert set(ids) == set(IDS)
        assert ids.items() <= large.fields.items()
        assert len(large.fields) == 4

    @pytest.mark.parametrize("library", [ModuleType("half imported"), SimpleNamespace(get_current_span=lambda: 7)])
    def test_unusable_library_loses_no_record(
        self, package: SimpleNamespace, library: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "opentelemetry.trace", library)
        assert sent(package, order=7).fields == {"order": 7}

    @pytest.mark.parametrize(
        ("name", "key"),
        [("uvicorn.error", "color_message"), ("celery.app.trace", "data"), ("django.request", "request")],
    )
    def test_extra_for_a_librarys_own_use_is_left_out(self, package: SimpleNamespace, name: str, key: str) -> None:
        assert sent(package, name=name, status_code=404, **{key: "own use"}).fields == {"status_code": 404}
        assert sent(package, name="my_service.shop", **{key: "mine"}).fields == {key: "mine"}

    def test_words_are_quoted_where_they_must_be(self, package: SimpleNamespace) -> None:
        pairs = {"order_id": "A7", "é": "ß", "a b": "", "c": "x=y", "d": "1\u200e", "e": "\x1b", "f.g": "h-i"}
        text = package.text.TextFormatter().format(sent(package, **pairs))
        expected = r'm order_id=A7 é=ß "a b"="" c="x=y" d=1\u200e e="\\u001b" f.g=h-i'
        assert text.endswith(expected.replace(r'"\\u001b"', r"\x1b"))


class TestOtlp:
    """The record's own fields of OTLP, and the resource."""

    @pytest.mark.parametrize("multiprocessing", [True, False])
    def test_otlp_record_has_the_ids_in_its_own_fields(self, bake: Bake, tmp_path: Path, multiprocessing: bool) -> None:
        project = bake(multiprocessing=multiprocessing, **OTLP)
        code = (
            f"{HEAD}\nwith setup_main_logging():\n"
            "    nested('main')\n"
            "    with log_context(trace_id='request 7', span_id='none'): logger.info('other form')\n"
        )
        attributes = "service.name=tea%20shop,team=a%2Cb,service.version=1.2"
        with OtlpReceiver() as receiver:
            run = project.run(
                "-c", code, cwd=tmp_path, LOG_COLLECTOR_URL=receiver.url, OTEL_RESOURCE_ATTRIBUTES=attributes
            )
            receiver.await_texts("main after", "other form")
        assert run.stderr == ""
        (file,) = tmp_path.glob("expected.*")
        found = {entry["record"].body.string_value: entry for entry in receiver.entries}
        for name, ids in map(json.loads, file.open(encoding="utf-8")):
            record = found[name]["record"]
            shown = (record.trace_id.hex(), record.span_id.hex(), f"{record.flags & 0xFF:02x}")
            assert shown == (tuple(ids) if ids else ("", "", "00"))
            assert not found[name]["attributes"].keys() & set(IDS)
        assert found["other form"]["attributes"]["trace_id"] == "request 7"
        assert found["main after"]["resource"] == {
            "service.name": "tea shop", "team": "a,b", "service.version": "1.2"
        }  # fmt: skip


NAMES = {
    "": "my-service",
    "OTEL_SERVICE_NAME=tea shop": "tea shop",
    "OTEL_RESOURCE_ATTRIBUTES=team=a, service.name = tea%20shop%2c ,other": "tea shop,",
    "OTEL_SERVICE_NAME=first;OTEL_RESOURCE_ATTRIBUTES=service.name=second": "first",
    "OTEL_SERVICE_NAME= ;OTEL_RESOURCE_ATTRIBUTES=service.name=second": "second",
    "OTEL_RESOURCE_ATTRIBUTES=service.name=,team=a": "my-service",
    "OTEL_RESOURCE_ATTRIBUTES=my.service.name=x": "my-service",
}


@pytest.mark.parametrize("multiprocessing", [True, False])
@pytest.mark.parametrize("variables", NAMES)
def test_service_name_is_that_of_opentelemetrys_variables(
    bake: Bake, tmp_path: Path, variables: str, multiprocessing: bool
) -> None:
    project = bake(multiprocessing=multiprocessing)
    given = dict(each.split("=", 1) for each in variables.split(";") if each)
    run = project.run("-m", "my_service", cwd=tmp_path, LOG_CONSOLE_FORMAT="json", **given)
    assert {json.loads(line)["service.name"] for line in run.stdout.splitlines()} == {NAMES[variables]}


def test_doctor_shows_the_service_name(project: Project, tmp_path: Path) -> None:
    assert examine(project, tmp_path, OTEL_SERVICE_NAME="tea shop")["service.name"] == "tea shop"
    shown = project.run("-m", "my_service.logging_setup", cwd=tmp_path, OTEL_SERVICE_NAME="tea\nshop").stdout
    assert shown.startswith("Service: tea\\nshop\n\nSettings\n")
