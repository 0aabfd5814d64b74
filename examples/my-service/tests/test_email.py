"""Alerts by e-mail, sent to a small SMTP server of our own.

It speaks neither TLS nor AUTH, so LOG_EMAIL_SECURITY is none here. Never set that for a
server beyond this machine.
"""

import logging
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from my_service.logging_setup import Settings, get_handlers


class MailServer(socketserver.ThreadingTCPServer):
    """Accepts every mail, and keeps it as text."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Conversation)
        self.mails: list[str] = []


class Conversation(socketserver.StreamRequestHandler):
    """As little of RFC 5321 as a client needs."""

    server: MailServer

    def handle(self) -> None:
        self.wfile.write(b"220 ready\r\n")
        while command := self.rfile.readline().strip().upper():
            if command == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                lines = iter(self.rfile.readline, b".\r\n")
                self.server.mails.append(b"".join(lines).decode())
            self.wfile.write(b"221 bye\r\n" if command == b"QUIT" else b"250 ok\r\n")


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def server() -> Iterator[MailServer]:
    with MailServer() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def log_to(server: MailServer, *records: tuple[int, str]) -> None:
    """Log these to the e-mail handlers alone, and wait until all is sent."""
    port = str(server.server_address[1])
    settings = Settings.from_environ(
        {
            "LOG_EMAIL_HOST": "127.0.0.1",
            "LOG_EMAIL_PORT": port,
            "LOG_EMAIL_SECURITY": "none",
            "LOG_EMAIL_TO": "ops@example.com",
        }
    )
    handlers = [handler for handler in get_handlers(settings) if handler.name in ("email", "recent")]
    for level, message in records:
        record = logging.LogRecord("shop", level, __file__, 1, message, None, None)
        for handler in handlers:
            if level >= handler.level:
                handler.handle(record)
    for handler in handlers:
        handler.close()


def test_a_critical_record_is_mailed_with_what_came_before(server: MailServer) -> None:
    log_to(server, (logging.INFO, "Oven on"), (logging.CRITICAL, "Kitchen on fire"))
    (mail,) = server.mails
    assert "CRITICAL shop: Kitchen on fire" in mail
    assert "Oven on" in mail


def test_an_error_is_not_mailed(server: MailServer) -> None:
    log_to(server, (logging.ERROR, "Soup too hot"))
    assert server.mails == []


def test_no_newline_gets_into_the_subject(server: MailServer) -> None:
    log_to(server, (logging.CRITICAL, "Fire\r\nBcc: everybody@example.com"))
    assert not any(line.startswith("Bcc:") for line in server.mails[0].splitlines())


def test_nothing_is_mailed_while_no_host_is_set() -> None:
    handlers = get_handlers(Settings.from_environ({}))
    assert "email" not in [handler.name for handler in handlers]
    for handler in handlers:
        handler.close()
