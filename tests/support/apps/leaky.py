"""An application that logs a secret in every position of a record. Each of them begins with "hunter2".

The package to log with is its argument.
"""

import importlib
import logging
import sys
import threading
from pathlib import Path
from typing import Any

HEADERS = [(b"host", b"example.com"), (b"authorization", b"Basic hunter2-header")]
KEY = "-----BEGIN RSA PRIVATE KEY-----\nhunter2-line-one\nhunter2-line-two\n-----END RSA PRIVATE KEY-----"


class Client:
    def __repr__(self) -> str:
        return "Client(host='h', password='hunter2-repr')"


def connect(password: str, *, fails: Any = None) -> None:
    raise fails or ConnectionError(f"no access to https://bob:{password}@db.example.com/")


def log_all(setup: Any) -> None:
    """Log everything at CRITICAL, so that every sink gets it."""
    log = logging.getLogger("shop")
    log.critical("a message with password=hunter2-message in it")
    log.critical("an argument: %s", "token: hunter2-argument")
    log.critical("split between them: token=%s", "hunter2-split")
    log.critical("a mapping: %(url)s", {"url": "postgres://bob:hunter2-mapping@db/shop"})
    log.critical("a structure: %s", {"user": "bob", "api_key": "hunter2 with blanks", "list": [HEADERS]})
    log.critical("an object: %r", Client())
    log.critical("JSON in JSON: %s", '{"body": "{\\"secret\\": \\"hunter2 in json\\"}"}')
    log.critical("a key: %s", KEY)
    log.critical("in lines\nSet-Cookie: session=hunter2-cookie; Path=/\nAuthorization: Splunk hunter2-scheme")
    log.critical("command: %s", ["mysql", "--password", "hunter2-flag", "--host=db"])
    log.critical("shell: mysql --password hunter2-shell --host=db")
    log.critical(
        "extras", extra={"password": "hunter2-extra", "deep": {"a": [{"Token": "hunter2-deep"}]}, "client": Client()}
    )
    log.critical("headers", extra={"headers": HEADERS, "key": KEY, "url": "redis://:hunter2-url@cache:6379/0"})
    log.critical("the name of an extra", extra={"password=hunter2-name": 1})
    with setup.log_context(session_token="hunter2-context", request={"cookie": "hunter2-request"}):  # noqa: S106
        log.critical("context")
    log.critical("a stack", stack_info=bool("secret='hunter2-stack'"))
    try:
        connect(password="hunter2-source")  # noqa: S106
    except ConnectionError as error:
        error.add_note("tried with passwd: hunter2-note")
        log.exception("an exception")
        try:
            raise RuntimeError("outer, access_key=hunter2-outer") from error  # noqa: TRY301
        except RuntimeError as outer:
            log.critical("a cause", exc_info=outer)
            log.critical(
                "a group", exc_info=ExceptionGroup("pwd=hunter2-group", [outer, ValueError("secret=hunter2-member")])
            )
    logging.getLogger("client.http://bob:hunter2-logger@host").critical("a logger's name")
    thread = threading.Thread(target=log.critical, args=("a thread's name",), name="get ?api_key=hunter2-thread")
    thread.start()
    thread.join()


if __name__ == "__main__":
    setup = importlib.import_module(f"{sys.argv[1]}.logging_setup")
    with setup.setup_main_logging():
        log_all(setup)
        logging.getLogger("shop").critical("the end")
    Path("done").touch()
