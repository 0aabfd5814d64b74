"""Every output of a record: no control character, and no record that looks like two (case 37).

Outputs: text, JSON, syslog, mail, stderr for records that the queue refused, reports of logging itself, and the
doctor. Every field of a record holds hostile text.
"""

import contextlib
import email
import email.policy
import io
import json
import logging
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.hostile import BEGINS, FORBIDDEN, FORGED, exceptions, extras, raised, values
from tests.support.project import Bake

WORST = f"a{''.join(sorted(FORBIDDEN))}\n{FORGED}\r\n{FORGED}\x85{FORGED}\u2028{FORGED}"
INDENT = "    "
SET_LATER = ("levelname", "process", "processName", "thread", "threadName", "taskName")  # as a filter may

texts = st.text(st.characters(codec=None, exclude_categories=()) | st.sampled_from(sorted(FORBIDDEN)), max_size=20)
texts = texts.flatmap(
    lambda text: st.sampled_from(["", f"\n{FORGED}", f"\r{FORGED}", f"\x1b[2J\n{FORGED}"]).map(text.__add__)
)


def record(fields: dict[str, Any]) -> logging.LogRecord:
    """Make a record of these fields as an application's logger does."""
    made = logging.getLogger("shop").makeRecord(
        fields["name"], logging.ERROR, fields["pathname"], 1, fields["message"], fields["args"], fields["error"],
        fields["funcName"], fields["extra"], fields["stack"],
    )  # fmt: skip
    for name in SET_LATER:
        setattr(made, name, fields[name])
    return made


everything = st.fixed_dictionaries(
    {
        **dict.fromkeys(("name", "pathname", "funcName", *SET_LATER), texts),
        "message": texts | values,
        "args": st.just(()) | values.map(lambda value: (value,)),
        "error": st.none() | exceptions().map(raised),
        "extra": extras,
        "stack": st.none() | texts,
        "context": st.dictionaries(texts, values, max_size=3),
    }
)


def worst(error: BaseException) -> dict[str, Any]:
    error.add_note(WORST)
    error.__cause__ = KeyError(WORST)
    return {
        **dict.fromkeys(("name", "pathname", "funcName", *SET_LATER), WORST),
        "message": WORST + "%s",
        "args": (WORST,),
        "error": raised(error),
        "extra": {WORST: WORST, "nested": {WORST: [WORST]}},
        "stack": WORST,
        "context": {WORST: WORST},
    }


class Ways:
    """The outputs of one generated project: each method formats a record in the context of its fields."""

    def __init__(self, load: Callable[[str], Any]) -> None:
        self.records, self.context, self.reports = (
            load("records.serialize"),
            load("records.context"),
            load("process.reports"),
        )
        self.formatters, self.doctor = load("formatters"), load("__main__")
        self.probe = load("doctor.probe")
        mail = load("sinks.email").EmailSink(host="localhost", to=("ops@example.com",), history=3)
        self.mail, self.recent = mail.make_handlers(self.formatters.make_formatter)
        self.smtp, self.compose = self.mail.send.__self__, load("sinks.alerts").compose
        syslog = load("sinks.syslog").SyslogHandler
        self.syslogs = [syslog(f"{scheme}://127.0.0.1:9", timeout=5.0) for scheme in ("udp", "tcp")]
        queue = load("queue.pipe").LogQueue(load("settings").Settings())
        queue.reader.close()  # there is no listener
        self.dropping = load("queue.session").QueueHandler(queue)
        self.handlers = [self.mail, *self.syslogs]

    def ready(self, made: logging.LogRecord) -> Any:
        return self.records.restore(self.records.flatten(made))

    def close(self) -> None:
        for handler in self.handlers:
            handler.close()
        self.dropping.queue.close()

    def text(self, made: logging.LogRecord) -> None:
        check_lines(self.formatters.TextFormatter().format(self.ready(made)), records=1)

    def json(self, made: logging.LogRecord) -> None:
        line = self.formatters.JsonFormatter("a-service").format(self.ready(made))
        assert not FORBIDDEN.intersection(line)
        json.loads(line)

    def syslog(self, made: logging.LogRecord) -> None:
        datagram, frame = (handler.payload(self.ready(made)) for handler in self.syslogs)
        size, _, message = frame.partition(b" ")
        assert int(size) == len(message)
        for each in (datagram, message):
            text = each.decode("utf-8")
            assert re.match(r"<\d+>1 \S+ \S+ a-service \S+ - \[log@32473 [^\n]*\] ", text), text
            check_lines(text, begins="<")

    def mails(self, made: logging.LogRecord) -> None:
        self.recent.emit(self.ready(made))
        alert = self.mail.payload(self.ready(made))
        sent: list[bytes] = []
        self.mail.send = lambda batch: sent.append(self.smtp._message(*self.compose(batch)).as_bytes())  # noqa: SLF001
        self.mail.deliver([alert, alert])
        read: Any = email.message_from_bytes(sent[0], policy=email.policy.default)
        assert not FORBIDDEN.intersection(read["Subject"])
        body = read.get_content()
        assert not (FORBIDDEN - {"\n"}).intersection(body)
        begin = [line for line in body.split("\n") if BEGINS.match(line)]
        assert len(begin) == 1 + len(alert.history), body

    def dropped(self, made: logging.LogRecord) -> None:
        with contextlib.redirect_stderr(io.StringIO()) as stderr:
            self.dropping.handle(made)
        check_lines(stderr.getvalue().removesuffix("\n"), records=1)

    def reported(self, made: logging.LogRecord) -> None:
        with contextlib.redirect_stderr(io.StringIO()) as stderr:
            self.reports.say(self.ready(made).getMessage())
            self.reports.say(self.reports.describe(made.exc_info and made.exc_info[1]))
        check_lines(stderr.getvalue().removesuffix("\n"), records=2)
        with contextlib.redirect_stderr(io.StringIO()) as stderr:
            self.reports.to_stderr("ERROR", self.ready(made).getMessage())
        assert not (FORBIDDEN - {"\n"}).intersection(stderr.getvalue())

    def shown_by_doctor(self, made: logging.LogRecord) -> None:
        class CustomHandler(logging.Handler):
            def emit(self, _record: logging.LogRecord) -> None:
                raise OSError(text)

        text = self.ready(made).getMessage()
        verdict, words = self.probe.try_handler(CustomHandler())
        result = {"sink": text, "verdict": verdict, "words": words}
        logger = {
            "name": text,
            "level": "",
            "effective_level": made.levelname,
            "propagate": True,
            "disabled": False,
            "handlers": [text],
        }
        setting = {"variable": "LOG_FILE", "value": text, "origin": "environment"}
        report = {"settings": [setting], "sinks": {text: "INFO"}, "loggers": [logger], "faults": [text]}
        service = {"service.name": text, "level_change": text}
        shown = self.doctor.as_text({**report, **service, "probe": [result]})
        assert not (FORBIDDEN - {"\n"}).intersection(shown)
        assert len(shown.splitlines()) == 7 + 6 + 6, "a line each, headings and gaps"


WAYS = ("text", "json", "syslog", "mails", "dropped", "reported", "shown_by_doctor")


def check_lines(text: str, *, records: int = 1, begins: str = "") -> None:
    """Check lines of text: no control characters, and further lines of a record indented."""
    assert not (FORBIDDEN - {"\n"}).intersection(text), repr(text)
    begin = [line for line in text.split("\n") if not line.startswith(INDENT)]
    assert len(begin) == records, text
    assert all(line.startswith(begins) if begins else BEGINS.match(line) for line in begin), text


@pytest.fixture(scope="module")
def ways(bake: Bake) -> Iterator[Ways]:
    project = bake(project_slug="a-service", collector_handler="syslog")
    with project.imported() as load:
        made = Ways(load)
        yield made
        made.close()


@pytest.mark.parametrize("way", WAYS)
def test_hostile_record_stays_one_record(ways: Ways, way: str) -> None:
    name = f"Error{WORST}".encode("utf-8", "ignore").decode().replace("\0", "")  # a possible name of a class
    fields = worst(type(name, (ValueError,), {"__module__": WORST})(WORST))
    with ways.context.log_context(**fields["context"]):
        getattr(ways, way)(record(fields))


def test_syslog_message_cut_in_an_indent_stays_one(ways: Ways) -> None:
    for length in range(8):
        made = record({**worst(ValueError()), "message": "x" * length + "\n" * 4000, "args": ()})
        ways.syslog(made)


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(fields=everything)
def test_any_record_stays_one_in_every_output(ways: Ways, fields: dict[str, Any]) -> None:
    made = record(fields)
    with ways.context.log_context(**fields["context"]):
        for way in WAYS:
            getattr(ways, way)(made)
