"""Alerts by e-mail, sent to a small SMTP server in this process.

It speaks neither TLS nor AUTH, so LOG_EMAIL_SECURITY is none here. Never set that for a
server beyond this machine.
"""

import logging
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

# {% filter replace("my_service", cookiecutter.__package) %}
from my_service.logging_setup import Settings, get_handlers
# {% endfilter %}


class MailServer(socketserver.ThreadingTCPServer):
    """Accept every mail, and store it as text."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Conversation)
        self.mails: list[str] = []


class Conversation(socketserver.StreamRequestHandler):
    """The part of RFC 5321 that a client needs."""

    server: MailServer

    def handle(self) -> None:
        self.wfile.write(b"220 ready\r\n")
        while command := self.rfile.readline().strip().upper():
            if command == b"DATA":
                self.wfile.write(b"354 continue\r\n")
                lines = iter(self.rfile.readline, b".\r\n")
                self.server.mails.append(b"".join(lines).decode())
            if command == b"QUIT":
                return  # the client awaits no answer to it: one would meet a closed connection
            self.wfile.write(b"250 ok\r\n")


@pytest.fixture(autouse=True)
def _working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def server() -> Iterator[MailServer]:
    with MailServer() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def log_to(server: MailServer, *records: tuple[int, str]) -> None:
    """Log records to the e-mail handlers only, and wait until they are sent."""
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


def test_critical_record_is_mailed_with_records_before(server: MailServer) -> None:
    log_to(server, (logging.INFO, "Oven on"), (logging.CRITICAL, "Kitchen on fire"))
    (mail,) = server.mails
    assert "CRITICAL shop: Kitchen on fire" in mail
    assert "Oven on" in mail


def test_error_is_not_mailed(server: MailServer) -> None:
    log_to(server, (logging.ERROR, "Soup too hot"))
    assert server.mails == []


def test_newline_does_not_reach_the_header(server: MailServer) -> None:
    log_to(server, (logging.CRITICAL, "Fire\r\nBcc: all@example.com"))
    assert not any(line.startswith("Bcc:") for line in server.mails[0].splitlines())


def test_without_a_host_there_is_no_handler() -> None:
    handlers = get_handlers(Settings.from_environ({}))
    assert "email" not in [handler.name for handler in handlers]
    for handler in handlers:
        handler.close()
