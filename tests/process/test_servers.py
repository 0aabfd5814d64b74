"""Real web servers: every access line is logged once, in the configured format, also across restarts."""

import re
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.support.network import free_port
from tests.support.project import Project
from tests.support.servers import get, running, stop

REQUESTS = 200
LINE = re.compile(r"^\S+ INFO     (\S+)( \[[^]]*\])? .*GET /(\d+) HTTP/1.1")

# The code of docs/logging.md, for any `{package}`.
UVICORN_RUN = """
import uvicorn
from {package}.logging_setup import setup_main_logging

if __name__ == "__main__":
    with setup_main_logging():
        uvicorn.run("app:app", port={port}, log_config=None)
"""
ASGI = """
{begin}
async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({{"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]}})
        await send({{"type": "http.response.body", "body": b"ok"}})
"""
ASGI_BEGIN = """
from {package}.logging_setup import adopt_loggers, setup_main_logging

setup_main_logging()
adopt_loggers("uvicorn")
"""
UVICORN_WORKERS = """
import uvicorn
from {package}.logging_setup import setup_main_logging, setup_proc_logging

if __name__ == "__main__":
    with setup_main_logging() as logs:
        in_each_worker = {{"()": setup_proc_logging, "queue": logs.queue}}
        log_config = {{"version": 1, "disable_existing_loggers": False, "filters": {{"setup": in_each_worker}}}}
        uvicorn.run("app:app", port={port}, workers=2, log_config=log_config)
"""
WSGI = """
def app(environ, start_response):
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]
"""
GUNICORN = """
from {package}.logging_setup import adopt_loggers, setup_main_logging, setup_proc_logging

accesslog = "-"  # enables access lines; adopt_loggers then detaches the handler

def on_starting(server):  # in the master, once
    server.logs = setup_main_logging()
    adopt_loggers("gunicorn")

def on_reload(server):  # gunicorn has just set up its own logging again
    adopt_loggers("gunicorn")

def post_fork(server, worker):  # in each worker, also after a reload
    setup_proc_logging(server.logs.queue)
"""


def access_lines(project: Project, folder: Path) -> Counter[int]:
    """Count each number in the log file; the last lines may still be missing."""
    files = list((folder / "logs").glob("*.log"))
    assert [file.name for file in files] == [f"{project.slug}.log"]
    return Counter(int(found[3]) for line in files[0].read_text("utf-8").splitlines() if (found := LINE.match(line)))


def assert_each_once(project: Project, folder: Path, answered: list[int]) -> None:
    """Check that each answered request has one line in the file; wait for a listener that outlives its server."""
    expected = Counter(answered)
    deadline = time.monotonic() + 10
    while not (found := access_lines(project, folder)) >= expected and time.monotonic() < deadline:
        time.sleep(0.05)
    assert {number: count for number, count in found.items() if count > 1} == {}
    assert expected - found == Counter()


@pytest.mark.parametrize("way", ["run", "command", "workers"])
def test_uvicorn_access_lines_are_logged_once(project: Project, tmp_path: Path, way: str) -> None:
    port = free_port()
    begin = ASGI_BEGIN.format(package=project.package) if way == "command" else ""
    (tmp_path / "app.py").write_text(ASGI.format(begin=begin))
    serve = {"run": UVICORN_RUN, "workers": UVICORN_WORKERS}.get(way, "")
    (tmp_path / "serve.py").write_text(serve.format(package=project.package, port=port))
    args = ["-m", "uvicorn", "app:app", "--port", str(port)] if way == "command" else ["serve.py"]
    with running(project, tmp_path, port, *args) as server:
        answered = get(port, range(REQUESTS))
        if way == "workers":
            server.send_signal(signal.SIGHUP)
            answered += get(port, range(REQUESTS, 2 * REQUESTS))
        output, errors = stop(server)
    assert len(answered) >= REQUESTS
    assert "GET /" not in output + errors
    assert_each_once(project, tmp_path, answered)


def test_gunicorn_access_lines_are_logged_once(project: Project, tmp_path: Path) -> None:
    """Two workers, a reload, and a graceful stop."""
    port = free_port()
    (tmp_path / "app.py").write_text(WSGI)
    (tmp_path / "gunicorn.conf.py").write_text(GUNICORN.format(package=project.package))
    command = ["-m", "gunicorn", "app:app", "--workers", "2", "--bind", f"127.0.0.1:{port}"]
    with running(project, tmp_path, port, *command) as server:
        answered = get(port, range(REQUESTS))
        assert len(answered) == REQUESTS
        server.send_signal(signal.SIGHUP)
        answered += get(port, range(REQUESTS, 2 * REQUESTS))
        output, errors = stop(server)
        assert server.returncode == 0
    assert "GET /" not in output + errors
    assert_each_once(project, tmp_path, answered)
    text = (tmp_path / "logs" / f"{project.slug}.log").read_text("utf-8")
    assert len(set(re.findall(r"Booting worker with pid: (\d+)", text))) == 4
    assert " gunicorn.error " in text
    assert " gunicorn.access " in text


@pytest.mark.parametrize("at_the_top", [True, False])
def test_gunicorn_preload_logs_records_at_import(project: Project, tmp_path: Path, at_the_top: bool) -> None:
    """They are in the log only if the configuration sets up logging at its top, as logging.md states."""
    port = free_port()
    (tmp_path / "app.py").write_text("import logging\nlogging.getLogger('app').warning('at import')\n" + WSGI)
    top = "from {package}.logging_setup import setup_main_logging\nsetup_main_logging()\n" if at_the_top else ""
    (tmp_path / "gunicorn.conf.py").write_text((top + GUNICORN).format(package=project.package))
    command = ["-m", "gunicorn", "app:app", "--preload", "--workers", "2", "--bind", f"127.0.0.1:{port}"]
    with running(project, tmp_path, port, *command) as server:
        answered = get(port, range(20))
        stop(server)
    assert len(answered) == 20
    assert_each_once(project, tmp_path, answered)
    text = (tmp_path / "logs" / f"{project.slug}.log").read_text("utf-8")
    assert text.count("WARNING  app at import") == at_the_top
