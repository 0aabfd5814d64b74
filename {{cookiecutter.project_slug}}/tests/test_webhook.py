"""Alerts by webhook, posted to a small HTTP server in this process, which http:// is accepted for."""

import json
import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

# {% filter replace("my_service", cookiecutter.__package) %}
from my_service.logging_setup import Settings, get_handlers
# {% endfilter %}


class Service(ThreadingHTTPServer):
    """Accept every message, and store it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Conversation)
        self.messages: list[dict[str, Any]] = []


class Conversation(BaseHTTPRequestHandler):
    """A POST of JSON."""

    server: Service

    def do_POST(self) -> None:
        self.server.messages.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture(autouse=True)
def _working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def service() -> Iterator[Service]:
    with Service() as service:
        threading.Thread(target=service.serve_forever, daemon=True).start()
        yield service
        service.shutdown()


def log_to(service: Service, *records: tuple[int, str], **variables: str) -> None:
    """Log records to the handlers of the webhook only, and wait until they are posted."""
    url = f"http://127.0.0.1:{service.server_address[1]}/hook/s3cret"
    settings = Settings.from_environ({"LOG_WEBHOOK_URL": url, **variables})
    handlers = [handler for handler in get_handlers(settings) if handler.name in ("webhook", "recent")]
    for level, message in records:
        record = logging.LogRecord("shop", level, __file__, 1, message, None, None)
        for handler in handlers:
            if level >= handler.level:
                handler.handle(record)
    for handler in handlers:
        handler.close()


def test_error_is_posted_with_records_before(service: Service) -> None:
    log_to(service, (logging.INFO, "Oven on"), (logging.ERROR, "Soup <too> hot"))
    (message,) = service.messages
    assert "ERROR shop: Soup &lt;too&gt; hot" in message["text"]
    assert "Oven on" in message["text"]


def test_warning_is_not_posted(service: Service) -> None:
    log_to(service, (logging.WARNING, "Soup lukewarm"))
    assert service.messages == []


def test_pagerduty_gets_key_and_severity(service: Service) -> None:
    log_to(service, (logging.CRITICAL, "Fire"), LOG_WEBHOOK_FORMAT="pagerduty", LOG_WEBHOOK_KEY="k3y")
    (event,) = service.messages
    assert (event["routing_key"], event["payload"]["severity"]) == ("k3y", "critical")


def test_url_is_neither_in_the_repr_nor_in_the_message() -> None:
    assert "s3cret" not in repr(Settings.from_environ({"LOG_WEBHOOK_URL": "https://host/s3cret"}))
    with pytest.raises(ValueError, match=r"LOG_WEBHOOK_URL='\*\*\*'") as caught:
        Settings.from_environ({"LOG_WEBHOOK_URL": "http://host/s3cret"})
    assert "s3cret" not in str(caught.value)
