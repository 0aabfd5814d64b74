"""docs/web.md: its code, run by real servers and frameworks. A request's id is on its own lines and on no other's."""

import asyncio
import json
import re
import shutil
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.network import free_port, wait_until
from tests.support.project import DEADLINE, Bake, Project
from tests.support.servers import running, stop

REQUESTS = 500
NEW_ID = re.compile("[0-9a-f]{32}")
REFUSED = {"too long": "x" * 129, "space": "a b", "empty": "", "quote": '"a"', "not ASCII": b"\xe9"}
ENV = {"LOG_FILE_FORMAT": "json", "LOG_FILE": "app.log"}


def blocks(project: Project, page: str) -> list[str]:
    text = (project.path / "docs" / page).read_text("utf-8")
    return re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def block(project: Project, word: str, page: str = "web.md") -> str:
    """Return the one Python block of the page with this word in it."""
    (code,) = (code for code in blocks(project, page) if word in code)
    return code


def with_middleware(project: Project, folder: Path) -> Project:
    """Copy the project, and add the page's two middlewares."""
    copy = Project(folder / "copy", project.slug)
    shutil.copytree(project.path, copy.path)
    (copy.source / "asgi_access.py").write_text(block(project, "Wrap an ASGI application"), "utf-8")
    (copy.source / "wsgi_access.py").write_text(block(project, "Wrap a WSGI application"), "utf-8")
    return copy


@pytest.fixture
def web(project: Project, tmp_path: Path) -> Project:
    return with_middleware(project, tmp_path)


def read(folder: Path) -> list[dict[str, Any]]:
    return list(map(json.loads, (folder / "app.log").read_text("utf-8").splitlines()))


def access_lines(folder: Path) -> list[dict[str, Any]]:
    return [entry for entry in read(folder) if entry["message"] == "request done"]


def ask(port: int, targets: list[tuple[str, dict[str, Any]]]) -> list[httpx.Response]:
    """Request these paths with these headers, all at the same time."""

    async def ask_all() -> list[httpx.Response]:
        limits = httpx.Limits(max_connections=len(targets))
        url = f"http://127.0.0.1:{port}"
        async with httpx.AsyncClient(base_url=url, limits=limits, timeout=DEADLINE, trust_env=False) as client:
            return await asyncio.gather(*(client.get(path, headers=headers) for path, headers in targets))

    return asyncio.run(ask_all())


def assert_ids_are_separate(folder: Path, port: int, messages: tuple[str, ...], requests: int = REQUESTS) -> None:
    """Send requests, half of them with an id, and check that all lines of a request, and no others, have its id."""
    targets = [(f"/orders/{n}", {"X-Request-ID": f"id-{n}"} if n % 2 else {}) for n in range(requests)]
    answers = ask(port, targets)
    ids = {n: answer.headers["x-request-id"] for n, answer in enumerate(answers)}
    assert {answer.status_code for answer in answers} == {200}
    assert [ids[n] for n in range(1, requests, 2)] == [f"id-{n}" for n in range(1, requests, 2)]
    assert all(NEW_ID.fullmatch(ids[n]) for n in range(0, requests, 2))
    assert len(set(ids.values())) == requests
    wait_until(lambda: len(access_lines(folder)) == requests, "the access lines")
    found: dict[str, list[str]] = defaultdict(list)
    for entry in read(folder):
        if "request_id" in entry:
            done = entry["message"] == "request done"
            found[entry["request_id"]].append(f"done {entry['path']}" if done else entry["message"])
    expected = {
        ids[n]: Counter((*(message.format(n) for message in messages), f"done /orders/{n}")) for n in range(requests)
    }
    assert {name: Counter(lines) for name, lines in found.items()} == expected
    for entry in access_lines(folder):
        assert (entry["method"], entry["status"]) == ("GET", 200)
        assert 0 < entry["duration_ms"] < DEADLINE * 1000


def assert_bad_ids_are_replaced(port: int) -> None:
    for answer in ask(port, [("/orders/1?token=x", {"X-Request-ID": value}) for value in REFUSED.values()]):
        assert NEW_ID.fullmatch(answer.headers["x-request-id"]), answer.headers
    (answer,) = ask(port, [("/orders/1", {"X-Request-ID": "Root=1-67:a/b+c." + "x" * 100})])
    assert answer.headers["x-request-id"].startswith("Root=1-67:a/b+c.")


MORE_ROUTES = """
import asyncio, random
from fastapi import BackgroundTasks

async def step(number, name):
    await asyncio.sleep(random.random() / 50)
    logger.info("order %d %s", number, name)

@api.get("/slow/{number}")
async def slow(number: int, later: BackgroundTasks):
    await asyncio.gather(*(step(number, name) for name in ("one", "two")))
    await asyncio.to_thread(logger.info, "order %d in a thread", number)
    later.add_task(step, number, "afterwards")

@api.get("/broken")
async def broken():
    raise RuntimeError("broken")
"""


class TestAsgi:
    @pytest.mark.parametrize("multiprocessing", [True, False])
    def test_uvicorn_and_fastapi_keep_ids_apart(self, bake: Bake, tmp_path: Path, multiprocessing: bool) -> None:
        web, port = with_middleware(bake(multiprocessing=multiprocessing), tmp_path), free_port()
        routes = MORE_ROUTES.replace("/slow/", "/orders/") if multiprocessing else ""
        page = block(web, "FastAPI()")
        (web.source / "web.py").write_text(page.replace("/orders/", "/plain/") + routes if routes else page, "utf-8")
        serve = block(web, "uvicorn.run(").replace("access_log=False", f"access_log=False, port={port}")
        (tmp_path / "serve.py").write_text(serve, "utf-8")
        slow = ("order {} one", "order {} two", "order {} in a thread", "order {} afterwards")
        with running(web, tmp_path, port, "serve.py", **ENV) as server:
            assert_ids_are_separate(tmp_path, port, slow if routes else ("order {} read",))
            assert_bad_ids_are_replaced(port)
            stop(server)
        assert "token" not in (tmp_path / "app.log").read_text("utf-8")
        assert not any(entry["logger"] == "uvicorn.access" for entry in read(tmp_path))

    def test_exception_has_the_id_of_its_request(self, web: Project, tmp_path: Path) -> None:
        port = free_port()
        (web.source / "web.py").write_text(block(web, "FastAPI()") + MORE_ROUTES, "utf-8")
        serve = block(web, "uvicorn.run(").replace("access_log=False", f"access_log=False, port={port}")
        (tmp_path / "serve.py").write_text(serve, "utf-8")
        with running(web, tmp_path, port, "serve.py", **ENV) as server:
            (answer,) = ask(port, [("/broken", {"X-Request-ID": "mine"})])
            assert (answer.status_code, answer.headers["x-request-id"]) == (500, "mine")
            stop(server)
        failed, done = [entry for entry in read(tmp_path) if entry.get("request_id") == "mine"]
        assert (failed["level"], failed["exception.message"]) == ("ERROR", "broken")
        assert (done["message"], done["path"], done["status"]) == ("request done", "/broken", 500)
        assert not any("color_message" in entry for entry in read(tmp_path))


class TestWsgi:
    def test_gunicorn_and_flask_keep_ids_apart(self, web: Project, tmp_path: Path) -> None:
        port = free_port()
        (web.source / "web.py").write_text(block(web, "Flask(__name__)"), "utf-8")
        config = block(web, "on_starting", "logging.md")
        (line,) = (line for line in config.splitlines() if line.startswith("accesslog"))
        (tmp_path / "gunicorn.conf.py").write_text(config.replace(line, ""), "utf-8")
        command = ["-m", "gunicorn", "my_service.web:app", "--workers", "2", "--threads", "8"]
        with running(web, tmp_path, port, *command, "--bind", f"127.0.0.1:{port}", **ENV) as server:
            assert_ids_are_separate(tmp_path, port, ("order {} read",))
            assert_bad_ids_are_replaced(port)
            stop(server)
        assert "token" not in (tmp_path / "app.log").read_text("utf-8")
        assert len({entry["process.pid"] for entry in access_lines(tmp_path)}) == 2

    @pytest.mark.parametrize("multiprocessing", [True, False])
    def test_flask_module_started_itself_logs(self, bake: Bake, tmp_path: Path, multiprocessing: bool) -> None:
        web, port = with_middleware(bake(multiprocessing=multiprocessing), tmp_path), free_port()
        code = block(web, "Flask(__name__)").replace("app.run()", f"app.run(port={port})")
        (web.source / "web.py").write_text(code, "utf-8")
        with running(web, tmp_path, port, "-m", "my_service.web", **ENV) as server:
            ask(port, [("/orders/7", {"X-Request-ID": "mine"})])
            log = tmp_path / "app.log"
            wait_until(lambda: log.exists() and bool(access_lines(tmp_path)), "the access line")
            stop(server)
        found = [entry["message"] for entry in read(tmp_path) if entry.get("request_id") == "mine"]
        assert {"order 7 read", "request done"} <= set(found)

    def test_wsgiref_and_plain_applications_end_cleanly(self, bake: Bake, tmp_path: Path) -> None:
        """Each body is closed, and what its iterator logs has the id too; exceptions are logged once."""
        web, port = with_middleware(bake(multiprocessing=False), tmp_path), free_port()
        (tmp_path / "serve.py").write_text(PLAIN_WSGI.format(port=port), "utf-8")
        with running(web, tmp_path, port, "serve.py", **ENV) as server:
            targets = [(f"/{name}", {"X-Request-ID": name}) for name in ("body", "empty", "broken")]
            answers = [ask(port, [target])[0] for target in targets]
            wait_until(lambda: len(access_lines(tmp_path)) == len(targets), "the access lines")
            stop(server)
        assert [answer.text for answer in answers[:2]] == ["body", ""]
        assert [answer.headers.get("x-request-id") for answer in answers] == ["body", "empty", None]
        lines = [(entry["request_id"], entry["message"]) for entry in read(tmp_path) if "request_id" in entry]
        end = ("closed", "request done")
        assert [message for name, message in lines if name == "body"] == ["part 0", "part 1", *end]
        assert [message for name, message in lines if name == "empty"] == list(end)
        assert [message for name, message in lines if name == "broken"] == ["request failed", "request done"]
        assert [entry["status"] for entry in access_lines(tmp_path)] == [200, 200, 500]


PLAIN_WSGI = """
import logging
from wsgiref.simple_server import make_server
from my_service.logging_setup import setup_main_logging
from my_service.wsgi_access import AccessLog

class Body:
    def __init__(self, parts): self.parts = parts
    def __iter__(self):
        for number, part in enumerate(self.parts):
            logging.info("part %d", number)
            yield part
    def close(self): logging.info("closed")

def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/broken":
        raise RuntimeError("broken")
    start_response("200 OK", [("Content-Type", "text/plain")])
    return Body([b"bo", b"dy"] if path == "/body" else [])

with setup_main_logging(), make_server("127.0.0.1", {port}, AccessLog(app)) as server:
    server.serve_forever()
"""

DJANGO = """
import logging
from django.http import JsonResponse
from django.urls import path

SECRET_KEY = "for tests"
ROOT_URLCONF = __name__
WSGI_APPLICATION = "my_service.wsgi.application"
ALLOWED_HOSTS = ["*"]
logger = logging.getLogger(__name__)

def order(request, number):
    logger.info("order %d read", number)
    return JsonResponse({"number": number})

urlpatterns = [path("orders/<int:number>", order)]
"""


class TestDjango:
    def test_django_keeps_ids_apart(self, web: Project, tmp_path: Path) -> None:
        port = free_port()
        (web.source / "settings.py").write_text(block(web, "LOGGING_CONFIG") + DJANGO, "utf-8")
        (web.source / "wsgi.py").write_text(block(web, "get_wsgi_application"), "utf-8")
        (tmp_path / "manage.py").write_text(block(web, "execute_from_command_line"), "utf-8")
        command = ["manage.py", "runserver", "--noreload", f"127.0.0.1:{port}"]
        with running(web, tmp_path, port, *command, **ENV, LOG_LEVELS="django.server=ERROR") as server:
            assert_ids_are_separate(tmp_path, port, ("order {} read",), requests=100)
            (answer,) = ask(port, [("/none", {"X-Request-ID": "mine"})])
            assert answer.status_code == 404
            wait_until(lambda: access_lines(tmp_path)[-1]["path"] == "/none", "the access line")
            stop(server)
        found, done = [entry for entry in read(tmp_path) if entry.get("request_id") == "mine"]
        assert (found["logger"], found["message"], found["status_code"]) == ("django.request", "Not Found: /none", 404)
        assert (done["status"], "request" in found) == (404, False)


TASKS = """
import logging
logger = logging.getLogger(__name__)
app.conf.broker_url = "filesystem://"
app.conf.broker_transport_options = {"data_folder_in": "q", "data_folder_out": "q", "control_folder": "control"}

@app.task
def pay(number):
    logger.info("order %d paid", number)
    if number % 5 == 0:
        book.delay(number)

@app.task
def book(number):
    logger.info("order %d booked", number)
"""
SENDER = """
from my_service.logging_setup import log_context
from my_service.tasks import pay
for number in range(20):
    if number < 15:
        with log_context(request_id=f"id-{number}"):
            pay.delay(number)
    else:
        print(pay.delay(number).id)
"""
EAGER = """
from my_service.logging_setup import log_context, setup_main_logging
from my_service.tasks import app, pay
app.conf.task_always_eager = True
with setup_main_logging(), log_context(request_id="mine"):
    pay.delay(5)
"""


class TestCelery:
    @pytest.fixture
    def tasks(self, web: Project) -> Project:
        """Add the tasks, with the blocks of both pages before them."""
        code = block(web, "Celery(", "logging.md") + block(web, "before_task_publish") + TASKS
        (web.source / "tasks.py").write_text(code, "utf-8")
        return web

    def test_task_has_the_id_of_its_request(self, tasks: Project, tmp_path: Path) -> None:
        (tmp_path / "q").mkdir()
        sent = tasks.run("-c", SENDER, cwd=tmp_path)
        assert sent.returncode == 0, sent.stderr
        own = sent.stdout.split()
        command = ("-m", "celery", "-A", "my_service.tasks", "worker", "-c", "2")
        worker = tasks.start(*command, cwd=tmp_path, LOG_CONSOLE_LEVEL="60", **ENV)
        try:
            log = tmp_path / "app.log"
            wait_until(lambda: log.exists() and log.read_text("utf-8").count(" succeeded in ") == 24, "the tasks")
        finally:
            stop(worker)
        ids = {number: f"id-{number}" if number < 15 else own[number - 15] for number in range(20)}
        expected = {(f"order {number} paid", name) for number, name in ids.items()}
        expected |= {(f"order {number} booked", ids[number]) for number in (0, 5, 10, 15)}
        entries = read(tmp_path)
        found = [(entry["message"], entry.get("request_id")) for entry in entries if "order" in entry["message"]]
        assert Counter(found) == Counter(expected)
        ends = Counter(entry["request_id"] for entry in entries if " succeeded in " in entry["message"])
        assert ends == Counter(name for _, name in expected)
        assert not any("data" in entry for entry in entries)

    def test_eager_task_keeps_the_id_of_its_caller(self, tasks: Project, tmp_path: Path) -> None:
        run = tasks.run("-c", EAGER, cwd=tmp_path, **ENV)
        assert run.returncode == 0, run.stderr
        found = {entry["message"]: entry.get("request_id") for entry in read(tmp_path)}
        assert (found["order 5 paid"], found["order 5 booked"]) == ("mine", "mine")


@pytest.mark.parametrize("multiprocessing", [True, False])
def test_middleware_passes_the_projects_own_checks(bake: Bake, tmp_path: Path, multiprocessing: bool) -> None:
    web = with_middleware(bake(multiprocessing=multiprocessing), tmp_path)
    files = [str(web.source / "asgi_access.py"), str(web.source / "wsgi_access.py")]
    for command in (("ruff", "check"), ("ruff", "format", "--check"), ("mypy", "--strict")):
        checked = subprocess.run(
            [sys.executable, "-m", *command, *files], cwd=web.path, capture_output=True, text=True, check=False
        )
        assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("words", ["request id", "trace_id"])
def test_readme_names_the_page_of_the(project: Project, words: str) -> None:
    readme = " ".join((project.path / "README.md").read_text("utf-8").split()).lower()
    assert re.search(rf"{words}[^.]*\[docs/\w+\.md\]\(docs/\w+\.md[^)]*\)", readme)
