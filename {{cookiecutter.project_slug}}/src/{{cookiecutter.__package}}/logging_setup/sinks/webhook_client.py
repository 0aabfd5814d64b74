"""Client of webhooks: the messages of Slack, Teams, PagerDuty and plain JSON, and the POST that delivers one."""

import bisect
import hashlib
import html
import http.client
import logging
import re
import socket
import ssl
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from ..records.text import to_json
from ..records.values import cut
from .alerts import SERVICE, Alert, compose
from .answers import RefusedError, check

_TIMEOUT: Final = 10.0  # seconds for each step of a POST
# Format -> bytes of a message. Slack cuts texts at 40,000 characters, Teams refuses cards of 28 kB (in base64, as
# measured by others), PagerDuty events of 512 kB.
_LIMITS: Final = {"slack": 40_000, "teams": 20_000, "pagerduty": 500_000, "json": 500_000}
_SEVERITIES: Final = {logging.CRITICAL: "critical", logging.ERROR: "error", logging.WARNING: "warning", 0: "info"}


class WebhookClient:
    """Post messages as configured by `settings`, a WebhookSink, each over a connection of its own.

    Certificates are verified. Redirects are not followed, proxies not used. No exception contains the URL or the key.
    """

    def __init__(self, settings: Any) -> None:
        self._settings = settings

    def send(self, batch: Sequence[Alert]) -> None:
        """Post one message about all of `batch`. Blocks up to ten seconds for each step.

        Raises RefusedError if a retry would fail as well, RetryLaterError or OSError otherwise.
        """
        parts = urlsplit(self._settings.url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=_TIMEOUT)
        if parts.scheme == "https":
            context = ssl.create_default_context(cafile=self._settings.ca_file or None)
            connection = http.client.HTTPSConnection(
                parts.hostname or "", parts.port, timeout=_TIMEOUT, context=context
            )
        try:
            headers = {"Content-Type": "application/json", "User-Agent": SERVICE}
            connection.request("POST", target, self._body(batch), headers)
            answer = connection.getresponse()
            text = answer.read(64).decode("ascii", "replace")
        except ssl.SSLCertVerificationError as error:
            raise RefusedError(error) from error
        except http.client.HTTPException as error:  # its text is what the server sent, which may repeat the URL
            raise OSError(f"no valid HTTP answer ({type(error).__name__})") from None
        finally:
            connection.close()
        check(answer.status, self._reason(answer.status, text), answer.getheader("Retry-After"))

    def _reason(self, status: int, text: str) -> str:
        """Return the status in words, with an error code such as channel_not_found; no other text of the server."""
        code = text if re.fullmatch("[a-z_]+", text) and text not in self._settings.url + self._settings.key else ""
        return f"{http.client.responses.get(status, '')} {code}".strip()

    def _body(self, batch: Sequence[Alert]) -> bytes:
        """Return the message, its text cut so that the service accepts the size."""
        (title, text), limit = compose(batch), _LIMITS[self._settings.format]

        def body(length: int) -> bytes:
            return to_json(self._content(batch, title, cut(text, length))).encode()

        whole = body(len(text))
        if len(whole) <= limit:
            return whole
        return body(bisect.bisect_right(range(len(text)), limit, key=lambda length: len(body(length))) - 1)

    def _content(self, batch: Sequence[Alert], title: str, text: str) -> dict[str, Any]:
        if self._settings.format == "slack":
            return {"text": slack_text(title, text)}
        if self._settings.format == "teams":
            return teams_card(title, text)
        level = max(alert.level for alert in batch)
        about = {"title": title, "level": logging.getLevelName(level), "alerts": len(batch), "text": text}
        if self._settings.format == "json":
            return {"service": SERVICE, "host": socket.gethostname(), **about}
        # Equal for equal alerts only: PagerDuty notifies once for a key while its incident is open.
        titles = "\n".join(sorted({alert.title for alert in batch}))
        return {
            "routing_key": self._settings.key,
            "event_action": "trigger",
            "dedup_key": f"{SERVICE} {hashlib.sha256(titles.encode('utf-8', 'replace')).hexdigest()}",
            "payload": {
                "summary": cut(title, 1_000),
                "source": socket.gethostname(),
                "severity": next(word for least, word in _SEVERITIES.items() if level >= least),
                "component": SERVICE,
                "custom_details": about,
            },
        }


def slack_text(title: str, text: str) -> str:
    """Return the title, and the text as a code block: mentions and links in it stay text."""
    title, text = (html.escape(part.replace("```", "'''"), quote=False) for part in (title, text))
    return f"{title}\n```\n{text}```"


def teams_card(title: str, text: str) -> dict[str, Any]:
    """Return an Adaptive Card with a block for each line: only these are not Markdown, and keep lines apart."""

    def line(text: str, **style: str) -> dict[str, Any]:
        return {"type": "RichTextBlock", "spacing": "None", "inlines": [{"type": "TextRun", "text": text, **style}]}

    lines = [line(each, fontType="Monospace") for each in text.split("\n") if each]
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.2",
        "body": [line(title, weight="Bolder"), *lines],
        "msteams": {"width": "Full"},
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}
