"""Alerts by e-mail to a real SMTP server: recipients, content, encryption and rate; nothing else waits for them."""

import contextlib
import logging
import re
import socket
import ssl
import time
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.support.imported import Imported, record
from tests.support.mail_server import CA, PASSWORD, USER, MailServer, mail_server
from tests.support.network import free_port, wait_until
from tests.support.project import DEADLINE, Bake, Project

APPLICATION = """
import logging, sys
from {package}.logging_setup import setup_main_logging

with setup_main_logging():
    logger = logging.getLogger("{package}.shop")
    logger.debug("a detail")
    logger.info("an ordinary line")
    logger.critical("the shop is on fire")
    logger.info("a line after it")
"""


@pytest.fixture(scope="module")
def ca_file(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    CA.cert_pem.write_to_path(str(path))
    return str(path)


@pytest.fixture
def direct(timed: Imported) -> Imported:
    return timed


class Mailer:
    """The e-mail handlers of a generated project, in this process."""

    def __init__(self, direct: Imported, pause: float, **settings: Any) -> None:
        settings = {"host": "localhost", "to": ("ops@example.com",), **settings}
        made = direct.module("sinks.email").EmailSink(**settings)
        self.email, self.recent = made.make_handlers(direct.module("formatters").make_formatter)
        self.email._first_pause = pause  # noqa: SLF001
        self.email.setLevel(logging.CRITICAL)
        direct.handlers += [self.email, self.recent]

    def log(self, text: str, level: int = logging.CRITICAL) -> None:
        for handler in (self.email, self.recent):
            if level >= handler.level:
                handler.handle(record(text, level=level))

    def end(self, within: float = DEADLINE) -> None:
        self.email.finish_by(time.monotonic() + within)
        self.email.close()


@pytest.fixture
def mailer(direct: Imported, ca_file: str) -> Any:
    def make(server: MailServer | None = None, pause: float = 0.01, **settings: Any) -> Mailer:
        options = {"ca_file": ca_file, "user": USER, "password": PASSWORD, **settings}
        if server:
            options["port"] = server.port
        return Mailer(direct, pause, **options)

    return make


def environment(server: MailServer, ca_file: str, folder: Path, **more: str) -> dict[str, str]:
    return {
        "LOG_EMAIL_HOST": "localhost",
        "LOG_EMAIL_PORT": str(server.port),
        "LOG_EMAIL_CA_FILE": ca_file,
        "LOG_EMAIL_USER": USER,
        "LOG_EMAIL_PASSWORD": PASSWORD,
        "LOG_EMAIL_TO": "ops@example.com, boss@example.com",
        "LOG_FILE": str(folder / "app.log"),
        **more,
    }


class TestApplication:
    @pytest.mark.parametrize("multiprocessing", [True, False])
    def test_critical_record_is_mailed_and_info_is_not(
        self, bake: Bake, ca_file: str, tmp_path: Path, multiprocessing: bool
    ) -> None:
        project = bake(multiprocessing=multiprocessing)
        with mail_server() as server:
            variables = environment(server, ca_file, tmp_path)
            done = project.run("-c", APPLICATION.format(package=project.package), cwd=tmp_path, **variables)
        assert (done.returncode, done.stderr) == (0, "")
        (mail,) = server.mails
        assert server.logins == [(USER.encode(), PASSWORD.encode(), True)]
        assert mail["To"] == "ops@example.com, boss@example.com"
        assert mail["From"] == USER
        assert mail["Subject"] == "[my-service] CRITICAL my_service.shop: the shop is on fire"
        alert, history = server.bodies()[0].split("records before:")
        assert "the shop is on fire" in alert
        assert "an ordinary line" not in alert
        assert "a detail" in history
        assert "an ordinary line" in history
        assert "after it" not in history

    def test_wrong_certificate_gets_no_password(self, project: Project, ca_file: str, tmp_path: Path) -> None:
        with mail_server(ca=trustme.CA()) as server:
            variables = environment(server, ca_file, tmp_path)
            done = project.run("-c", APPLICATION.format(package=project.package), cwd=tmp_path, **variables)
        assert (server.logins, server.mails) == ([], [])
        assert done.stdout.count("certificate verify failed") == 1
        assert "email: 1 records dropped: refused" in (tmp_path / "app.log").read_text("utf-8")

    def test_password_from_a_file_is_never_printed(self, project: Project, ca_file: str, tmp_path: Path) -> None:
        (tmp_path / "password").write_text("wrong-s3cr3t\n", "utf-8")
        script = APPLICATION + "    from {package}.logging_setup import Settings\n"
        script += "    print(setup_main_logging().queue.settings, Settings.from_environ())"
        with mail_server() as server:
            more = {"LOG_EMAIL_PASSWORD": "", "LOG_EMAIL_PASSWORD_FILE": str(tmp_path / "password")}
            variables = environment(server, ca_file, tmp_path, **more)
            done = project.run("-c", script.format(package=project.package), cwd=tmp_path, **variables)
        assert {password for _, password, _ in server.logins} == {b"wrong-s3cr3t"}
        output = done.stdout + done.stderr + (tmp_path / "app.log").read_text("utf-8")
        assert "refused: 535" in output
        assert "host='localhost'" in output
        assert "wrong-s3cr3t" not in output

    def test_alert_includes_earlier_records_of_its_batch(self, bake: Bake) -> None:
        with bake().imported() as load:
            settings = load("settings").Settings.from_environ(
                {"LOG_EMAIL_HOST": "localhost", "LOG_EMAIL_TO": "a@b.example"}
            )
            handlers = load("get_handlers").get_handlers(settings)
            email = next(handler for handler in handlers if handler.name == "email")
            alerts: list[Any] = []
            email.deliver = alerts.extend
            dispatcher = load("sinks.dispatcher").Dispatcher(handlers[-2:])
            levels = [logging.INFO] * 3 + [logging.CRITICAL] + [logging.INFO] * 4
            dispatcher.dispatch([record(f"number {place}", level=level) for place, level in enumerate(levels)])
            dispatcher.close()
        assert [line.split()[-1] for alert in alerts for line in alert.history] == ["0", "1", "2"]

    def test_hanging_server_delays_neither_file_nor_exit(self, project: Project, ca_file: str, tmp_path: Path) -> None:
        script = APPLICATION + "    from pathlib import Path\n    setup_main_logging().flush()\n"
        script += "    print('LINES', Path('app.log').read_text().count('fire'))\n"
        with socket.create_server(("localhost", 0)) as silent:  # accepts connections, and sends nothing
            server = MailServer(port=silent.getsockname()[1])
            variables = environment(server, ca_file, tmp_path)
            before = time.monotonic()
            done = project.run("-c", script.format(package=project.package), cwd=tmp_path, **variables)
            took = time.monotonic() - before
        assert "LINES 1" in done.stdout
        assert took < 9  # the deadline at the end is 5 s, the server's time-out 10
        assert "not delivered before the deadline" in (tmp_path / "app.log").read_text("utf-8")


class TestCharacters:
    """Case 76."""

    def test_domain_of_other_characters_gets_the_mail(self, project: Project, ca_file: str, tmp_path: Path) -> None:
        with mail_server() as server:
            more = {"LOG_EMAIL_TO": "ops@exämple.com,boss@example.com", "LOG_EMAIL_FROM": "Zürich <alerts@example.ch>"}
            variables = environment(server, ca_file, tmp_path, **more)
            done = project.run("-c", APPLICATION.format(package=project.package), cwd=tmp_path, **variables)
        assert (done.returncode, done.stderr) == (0, "")
        assert server.recipients == [["ops@xn--exmple-cua.com", "boss@example.com"]]
        assert server.mails[0]["From"] == "Zürich <alerts@example.ch>"

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("LOG_EMAIL_PASSWORD", "gehöim"),
            ("LOG_EMAIL_PASSWORD_FILE", "utf-8"),
            ("LOG_EMAIL_PASSWORD_FILE", "latin-1"),
            ("LOG_EMAIL_USER", "gehöim"),
            ("LOG_EMAIL_TO", "ops@example.com,gehöim@example.com"),
            ("LOG_EMAIL_FROM", "Zürich <gehöim@example.com>"),
        ],
    )
    def test_value_that_smtp_cannot_encode_is_refused(
        self, project: Project, tmp_path: Path, name: str, value: str
    ) -> None:
        (tmp_path / "utf-8").write_text("gehöim", "utf-8")
        (tmp_path / "latin-1").write_text("gehöim", "latin-1")
        settings = {"LOG_EMAIL_HOST": "localhost", "LOG_EMAIL_TO": "ops@example.com", name: value}
        run = project.run("-m", project.package, cwd=tmp_path, **settings)
        assert run.returncode == 2
        assert re.search(rf"\n  - {name.removesuffix('_FILE')}(='.*')?: must be .*ASCII", run.stderr), run.stderr
        assert "PASSWORD" not in name or not re.search("ö|geh|xf6|xc3", run.stderr), run.stderr


class TestEncryption:
    @pytest.mark.parametrize(("tls", "security"), [("starttls", "starttls"), ("starttls", "auto"), ("tls", "tls")])
    def test_mail_is_sent_over_tls(self, mailer: Any, tls: str, security: str) -> None:
        with mail_server(tls=tls) as server:
            mail = mailer(server, security=security)
            mail.log("alarm")
            mail.end()
            assert len(server.mails) == 1
            assert [over_tls for *_, over_tls in server.logins] == [True]

    def test_port_465_means_implicit_tls(self, mailer: Any) -> None:
        assert mailer(port=465).email.send.__self__.implicit_tls
        assert not mailer(port=465, security="starttls").email.send.__self__.implicit_tls

    @pytest.mark.parametrize("tls", ["starttls", "tls"])
    @pytest.mark.parametrize("wrong", [{"ca": trustme.CA()}, {"host": "other.example.com"}])
    def test_unverified_certificate_is_refused(
        self, direct: Imported, mailer: Any, tls: str, wrong: dict[str, Any]
    ) -> None:
        with mail_server(tls=tls, **wrong) as server:
            mail = mailer(server, security=tls)
            mail.log("alarm")
            mail.end()
            assert (server.logins, server.mails) == ([], [])
        assert "certificate verify failed" in direct.reported[0]

    def test_server_without_starttls_gets_nothing(self, direct: Imported, mailer: Any) -> None:
        with mail_server(tls="none") as server:
            mail = mailer(server)
            mail.log("alarm")
            mail.end()
            assert (server.logins, server.mails, server.attempts) == ([], [], 0)
        assert "STARTTLS extension not supported" in direct.reported[0]

    def test_mail_is_sent_unencrypted_only_on_request(self, mailer: Any) -> None:
        with mail_server(tls="none", auth=False) as server:
            mail = mailer(server, security="none", user="", password="")
            mail.log("alarm")
            mail.end()
            assert len(server.mails) == 1


class TestFlood:
    def test_flood_of_alerts_becomes_two_mails(self, mailer: Any) -> None:
        with mail_server() as server:
            mail = mailer(server)
            for number in range(200):
                mail.log(f"alarm number {number:03d}")
                if number == 0:
                    wait_until(lambda: server.mails)  # the first is sent at once
            wait_until(lambda: mail.email.due_in() > 50)  # the others are collected
            mail.end()
            assert len(server.mails) == 2
            assert all(f"alarm number {number:03d}" in "".join(server.bodies()) for number in range(200))
            assert "(and 198 more)" in server.mails[1]["Subject"]

    def test_equal_alerts_are_counted(self, mailer: Any) -> None:
        with mail_server() as server:
            mail = mailer(server)
            mail.log("first")
            wait_until(lambda: server.mails)
            for _ in range(150):
                mail.log("the same")
            mail.end()
            assert "   150 x CRITICAL test: the same" in server.bodies()[1]
            assert server.bodies()[1].count("the same") == 2  # its count and its text

    def test_digest_follows_after_the_interval(self, mailer: Any) -> None:
        with mail_server() as server:
            mail = mailer(server, interval=0.2)
            mail.log("first")
            wait_until(lambda: server.mails)
            for number in range(5):
                mail.log(f"next {number}")
            wait_until(lambda: len(server.mails) == 2)
            assert all(f"next {number}" in server.bodies()[1] for number in range(5))
            mail.end()

    def test_mails_beyond_the_hourly_limit_follow_at_exit(self, mailer: Any) -> None:
        with mail_server() as server:
            mail = mailer(server, interval=0.0, per_hour=2)
            for number in range(2):
                mail.log(f"alarm {number}")
                # Not for the server's: the handler counts a mail once it has the answer.
                wait_until(lambda: len(mail.email._sent) == number + 1)  # noqa: B023, SLF001
            mail.log("one more")
            assert mail.email.due_in() > 3000
            mail.log("and another")
            mail.end()
            assert len(server.mails) == 3
            assert "one more" in server.bodies()[2]
            assert "and another" in server.bodies()[2]


class TestTrouble:
    def test_server_that_stays_down_is_reported_once(self, direct: Imported, mailer: Any) -> None:
        mail = mailer(port=free_port())
        mail.log("alarm")
        wait_until(lambda: any("6 attempts failed" in line for line in direct.reported))
        assert len(direct.reported) == 2
        assert "will be retried" in direct.reported[0]
        assert "Connection refused" in direct.reported[0]

    def test_pauses_between_attempts_grow(self, direct: Imported, mailer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        mail = mailer(port=free_port(), pause=0.01)
        pauses: list[float] = []
        waits = mail.email._closing.wait  # noqa: SLF001
        monkeypatch.setattr(mail.email._closing, "wait", lambda s: pauses.append(s) or waits(s))  # noqa: SLF001
        mail.log("alarm")
        wait_until(lambda: any("attempts failed" in line for line in direct.reported))
        assert pauses[-5:] == [0.01, 0.02, 0.04, 0.08, 0.16]

    def test_server_that_comes_back_gets_the_mail(self, direct: Imported, mailer: Any) -> None:
        with mail_server() as server:
            server.answers = ["451 later", "451 later"]
            mail = mailer(server)
            mail.log("alarm")
            wait_until(lambda: server.mails)
            mail.end()
            assert server.attempts == 3
        assert direct.reported[-1] == "email: delivery restored, 0 records dropped meanwhile"

    def test_permanently_refused_mail_is_not_retried(self, direct: Imported, mailer: Any) -> None:
        with mail_server() as server:
            server.answers = ["554 spam"]
            mail = mailer(server)
            mail.log("alarm")
            mail.end()
            assert (server.attempts, server.mails) == (1, [])
        assert "refused: 554" in direct.reported[0]

    def test_temporarily_refused_recipient_is_retried(self, direct: Imported, mailer: Any) -> None:
        """Case 75."""
        with mail_server() as server:
            server.recipient_answers = {"boss@example.com": ["450 greylisted", "450 greylisted"]}
            mail = mailer(server, to=("ops@example.com", "boss@example.com", "me@example.com"))
            mail.log("alarm")
            wait_until(lambda: len(server.mails) == 2)
            assert server.recipients == [["ops@example.com", "me@example.com"], ["boss@example.com"]]
            assert server.mails[1]["To"] == server.mails[0]["To"]
            mail.log("next")
            mail.end()
            assert len(server.recipients[2]) == 3
        assert "450" in direct.reported[0]
        assert direct.reported[1:] == ["email: delivery restored, 0 records dropped meanwhile"]

    def test_recipient_refused_too_often_is_reported(self, direct: Imported, mailer: Any) -> None:
        with mail_server() as server:
            server.recipient_answers = {"boss@example.com": ["450 greylisted"] * 6}
            mail = mailer(server, to=("ops@example.com", "boss@example.com"), interval=0.0)
            mail.log("alarm")
            wait_until(lambda: len(direct.reported) == 2)
            mail.log("next")
            mail.end()
            assert server.recipients == [["ops@example.com"], ["ops@example.com", "boss@example.com"]]
        assert "6 attempts failed" in direct.reported[1]
        assert "boss@example.com" in direct.reported[1]

    def test_permanently_refused_recipient_is_dropped(self, direct: Imported, mailer: Any) -> None:
        with mail_server() as server:
            server.recipient_answers = {"boss@example.com": ["550 unknown"]}
            mail = mailer(server, to=("ops@example.com", "boss@example.com"))
            mail.log("alarm")
            mail.end()
            assert server.recipients == [["ops@example.com"]]
        (line,) = direct.reported
        assert line.startswith("email: recipients refused, mail sent to the others: {'boss@example.com': (550")

    def test_server_hanging_at_quit_has_the_mail(self, direct: Imported, mailer: Any) -> None:
        """Case 77."""
        with mail_server() as server:
            server.hangs_at_quit = True
            mail = mailer(server)
            mail.log("alarm")
            wait_until(lambda: server.mails)
            mail.end(within=3.0)
            assert len(server.mails) == 1
        assert direct.reported == []
        assert mail.email.lost == 0

    def test_server_without_a_common_login_is_refused(self, direct: Imported, mailer: Any) -> None:
        """Case 80."""
        with mail_server(xoauth2=True) as server:
            mail = mailer(server)
            mail.log("alarm")
            mail.end()
            assert server.greetings == 2, "before and after STARTTLS"
        assert "email: 1 records dropped: refused: No suitable authentication" in direct.reported[0]

    def test_server_of_tls_1_0_is_refused(self, direct: Imported, mailer: Any) -> None:
        """Case 80. Not aiosmtpd, which closes the connection without the alert that other servers send."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        CA.issue_cert("localhost").configure_cert(context)
        context.set_ciphers("DEFAULT@SECLEVEL=0")
        with pytest.deprecated_call():
            context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1
        with socket.create_server(("localhost", 0)) as listening:
            mail = mailer(port=listening.getsockname()[1], security="tls")
            mail.log("alarm")
            connection, _ = listening.accept()
            with connection, contextlib.suppress(ssl.SSLError):
                context.wrap_socket(connection, server_side=True)
            wait_until(lambda: direct.reported)
            mail.end()
        (line,) = direct.reported
        assert re.search("email: 1 records dropped: refused: .*PROTOCOL", line)

    def test_characters_of_a_password_are_not_reported(self, direct: Imported, mailer: Any) -> None:
        """Case 76: settings made by code are not checked."""
        with mail_server() as server:
            mail = mailer(server, password="gehöim")  # noqa: S106
            mail.log("alarm")
            mail.end()
        (line,) = direct.reported
        assert line == "email: 1 records dropped: refused: user name, password and addresses must be ASCII"

    def test_hanging_server_blocks_no_log_call(self, mailer: Any) -> None:
        with socket.create_server(("localhost", 0)) as silent:
            mail = mailer(port=silent.getsockname()[1])
            connection = None
            with contextlib.closing(silent):
                mail.log("alarm")
                connection, _ = silent.accept()
                before = time.monotonic()
                for _ in range(100):
                    mail.log("alarm")
                assert time.monotonic() - before < 5  # half of one time-out
            connection.close()
            mail.end(within=1.0)


class TestContent:
    def test_newlines_emoji_and_forged_headers_stay_text(self, mailer: Any) -> None:
        with mail_server() as server:
            mail = mailer(server)
            mail.log("Größe 🔥\nBcc: victim@example.com\r\nX: \x1b[31m\ud800 end")
            mail.end()
            (got,) = server.mails
            assert got["Bcc"] is None
            assert got["Subject"].endswith(r"Größe 🔥\nBcc: victim@example.com\r\nX: \x1b[31m\ud800 end")
            assert "Größe 🔥\n    Bcc: victim@example.com" in server.bodies()[0]

    def test_message_of_two_megabytes_is_cut(self, mailer: Any) -> None:
        with mail_server() as server:
            mail = mailer(server)
            mail.log("begin " + "ä" * 2_000_000)
            mail.end()
            (got,) = server.mails
            assert len(got["Subject"]) < 300
            assert "ääää... [cut, 2000" in server.bodies()[0]
            assert len(got.as_bytes()) < 200_000

    def test_long_digest_is_cut(self, mailer: Any) -> None:
        with mail_server() as server:
            mail = mailer(server)
            mail.log("first")
            wait_until(lambda: server.mails)
            for number in range(3000):
                mail.log(f"{number} " + "x" * 100)
            mail.end()
            assert "[cut, " in server.bodies()[1][-40:]
            assert len(server.bodies()[1]) < 150_000

    def test_last_twenty_records_are_in_the_mail(self, mailer: Any) -> None:
        with mail_server() as server:
            mail = mailer(server)
            for number in range(30):
                mail.log(f"before {number:02d}", (logging.DEBUG, logging.INFO, logging.ERROR)[number % 3])
            mail.log("alarm")
            mail.end()
            history = server.bodies()[0].partition("The 20 records before:")[2]
            assert [line[-9:] for line in history.split("\n") if line.strip()] == [
                f"before {number:02d}" for number in range(10, 30)
            ]
