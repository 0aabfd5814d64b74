"""Settings of the log collector, reached by {{ cookiecutter.collector_handler }}."""

import logging
# {% if cookiecutter.collector_handler in ("http", "otlp") %}
from collections.abc import Iterable
# {% endif %}
# {% if cookiecutter.collector_handler in ("http", "otlp") %}
from typing import Any, ClassVar
from urllib.parse import urlsplit
# {% endif %}
# {% if cookiecutter.collector_handler not in ("http", "otlp") %}
from typing import ClassVar
# {% endif %}

from ..env import parsers as parse
# {% if cookiecutter.collector_handler in ("http", "otlp") %}
from ..env.variables import MakeFormatter, Sink, level_setting, read_secret_file, setting
# {% endif %}
# {% if cookiecutter.collector_handler not in ("http", "otlp") %}
from ..env.variables import MakeFormatter, Sink, level_setting, setting
# {% endif %}


class CollectorSink(Sink):
    """Settings of the log collector."""

    name: ClassVar[str] = "collector"
    switch: ClassVar[str] = "url"
    # {% if cookiecutter.collector_handler == "syslog" %}
    url: str = setting(
        "LOG_COLLECTOR_URL",
        parse.url("unix:///dev/log", "udp://host:514", "tcp://host:601", "tls://host:6514"),
        "",
        "unix:///path, udp://host:514, tcp://host:601 or tls://host:6514; empty: nothing is sent",
    )
    # {% endif %}
    # {% if cookiecutter.collector_handler == "tcp" %}
    url: str = setting(
        "LOG_COLLECTOR_URL",
        parse.url("tcp://host:5170", "tls://host:5170"),
        "",
        "tcp://host:port or tls://host:port; empty: nothing is sent",
    )
    # {% endif %}
    # {% if cookiecutter.collector_handler == "udp" %}
    url: str = setting("LOG_COLLECTOR_URL", parse.url("udp://host:5170"), "", "udp://host:port; empty: nothing is sent")
    # {% endif %}
    # {% if cookiecutter.collector_handler in ("http", "otlp") %}
    url: str = setting(
        "LOG_COLLECTOR_URL",
        parse.url("https://host/path", "http://host/path"),
        "",
        "https://host:port/path or http://host:port/path; empty: nothing is sent",
    )
    token: str = setting("LOG_COLLECTOR_TOKEN", parse.token, "", "bearer token", secret=True)
    token_file: str = setting(
        "LOG_COLLECTOR_TOKEN_FILE", str, "", "file with the token, instead of LOG_COLLECTOR_TOKEN", secret=True
    )
    # {% endif %}
    # {% if cookiecutter.collector_handler != "udp" %}
    ca_file: str = setting(
        "LOG_COLLECTOR_CA_FILE", parse.certificates, "", "certificates to trust; empty: the system's"
    )
    timeout: float = setting(
        "LOG_COLLECTOR_TIMEOUT", parse.seconds(0.1, 60), "5", "seconds to wait for the collector before a retry"
    )
    # {% endif %}
    level: int = level_setting(
        "LOG_COLLECTOR_LEVEL", logging.INFO, "level of records sent to the collector; empty: LOG_LEVEL, or INFO"
    )

    # {% if cookiecutter.collector_handler == "syslog" %}
    def make_handlers(self, make_formatter: MakeFormatter) -> list[logging.Handler]:  # noqa: ARG002 - its own format
        """See Sink."""
        from .syslog import SyslogHandler  # here: takes long to import

        return [SyslogHandler(self.url, timeout=self.timeout, ca_file=self.ca_file)]
    # {% endif %}
    # {% if cookiecutter.collector_handler == "tcp" %}
    def make_handlers(self, make_formatter: MakeFormatter) -> list[logging.Handler]:
        """See Sink."""
        from .tcp import TcpHandler  # here: takes long to import

        handler = TcpHandler(self.url, timeout=self.timeout, ca_file=self.ca_file)
        handler.setFormatter(make_formatter("json"))
        return [handler]
    # {% endif %}
    # {% if cookiecutter.collector_handler == "udp" %}
    def make_handlers(self, make_formatter: MakeFormatter) -> list[logging.Handler]:
        """See Sink."""
        from .udp import UdpHandler  # here: takes long to import

        handler = UdpHandler(self.url)
        handler.setFormatter(make_formatter("json"))
        return [handler]
    # {% endif %}
    # {% if cookiecutter.collector_handler == "http" %}
    def make_handlers(self, make_formatter: MakeFormatter) -> list[logging.Handler]:
        """See Sink."""
        from .http import HttpHandler  # here: takes long to import

        handler = HttpHandler(self.url, token=self.token, timeout=self.timeout, ca_file=self.ca_file)
        handler.setFormatter(make_formatter("json"))
        return [handler]
    # {% endif %}
    # {% if cookiecutter.collector_handler == "otlp" %}
    def make_handlers(self, make_formatter: MakeFormatter) -> list[logging.Handler]:  # noqa: ARG002 - its own format
        """See Sink."""
        from .otlp import OtlpHandler  # here: takes long to import

        return [OtlpHandler(self.url, token=self.token, timeout=self.timeout, ca_file=self.ca_file)]
    # {% endif %}
    # {% if cookiecutter.collector_handler in ("http", "otlp") %}

    @classmethod
    def problems(cls, values: dict[str, Any]) -> Iterable[str]:
        """See Sink."""
        return read_secret_file(values, "token", "LOG_COLLECTOR_TOKEN", lambda text: parse.token(text.strip()))

    def faults(self) -> Iterable[str]:
        """See Sink."""
        url = urlsplit(self.url)
        if url.scheme == "http" and self.token and url.hostname not in ("localhost", "127.0.0.1", "::1"):
            yield f"LOG_COLLECTOR_TOKEN is sent to {url.hostname} unencrypted: LOG_COLLECTOR_URL must be https"
    # {% endif %}
