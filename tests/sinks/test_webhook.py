"""Alerts by webhook to a real HTTP server: formats, answers and rate; URL and key appear nowhere else."""

import contextlib
import json
import logging
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.support.doctor import examine
from tests.support.imported import Imported, record
from tests.support.mail_server import mail_server
from tests.support.network import wait_until
from tests.support.project import Bake
from tests.support.receivers import WebhookReceiver

HOST = socket.gethostname()
KEY = "s3cret-routing-key"
APPLICATION = """
import logging
from my_service.logging_setup import Settings, setup_main_logging

with setup_main_logging() as logs:
    logger = logging.getLogger("my_service.shop")
    logger.info("an ordinary line")
    logger.error("the <shop> is on fire")
    logger.info("a line after it")
print(Settings.from_environ())
"""
APPLICATIONS = pytest.mark.parametrize("multiprocessing", [True, False])
CA = trustme.CA()


@pytest.fixture
def ca_file(tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    CA.cert_pem.write_to_path(str(path))
    return str(path)


def server_context(ca: trustme.CA, host: str = "localhost") -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert(host).configure_cert(context)
    return context


@pytest.fixture
def direct(bake: Bake) -> Iterator[Imported]:
    imported = Imported(bake(project_slug="webhook-direct", multiprocessing=False, webhook_handler=True))
    yield imported
    imported.close()


@pytest.fixture
def receiver() -> Iterator[WebhookReceiver]:
    with WebhookReceiver() as receiver:
        yield receiver


class Hook:
    """The webhook's handlers of a generated project, in this process."""

    def __init__(self, direct: Imported, url: str, **settings: Any) -> None:
        made = direct.module("sinks.webhook").WebhookSink(url=url, key=KEY, **settings)
        self.handler, self.recent = made.make_handlers(direct.module("formatters").make_formatter)
        self.handler._first_pause = 0.01  # noqa: SLF001
        self.handler.setLevel(logging.ERROR)
        direct.handlers += [self.handler, self.recent]

    def log(self, text: str, level: int = logging.ERROR) -> None:
        for handler in (self.handler, self.recent):
            if level >= handler.level:
                handler.handle(record(text, level=level))

    def post(self, *texts: str, level: int = logging.ERROR) -> None:
        """Log these alerts, and post them as one message."""
        made = [self.handler.payload(record(text, level=level)) for text in texts]
        self.handler.deliver(made)


class TestApplication:
    @APPLICATIONS
    def test_error_is_posted_with_history_over_tls(
        self, bake: Bake, ca_file: str, tmp_path: Path, multiprocessing: bool
    ) -> None:
        project = bake(multiprocessing=multiprocessing, webhook_handler=True)
        with WebhookReceiver(server_context(CA)) as receiver:
            variables = {"LOG_WEBHOOK_URL": receiver.url, "LOG_WEBHOOK_CA_FILE": ca_file}
            done = project.run("-c", APPLICATION, cwd=tmp_path, **variables)
        assert (done.returncode, done.stderr) == (0, "")
        (message,) = receiver.entries
        assert receiver.paths == [receiver.path]
        title, alert = message["text"].split("\n", 1)
        assert title == "[my-service] ERROR my_service.shop: the &lt;shop&gt; is on fire"
        alert, history = alert.split("records before:")
        assert "the &lt;shop&gt; is on fire" in alert
        assert "an ordinary line" not in alert
        assert "an ordinary line" in history
        assert "after it" not in history

    @APPLICATIONS
    def test_email_and_webhook_get_the_same_alert(self, bake: Bake, tmp_path: Path, multiprocessing: bool) -> None:
        project = bake(multiprocessing=multiprocessing, webhook_handler=True)
        with mail_server(tls="none", auth=False) as mails, WebhookReceiver() as receiver:
            variables = {
                "LOG_WEBHOOK_URL": receiver.url,
                "LOG_WEBHOOK_FORMAT": "json",
                "LOG_WEBHOOK_HISTORY": "1",
                "LOG_EMAIL_HOST": "localhost",
                "LOG_EMAIL_PORT": str(mails.port),
                "LOG_EMAIL_SECURITY": "none",
                "LOG_EMAIL_TO": "ops@example.com",
                "LOG_EMAIL_LEVEL": "ERROR",
            }
            done = project.run("-c", APPLICATION, cwd=tmp_path, **variables)
        assert (done.returncode, done.stderr) == (0, "")
        (mail,), (message,) = mails.mails, receiver.entries
        assert mail["Subject"] == message["title"]
        assert mails.bodies()[0].splitlines()[:3] == message["text"].splitlines()[:3]
        assert "The 1 records before:" in message["text"]
        assert message["text"].count("an ordinary line") == mails.bodies()[0].count("an ordinary line") == 1

    @pytest.mark.parametrize("in_file", [True, False])
    def test_secrets_are_nowhere_when_the_server_refuses(self, bake: Bake, tmp_path: Path, in_file: bool) -> None:
        project = bake(webhook_handler=True)
        with WebhookReceiver() as receiver:
            receiver.always, receiver.words = 404, f"no {receiver.url} {KEY}".encode()
            receiver.location = receiver.url
            values = {"LOG_WEBHOOK_URL": receiver.url, "LOG_WEBHOOK_KEY": KEY}
            if in_file:
                for name, value in values.items():
                    (tmp_path / name).write_text(f"{value}\n", "utf-8")
                values = {f"{name}_FILE": str(tmp_path / name) for name in values}
            variables = {"LOG_WEBHOOK_FORMAT": "pagerduty", **values}
            done = project.run("-c", APPLICATION, cwd=tmp_path, LOG_FILE="app.log", **variables)
            doctor = examine(project, tmp_path, "--probe", status=1, LOG_FILE="app.log", **variables)
        log = (tmp_path / "app.log").read_text("utf-8")
        assert "webhook: 1 records dropped: refused: the server answered 404 Not Found\n" in log
        assert "format='pagerduty'" in done.stdout
        assert {each["sink"]: each["verdict"] for each in doctor["probe"]}["webhook"] == "refused"
        shown = {each["variable"]: each["value"] for each in doctor["settings"]}
        assert (shown["LOG_WEBHOOK_URL"], shown["LOG_WEBHOOK_KEY"]) == ("***", "***")
        assert "s3cret" not in log + done.stdout + done.stderr + json.dumps(doctor)
        assert len(receiver.paths) == 2

    def test_doctor_probe_posts_a_test_alert(self, bake: Bake, tmp_path: Path) -> None:
        project = bake(webhook_handler=True)
        with WebhookReceiver() as receiver:
            report = examine(project, tmp_path, "--probe", LOG_WEBHOOK_URL=receiver.url)
        assert {each["sink"]: each["verdict"] for each in report["probe"]}["webhook"] == "reached"
        assert report["sinks"]["webhook"] == "ERROR"
        assert "This is a test" in receiver.entries[0]["text"]


class TestSettings:
    @pytest.mark.parametrize(
        "url",
        [
            "http://hooks.example.com/s3cret",
            "ftp://localhost/s3cret",
            "https:///s3cret",
            "https://host:s3cret/",
            "https://bob:s3cret@host/",
            "https://host/s3 cret",
            "s3cret",
        ],
    )
    def test_unusable_url_is_refused_and_not_shown(self, direct: Imported, tmp_path: Path, url: str) -> None:
        (tmp_path / "file").write_text(url, "utf-8")
        for variables in ({"LOG_WEBHOOK_URL": url}, {"LOG_WEBHOOK_URL_FILE": str(tmp_path / "file")}):
            with pytest.raises(
                ValueError, match="a URL such as https://host/path; http:// only to localhost"
            ) as caught:
                direct.module("settings").Settings.from_environ(variables)
            assert not any(word in str(caught.value) for word in ("s3cret", "s3 cret"))

    @pytest.mark.parametrize(
        "url",
        ["https://x.webhook.office.com/webhookb2/a@b/IncomingWebhook/c", "http://[::1]:8080/hook?a=b", "https://host"],
    )
    def test_usable_url_is_accepted(self, direct: Imported, url: str) -> None:
        settings = direct.module("settings").Settings.from_environ({"LOG_WEBHOOK_URL": url})
        assert settings.sinks["webhook"].url == url

    def test_client_is_imported_only_if_the_webhook_is_on(self, bake: Bake, tmp_path: Path) -> None:
        code = (
            "import sys\n"
            "from my_service.logging_setup import setup_main_logging\n"
            "with setup_main_logging():\n"
            "    print([name for name in ('http.client', 'email.utils', 'ssl') if name in sys.modules])\n"
        )
        project = bake(webhook_handler=True, multiprocessing=False)
        off = project.run("-c", code, cwd=tmp_path, LOG_CONSOLE_LEVEL="CRITICAL")
        on = project.run("-c", code, cwd=tmp_path, LOG_CONSOLE_LEVEL="CRITICAL", LOG_WEBHOOK_URL="https://localhost:1")
        assert off.stdout == "[]\n"
        assert "http.client" in on.stdout

    def test_secret_in_place_of_a_file_name_is_not_shown(self, direct: Imported) -> None:
        with pytest.raises(ValueError, match="LOG_WEBHOOK_URL_FILE=") as caught:
            direct.module("settings").Settings.from_environ({"LOG_WEBHOOK_URL_FILE": "https://h/s3cret"})
        sink = direct.module("sinks.webhook").WebhookSink(url_file="https://h/s3cret", key_file="s3cret")
        assert "s3cret" not in f"{caught.value} {sink}"

    def test_contradictions_are_named(self, direct: Imported, tmp_path: Path) -> None:
        (tmp_path / "empty").touch()
        for variables, message in (
            ({"LOG_WEBHOOK_URL": "https://h", "LOG_WEBHOOK_FORMAT": "pagerduty"}, "LOG_WEBHOOK_KEY: required when"),
            ({"LOG_WEBHOOK_URL": "https://h", "LOG_WEBHOOK_URL_FILE": "x"}, "must not be set together with"),
            ({"LOG_WEBHOOK_URL_FILE": str(tmp_path / "empty")}, "must be a file that contains it"),
            ({"LOG_WEBHOOK_FORMAT": "irc"}, "one of slack, teams, pagerduty, json"),
        ):
            with pytest.raises(ValueError, match=message):
                direct.module("settings").Settings.from_environ(variables)


class TestFormats:
    """The messages, by the documentation of Slack, Teams (Adaptive Cards) and PagerDuty (Events API v2)."""

    @pytest.fixture
    def posted(self, direct: Imported, receiver: WebhookReceiver) -> Any:
        def post(kind: str, *texts: str, level: int = logging.ERROR) -> Any:
            Hook(direct, receiver.url, format=kind).post(*texts, level=level)
            return receiver.entries[-1]

        return post

    @pytest.fixture(autouse=True)
    def _plain_lines(self, direct: Imported, monkeypatch: pytest.MonkeyPatch) -> None:
        """Write records without their time."""
        text = direct.module("records.text").TextFormatter
        monkeypatch.setattr(text, "format", lambda _self, made: f"{made.levelname} {made.getMessage()}")

    def test_slack_message_is_escaped_text(self, posted: Any) -> None:
        head = (
            f"[webhook-direct] ERROR test: a &lt;!channel&gt; &amp; '''\n```\n1 alert from webhook-direct on {HOST}\n\n"
        )
        assert posted("slack", "a <!channel> & ```") == {"text": f"{head}ERROR a &lt;!channel&gt; &amp; '''\n```"}

    def test_teams_message_is_an_adaptive_card(self, posted: Any) -> None:
        def line(text: str, **style: str) -> dict[str, Any]:
            return {"type": "RichTextBlock", "spacing": "None", "inlines": [{"type": "TextRun", "text": text, **style}]}

        lines = [f"1 alert from webhook-direct on {HOST}", "ERROR [link](https://x)"]
        card = {
            "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
            "type": "AdaptiveCard",
            "version": "1.2",
            "body": [
                line("[webhook-direct] ERROR test: [link](https://x)", weight="Bolder"),
                *(line(each, fontType="Monospace") for each in lines),
            ],
            "msteams": {"width": "Full"},
        }
        assert posted("teams", "[link](https://x)") == {
            "type": "message",
            "attachments": [
                {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
            ],
        }

    def test_pagerduty_message_is_a_trigger_event(self, posted: Any) -> None:
        event = posted("pagerduty", "alarm")
        assert len(event.pop("dedup_key")) <= 255
        assert event == {
            "routing_key": KEY,
            "event_action": "trigger",
            "payload": {
                "summary": "[webhook-direct] ERROR test: alarm",
                "source": HOST,
                "severity": "error",
                "component": "webhook-direct",
                "custom_details": {
                    "title": "[webhook-direct] ERROR test: alarm",
                    "level": "ERROR",
                    "alerts": 1,
                    "text": f"1 alert from webhook-direct on {HOST}\n\nERROR alarm\n",
                },
            },
        }

    def test_json_message_is_an_object(self, posted: Any) -> None:
        assert posted("json", "alarm", "alarm", level=logging.CRITICAL) == {
            "service": "webhook-direct",
            "host": HOST,
            "title": "[webhook-direct] CRITICAL test: alarm (and 1 more)",
            "level": "CRITICAL",
            "alerts": 2,
            "text": f"2 alerts from webhook-direct on {HOST}\n\n     2 x CRITICAL test: alarm\n\n"
            "The first of each:\n\nCRITICAL alarm\n",
        }

    @pytest.mark.parametrize(
        ("level", "severity"), [(60, "critical"), (50, "critical"), (40, "error"), (35, "warning"), (5, "info")]
    )
    def test_pagerduty_severity_follows_the_level(self, posted: Any, level: int, severity: str) -> None:
        assert posted("pagerduty", "alarm", level=level)["payload"]["severity"] == severity

    def test_equal_alerts_have_one_dedup_key(self, posted: Any) -> None:
        batches = ["a", "b"], ["b", "a", "a"], ["a"], ["a", "c"]
        first, same, *others = (posted("pagerduty", *texts)["dedup_key"] for texts in batches)
        assert first == same
        assert len({first, *others}) == 3

    @pytest.mark.parametrize("char", ["x", "&", "ä", "🔥", '"', "\\", "line\n"])
    @pytest.mark.parametrize(
        ("kind", "limit"), [("slack", 40_000), ("teams", 21_000), ("pagerduty", 512_000), ("json", 512_000)]
    )
    def test_long_message_has_an_accepted_size(
        self, posted: Any, receiver: WebhookReceiver, kind: str, limit: int, char: str
    ) -> None:
        message = posted(kind, *(f"{number} {char * 10_000}" for number in range(30)))
        assert min(0.9 * limit, 100_000) < receiver.largest <= limit
        assert "[cut, " in json.dumps(message)
        if kind == "pagerduty":
            assert len(message["payload"]["summary"]) <= 1024

    def test_history_is_in_the_message(self, direct: Imported, receiver: WebhookReceiver) -> None:
        hook = Hook(direct, receiver.url, format="json", history=3)
        for number in range(5):
            hook.log(f"before {number}", logging.INFO)
        hook.log("alarm")
        wait_until(lambda: receiver.entries)
        assert receiver.entries[0]["text"].endswith("before:\n\nINFO before 2\nINFO before 3\nINFO before 4\n")


class TestAnswers:
    def test_retry_after_of_429_is_honoured(self, direct: Imported, receiver: WebhookReceiver) -> None:
        receiver.answers = [(429, "1")]
        Hook(direct, receiver.url).log("alarm")
        wait_until(lambda: receiver.entries)
        first, second = receiver.asked
        assert second - first >= 1
        wait_until(lambda: len(direct.reported) == 2)
        assert "RetryLaterError: the server answered 429 Too Many Requests" in direct.reported[0]
        assert direct.reported[1] == "webhook: delivery restored, 0 records dropped meanwhile"

    def test_unavailable_server_gets_the_message_later(self, direct: Imported, receiver: WebhookReceiver) -> None:
        receiver.answers = [(503, None), (500, None)]
        Hook(direct, receiver.url).log("alarm")
        wait_until(lambda: receiver.entries)
        assert len(receiver.asked) == 3

    @pytest.mark.parametrize("status", [302, 307, 400, 403, 410])
    def test_refused_message_is_neither_retried_nor_redirected(
        self, direct: Imported, receiver: WebhookReceiver, status: int
    ) -> None:
        receiver.always, receiver.words = status, b"channel_not_found"
        with WebhookReceiver() as elsewhere:
            receiver.location = elsewhere.url
            Hook(direct, receiver.url).log("alarm")
            wait_until(lambda: direct.reported)
        assert len(receiver.asked) == 1
        assert elsewhere.asked == []
        assert f"refused: the server answered {status} " in direct.reported[0]
        assert direct.reported[0].endswith(" channel_not_found")

    @pytest.mark.parametrize("wrong", ["authority", "name"])
    def test_unverified_certificate_is_refused(self, direct: Imported, ca_file: str, wrong: str) -> None:
        tls = server_context(trustme.CA()) if wrong == "authority" else server_context(CA, "other.example.com")
        with WebhookReceiver(tls) as receiver:
            Hook(direct, receiver.url, ca_file=ca_file).log("alarm")
            wait_until(lambda: direct.reported)
        assert receiver.asked == []
        assert "webhook: 1 records dropped: refused: " in direct.reported[0]
        assert "certificate verify failed" in direct.reported[0]

    def test_server_that_repeats_the_request_shows_no_secret(self, direct: Imported) -> None:
        with socket.create_server(("localhost", 0)) as listening:
            threading.Thread(target=echo, args=(listening,)).start()
            url = f"http://localhost:{listening.getsockname()[1]}/s3cret"
            Hook(direct, url).log("alarm")
            wait_until(lambda: direct.reported)
            listening.shutdown(socket.SHUT_RDWR)
        assert "OSError: no valid HTTP answer (BadStatusLine)" in direct.reported[0]
        assert not any("s3cret" in line for line in direct.reported)

    def test_silent_server_delays_no_log_call(self, direct: Imported, receiver: WebhookReceiver) -> None:
        hook = Hook(direct, receiver.url)
        receiver.reading.clear()
        hook.log("alarm 0")
        wait_until(lambda: hook.handler._in_delivery)  # noqa: SLF001
        for number in range(1, 100):
            hook.log(f"alarm {number}")
        assert receiver.entries == []
        receiver.reading.set()
        hook.handler.close()
        assert [" more)" in entry["text"] for entry in receiver.entries] == [False, True]


def echo(listening: socket.socket) -> None:
    """Echo each client's data, once, until the socket is shut down."""
    with contextlib.suppress(OSError):
        while True:
            connection, _ = listening.accept()
            with connection:
                connection.sendall(connection.recv(65_536))


class TestRate:
    def test_flood_of_alerts_is_one_message_and_a_digest(self, direct: Imported, receiver: WebhookReceiver) -> None:
        hook = Hook(direct, receiver.url)
        hook.log("first")
        wait_until(lambda: receiver.entries)
        wait_until(lambda: hook.handler.due_in() > 50)
        for _ in range(150):
            hook.log("the same")
        hook.handler.close()
        assert len(receiver.entries) == 2
        assert "(and 149 more)\n" in receiver.entries[1]["text"]
        assert "   150 x ERROR test: the same\n" in receiver.entries[1]["text"]

    def test_hourly_limit_holds_until_the_end(self, direct: Imported, receiver: WebhookReceiver) -> None:
        hook = Hook(direct, receiver.url, interval=0.0, per_hour=2)
        for number in range(2):
            hook.log(f"alarm {number}")
            wait_until(lambda: len(hook.handler._sent) == number + 1)  # noqa: B023, SLF001
        hook.log("one more")
        assert hook.handler.due_in() > 3000
        hook.log("and another")
        hook.handler.close()
        assert len(receiver.entries) == 3
        assert all(text in receiver.entries[2]["text"] for text in ("one more", "and another"))
