"""Alerts to Slack, Teams, PagerDuty or another webhook: settings, and the handlers created from them (alerts.py)."""

import logging
import re
from collections.abc import Iterable
from typing import Any, ClassVar
from urllib.parse import urlsplit

from ..env import parsers as parse
from ..env.variables import MakeFormatter, Sink, read_secret_file, setting


def _url(value: str) -> str:
    """Return the URL of a webhook, or empty text."""
    try:
        parts = urlsplit(value)
        schemes = ("https", "http") if parts.hostname in ("localhost", "127.0.0.1", "::1") else ("https",)
        valid = parts.scheme in schemes and parts.hostname and parts.port != 0 and "@" not in parts.netloc
    except ValueError:  # an invalid port
        valid = False
    if value and not (valid and re.fullmatch("[!-~]+", value)):
        raise ValueError("a URL such as https://host/path; http:// only to localhost, because the URL is a secret")
    return value


class WebhookSink(Sink):
    """Settings of alerts by webhook."""

    name: ClassVar[str] = "webhook"
    switch: ClassVar[str] = "url"
    url: str = setting("LOG_WEBHOOK_URL", _url, "", "https:// URL to post to; empty: nothing is sent", secret=True)
    url_file: str = setting(
        "LOG_WEBHOOK_URL_FILE", str, "", "file that contains the URL, instead of LOG_WEBHOOK_URL", secret=True
    )
    format: str = setting(
        "LOG_WEBHOOK_FORMAT",
        parse.one_of("slack", "teams", "pagerduty", "json"),
        "slack",
        "slack, teams, pagerduty or json",
    )
    key: str = setting("LOG_WEBHOOK_KEY", str, "", "routing key of PagerDuty", secret=True)
    key_file: str = setting(
        "LOG_WEBHOOK_KEY_FILE", str, "", "file that contains the key, instead of LOG_WEBHOOK_KEY", secret=True
    )
    ca_file: str = setting("LOG_WEBHOOK_CA_FILE", parse.certificates, "", "certificates to trust; empty: the system's")
    level: int = setting("LOG_WEBHOOK_LEVEL", parse.level, "ERROR", "level of posted records, independent of LOG_LEVEL")
    history: int = setting(
        "LOG_WEBHOOK_HISTORY", parse.whole(0, 1_000, "records"), "20", "previous records to include in the message"
    )
    interval: float = setting(
        "LOG_WEBHOOK_INTERVAL", parse.seconds(0, 86_400), "60", "seconds in which further alerts go into one digest"
    )
    per_hour: int = setting(
        "LOG_WEBHOOK_PER_HOUR", parse.whole(1, 10_000, "messages"), "20", "messages per hour, at most"
    )

    def make_handlers(self, make_formatter: MakeFormatter) -> list[logging.Handler]:
        """See Sink."""
        from .alerts import AlertHandler  # here: takes long to import
        from .webhook_client import WebhookClient

        handler = AlertHandler(self, WebhookClient(self).send)
        handler.setFormatter(make_formatter("text"))
        return [handler, handler.recent]

    @classmethod
    def problems(cls, values: dict[str, Any]) -> Iterable[str]:
        """See Sink."""
        unread = read_secret_file(values, "url", "LOG_WEBHOOK_URL", lambda text: _url(text.strip() or "(empty)"))
        unread += read_secret_file(values, "key", "LOG_WEBHOOK_KEY", str.strip)
        yield from unread
        if values.get("url") and values.get("format") == "pagerduty" and not unread and not values.get("key"):
            yield "LOG_WEBHOOK_KEY: required when LOG_WEBHOOK_FORMAT is pagerduty"
