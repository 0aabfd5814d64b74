"""The JSON of log platforms: golden lines after the vendors' own documentation, and constant fields (LOG_FIELDS)."""

import json
import logging
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from tests.support.hostile import FORBIDDEN, exceptions, extras, raised, values
from tests.support.mail_server import mail_server
from tests.support.project import Bake, Project

NAMES = ("gcp", "ecs", "datadog")
TRACE = ("trace_id", "span_id", "trace_flags")
OFTEN = settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@pytest.fixture(scope="module")
def package(project: Project) -> Iterator[SimpleNamespace]:
    """Import the modules of the generated package that are tested here."""
    with project.imported() as load:
        yield SimpleNamespace(
            **{
                name.rpartition(".")[2]: load(name)
                for name in ("formatters", "records.context", "records.dialects", "records.serialize", "settings")
            },
            schemas={
                name: json.loads((project.path / "docs" / f"log-record.{name}.schema.json").read_text("utf-8"))
                for name in NAMES
            },
        )


def moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def as_json(package: SimpleNamespace, dialect: str, fields: Any = (), /, **given: Any) -> dict[str, Any]:
    """Return a record with these attributes and context in a dialect, checked against its schema."""
    record = logging.makeLogRecord({"name": "app", "levelno": 20, "levelname": "INFO", "msg": "text", **given})
    with package.context.log_context(**dict(fields)):
        prepared = package.serialize.prepare(record)
    line = package.formatters.make_formatter(dialect).format(prepared)
    assert not FORBIDDEN.intersection(line)
    entry: dict[str, Any] = json.loads(line)
    Draft202012Validator(package.schemas[dialect]).validate(entry)
    return entry


def contains(entry: dict[str, Any], documented: dict[str, Any], *times: str) -> bool:
    """Return True if `entry` has every field of `documented`, those of `times` as the same moment."""
    same = all(moment(entry[name]) == moment(documented[name]) for name in times)
    return same and {**entry, **{name: documented[name] for name in times}}.items() >= documented.items()


class TestGoogleCloud:
    def test_line_is_that_of_the_documentation(self, package: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
        # docs.cloud.google.com/logging/docs/structured-logging, "Special fields", without fields of the application.
        documented = {
            "severity": "ERROR",
            "message": "There was an error in the application.",
            "time": "2020-10-12T07:20:50.520Z",
            "logging.googleapis.com/sourceLocation": {"file": "get_data.py", "line": "142", "function": "getData"},
            "logging.googleapis.com/spanId": "000000000000004a",
            "logging.googleapis.com/trace": "projects/my-projectid/traces/06796866738c859f2f19b7cfb3214824",
            "logging.googleapis.com/trace_sampled": False,
            "logging.googleapis.com/labels": {"user_label_1": "value_1", "user_label_2": "value_2"},
            "httpRequest": {"requestMethod": "GET"},
        }
        monkeypatch.setattr(package.dialects, "_PROJECT", "my-projectid")
        own = {name: documented[name] for name in ("logging.googleapis.com/labels", "httpRequest")}
        trace = {"trace_id": "06796866738c859f2f19b7cfb3214824", "span_id": "000000000000004a", "trace_flags": "00"}
        entry = as_json(
            package,
            "gcp",
            own | trace,
            levelno=40,
            levelname="ERROR",
            msg=documented["message"],
            created=moment("2020-10-12T07:20:50.520Z"),
            pathname="get_data.py",
            lineno=142,
            funcName="getData",
        )
        assert contains(entry, documented, "time")
        assert not {"trace_id", "span_id", "trace_flags", "code.file.path", "level"} & entry.keys()

    def test_exception_is_what_error_reporting_evaluates(self, package: SimpleNamespace) -> None:
        # docs.cloud.google.com/error-reporting/docs/formatting-error-messages: stack_trace is evaluated first.
        entry = as_json(package, "gcp", exc_info=raised(ValueError("no such order")))
        assert entry["stack_trace"].startswith("Traceback (most recent call last):\n")
        assert entry["stack_trace"].endswith("ValueError: no such order")
        assert entry["serviceContext"] == {"service": "my-service"}

    @pytest.mark.parametrize(
        ("level", "severity"),
        [
            (1, "DEBUG"),
            (10, "DEBUG"),
            (25, "INFO"),
            (30, "WARNING"),
            (49, "ERROR"),
            (50, "CRITICAL"),
            (999, "CRITICAL"),
        ],
    )
    def test_own_level_becomes_a_standard_severity(self, package: SimpleNamespace, level: int, severity: str) -> None:
        given = {"levelno": level, "levelname": "AUDIT"}
        assert as_json(package, "gcp", **given)["severity"] == severity
        assert as_json(package, "datadog", **given)["status"] == severity.lower()

    @pytest.mark.parametrize(("flags", "sampled"), [(1, True), (0, False), ("01", True), ("02", False), ("0f", True)])
    def test_sampling_is_the_lowest_bit(self, package: SimpleNamespace, flags: Any, sampled: bool) -> None:
        entry = as_json(package, "gcp", {"trace_flags": flags})
        assert entry["logging.googleapis.com/trace_sampled"] is sampled

    def test_project_is_read_from_the_environment(self, project: Project, tmp_path: Path) -> None:
        code = """
import logging
from my_service.logging_setup import setup_main_logging
with setup_main_logging():
    logging.info("paid", extra={"trace_id": "06796866738c859f2f19b7cfb3214824"})
"""
        settings = {"LOG_CONSOLE_FORMAT": "gcp", "GOOGLE_CLOUD_PROJECT": "shop-1"}
        run = project.run("-c", code, cwd=tmp_path, **settings)
        assert run.stderr == ""
        (line,) = (json.loads(line) for line in run.stdout.splitlines() if '"paid"' in line)
        assert line["logging.googleapis.com/trace"] == "projects/shop-1/traces/06796866738c859f2f19b7cfb3214824"


class TestElasticCommonSchema:
    def test_line_is_that_of_ecs_logging_for_python(self, package: SimpleNamespace) -> None:
        # elastic.co/docs/reference/ecs/logging/python/installation, its objects written as names with dots.
        documented = {
            "@timestamp": "2020-03-20T18:11:37.895Z",
            "log.level": "debug",
            "message": "Example message!",
            "http.request.method": "get",
            "log.logger": "app",
            "log.origin.file.line": 14,
            "log.origin.file.name": "test.py",
            "log.origin.function": "func",
        }
        entry = as_json(
            package,
            "ecs",
            levelno=10,
            levelname="DEBUG",
            msg="Example message!",
            created=moment("2020-03-20T18:11:37.895Z"),
            pathname="/app/test.py",
            lineno=14,
            funcName="func",
            **{"http.request.method": "get"},
        )
        assert contains(entry, documented, "@timestamp")

    def test_line_is_that_of_the_overview(self, package: SimpleNamespace) -> None:
        # elastic.co/docs/reference/ecs/logging/intro, third line; the order of the first fields is that of the spec.
        documented = {
            "@timestamp": "2019-08-06T14:08:40.199Z",
            "message": "init find form",
            "process.thread.name": "http-nio-8080-exec-8",
            "log.logger": "org.springframework.samples.petclinic.owner.OwnerController",
            "trace.id": "2869b25b5469590610fea49ac04af7da",
            "transaction.id": "28b7fb8d5aba51f1",
        }
        entry = as_json(
            package,
            "ecs",
            {"trace_id": documented["trace.id"], "transaction.id": documented["transaction.id"]},
            name=documented["log.logger"],
            msg=documented["message"],
            created=moment(documented["@timestamp"]),
            threadName=documented["process.thread.name"],
        )
        assert contains(entry, documented, "@timestamp")
        assert [*entry][:3] == ["@timestamp", "log.level", "message"]
        assert entry["ecs.version"].startswith("8.")

    def test_field_without_a_name_in_ecs_is_kept(self, package: SimpleNamespace) -> None:
        assert as_json(package, "ecs", {"trace_flags": "01"})["trace_flags"] == "01"

    def test_exception_has_the_fields_of_ecs(self, package: SimpleNamespace) -> None:
        entry = as_json(package, "ecs", exc_info=raised(ValueError("no such order")))
        assert (entry["error.type"], entry["error.message"]) == ("ValueError", "no such order")
        assert entry["error.stack_trace"].startswith("Traceback (most recent call last):\n")

    def test_field_does_not_hide_an_object(self, package: SimpleNamespace) -> None:
        # Elasticsearch refuses a document with `error` as a text beside `error.type`.
        entry = as_json(
            package, "ecs", {"error": "refused", "log": 1, "process": 2, "ecs": 3, "message": "x", "labels": {"a": 1}}
        )
        named = [entry[f"fields.{name}"] for name in ("error", "log", "process", "ecs")]
        assert named == ["refused", 1, 2, 3]
        assert (entry["message"], entry["fields.message"], entry["labels"]) == ("text", "x", {"a": 1})


class TestDatadog:
    def test_ids_are_converted_as_documented(self, package: SimpleNamespace) -> None:
        # docs.datadoghq.com/opentelemetry/correlate/logs_and_traces: str(context.trace_id & 0xFFFFFFFFFFFFFFFF)
        trace, span = 0x80F198EE56343BA864FE8B2A57D3EFF7, 0xE457B5A2E4D86BD1
        entry = as_json(package, "datadog", {"trace_id": f"{trace:032x}", "span_id": f"{span:016x}"})
        assert entry["dd.trace_id"] == str(trace & 0xFFFFFFFFFFFFFFFF) == "7277407061855694839"
        assert entry["dd.span_id"] == str(span) == "16453819474850114513"
        assert not {"trace_id", "span_id"} & entry.keys()

    def test_attributes_are_the_reserved_and_standard_ones(self, package: SimpleNamespace) -> None:
        # docs.datadoghq.com/standard-attributes
        entry = as_json(
            package, "datadog", levelno=40, threadName="worker", funcName="pay", exc_info=raised(ValueError("no"))
        )
        documented = {
            "status": "error",
            "message": "text",
            "service": "my-service",
            "logger.name": "app",
            "logger.thread_name": "worker",
            "logger.method_name": "pay",
            "error.kind": "ValueError",
            "error.message": "no",
        }
        assert contains(entry, documented)
        assert entry["error.stack"].startswith("Traceback (most recent call last):\n")

    def test_id_of_another_form_is_kept(self, package: SimpleNamespace) -> None:
        entry = as_json(package, "datadog", {"trace_id": "order-7", "span_id": 7})
        assert (entry["fields.trace_id"], entry["fields.span_id"]) == ("order-7", 7)
        assert not {"dd.trace_id", "dd.span_id"} & entry.keys()


@pytest.mark.parametrize("name", NAMES)
class TestEveryDialect:
    @OFTEN
    @given(data=st.data())
    def test_any_record_is_strict_json_of_the_schema(
        self, package: SimpleNamespace, name: str, data: st.DataObject
    ) -> None:
        special = st.dictionaries(st.sampled_from([*package.schemas[name]["properties"], *TRACE, "error"]), values)
        record = logging.getLogger("shop").makeRecord(
            "shop", 40, __file__, 1, data.draw(values), (), data.draw(st.none() | exceptions().map(raised))
        )
        vars(record).update({key: value for key, value in data.draw(extras).items() if key not in vars(record)})
        as_json(package, name, data.draw(special), **vars(record))

    def test_standard_fields_are_not_replaced(self, package: SimpleNamespace, name: str) -> None:
        names = package.schemas[name]["required"]
        usual = as_json(package, name, created=1e9)
        entry = as_json(package, name, dict.fromkeys(names, "mine"), created=1e9)
        assert entry == usual | {f"fields.{each}": "mine" for each in names}

    def test_dialect_reaches_console_file_and_mail(self, bake: Bake, tmp_path: Path, name: str) -> None:
        project = bake(multiprocessing=name == "ecs")
        with mail_server(tls="none") as server:
            run = project.run(
                "-c",
                "import logging\nfrom my_service.logging_setup import setup_main_logging\n"
                "with setup_main_logging():\n    logging.critical('on fire')\n",
                cwd=tmp_path,
                **{f"LOG_{sink}_FORMAT": name for sink in ("CONSOLE", "FILE", "EMAIL")},
                LOG_FILE="app.log",
                LOG_EMAIL_HOST="localhost",
                LOG_EMAIL_PORT=str(server.port),
                LOG_EMAIL_SECURITY="none",
                LOG_EMAIL_TO="ops@example.com",
            )
        assert (run.returncode, run.stderr) == (0, "")
        schema = json.loads((project.path / "docs" / f"log-record.{name}.schema.json").read_text("utf-8"))
        (mailed,) = (line for line in server.bodies()[0].splitlines() if line.startswith("{"))
        for line in (*run.stdout.splitlines(), *(tmp_path / "app.log").read_text("utf-8").splitlines(), mailed):
            Draft202012Validator(schema).validate(json.loads(line))
        assert json.loads(mailed)["message"] == "on fire"


CONSTANT = """
import logging, threading
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from my_service.logging_setup import log_context, setup_main_logging
def work(number):
    logging.warning("worker")
if __name__ == "__main__":
    with setup_main_logging() as logs:
        logging.warning("plain")
        logging.warning("extra", extra={"team": "mine", "n": 1})
        with log_context(env="test"):
            logging.warning("context")
        thread = threading.Thread(target=logging.warning, args=("thread",))
        thread.start()
        thread.join()
        if hasattr(logs, "queue"):
            from my_service.logging_setup import setup_proc_logging
            for method in ("fork", "spawn", "forkserver"):
                options = {"mp_context": get_context(method), "initializer": setup_proc_logging}
                with ProcessPoolExecutor(1, initargs=(logs.queue,), **options) as pool:
                    list(pool.map(work, range(1)))
"""


class TestConstantFields:
    @pytest.mark.parametrize("multiprocessing", [True, False])
    def test_fields_are_in_every_record_of_every_sink(self, bake: Bake, tmp_path: Path, multiprocessing: bool) -> None:
        (tmp_path / "app.py").write_text(CONSTANT, "utf-8")
        run = bake(multiprocessing=multiprocessing).run(
            "app.py",
            cwd=tmp_path,
            LOG_FIELDS="env=prod, team=shop,api_key=abcdef123456",
            LOG_CONSOLE_FORMAT="json",
            LOG_FILE="app.log",
        )
        assert (run.returncode, run.stderr) == (0, "")
        usual = {"env": "prod", "team": "shop", "api_key": "***"}
        expected = {
            "plain": usual,
            "extra": usual | {"team": "mine", "n": 1},
            "context": usual | {"env": "test"},
            "thread": usual,
            **({"worker": usual} if multiprocessing else {}),
        }
        entries = [json.loads(line) for line in run.stdout.splitlines()]
        assert all(entry["api_key"] == "***" for entry in entries)
        for text, fields in expected.items():
            found = [entry for entry in entries if entry["message"] == text]
            assert len(found) == (3 if text == "worker" else 1)
            assert all(entry.items() >= fields.items() for entry in found), found
        lines = (tmp_path / "app.log").read_text("utf-8").splitlines()
        assert all(" env=" in line and " team=" in line and " api_key=***" in line for line in lines)
        assert len(lines) >= len(expected)

    def test_reports_have_constant_fields(self, project: Project, tmp_path: Path) -> None:
        (tmp_path / "busy").mkdir()
        run = project.run(
            "-m", project.package, cwd=tmp_path, LOG_FIELDS="env=prod", LOG_FILE="/dev/full", LOG_CONSOLE_FORMAT="json"
        )
        reports = [json.loads(line) for line in run.stdout.splitlines() if '"file: ' in line]
        assert reports
        assert all(entry["env"] == "prod" for entry in reports)

    def test_doctor_shows_constant_fields_masked(self, project: Project, tmp_path: Path) -> None:
        run = project.run(
            "-m", f"{project.package}.logging_setup", "--json", cwd=tmp_path, LOG_FIELDS="env=prod,api_key=abcdef123456"
        )
        (shown,) = (each for each in json.loads(run.stdout)["settings"] if each["variable"] == "LOG_FIELDS")
        assert shown["value"] == "env=prod,api_key=***"

    @pytest.mark.parametrize("text", ["env", "env=", "=prod", "env=prod,,team=", "a=1,b"])
    def test_bad_pairs_are_refused(self, package: SimpleNamespace, text: str) -> None:
        expected = "must be comma-separated name=value pairs, for example env=prod,team=shop"
        with pytest.raises(ValueError, match=expected):
            package.settings.Settings.from_environ({"LOG_FIELDS": text})

    def test_value_may_contain_an_equals_sign(self, package: SimpleNamespace) -> None:
        found = package.settings.Settings.from_environ({"LOG_FIELDS": " a = b=c ,d=1"})
        assert found.fields == (("a", "b=c"), ("d", "1"))
