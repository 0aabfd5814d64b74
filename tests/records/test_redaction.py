"""Redaction of secrets in every part of a record, before it reaches any sink."""

import email
import email.policy
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.project import Bake, Project
from tests.support.scripts import APPS

LEAKY = str(APPS / "leaky.py")
SECRET = "hunter2"  # noqa: S105


@pytest.fixture
def mailbox() -> Iterator[tuple[int, list[bytes]]]:
    """Run an SMTP server without TLS; return its port, and the list of mails that it receives."""
    mails: list[bytes] = []

    class Handler:
        async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
            mails.append(envelope.content)
            return "250 OK"

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    controller = Controller(Handler(), hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield port, mails
    finally:
        controller.stop()


def sinks_after(
    project: Project, folder: Path, mailbox: tuple[int, list[bytes]], *, form: str, **variables: str
) -> dict[str, str]:
    """Run the leaky application; return all text of each sink."""
    port, mails = mailbox
    mail = {"LOG_EMAIL_HOST": "127.0.0.1", "LOG_EMAIL_PORT": str(port), "LOG_EMAIL_SECURITY": "none"}
    forms = {"LOG_CONSOLE_FORMAT": form, "LOG_FILE_FORMAT": form}
    several = {"LOG_EMAIL_TO": "ops@example.com", "LOG_EMAIL_INTERVAL": "0", "LOG_EMAIL_PER_HOUR": "10000"}
    run = project.run(LEAKY, project.package, cwd=folder, **{**mail, **several, **forms, **variables})
    assert run.returncode == 0, run.stderr
    deadline = time.monotonic() + 20
    while not any(b"the end" in mail for mail in mails) and time.monotonic() < deadline:
        time.sleep(0.02)
    files = "".join(path.read_text("utf-8") for path in (folder / "logs").iterdir())
    return {
        "console": run.stdout,
        "stderr and file": run.stderr + files,
        "file": files,
        "mail": "".join(map(opened, mails)),
    }


def opened(mail: bytes) -> str:
    """Return a mail as it was received, and as it is decoded."""
    message = email.message_from_bytes(mail, policy=email.policy.default)
    return f"{mail!r}\n{message['Subject']}\n{message.get_content()}"  # type: ignore[attr-defined]


class TestSinks:
    """Secrets in the output of every sink."""

    @pytest.mark.parametrize("form", ["text", "json"])
    @pytest.mark.parametrize("multiprocessing", [True, False])
    def test_secrets_reach_no_sink(
        self, bake: Bake, tmp_path: Path, mailbox: tuple[int, list[bytes]], multiprocessing: bool, form: str
    ) -> None:
        """A secret in any position of a record is masked in every sink."""
        sinks = sinks_after(bake(multiprocessing=multiprocessing), tmp_path, mailbox, form=form)
        for sink, text in sinks.items():
            assert "the end" in text, f"nothing came to {sink}"
            found = text.find(SECRET)
            assert found < 0, f"{sink}: {text[max(0, found - 100) : found + 40]}"
        assert sinks["file"].count("***") >= 25

    def test_secrets_reach_every_sink_without_redaction(self, project: Project, tmp_path: Path, mailbox: Any) -> None:
        """Prove that the test above can fail: all secrets are there when redaction is off."""
        sinks = sinks_after(project, tmp_path, mailbox, form="text", LOG_REDACT="off", LOG_CONSOLE_FORMAT="json")
        for text in sinks.values():
            for position in (
                "message",
                "argument",
                "deep",
                "context",
                "stack",
                "source",
                "note",
                "outer",
                "member",
                "logger",
            ):
                assert f"{SECRET}-{position}" in text

    def test_additional_keys_are_masked_in_every_process(self, project: Project, tmp_path: Path) -> None:
        code = f"""
import logging, multiprocessing
from {project.package}.logging_setup import setup_main_logging, setup_proc_logging
def work(queue):
    setup_proc_logging(queue)
    logging.info("iban=hunter2 %s", "worker")
if __name__ == "__main__":
    with setup_main_logging() as logs:
        logging.info("IBAN: hunter2", extra={{"card_no": "hunter2", "password": "hunter2"}})
        process = multiprocessing.get_context("spawn").Process(target=work, args=(logs.queue,))
        process.start()
        process.join()
"""
        app = tmp_path / "app.py"
        app.write_text(code)
        run = project.run(str(app), cwd=tmp_path, LOG_REDACT_KEYS="iban, card-no")
        assert "iban=*** worker" in run.stdout
        assert SECRET not in run.stdout

    def test_words_that_would_mask_everything_are_refused(self, project: Project, tmp_path: Path) -> None:
        run = project.run("-m", project.package, cwd=tmp_path, LOG_REDACT_KEYS="iban,-")
        assert run.returncode == 2
        assert "LOG_REDACT_KEYS" in run.stderr


@pytest.fixture(scope="module")
def redact(bake: Bake) -> Iterator[Any]:
    """Import the generated redact module."""
    with bake().imported() as load:
        yield load("records.redaction")


class TestMasking:
    """Texts and keys."""

    @pytest.mark.parametrize(
        "text",
        [
            "password=§",
            "Password: §",
            "db_passwd = §",
            "apiKey=§",
            "api key: §",
            "x-api-key: §",
            "API-KEY=§",
            "pwd=§;host=x",
            "MY_SECRET_TOKEN=§",
            "client_secret => §",
            'password="§ §"',
            "password='§\\' §'",
            '{"token": "§ §", "n": 1}',
            "{'token': '§, §'}",
            '{\\"token\\": \\"§ §\\"}',
            "{'token': b'§ §'}",
            "token := §",
            "?token=§&page=2",
            "Authorization: Basic §",
            "Authorization: Bearer §",
            "authorization=Bearer §",
            "Proxy-Authorization: Negotiate §",
            'Authorization: Digest username="bob", response="§"',
            "'Authorization': 'Custom §'",
            "bearer §",
            "use Bearer § now",
            "Cookie: a=§; b=§",
            "Set-Cookie: sid=§; HttpOnly",
            "{'cookie': 'a=§; b=§'}",
            "(b'cookie', b'a=§; b=§')",
            "[('x-auth-token', '§'), ('host', 'h')]",
            '["password", "§"]',
            "run --password §",
            "run --db-password '§ §' --x",
            "https://bob:§@host/",
            "https://bob:§@§@host/",
            "amqp://:§@host",
            "https://§@github.com/org/repo",
            "//x https://a:§@h b@c",
            "-----BEGIN PRIVATE KEY-----\nS\nS\n-----END PRIVATE KEY-----",
            "-----BEGIN EC PRIVATE KEY-----\nS cut short",
            "-----BEGIN PGP PRIVATE KEY BLOCK-----\nS\n-----END PGP PRIVATE KEY BLOCK-----",
            "'-----BEGIN PRIVATE KEY-----\\nS\\n-----END",
        ],
    )
    def test_secret_in_text_is_masked(self, redact: Any, text: str) -> None:
        masked = redact.Redactor().text(text.replace("§", SECRET))
        assert SECRET not in masked
        assert "***" in masked

    @pytest.mark.parametrize(
        "text",
        [
            "nothing to see",
            "GET https://example.com:443/a?b=c",
            "mail to bob@example.com",
            "the password was changed",
            "missing fields: ['password', 'email', 'name']",
            "ssh://git@host/x",
            "tokens are counted",
            "at 12:30 a secret: ",
            "keyboard=qwerty monkey=1",
            "Authorizing bob",
            "bearer",
        ],
    )
    def test_ordinary_text_is_not_masked(self, redact: Any, text: str) -> None:
        assert redact.Redactor().text(text) == text

    def test_text_next_to_a_secret_is_not_masked(self, redact: Any) -> None:
        mask = redact.Redactor().text
        assert mask("login bob password=hunter2 from=10.0.0.1") == "login bob password=*** from=10.0.0.1"
        assert mask("https://bob:hunter2@db:5432/shop?a=b") == "https://bob:***@db:5432/shop?a=b"
        assert mask("Authorization: Basic hunter2\nHost: db") == "Authorization: ***\nHost: db"
        assert mask("{'password': 'hunter2', 'user': 'bob'}") == "{'password': ***, 'user': 'bob'}"

    @pytest.mark.timeout(20)
    def test_masking_is_fast_for_any_text(self, redact: Any) -> None:
        """Each of these would take minutes if a pattern could match it in more than one way."""
        for piece in (
            "password=",
            'password="',
            "password='\\",
            "://a:",
            "-----BEGIN A",
            "a://b:c",
            "--password ",
            'cookie: ="',
            "a" * 9,
            "('token', ",
        ):
            redact.Redactor().text("token " + piece * (200_000 // len(piece)))

    @settings(deadline=None)  # compiling the patterns takes long on a loaded machine
    @given(st.from_regex(r"[a-zA-Z0-9]{1,8}([-_ ][a-zA-Z0-9]{0,6}){0,2}", fullmatch=True), st.sampled_from("-_ "))
    def test_key_is_masked_in_every_spelling(self, redact: Any, word: str, separator: str) -> None:
        mask = redact.Redactor([word, "one", "two_three"]).text
        for written in (word, word.upper(), word.lower(), re.sub("[-_ ]", separator, word), re.sub("[-_ ]", "", word)):
            assert SECRET not in mask(f"{written}={SECRET}")

    @pytest.mark.parametrize(
        "text", ["ap\u0131_key=§", "acce\u017f\u017f_key: §", "pr\u0130vate_key=§", "pa\u017fsword=§"]
    )
    def test_letters_equal_by_case_folding_hide_nothing(self, redact: Any, text: str) -> None:
        assert SECRET not in redact.Redactor().text(text.replace("§", SECRET))
