"""The JSON formats conform to docs/log-record.schema.json, and those of log platforms to a schema each."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from my_service.logging_setup import log_context
from my_service.logging_setup.formatters import (
    JsonFormatter,
    optional_fields,
    standard_fields,
)
from my_service.logging_setup.records.format_strings import DIALECTS
from my_service.logging_setup.records.serialize import prepare

DOCS = Path(__file__).parents[1] / "docs"
SCHEMA = json.loads((DOCS / "log-record.schema.json").read_text("utf-8"))


def as_json(**given: Any) -> dict[str, Any]:
    """Return a record with these arguments as JSON, validated against the schema."""
    record = logging.getLogger("shop").makeRecord("shop", logging.INFO, __file__, 1, "%s", ("hello",), **given)
    line = JsonFormatter("a-service").format(prepare(record))
    entry: dict[str, Any] = json.loads(line)
    Draft202012Validator(SCHEMA).validate(entry)
    return entry


def test_schema_describes_each_field_in_order() -> None:
    record = logging.makeLogRecord({})
    standard, optional = standard_fields(record, "a-service"), optional_fields(record)
    assert SCHEMA["required"] == [*standard]
    of_span = {"trace_id", "span_id", "trace_flags"}  # fields like those of log_context
    assert [each for each in SCHEMA["properties"] if each not in of_span] == [*standard, *optional]


def test_record_has_the_fields_of_the_schema() -> None:
    entry = as_json(exc_info=None)
    assert (entry["level"], entry["logger"], entry["message"]) == ("INFO", "shop", "hello")


def test_context_and_extras_are_fields() -> None:
    with log_context(request_id="42"):
        entry = as_json(exc_info=None, extra={"left": 2, "level": "mine"})
    assert (entry["request_id"], entry["left"], entry["fields.level"]) == ("42", 2, "mine")


def test_exception_is_fields() -> None:
    error = ValueError("no such order")
    error.add_note("asked by the warehouse")
    error.__cause__ = KeyError(7)
    entry = as_json(exc_info=(ValueError, error, None))
    assert (entry["exception.type"], entry["exception.message"]) == ("ValueError", "no such order")
    assert entry["exception.notes"] == ["asked by the warehouse"]
    assert entry["exception.causes"] == [{"type": "KeyError", "message": "7"}]


@pytest.mark.parametrize("name", DIALECTS)
def test_dialect_conforms_to_its_schema(name: str) -> None:
    schema = json.loads((DOCS / f"log-record.{name}.schema.json").read_text("utf-8"))
    error = ValueError("no such order")
    trace = {"trace_id": "80f198ee56343ba864fe8b2a57d3eff7", "span_id": "00f067aa0ba902b7", "trace_flags": 1}
    record = logging.getLogger("shop").makeRecord(
        "shop", logging.ERROR, __file__, 1, "%s", ("hello",), (ValueError, error, None), "pay", trace, "the stack"
    )
    entry = json.loads(JsonFormatter("a-service", dialect=name).format(prepare(record)))
    Draft202012Validator(schema).validate(entry)
    assert {*schema["properties"]} <= {*entry} <= {*schema["properties"], *SCHEMA["properties"]}
