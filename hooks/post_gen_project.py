"""Delete the modules that were not chosen, then say how to go on.

Runs again at every update, on a copy: it can be repeated, and touches nothing else.
"""

import json
from pathlib import Path

ANSWERS = json.loads(r"""{{ cookiecutter | tojson }}""")
PACKAGE = Path("src", ANSWERS["__package"])
LOGGING = PACKAGE / "logging_setup"
HANDLERS = LOGGING / "handlers"

CONSOLE, FILE = ANSWERS["console_handler"], ANSWERS["file_handler"]
EMAIL, QUEUE = ANSWERS["email_handler"], ANSWERS["multiprocessing"]
COLLECTOR = ANSWERS["collector_handler"]

# Each module that is there for one choice, and whether that choice was made.
OPTIONAL = {
    PACKAGE / "multi.py": QUEUE,
    LOGGING / "frames.py": QUEUE,
    LOGGING / "log_queue.py": QUEUE,
    LOGGING / "listener.py": QUEUE,
    LOGGING / "listener_main.py": QUEUE,
    LOGGING / "listener_thread.py": QUEUE,
    LOGGING / "queue_handler.py": QUEUE,
    LOGGING / "start_listener.py": QUEUE,
    LOGGING / "supervisor.py": QUEUE,
    LOGGING / "wire.py": QUEUE,
    LOGGING / "direct.py": not QUEUE,
    HANDLERS / "console.py": CONSOLE != "none",
    HANDLERS / "file.py": FILE != "none",
    HANDLERS / "own_file.py": FILE != "none",
    HANDLERS / "backups.py": FILE != "none",
    HANDLERS / "file_timed.py": FILE == "timed",
    HANDLERS / "file_size.py": FILE == "size",
    HANDLERS / "background.py": EMAIL or COLLECTOR != "none",
    HANDLERS / "email.py": EMAIL,
    HANDLERS / "syslog.py": COLLECTOR == "syslog",
    HANDLERS / "tcp.py": COLLECTOR == "tcp",
    HANDLERS / "udp.py": COLLECTOR == "udp",
    HANDLERS / "http.py": COLLECTOR == "http",
    HANDLERS / "otlp.py": COLLECTOR == "otlp",
    HANDLERS / "connection.py": COLLECTOR in ("syslog", "tcp", "http"),
    HANDLERS / "datagrams.py": COLLECTOR in ("syslog", "udp"),
    HANDLERS / "http_answer.py": COLLECTOR in ("http", "otlp"),
    Path("tests", "test_multi.py"): QUEUE,
    Path("tests", "test_file.py"): FILE != "none",
    Path("tests", "test_email.py"): EMAIL,
}


def chosen() -> list[str]:
    """What was chosen, a line each, in words."""
    return [
        "several processes: a log queue and its listener" if QUEUE else "one process, no queue",
        f"console: {CONSOLE}",
        f"log file: {FILE}",
        f"e-mail: {'yes, once LOG_EMAIL_HOST is set (.env.example)' if EMAIL else 'none'}",
        f"collector: {f'{COLLECTOR}, once LOG_COLLECTOR_URL is set' if COLLECTOR != 'none' else 'none'}",
    ]


def main() -> None:
    for module, wanted in OPTIONAL.items():
        if not wanted:
            module.unlink(missing_ok=True)
    lines = "".join(f"\n    {line}" for line in chosen())
    print(
        f"\n{ANSWERS['project_slug']} is ready in {Path.cwd()}\n{lines}\n\n"
        f"Go on with:\n    cd {ANSWERS['project_slug']}\n    uv run {ANSWERS['project_slug']}\n\n"
        "Without uv: its README.md has the same with pip."
    )


main()
