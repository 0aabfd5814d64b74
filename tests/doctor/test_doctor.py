"""The doctor, `python -m my_service.logging_setup`: its report, the faults it finds, and its probe of each sink."""

import json
import os
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from tests.support.doctor import examine
from tests.support.network import free_port
from tests.support.project import Bake, Project

TEST = "This is a test"
EMAIL_OFF = "off: LOG_EMAIL_HOST is not set"


@pytest.fixture
def server() -> Iterator[Callable[[bytes], int]]:
    """Start a server on a port that is returned; it sends each client only a greeting."""
    open_sockets: list[socket.socket] = []

    def start(greeting: bytes) -> int:
        listening = socket.create_server(("127.0.0.1", 0))
        open_sockets.append(listening)

        def serve() -> None:
            while True:
                try:
                    client, _ = listening.accept()
                except OSError:
                    return
                open_sockets.append(client)
                client.sendall(greeting)

        threading.Thread(target=serve, daemon=True).start()
        port: int = listening.getsockname()[1]
        return port

    yield start
    for each in open_sockets:
        each.close()


@pytest.fixture
def mail_server() -> Iterator[tuple[int, list[bytes]]]:
    mails: list[bytes] = []

    class Handler:
        async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
            mails.append(envelope.content)
            return "250 OK"

    controller = Controller(Handler(), hostname="127.0.0.1", port=free_port())
    controller.start()
    yield controller.port, mails
    controller.stop()


def mail_to(port: int) -> dict[str, str]:
    return {
        "LOG_EMAIL_HOST": "127.0.0.1",
        "LOG_EMAIL_PORT": str(port),
        "LOG_EMAIL_SECURITY": "none",
        "LOG_EMAIL_TO": "ops@example.com",
    }


def verdicts(report: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {each["sink"]: (each["verdict"], each["words"]) for each in report["probe"]}


class TestProbe:
    """The test record to each sink."""

    @pytest.mark.parametrize(("collector", "scheme"), [("tcp", "tcp"), ("syslog", "tcp"), ("http", "http")])
    def test_probe_distinguishes_kinds_of_failure(
        self, bake: Bake, tmp_path: Path, server: Callable[[bytes], int], collector: str, scheme: str
    ) -> None:
        project = bake(collector_handler=collector)
        (tmp_path / "file").touch()
        refusing = mail_to(server(b"554 5.7.1 we know you\r\n"))
        unwritable = {"LOG_FILE": str(tmp_path / "file" / "app.log")}
        dead = {"LOG_COLLECTOR_URL": f"{scheme}://127.0.0.1:{free_port()}"}
        report = examine(project, tmp_path, "--probe", status=1, **unwritable, **dead, **refusing)
        found = verdicts(report)
        assert found["console"] == ("reached", "")
        assert found["email"][0] == "refused"
        assert "554" in found["email"][1]
        assert "we know you" in found["email"][1]
        assert found["file"][0] == "failed"
        assert str(tmp_path / "file") in found["file"][1]
        assert found[collector][0] == "refused"
        assert "Connection refused" in found[collector][1]

    def test_probe_times_out_on_a_server_that_hangs(
        self, project: Project, tmp_path: Path, server: Callable[[bytes], int]
    ) -> None:
        report = examine(project, tmp_path, "--probe", "--timeout", "1", status=1, **mail_to(server(b"")))
        assert verdicts(report)["email"] == ("timed out", "no answer within 1 s")
        assert verdicts(report)["file"][0] == "reached"

    def test_probe_escapes_the_answers_of_servers(
        self, bake: Bake, tmp_path: Path, server: Callable[[bytes], int]
    ) -> None:
        """Case 69."""
        project = bake(collector_handler="http")
        attack = b"\x1b[2J\x1b]0;owned\x07\x9b31m"
        refusing = mail_to(server(b"554 we know you " + attack + b"\r\n"))
        collector = server(b"HTTP/1.1 400 Bad " + attack + b"\r\nContent-Length: 0\r\n\r\n")
        url = {"LOG_COLLECTOR_URL": f"http://127.0.0.1:{collector}"}
        for option in ("--json",), ():
            run = project.run(
                "-m", f"{project.package}.logging_setup", "--probe", *option, cwd=tmp_path, **refusing, **url
            )
            assert run.returncode == 1
            assert run.stdout.count("owned") == 2
            assert all(line.isprintable() for line in (run.stdout + run.stderr).split("\n"))

    @pytest.mark.parametrize("name", ["LOG_EMAIL_PASSWORD_FILE", "LOG_COLLECTOR_TOKEN_FILE"])
    def test_secret_in_place_of_its_file_is_masked(self, bake: Bake, tmp_path: Path, name: str) -> None:
        """Case 69: in the message, in the settings, and in their repr."""
        project = bake(collector_handler="http")
        code = f"from {project.package}.logging_setup import Settings; print(Settings.from_environ())"
        variables = {**mail_to(1), name: "hunter2"}
        for args in ("-m", f"{project.package}.logging_setup"), ("-c", code):
            run = project.run(*args, cwd=tmp_path, **variables)
            assert run.returncode != 0
            assert f"{name}='***': must be a file that contains it: No such file" in run.stderr
            assert "hunter2" not in run.stdout + run.stderr
            (tmp_path / "hunter2").write_text("secret")
            run = project.run(*args, cwd=tmp_path, **variables)
            assert run.returncode == 0
            assert "hunter2" not in run.stdout + run.stderr
            (tmp_path / "hunter2").unlink()

    @pytest.mark.parametrize("multiprocessing", [True, False])
    def test_probe_reaches_every_working_sink(
        self, bake: Bake, tmp_path: Path, mail_server: tuple[int, list[bytes]], multiprocessing: bool
    ) -> None:
        port, mails = mail_server
        project = bake(multiprocessing=multiprocessing)
        module = f"{project.package}.logging_setup"
        run = project.run("-m", module, "--probe", cwd=tmp_path, **mail_to(port))
        assert run.returncode == 0, run.stderr
        assert run.stdout.count("reached") == 3
        assert TEST in run.stdout.splitlines()[0]
        assert TEST in (tmp_path / "logs" / f"{project.slug}.log").read_text()
        assert len(mails) == 1
        assert TEST.encode() in mails[0]

    def test_probe_creates_no_second_file(self, project: Project, tmp_path: Path) -> None:
        code = f"""
import logging, sys
from {project.package}.logging_setup import setup_main_logging
with setup_main_logging() as logs:
    logging.info("running")
    logs.flush()
    print("ready", flush=True)
    open("go").read()
    logging.info("still running")
"""
        os.mkfifo(tmp_path / "go")
        with project.start("-c", code, cwd=tmp_path, LOG_CONSOLE_LEVEL="60") as service:
            assert service.stdout
            assert service.stdout.readline() == "ready\n"
            found = verdicts(examine(project, tmp_path, "--probe"))
            (tmp_path / "go").write_text("")
            service.wait(20)
        file = tmp_path / "logs" / f"{project.slug}.log"
        assert found["file"] == ("reached", f"{file}, which another process has open")
        assert [line.split(" ", 1)[1].split()[-1] for line in file.read_text().splitlines()][-2:] == [
            "--probe",
            "running",
        ]
        assert sorted(path.name for path in file.parent.iterdir()) == [file.name, f"{file.name}.fault"]

    def test_probe_record_dropped_by_a_filter_is_not_tried(self, project: Project, tmp_path: Path) -> None:
        copy = tmp_path / "copy"
        shutil.copytree(project.path, copy)
        custom = Project(copy, project.slug)
        (custom.logging / "sinks" / "custom.py").write_text(
            "import logging\n"
            "from ..env.variables import Sink, level_setting\n"
            "class CustomSink(Sink):\n"
            "    name = 'custom'\n"
            "    level: int = level_setting('LOG_CUSTOM_LEVEL', logging.ERROR, '')\n"
            "    def make_handlers(self, make_formatter):\n"
            "        handler = logging.StreamHandler()\n"
            "        handler.addFilter(logging.Filter('audit'))\n"
            "        return [handler]\n",
            "utf-8",
        )
        file = custom.logging / "get_handlers.py"
        file.write_text(file.read_text("utf-8").replace("\n]\n", '\n    "custom:CustomSink",\n]\n'), "utf-8")
        report = examine(custom, tmp_path, "--probe", status=1)
        assert report["sinks"] == {"console": "INFO", "file": "DEBUG", "email": EMAIL_OFF, "custom": "ERROR"}
        found = verdicts(report)
        assert [(sink, verdict) for sink, (verdict, _) in sorted(found.items())] == [
            ("console", "reached"),
            ("custom", "not tried"),
            ("file", "reached"),
        ]

    def test_probe_fails_on_a_full_disk(self, project: Project, tmp_path: Path) -> None:
        found = verdicts(examine(project, tmp_path, "--probe", status=1, LOG_FILE="/dev/full"))
        assert found["file"][0] == "failed"
        assert "No space left" in found["file"][1]


FAULTS = """
import logging
print("printed while imported")
shared = logging.FileHandler("shared.log")
logging.getLogger("own").addHandler(logging.StreamHandler())
logging.getLogger("alone").addHandler(shared)
logging.getLogger("alone").propagate = False
logging.getLogger("cut").propagate = False
logging.getLogger("again").addHandler(shared)
logging.getLogger("off").disabled = True
logging.getLogger("deaf").setLevel(logging.ERROR)
logging.getLogger("library").addHandler(logging.NullHandler())
logging.disable(logging.DEBUG)
"""


class TestFaults:
    """Faults in the setup."""

    @pytest.mark.parametrize(
        ("url", "is_fault"),
        [("http://logs.example", True), ("https://logs.example", False), ("http://localhost:1", False)],
    )
    def test_token_sent_in_the_clear_is_a_fault(self, bake: Bake, tmp_path: Path, url: str, is_fault: bool) -> None:
        report = examine(bake(collector_handler="http"), tmp_path, LOG_COLLECTOR_URL=url, LOG_COLLECTOR_TOKEN="hunter2")  # noqa: S106
        assert any("unencrypted" in fault for fault in report["faults"]) is is_fault
        assert "hunter2" not in json.dumps(report)

    def test_doctor_suggests_names_for_misspelt_variables(self, project: Project, tmp_path: Path) -> None:
        report = examine(project, tmp_path, LOG_FILR="x", LOG_CONSOL_LEVEL="DEBUG", LOG_XYZ="1")
        assert report["faults"] == [
            "LOG_CONSOL_LEVEL is not a setting: did you mean LOG_CONSOLE_LEVEL?",
            "LOG_FILR is not a setting: did you mean LOG_FILE?",
            "LOG_XYZ is not a setting",
        ]

    def test_doctor_finds_hidden_and_duplicate_records(self, project: Project, tmp_path: Path) -> None:
        (tmp_path / "faulty.py").write_text(FAULTS)
        report = examine(project, tmp_path, "--import", "faulty", "missing", LOG_LEVELS="low=5", LOG_FILE_LEVEL="INFO")
        assert [each["name"] for each in report["loggers"] if each["disabled"]] == ["off"]
        wanted = {
            "missing cannot be imported": "ModuleNotFoundError",
            "logging.disable() was called": "DEBUG",
            "own has a handler of its own": "twice",
            "alone has a handler of its own": "not in the log",
            "again has a handler of its own": "twice",
            "cut does not propagate": "not in the log",
            "off is disabled": "lost",
            "deaf is at ERROR": "LOG_LEVELS=deaf=INFO",
            "lines are written twice": "again (FileHandler",
            "low is set to Level 5": "INFO",
        }
        assert len(report["faults"]) == len(wanted), report["faults"]
        for begin, words in wanted.items():
            assert any(fault.startswith(begin) and words in fault for fault in report["faults"]), begin

    def test_doctor_names_a_bad_value_with_status_2(self, project: Project, tmp_path: Path) -> None:
        run = project.run("-m", f"{project.package}.logging_setup", cwd=tmp_path, LOG_LEVEL="LOUD")
        assert (run.returncode, run.stdout) == (2, "")
        assert "LOG_LEVEL='LOUD'" in run.stderr


class TestReport:
    """Settings, their origins, and sinks."""

    def test_doctor_writes_nothing_without_probe(self, project: Project, tmp_path: Path) -> None:
        report = examine(project, tmp_path, **mail_to(1))
        assert report["sinks"] == {"console": "INFO", "file": "DEBUG", "email": "CRITICAL"}
        assert report["probe"] == []
        assert report["faults"] == []
        assert list(tmp_path.iterdir()) == []

    def test_doctor_names_what_turns_a_sink_on(self, project: Project, tmp_path: Path) -> None:
        assert examine(project, tmp_path)["sinks"]["email"] == EMAIL_OFF

    def test_doctor_indents_a_logger_below_its_parent(self, project: Project, tmp_path: Path) -> None:
        (tmp_path / "made.py").write_text(
            "from logging import getLogger\nfor name in ('b', 'b.c.d', 'e.f'): getLogger(name)"
        )
        run = project.run("-m", f"{project.package}.logging_setup", "--import", "made", cwd=tmp_path)
        lines = run.stdout.splitlines()
        indents = {each.split()[0]: len(each) - len(each.lstrip()) for each in lines if each.startswith("  ")}
        assert [indents[name] for name in ("root", "b", "b.c.d", "e.f")] == [2, 4, 6, 4]

    def test_doctor_help_names_the_level_command(self, project: Project, tmp_path: Path) -> None:
        run = project.run("-m", f"{project.package}.logging_setup", "--help", cwd=tmp_path, COLUMNS="200")
        assert f"python -m {project.package}.logging_setup level --help" in run.stdout

    def test_doctor_shows_values_and_origins_no_secrets(self, project: Project, tmp_path: Path) -> None:
        (tmp_path / "password").write_text("hunter2\n")
        variables = {
            **mail_to(1),
            "LOG_EMAIL_USER": "bob",
            "LOG_LEVELS": "a=ERROR,b=15",
            "LOG_REDACT_KEYS": "iban,card",
        }
        for password in ({"LOG_EMAIL_PASSWORD": "hunter2"}, {"LOG_EMAIL_PASSWORD_FILE": "password"}):
            report = examine(project, tmp_path, **variables, **password)
            found = {each["variable"]: (each["value"], each["origin"]) for each in report["settings"]}
            assert found["LOG_LEVEL"] == ("INFO", "default")
            own = "my_service=DEBUG,__main__=DEBUG,__mp_main__=DEBUG"
            assert found["LOG_LEVELS"] == (f"{own},a=ERROR,b=Level 15", "environment")
            assert found["LOG_REDACT"] == ("on", "default")
            assert found["LOG_REDACT_KEYS"] == ("iban,card", "environment")
            assert found["LOG_EMAIL_PORT"] == ("1", "environment")
            assert found["LOG_EMAIL_PASSWORD"] == (
                "***",
                "environment" if "LOG_EMAIL_PASSWORD" in password else "another setting",
            )
            assert "hunter2" not in json.dumps(report)

    @pytest.mark.parametrize(
        "answers",
        [
            {"multiprocessing": False, "console_handler": "json", "file_handler": "none", "email_handler": False},
            {"console_handler": "none", "file_handler": "size", "email_handler": False},
            {"console_handler": "none", "file_handler": "none", "project_slug": "mail-only"},
        ],
    )
    def test_doctor_works_for_every_choice(self, bake: Bake, tmp_path: Path, answers: dict[str, Any]) -> None:
        project = bake(**answers)
        report = examine(project, tmp_path, "--probe")
        assert report["faults"] == []
        assert {each["verdict"] for each in report["probe"]} <= {"reached"}
        text = project.run("-m", f"{project.package}.logging_setup", cwd=tmp_path).stdout
        assert f"{project.package}.main" in text
