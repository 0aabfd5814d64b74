"""Records with impossible times, odd names, exceptions and lengths: FAILURES.md, cases 57 to 60 and 104."""

import json
import logging
import re
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.hostile import HostileError, NamelessError, raised
from tests.support.project import DEADLINE, Bake

NONE: dict[str, Any] = {}
LONGEST = 60_000  # characters of a text, before it is masked
TAGS = "".join(chr(0xE0000 + ord(char)) for char in "ignore")  # a hidden text


@pytest.fixture(scope="module", params=[True, False], ids=["queue", "direct"])
def package(bake: Bake, request: pytest.FixtureRequest) -> Iterator[SimpleNamespace]:
    """Import the modules that prepare and format a record, of a project with a queue and of one without."""
    slug = f"odd-{'queue' if request.param else 'direct'}"
    with bake(project_slug=slug, multiprocessing=request.param, collector_handler="syslog").imported() as load:
        syslog = load("sinks.syslog").SyslogHandler("udp://127.0.0.1:9", timeout=1.0)
        yield SimpleNamespace(
            serialize=load("records.serialize"),
            encoding=load("queue.encoding") if request.param else None,
            text=load("formatters").TextFormatter().format,
            line=load("formatters").JsonFormatter("svc").format,
            json=lambda record: strictly(load("formatters").JsonFormatter("svc").format(record)),
            syslog=lambda record: syslog.payload(record).decode("utf-8"),
        )
        syslog.close()


def strictly(line: str) -> dict[str, Any]:
    """Parse JSON that has no name twice, and no text that UTF-8 cannot encode."""
    pairs: list[tuple[str, Any]] = json.loads(line.encode("utf-8"), object_pairs_hook=list)
    assert len(dict(pairs)) == len(pairs), line
    return json.loads(line)  # type: ignore[no-any-return]


def sent(package: SimpleNamespace, message: object = "m", extra: dict[str, Any] = NONE, **attributes: Any) -> Any:
    """Return a record of these attributes, as the handlers get it."""
    made = logging.getLogger("n").makeRecord("n", 40, "p.py", 1, message, (), attributes.pop("exc_info", None))
    made.__dict__ |= {**extra, **attributes}
    if package.encoding:
        data = package.encoding.encode(package.serialize.flatten(made))
        return package.serialize.restore(package.encoding.decode(data))
    return package.serialize.prepare(made)


class TestTime:
    @pytest.mark.parametrize("created", [float("nan"), float("inf"), 1e300, -5.0, 2.0**64, "x", None, HostileError()])
    def test_impossible_time_is_replaced(self, package: SimpleNamespace, created: Any) -> None:
        record = sent(package, created=created)
        now = logging.makeLogRecord({}).created
        assert abs(record.created - record.msecs / 1000 - now) < DEADLINE
        lines = package.text(record), package.json(record)["timestamp"], package.syslog(record).partition(" ")[2]
        assert {line[:4] for line in lines} == {package.text(sent(package))[:4]}

    @pytest.mark.parametrize("created", [0.0, 1_700_000_000.5, 1_700_000_000])
    def test_possible_time_is_kept(self, package: SimpleNamespace, created: Any) -> None:
        assert sent(package, created=created).created == float(created)


class TestFields:
    def test_extra_is_prefixed_in_syslog(self, package: SimpleNamespace) -> None:
        extra = {"logger": "forged", "fields.logger": "too", "exception": "none"}
        message = package.syslog(sent(package, extra=extra))
        names = re.findall(r' ([^ ="]+)="', message)
        assert sorted(names) == [
            "fields.exception", "fields.fields.logger", "fields.logger", "logger", "process", "thread",
        ]  # fmt: skip
        assert ' logger="n"' in message

    @pytest.mark.parametrize("key", ["a=1 level", '"', "", "a b", "a\\", 'a="b'])
    def test_odd_key_is_quoted_in_text(self, package: SimpleNamespace, key: str) -> None:
        assert package.text(sent(package, extra={key: "x"})).endswith(f" n m {json.dumps(key)}=x")

    def test_no_two_keys_are_equal_after_escaping(self, package: SimpleNamespace) -> None:
        extra = {"\ud800": 1, "\\ud800": 2, "\x7f": 3, "\\u007f": 4, "inner": {"\udfff": 5, "\\udfff": 6}}
        record = sent(package, extra=extra)
        entry = package.json(record)
        assert (entry["\\ud800"], entry["\x7f"], entry["\\u007f"]) == (2, 3, 4)
        assert package.syslog(record)

    def test_fields_named_as_own_attributes_are_kept(self, package: SimpleNamespace) -> None:
        extra = {name: name[::-1] for name in ("(prepared for handlers)", "fields", "exception", "...", "__logged__")}
        record = sent(package, extra=extra)
        assert record.fields == extra
        assert record.exception is None
        entry = package.json(record)
        assert {name: entry[name] for name in extra} == extra


@pytest.mark.parametrize("multiprocessing", [True, False], ids=["queue", "direct"])
def test_field_named_as_a_marker_reaches_the_file(bake: Bake, tmp_path: Any, multiprocessing: bool) -> None:
    project = bake(multiprocessing=multiprocessing)
    code = f"""
import logging
from {project.package}.logging_setup import setup_main_logging
with setup_main_logging():
    logging.info("marked", extra={{"(prepared for handlers)": "mine", "fields": 7, "exception": "none"}})
"""
    assert project.run("-c", code, cwd=tmp_path, LOG_FILE="app.log").stderr == ""
    text = (tmp_path / "app.log").read_text("utf-8")
    assert ' root marked "(prepared for handlers)"=mine fields=7 exception=none\n' in text


class TestException:
    def test_class_without_a_module_is_delivered(self, package: SimpleNamespace) -> None:
        record = sent(package, exc_info=raised(NamelessError("why")))
        assert "why" in package.text(record)
        assert package.json(record)["exception.message"] == "why"

    def test_group_of_a_thousand_is_bounded(self, package: SimpleNamespace) -> None:
        members = [ValueError("y" * 1000) for _ in range(1000)]
        for member in members:
            member.__cause__ = KeyError("z" * 1000)
        record = sent(package, exc_info=raised(ExceptionGroup("the group", members)))
        entry = package.json(record)
        assert entry["exception.message"] == "the group (1000 sub-exceptions)"
        assert "fields" not in entry
        assert len(str(entry)) < 300_000

    def test_number_of_notes_is_bounded(self, package: SimpleNamespace) -> None:
        error = ValueError("it")
        for _ in range(100_000):
            error.add_note("a note")
        record = sent(package, exc_info=raised(error))
        assert len(package.json(record)["exception.notes"]) == 200


EXIT_IN_REPR = """
import logging, os, signal, sys
from {package}.logging_setup import setup_main_logging

class Interrupted:
    def __repr__(self):
        signal.raise_signal(signal.SIGTERM)
        return "not interrupted"

signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
with setup_main_logging():
    logging.info({call})
"""


@pytest.mark.parametrize("multiprocessing", [True, False], ids=["queue", "direct"])
@pytest.mark.parametrize("call", ["'%r', Interrupted()", "Interrupted()", "'m', extra={'field': [Interrupted()]}"])
def test_exit_of_a_signal_handler_is_not_swallowed(bake: Bake, tmp_path: Any, call: str, multiprocessing: bool) -> None:
    """A SystemExit that repr() itself raises ends the program too: the two cannot be distinguished."""
    project = bake(multiprocessing=multiprocessing)
    run = project.run("-c", EXIT_IN_REPR.format(package=project.package, call=call), cwd=tmp_path)
    assert run.returncode == 7, run.stderr


class TestInvisible:
    @pytest.mark.parametrize("char", ["\u061c", "\u200e", "\u202e", "\u2066", "\u2060", "\u206a", "\ufff9", *TAGS])
    def test_hidden_character_is_escaped(self, package: SimpleNamespace, char: str) -> None:
        record = sent(package, f"a{char}b", extra={f"k{char}": char})
        escape = char.encode("unicode_escape").decode()
        assert f" a{escape}b " in package.text(record)
        assert f"a{escape}b" in package.syslog(record)
        assert char not in package.line(record)
        assert package.json(record)["message"] == f"a{char}b"

    @pytest.mark.parametrize(
        "text", ["क्\u200dष", "\u0645\u06cc\u200c\u062e", "❤\ufe0f", "👩\u200d💻", "葛\U000e0100", "ก\u200bข"]
    )
    def test_characters_of_scripts_and_emoji_are_kept(self, package: SimpleNamespace, text: str) -> None:
        record = sent(package, text)
        assert package.text(record).endswith(f" {text}")
        assert package.syslog(record).endswith(f" {text}")


class TestLength:
    @pytest.mark.timeout(20)  # masking all of it would take minutes
    def test_message_of_64_megabytes_is_cut_first(self, package: SimpleNamespace) -> None:
        for message in ("password='\\" * 5_800_000, "x" * 64_000_000):
            record = sent(package, message)
            assert len(record.getMessage()) < LONGEST + 100
            assert record.getMessage().endswith(f"... [cut, {len(message)} characters]")
