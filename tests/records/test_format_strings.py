"""Format strings as LOG_*_FORMAT: what they write, which are refused, and that no record can forge a line."""

import logging
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.hostile import FORBIDDEN, FORGED, exceptions, extras, raised, texts, values
from tests.support.mail_server import mail_server
from tests.support.project import Bake, Project

PATTERN = "%(asctime)s %(levelname)s [%(processName)s] %(name)s %(message)s"
OFTEN = settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
APPLICATION = """
import logging
from my_service.logging_setup import log_context, setup_main_logging
with setup_main_logging(), log_context(request_id="42"):
    logger = logging.getLogger("shop")
    logger.info("paid %d", 7)
    try:
        1 / 0
    except ZeroDivisionError:
        logger.critical("two\\nlines", exc_info=True)
"""
# Formats in which a value of the application begins the line, ends it, or is cut.
RISKY = (
    PATTERN,
    "%(message)s",
    "%(fields)s%(message)s",
    "%(threadName)s %(message).7s%(name)s",
    "{message}{funcName}{pathname!s:.3}",
    "{processName:>12}|{message:<20}|{name!r}",
    "%(levelname)8s %(message)s %(processName)s",
)


@pytest.fixture(scope="module")
def package(project: Project) -> Iterator[SimpleNamespace]:
    """Import the modules of the generated package that are tested here."""
    with project.imported() as load:
        yield SimpleNamespace(
            **{
                name.rpartition(".")[2]: load(name)
                for name in ("formatters", "records.context", "records.format_strings", "records.serialize")
            },
            settings=load("settings").Settings,
        )


def formatted(package: SimpleNamespace, text: str, date_format: str = "", **given: Any) -> str:
    """Return a record with these attributes as a sink with this format string writes it."""
    record = logging.makeLogRecord({"name": "shop", "levelno": 20, "levelname": "INFO", "msg": "paid", **given})
    made = package.formatters.make_formatter(text, date_format=date_format)
    line: str = made.format(package.serialize.prepare(record))
    return line


class TestLines:
    @pytest.mark.parametrize("multiprocessing", [True, False])
    def test_each_sink_has_its_own_format(self, bake: Bake, tmp_path: Path, multiprocessing: bool) -> None:
        with mail_server(tls="none") as server:
            run = bake(multiprocessing=multiprocessing).run(
                "-c",
                APPLICATION,
                cwd=tmp_path,
                LOG_CONSOLE_FORMAT=PATTERN,
                LOG_FILE_FORMAT="{levelname:8}|{message}|{fields}",
                LOG_FILE="app.log",
                LOG_DATE_FORMAT="%d.%m.%Y",
                LOG_EMAIL_FORMAT="mailed {asctime} {message}",
                LOG_EMAIL_HOST="localhost",
                LOG_EMAIL_PORT=str(server.port),
                LOG_EMAIL_SECURITY="none",
                LOG_EMAIL_TO="ops@example.com",
            )
        assert (run.returncode, run.stderr) == (0, "")
        assert re.search(r"^\d\d\.\d\d\.\d{4} INFO \[MainProcess\] shop paid 7$", run.stdout, re.MULTILINE)
        assert re.search(r"^\S+ CRITICAL \[MainProcess\] shop two\n    lines\n    Traceback ", run.stdout, re.MULTILINE)
        assert re.search(r"^    ZeroDivisionError: division by zero$", run.stdout, re.MULTILINE)
        lines = (tmp_path / "app.log").read_text("utf-8").splitlines()
        assert "INFO    |paid 7|request_id=42" in lines
        (body,) = server.bodies()
        assert re.search(r"^mailed \d\d\.\d\d\.\d{4} two\n    lines\n    Traceback", body, re.MULTILINE)
        assert re.search(r"^mailed \S+ paid 7$", body.split("records before:")[1], re.MULTILINE)

    def test_lines_are_those_of_logging_itself(self, package: SimpleNamespace) -> None:
        numbers = {"process": 7, "thread": 8, "lineno": 9, "created": 1e9 + 0.25, "pathname": "/app/shop.py"}
        texts = {"processName": "P", "threadName": "T", "funcName": "pay", "msg": "paid %d of %d", "args": (3, 4)}
        record = logging.makeLogRecord({"name": "shop", "levelno": 20, "levelname": "INFO", **numbers, **texts})
        for style, text in (
            (
                "%",
                "%(asctime)s.%(msecs)03d %(levelno)05d %(process)d %(thread)x %(message)r %(lineno)4d %(name)-9s 1%%",
            ),
            ("%", "%(created)f %(filename)s %(module)s:%(funcName)s %(pathname)s\t%(processName).1s %(threadName)s"),
            ("{", "{asctime} {levelname:>8} {process:d} {message!r:^20} {created:.3f} {{literal}} {name}"),
        ):
            usual: Any = logging.Formatter(text, "%H-%M", style)  # type: ignore[arg-type]
            ours = package.formatters.make_formatter(text, date_format="%H-%M")
            prepared = package.serialize.prepare(record)
            assert ours.format(prepared) == usual.format(prepared)

    def test_time_without_date_format_is_that_of_logging(self, package: SimpleNamespace) -> None:
        line = formatted(package, "%(asctime)s %(message)s")
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} paid", line)

    def test_secrets_are_masked_in_every_field(self, package: SimpleNamespace) -> None:
        with package.context.log_context(password="hunter2"):  # noqa: S106
            line = formatted(package, "{message} {fields}", msg="token=abcdefgh1234")
        assert line == "token=*** password=***"

    def test_missing_number_does_not_lose_the_record(self, package: SimpleNamespace) -> None:
        line = formatted(package, "%(thread)d %(message)s", thread=None)  # with logging.logThreads = False
        assert " INFO     shop paid" in line


class TestForgedLines:
    @OFTEN
    @given(text=st.sampled_from(RISKY), data=st.data())
    def test_any_record_stays_one_record(self, package: SimpleNamespace, text: str, data: st.DataObject) -> None:
        forging = texts | st.sampled_from([f"a\n{FORGED}", f"\r\n    {FORGED}\n", f"    {FORGED}", "\n\n", "\t\x1b[2J"])
        names = ("name", "levelname", "threadName", "processName", "taskName", "funcName", "pathname", "stack_info")
        record = logging.makeLogRecord({name: data.draw(forging) for name in names})
        record.levelno, record.args = 30, ()
        record.msg = data.draw(forging | values)
        record.exc_info = data.draw(st.none() | exceptions().map(raised))
        vars(record).update({key: value for key, value in data.draw(extras).items() if key not in vars(record)})
        line = package.formatters.make_formatter(text).format(package.serialize.prepare(record))
        assert not (FORBIDDEN - {"\n"}).intersection(line), repr(line)
        first, *more = line.split("\n")
        assert not first.startswith("    ")
        assert all(each.startswith("    ") for each in more), line

    @pytest.mark.parametrize("text", ["%(message).4s%(name)s", "{message:.4}{name}"])
    def test_cut_message_does_not_free_the_next_field(self, package: SimpleNamespace, text: str) -> None:
        line = formatted(package, text, msg="abc\nx", name=FORGED)
        assert line == f"abc\n    {FORGED}"

    def test_first_field_cannot_pass_as_a_further_line(self, package: SimpleNamespace) -> None:
        assert formatted(package, "%(message)s", msg="        File x") == "File x"
        assert formatted(package, "%(levelname)8s %(message)s") == "INFO paid"
        assert formatted(package, "%(message)s", msg="  - item") == "  - item"


class TestRefusal:
    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("xml", "no fields"),
            ("%(lvl)s %(message)s", "not found in record: 'lvl'"),
            ("{request_id} {message}", "not found in record: 'request_id'"),
            ("%(message)", "Invalid format"),
            ("%(message)s 100%", "% without a field"),
            ("%(message)s %s", "% without a field"),
            ("%(message)d", "real number"),
            ("%(message)y", "Invalid format"),
            ("{message", "expected '}' before end of string"),
            ("{message:d}", "Unknown format code 'd'"),
            ("{message.secret}", "no attribute 'secret'"),
            ("{fields[request_id]}", "string indices must be integers"),
            ("{0} {message}", "positional args"),
            ("{}", "invalid format: no fields"),
            ("{message!x}", "invalid conversion: 'x'"),
            ("{created:d}", "Unknown format code 'd'"),
            ("%(asctime)s\n%(message)s", "control character"),
            ("\x1b[31m{message}", "control character"),
            ("{message}\u202e", "control character"),
        ],
    )
    def test_invalid_format_names_the_expected_form(self, package: SimpleNamespace, text: str, reason: str) -> None:
        with pytest.raises(ValueError, match="invalid settings") as caught:
            package.settings.from_environ({"LOG_CONSOLE_FORMAT": text})
        (line,) = str(caught.value).splitlines()[1:]
        wanted = "must be one of text, json, gcp, ecs, datadog, or a format string such as %(asctime)s %(levelname)s"
        assert wanted in line
        assert "%(message)s, of asctime, created, fields, filename, funcName, levelname, levelno, lineno" in line
        assert reason in line

    @pytest.mark.parametrize("text", ["%Q", "%H:%M:%S.%f", "%Y-%", "%E", "%Y\x1b[2J", "%H\n%M"])
    def test_invalid_date_format_is_refused(self, package: SimpleNamespace, text: str) -> None:
        with pytest.raises(ValueError, match=r"LOG_DATE_FORMAT=.* must be a format of time\.strftime\(\) such as %Y"):
            package.settings.from_environ({"LOG_DATE_FORMAT": text})

    @pytest.mark.parametrize("text", ["%Y-%m-%dT%H:%M:%S%z", "%%d %-d %j", "%c %Z", "noon"])
    def test_valid_date_format_is_accepted(self, package: SimpleNamespace, text: str) -> None:
        assert package.settings.from_environ({"LOG_DATE_FORMAT": text}).date_format == text

    def test_names_of_formats_may_be_in_any_case(self, package: SimpleNamespace) -> None:
        found = package.settings.from_environ({"LOG_FILE_FORMAT": "ECS", "LOG_CONSOLE_FORMAT": "{Message}".lower()})
        assert (found.sinks["file"].format, found.sinks["console"].format) == ("ecs", "{message}")
