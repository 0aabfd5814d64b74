"""Delete the modules of choices that were not made, then print the next steps.

Runs again at every update, on a copy: it is idempotent, and touches no other file. With --overwrite-if-exists
the folder may have been there before: modules that were in it, or that a link leads to, are kept.
"""

import contextlib
import json
from pathlib import Path

ANSWERS = json.loads(r"""{{ cookiecutter | tojson }}""")
FILES_BEFORE = Path(".files-before-generation.json")  # written by pre_gen_project.py
PACKAGE = Path("src", ANSWERS["__package"])
LOGGING = PACKAGE / "logging_setup"
SINKS, QUEUE_ROOM = LOGGING / "sinks", LOGGING / "queue"

CONSOLE, FILE = ANSWERS["console_handler"], ANSWERS["file_handler"]
EMAIL, WEBHOOK = ANSWERS["email_handler"], ANSWERS["webhook_handler"]
COLLECTOR, QUEUE = ANSWERS["collector_handler"], ANSWERS["multiprocessing"]
SLOW = EMAIL or WEBHOOK or COLLECTOR != "none" or (QUEUE and CONSOLE != "none")  # a sink with a backlog

# Module -> True if the choice that it belongs to was made.
OPTIONAL = {
    PACKAGE / "multi.py": QUEUE,
    QUEUE_ROOM / "frames.py": QUEUE,
    QUEUE_ROOM / "pipe.py": QUEUE,
    QUEUE_ROOM / "listener.py": QUEUE,
    QUEUE_ROOM / "listener_main.py": QUEUE,
    QUEUE_ROOM / "session.py": QUEUE,
    QUEUE_ROOM / "supervisor.py": QUEUE,
    QUEUE_ROOM / "encoding.py": QUEUE,
    QUEUE_ROOM / "__init__.py": QUEUE,
    SINKS / "direct.py": not QUEUE,
    SINKS / "console.py": CONSOLE != "none",
    SINKS / "rotating_file.py": FILE != "none",
    SINKS / "log_files.py": FILE != "none",
    SINKS / "timed_file.py": FILE == "timed",
    SINKS / "size_file.py": FILE == "size",
    SINKS / "background.py": SLOW,
    SINKS / "answers.py": SLOW,
    SINKS / "alerts.py": EMAIL or WEBHOOK,
    SINKS / "email.py": EMAIL,
    SINKS / "smtp.py": EMAIL,
    SINKS / "webhook.py": WEBHOOK,
    SINKS / "webhook_client.py": WEBHOOK,
    SINKS / "collector.py": COLLECTOR != "none",
    SINKS / "syslog.py": COLLECTOR == "syslog",
    SINKS / "tcp.py": COLLECTOR == "tcp",
    SINKS / "udp.py": COLLECTOR == "udp",
    SINKS / "http.py": COLLECTOR == "http",
    SINKS / "otlp.py": COLLECTOR == "otlp",
    SINKS / "connection.py": COLLECTOR in ("syslog", "tcp", "http"),
    SINKS / "datagrams.py": COLLECTOR in ("syslog", "udp"),
    Path("tests", "test_multi.py"): QUEUE,
    Path("tests", "test_file.py"): FILE != "none",
    Path("tests", "test_email.py"): EMAIL,
    Path("tests", "test_webhook.py"): WEBHOOK,
}


def chosen() -> list[str]:
    """Return the choices, one line each."""
    return [
        "several processes: a log queue and its listener" if QUEUE else "one process, no queue",
        f"console: {CONSOLE}",
        f"log file: {FILE}",
        f"e-mail: {'yes, once LOG_EMAIL_HOST is set (.env.example)' if EMAIL else 'none'}",
        f"webhook: {'yes, once LOG_WEBHOOK_URL is set (.env.example)' if WEBHOOK else 'none'}",
        f"collector: {f'{COLLECTOR}, once LOG_COLLECTOR_URL is set' if COLLECTOR != 'none' else 'none'}",
    ]


def delete_unwanted() -> list[Path]:
    """Delete the modules of choices that were not made; return those that are kept."""
    before = json.loads(FILES_BEFORE.read_text("utf-8")) if FILES_BEFORE.exists() else []
    FILES_BEFORE.unlink(missing_ok=True)
    kept = []
    for module in (module for module, wanted in OPTIONAL.items() if not wanted and module.exists()):
        if module.as_posix() in before or module.parent.resolve() != Path.cwd() / module.parent:
            kept.append(module)
        else:
            module.unlink()
    if not QUEUE:
        with contextlib.suppress(OSError):  # not empty: the owner has put a file there
            QUEUE_ROOM.rmdir()
    return kept


def main() -> None:
    kept = delete_unwanted()
    if kept:
        names = "".join(f"\n    {module}" for module in kept)
        print(f"\nNot deleted, although their choice was not made: they were there before.{names}")
    lines = "".join(f"\n    {line}" for line in chosen())
    print(
        f"\n{ANSWERS['project_slug']} is ready in {Path.cwd()}\n{lines}\n\n"
        f"Next steps:\n    cd {ANSWERS['project_slug']}\n    uv run {ANSWERS['project_slug']}\n\n"
        "README.md has the same steps with pip."
    )


main()
