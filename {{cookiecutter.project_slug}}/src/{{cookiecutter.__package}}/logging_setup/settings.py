"""Every LOG_* environment variable: read once, checked, all wrong ones named at once.

An empty variable counts as not set. Values are of plain types only, so that they travel to
the listener as they are; secrets are not in the repr.
"""

import logging
import os
# {% if cookiecutter.collector_handler != "none" %}
import ssl
# {% endif %}
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from typing import Any, Self

from .env import parsers as parse
from .records.redaction import MASK, Redactor

PACKAGE = (__package__ or "").rpartition(".")[0]  # the application's own package
_LONGEST_SHOWN = 200  # characters of a bad value
OWN_LOGGERS = (PACKAGE, "__main__", "__mp_main__") if PACKAGE else ()  # DEBUG, unless LOG_LEVEL is set


def _setting(variable: str, parser: parse.Parser, default: str, about: str, **more: Any) -> Any:
    """A field read from `variable`; .env.example and the README's table say the same of it."""
    metadata = {"variable": variable, "parse": parser, "default": default, "about": about, "secret": False, **more}
    return field(default_factory=lambda: parser(default), repr=not metadata["secret"], metadata=metadata)


def _level(variable: str, unset: int, about: str) -> Any:
    """A level that follows LOG_LEVEL where `variable` is not set, and is `unset` where neither is."""
    return _setting(variable, lambda value: parse.level(value) if value else None, "", about, unset=unset)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How logging is set up. `from_environ` makes it; tests may make it directly."""

    level: int = _level(
        "LOG_LEVEL", logging.INFO, "level of loggers and sinks; empty: INFO, and DEBUG for the application's package"
    )
    levels: tuple[tuple[str, int], ...] = _setting(
        "LOG_LEVELS", parse.levels, "", "levels of single loggers, in place of LOG_LEVEL: name=LEVEL,name=LEVEL"
    )
    reattach: bool = _setting(
        "LOG_REATTACH",
        parse.switch,
        "on",
        "keep the log's handlers when other code takes them off the root logger: on or off",
    )
    redact: bool = _setting("LOG_REDACT", parse.switch, "on", "mask secrets: on or off")
    redact_keys: tuple[str, ...] = _setting(
        "LOG_REDACT_KEYS", parse.keys, "", "more words that make a key secret, between commas"
    )
    # {% if cookiecutter.multiprocessing %}
    listener: str = _setting(
        "LOG_LISTENER", parse.one_of("process", "thread"), "process", "where the listener runs: process or thread"
    )
    queue_timeout: float = _setting(
        "LOG_QUEUE_TIMEOUT", parse.seconds(0, 60), "1", "seconds that a log call waits while the queue is full"
    )
    # {% endif %}
    # {% if cookiecutter.console_handler != "none" %}
    console_level: int = _level("LOG_CONSOLE_LEVEL", logging.INFO, "level of the console; empty: LOG_LEVEL, or INFO")
    console_format: str = _setting(
        "LOG_CONSOLE_FORMAT",
        parse.one_of("text", "json"),
        "{{ cookiecutter.console_handler }}",
        "text or json",
    )
    console_stream: str = _setting("LOG_CONSOLE_STREAM", parse.one_of("stdout", "stderr"), "stdout", "stdout or stderr")
    # {% endif %}
    # {% if cookiecutter.file_handler != "none" %}
    file: str = _setting(
        "LOG_FILE",
        parse.path,
        "logs/{{ cookiecutter.project_slug }}.log",
        "path of the log file",
    )
    file_level: int = _level("LOG_FILE_LEVEL", logging.DEBUG, "level of the log file; empty: LOG_LEVEL, or DEBUG")
    file_format: str = _setting("LOG_FILE_FORMAT", parse.one_of("text", "json"), "text", "text or json")
    file_compress: str = _setting(
        "LOG_FILE_COMPRESS", parse.one_of("none", "gzip"), "none", "rolled-over files: none or gzip"
    )
    # {% endif %}
    # {% if cookiecutter.file_handler == "timed" %}
    file_when: str = _setting(
        "LOG_FILE_WHEN", parse.one_of("midnight", "hour"), "midnight", "when to roll over: midnight or hour"
    )
    file_backups: int = _setting(
        "LOG_FILE_BACKUPS", parse.whole(0, 10_000, "files"), "15", "how many rolled-over files are kept"
    )
    # {% endif %}
    # {% if cookiecutter.file_handler == "size" %}
    file_max_bytes: int = _setting(
        "LOG_FILE_MAX_BYTES", parse.whole(1, 10**12, "bytes"), "10000000", "roll over before it is larger, in bytes"
    )
    file_backups: int = _setting(
        "LOG_FILE_BACKUPS", parse.whole(0, 10_000, "files"), "5", "how many rolled-over files are kept"
    )
    # {% endif %}
    # {% if cookiecutter.email_handler %}
    email_host: str = _setting("LOG_EMAIL_HOST", parse.text, "", "SMTP server; no e-mail is sent while this is empty")
    email_port: int = _setting("LOG_EMAIL_PORT", parse.whole(1, 65_535, ""), "587", "its port")
    email_security: str = _setting(
        "LOG_EMAIL_SECURITY",
        parse.one_of("auto", "starttls", "tls", "none"),
        "auto",
        "auto (tls on port 465, else starttls), starttls, tls or none",
    )
    email_ca_file: str = _setting("LOG_EMAIL_CA_FILE", parse.text, "", "certificates to trust; empty: the system's")
    email_user: str = _setting("LOG_EMAIL_USER", parse.text, "", "user name; empty: no authentication")
    email_password: str = _setting(
        "LOG_EMAIL_PASSWORD", parse.text, "", "password; better a file that only the service can read", secret=True
    )
    email_password_file: str = _setting(
        "LOG_EMAIL_PASSWORD_FILE", parse.text, "", "file that holds the password, instead of LOG_EMAIL_PASSWORD"
    )
    email_from: str = _setting("LOG_EMAIL_FROM", parse.text, "", "sender; empty: the user name, or one made up")
    email_to: tuple[str, ...] = _setting("LOG_EMAIL_TO", parse.addresses, "", "recipients, between commas")
    email_level: int = _setting("LOG_EMAIL_LEVEL", parse.level, "CRITICAL", "level of e-mails, whatever LOG_LEVEL is")
    email_history: int = _setting(
        "LOG_EMAIL_HISTORY", parse.whole(0, 1_000, "records"), "20", "records before the alert to put in the mail"
    )
    email_interval: float = _setting(
        "LOG_EMAIL_INTERVAL", parse.seconds(0, 86_400), "60", "seconds in which further alerts go into one digest"
    )
    email_per_hour: int = _setting(
        "LOG_EMAIL_PER_HOUR", parse.whole(1, 10_000, "mails"), "20", "mails an hour, at most"
    )
    # {% endif %}
    # {% if cookiecutter.collector_handler == "syslog" %}
    collector_url: str = _setting(
        "LOG_COLLECTOR_URL",
        parse.url("unix:///dev/log", "udp://host:514", "tcp://host:601", "tls://host:6514"),
        "",
        "unix:///path, udp://host:514, tcp://host:601 or tls://host:6514; empty: nothing is sent",
    )
    # {% endif %}
    # {% if cookiecutter.collector_handler == "tcp" %}
    collector_url: str = _setting(
        "LOG_COLLECTOR_URL",
        parse.url("tcp://host:5170", "tls://host:5170"),
        "",
        "tcp://host:port or tls://host:port; empty: nothing is sent",
    )
    # {% endif %}
    # {% if cookiecutter.collector_handler == "udp" %}
    collector_url: str = _setting(
        "LOG_COLLECTOR_URL", parse.url("udp://host:5170"), "", "udp://host:port; empty: nothing is sent"
    )
    # {% endif %}
    # {% if cookiecutter.collector_handler in ("http", "otlp") %}
    collector_url: str = _setting(
        "LOG_COLLECTOR_URL",
        parse.url("https://host/path", "http://host/path"),
        "",
        "https://host:port/path or http://host:port/path; empty: nothing is sent",
    )
    collector_token: str = _setting("LOG_COLLECTOR_TOKEN", parse.token, "", "bearer token", secret=True)
    collector_token_file: str = _setting(
        "LOG_COLLECTOR_TOKEN_FILE", parse.text, "", "file that holds the token, instead of LOG_COLLECTOR_TOKEN"
    )
    # {% endif %}
    # {% if cookiecutter.collector_handler not in ("none", "udp") %}
    collector_ca_file: str = _setting(
        "LOG_COLLECTOR_CA_FILE", parse.text, "", "certificates to trust; empty: the system's"
    )
    collector_timeout: float = _setting(
        "LOG_COLLECTOR_TIMEOUT", parse.seconds(0.1, 60), "5", "seconds to wait for the collector before trying again"
    )
    # {% endif %}
    # {% if cookiecutter.collector_handler != "none" %}
    collector_level: int = _level(
        "LOG_COLLECTOR_LEVEL", logging.INFO, "level of what the collector gets; empty: LOG_LEVEL, or INFO"
    )
    # {% endif %}

    def __post_init__(self) -> None:
        """Resolve the levels that are not set, from LOG_LEVEL or its absence."""
        own = logging.DEBUG if self.level is None else self.level
        levels = dict.fromkeys(OWN_LOGGERS, own) | dict(self.levels)
        unset = [each for each in fields(self) if "unset" in each.metadata and getattr(self, each.name) is None]
        found = {each.name: each.metadata["unset"] if self.level is None else self.level for each in unset}
        vars(self).update(found, levels=tuple(levels.items()))  # frozen for others

    @property
    def fault_file(self) -> str:
        """Where the stack of a fatal signal goes: beside the log file; empty: to stderr."""
        # {% if cookiecutter.file_handler != "none" %}
        return "" if self.file == os.devnull else f"{self.file}.fault"
        # {% endif %}
        # {% if cookiecutter.file_handler == "none" %}
        return ""
        # {% endif %}

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Read the environment; ValueError names every variable that cannot be used, and why."""
        environ = os.environ if environ is None else environ
        values: dict[str, Any] = {}
        problems = []
        for each in fields(cls):
            value = environ.get(each.metadata["variable"], "").strip()
            try:
                if value:
                    values[each.name] = each.metadata["parse"](value)
            except ValueError as error:
                shown = parse.without_credentials(Redactor().text(value[:_LONGEST_SHOWN]))
                shown = MASK if each.metadata["secret"] else shown
                problems.append(f"{each.metadata['variable']}={shown!r}: must be {error}")
        # {% if cookiecutter.email_handler %}
        problems += _email_problems(values)
        # {% endif %}
        # {% if cookiecutter.collector_handler != "none" %}
        problems += _collector_problems(values)
        # {% endif %}
        if problems:
            raise ValueError("Logging cannot be set up as asked:" + "".join(f"\n  - {line}" for line in problems))
        return cls(**values)


# {% if cookiecutter.email_handler or cookiecutter.collector_handler != "none" %}
def _read_file(name: str, values: dict[str, Any], parser: parse.Parser) -> list[str]:
    """Put what the file of a secret holds into `values`, and tell if that cannot be."""
    variable, file = f"LOG_{name.upper()}", values.get(f"{name}_file")
    if file and values.get(name):
        return [f"{variable} and {variable}_FILE are both set: must be one of them"]
    try:
        if file:
            with open(file, encoding="utf-8") as opened:  # noqa: PTH123
                values[name] = parser(opened.read().strip("\r\n"))
    except (OSError, ValueError) as error:
        return [f"{variable}_FILE={file!r}: must be a file that holds it ({error})"]
    return []


# {% endif %}
# {% if cookiecutter.email_handler %}
def _email_problems(values: dict[str, Any]) -> list[str]:
    """Read the password file into `values`, and tell what is missing or contradicts itself."""
    if not values.get("email_host"):
        return []
    unread = _read_file("email_password", values, str)
    problems = unread[:]
    if not values.get("email_to"):
        problems.append("LOG_EMAIL_TO is empty: must be the recipients, since LOG_EMAIL_HOST is set")
    if values.get("email_user") and not unread and not values.get("email_password"):
        problems.append("LOG_EMAIL_USER has no password: must have LOG_EMAIL_PASSWORD or LOG_EMAIL_PASSWORD_FILE")
    ca_file = values.get("email_ca_file")
    if ca_file and not os.access(ca_file, os.R_OK):
        problems.append(f"LOG_EMAIL_CA_FILE={ca_file!r}: must be a file that can be read")
    return problems


# {% endif %}
# {% if cookiecutter.collector_handler != "none" %}
def _collector_problems(values: dict[str, Any]) -> list[str]:
    """Read the token file into `values`, and tell which file cannot be read."""
    problems = _read_file("collector_token", values, lambda text: parse.token(text.strip()))
    ca_file = values.get("collector_ca_file")
    if ca_file:
        try:
            ssl.create_default_context(cafile=ca_file)
        except OSError as error:
            problems.append(f"LOG_COLLECTOR_CA_FILE={ca_file!r}: must be a file of certificates ({error})")
    return problems


# {% endif %}
def setting_fields() -> tuple["Field[Any]", ...]:
    """Every setting, with its variable, default and description in `metadata`."""
    return fields(Settings)
