"""Text and JSON of any record: text cannot forge a record, and JSON is strict and matches its schema."""

import datetime
import json
import logging
import os
import re
import time
import unicodedata
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from tests.support.hostile import cyclic, exceptions, extras, huge, raised, shared, texts, values
from tests.support.project import Bake, Project

BEGINS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d [A-Z]")
LOGGER = logging.getLogger("shop.orders")
OFTEN = settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


records = st.builds(
    lambda message, args, extra, info, name: LOGGER.makeRecord(name, 40, __file__, 1, message, args, info, extra=extra),
    values | texts.map(lambda text: text + "%s %r %(a)s"),
    values.map(lambda value: (value,)) | st.tuples(values, values) | st.just(()),
    extras,
    st.none() | exceptions().map(raised),
    texts,
)


@pytest.fixture(scope="module")
def package(bake: Bake) -> Iterator[SimpleNamespace]:
    """Import the modules of the generated package that are tested here."""
    project: Project = bake()
    with project.imported() as load:
        yield SimpleNamespace(
            **{
                name.rpartition(".")[2]: load(name)
                for name in ("records.serialize", "queue.encoding", "formatters", "records.text", "records.values")
            },
            schema=json.loads((project.path / "docs" / "log-record.schema.json").read_text("utf-8")),
        )


def travelled(package: SimpleNamespace, record: logging.LogRecord) -> list[logging.LogRecord]:
    """Return the record as it reaches a handler: in one process, and through the queue."""
    records, wire = package.serialize, package.encoding
    flat = records.flatten(record)
    return [records.restore(flat), records.restore(wire.decode(wire.encode(flat)))]


def strictly(line: str) -> Any:
    """Parse JSON by RFC 8259: no NaN, no name twice, no text that UTF-8 cannot encode."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len(dict(pairs)) == len(pairs), f"a name twice: {pairs}"
        return dict(pairs)

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(line.encode("utf-8"), object_pairs_hook=unique, parse_constant=refuse)


def control_characters(text: str) -> list[str]:
    """Return the characters that a terminal interprets, or that a reader may treat as the end of a line."""
    others = "\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"
    return [char for char in text if unicodedata.category(char) in ("Cc", "Cs") or char in others]


class TestJson:
    """Lines of JSON."""

    @OFTEN
    @given(record=records)
    def test_json_is_strict_and_matches_the_schema(self, package: SimpleNamespace, record: logging.LogRecord) -> None:
        for each in travelled(package, record):
            line = package.formatters.JsonFormatter("a-service").format(each)
            assert not control_characters(line)
            entry = strictly(line)
            Draft202012Validator(package.schema).validate(entry)
            assert entry["level"] == "ERROR"

    def test_values_unknown_to_json_become_text(self, package: SimpleNamespace) -> None:
        values = {
            "nan": float("nan"),
            "deep": [{"inf": -float("inf")}],
            "bytes": b"\xff",
            "huge": huge(),
            "half": "\ud800",
        }
        record = LOGGER.makeRecord("n", 40, __file__, 1, "m", (), None, extra=values)
        for each in travelled(package, record):
            entry = strictly(package.formatters.JsonFormatter().format(each))
            assert (entry["nan"], entry["deep"]) == ("nan", [{"inf": "-inf"}])
            assert (entry["bytes"], entry["huge"][:3], entry["half"]) == ("b'\\xff'", "-0x", "\\ud800")

    def test_extra_field_never_replaces_a_standard_one(self, package: SimpleNamespace) -> None:
        extra = {"level": "mine", "fields.level": "too", "exception.type": 7, "left": 2}
        record = LOGGER.makeRecord("n", 40, __file__, 1, "m", (), None, extra=extra)
        for each in travelled(package, record):
            entry = strictly(package.formatters.JsonFormatter().format(each))
            assert entry["level"] == "ERROR"
            assert "exception.type" not in entry
            assert {entry["fields.level"], entry["fields.fields.level"]} == {"mine", "too"}
            assert (entry["fields.exception.type"], entry["left"]) == (7, 2)


class TestText:
    """Lines of text."""

    @OFTEN
    @given(several=st.lists(records, min_size=1, max_size=4))
    def test_text_has_no_controls_and_no_forged_lines(
        self, package: SimpleNamespace, several: list[logging.LogRecord]
    ) -> None:
        ready = [travelled(package, record) for record in several]
        for way in (0, 1):
            text = "\n".join(package.formatters.TextFormatter().format(record[way]) for record in ready)
            lines = text.split("\n")
            assert not control_characters("".join(lines))
            text.encode("utf-8")
            begin = [line for line in lines if not line.startswith("    ")]
            assert len(begin) == len(several)
            assert all(BEGINS.match(line) for line in begin)

    def test_long_text_is_escaped_like_a_short_one(self, package: SimpleNamespace) -> None:
        escape, long = package.text.escape, "x" * 1000
        for char in map(chr, (*range(0x3000), *range(0xD800, 0xE000), 0xFEFF, 0x1F600)):
            assert escape(long + char + long) == long + escape(char) + long
            assert escape("ä" + long + char) == "ä" + long + escape(char)

    def test_colour_is_optional_and_only_on_the_level(self, package: SimpleNamespace) -> None:
        record = travelled(package, LOGGER.makeRecord("n", 40, __file__, 1, "\x1b[2Jm", (), None))[0]
        coloured = package.formatters.TextFormatter(colour=True).format(record)
        plain = package.formatters.TextFormatter().format(record)
        assert re.findall("\x1b[^m]*m", coloured) == ["\x1b[31m", "\x1b[0m"]
        assert re.sub("\x1b[^m]*m", "", coloured) == plain

    def test_colour_follows_no_color_and_force_color(self, project: Project, tmp_path: Any) -> None:
        for variables, expected in (
            ({}, False),
            ({"FORCE_COLOR": "1"}, True),
            ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
            ({"FORCE_COLOR": "1", "LOG_CONSOLE_FORMAT": "json"}, False),
        ):
            run = project.run("-m", project.package, cwd=tmp_path, LOG_LISTENER="thread", **variables)
            assert run.returncode == 0, run.stderr
            assert ("\x1b" in run.stdout) == expected, variables


@pytest.fixture
def zone() -> Iterator[Callable[[str], None]]:
    """Return a function that sets this process's time zone, and restore it afterwards."""
    before = os.environ.get("TZ")

    def change(name: str | None) -> None:
        os.environ.pop("TZ", None)
        if name:
            os.environ["TZ"] = name
        time.tzset()

    yield change
    change(before)


class TestBoth:
    """Values in both formats."""

    @pytest.mark.timeout(20)
    def test_endless_value_is_formatted_in_bounded_time(self, package: SimpleNamespace) -> None:
        for endless in (cyclic(), shared()):
            record = LOGGER.makeRecord("n", 20, __file__, 1, "m", (), None, extra={"endless": endless})
            for each in travelled(package, record):
                assert len(package.formatters.JsonFormatter().format(each)) < 100_000
                assert len(package.formatters.TextFormatter().format(each)) < 100_000

    def test_shortened_collection_states_the_rest(self, package: SimpleNamespace) -> None:
        assert package.values.to_builtin(list(range(1000)))[-1] == "[cut, 800 more]"
        assert package.values.to_builtin({n: n for n in range(300)})["..."] == "[cut, 100 more]"

    def test_exception_group_is_complete_in_both_formats(self, package: SimpleNamespace) -> None:
        inner = ValueError("inner")
        inner.add_note("a note on the inner one")
        inner.__cause__ = KeyError("the cause")
        group = ExceptionGroup("the group", [inner, OSError("another")])
        group.add_note("a note on the group")
        record = LOGGER.makeRecord("n", 40, __file__, 1, "m", (), raised(group))
        for each in travelled(package, record):
            text = package.formatters.TextFormatter().format(each)
            for words in (
                "the group",
                "a note on the group",
                "inner",
                "a note on the inner one",
                "the cause",
                "another",
            ):
                assert words in text
            assert text.count("ExceptionGroup: the group") == 1
            entry = strictly(package.formatters.JsonFormatter().format(each))
            assert entry["exception.type"] == "ExceptionGroup"
            assert entry["exception.notes"] == ["a note on the group"]
            causes = [(cause["type"], cause["message"]) for cause in entry["exception.causes"]]
            assert causes == [("ValueError", "inner"), ("OSError", "another"), ("KeyError", "'the cause'")]

    def test_timestamp_is_right_across_clock_changes(
        self, package: SimpleNamespace, zone: Callable[[str], None]
    ) -> None:
        changes = {
            "Europe/Berlin": 1774746000,
            "America/Santiago": 1788667200,
            "Australia/Lord_Howe": 1775314800,
            "Asia/Kolkata": 1774746000,
        }
        for name, moment in changes.items():
            zone(name)
            for formatter in (package.formatters.TextFormatter(), package.formatters.JsonFormatter()):
                for created in (
                    moment - 1.0,
                    moment - 0.25,
                    float(moment),
                    moment + 0.5,
                    moment - 0.5,
                    moment + 3600.125,
                ):
                    record = LOGGER.makeRecord("n", 20, __file__, 1, "m", (), None)
                    record.created = created
                    line = formatter.format(travelled(package, record)[0])
                    expected = datetime.datetime.fromtimestamp(created).astimezone().isoformat(timespec="milliseconds")
                    assert expected in line, name

    @pytest.mark.parametrize("multiprocessing", [True, False])
    def test_hostile_records_reach_every_sink_complete(self, bake: Bake, multiprocessing: bool, tmp_path: Any) -> None:
        project = bake(multiprocessing=multiprocessing)
        code = f"""
import logging
from {project.package}.logging_setup import setup_main_logging
with setup_main_logging():
    forged = "one\\n2026-01-01T00:00:00.000+00:00 CRITICAL forged \\x1b[2J\\x85"
    logging.info(forged, extra={{"_ready": 1, "big": 10**5000}})
    logging.info("two %d", 10**5000)
    logging.info("three\\ud800", exc_info=("a", "b", "c"))
    logging.info("four", exc_info=(1,))
"""
        run = project.run("-c", code, cwd=tmp_path, PYTHONIOENCODING="utf-8:strict", LOG_CONSOLE_FORMAT="json")
        assert run.stderr == ""
        assert [strictly(line)["message"].split()[0] for line in run.stdout.splitlines() if '"root"' in line] == [
            "one",
            "two",
            "three\\ud800",
            "four",
        ]
        lines = (tmp_path / "logs" / f"{project.slug}.log").read_text("utf-8").split("\n")
        assert len([line for line in lines if " root " in line and not line.startswith(" ")]) == 4
        assert not control_characters("".join(lines))
