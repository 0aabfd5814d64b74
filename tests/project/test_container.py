"""The generated Dockerfile: its instructions, run in a folder, since a test machine may have no container engine.

Not proved here: that the image builds. Proved: that the instructions give a service that logs JSON
to stdout, does not run as root, and stops cleanly as the first process of a container.
"""

import fnmatch
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.processes import first_process
from tests.support.project import DEADLINE, Bake, Project

Instructions = list[tuple[str, str]]


def read(project: Project) -> list[Instructions]:
    """Return the instructions of each stage; the first list is of those before any stage."""
    stages: list[Instructions] = [[]]
    for line in (project.path / "Dockerfile").read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            instruction, _, rest = line.partition(" ")
            if instruction == "FROM":
                stages.append([])
            stages[-1].append((instruction, rest))
    return stages


def arguments(stage: Instructions, instruction: str) -> list[str]:
    return [rest for name, rest in stage if name == instruction]


def variables(stage: Instructions) -> dict[str, str]:
    return dict(pair.split("=", 1) for rest in arguments(stage, "ENV") for pair in shlex.split(rest))


class TestImage:
    """The stages and the context of the image."""

    def test_image_has_two_stages_no_root_and_no_shell(self, project: Project) -> None:
        before, build, final = read(project)
        assert arguments(before, "ARG") == ["PYTHON=3.13"]
        assert [arguments(stage, "FROM") for stage in (build, final)] == [
            ["python:${PYTHON}-slim AS build"],
            ["python:${PYTHON}-slim"],
        ]
        assert arguments(final, "USER") == ["10001"]  # a number, so that an orchestrator can check that it is not root
        assert final[-1] == ("ENTRYPOINT", '["my-service"]')
        assert variables(final)["PYTHONUNBUFFERED"] == "1"
        assert arguments(final, "COPY") == ["--from=build /venv /venv"]

    def test_build_context_has_the_sources_and_no_secrets(self, project: Project) -> None:
        ignored = (project.path / ".dockerignore").read_text("utf-8").split("\n")
        wanted = {line.removeprefix("!") for line in ignored if line.startswith("!")}
        assert "*" in ignored
        *sources, _ = " ".join(arguments(read(project)[1], "COPY")).replace("./ ", "").split()
        assert {source.rstrip("/") for source in sources} == wanted
        assert not [name for name in (".env", ".git", "logs") if any(fnmatch.fnmatch(name, each) for each in wanted)]

    @pytest.mark.parametrize(
        ("answers", "expected"),
        [
            ({}, {"LOG_CONSOLE_FORMAT": "json", "LOG_FILE": "/dev/null"}),
            ({"file_handler": "none"}, {"LOG_CONSOLE_FORMAT": "json"}),
            (
                {"console_handler": "none", "file_handler": "size"},
                {"LOG_FILE": "/var/log/service/my-service.log", "LOG_FILE_FORMAT": "json"},
            ),
        ],
    )
    def test_image_with_a_console_logs_json_to_stdout(
        self, bake: Bake, answers: dict[str, str], expected: dict[str, str]
    ) -> None:
        final = read(bake(**answers))[2]
        assert {name: value for name, value in variables(final).items() if name.startswith("LOG_")} == expected
        assert ("VOLUME" in dict(final)) == ("/var/log/service/my-service.log" in expected.values())


class TestService:
    """The service that the image starts."""

    def test_installed_service_logs_to_stdout(self, project: Project, tmp_path: Path) -> None:
        """The Dockerfile's commands, run in a folder: the service logs JSON to stdout and writes no file."""
        _, build, final = read(project)
        folder, venv, work = tmp_path / "build", tmp_path / "venv", tmp_path / "srv"
        folder.mkdir()
        work.mkdir()
        environ = {key: value for key, value in os.environ.items() if not key.startswith(("LOG_", "PYTHON"))}
        environ["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), environ["PATH"]))
        for instruction, rest in build:
            if instruction == "COPY":
                *sources, target = rest.split()
                for source in sources:
                    if (project.path / source).is_dir():
                        shutil.copytree(project.path / source, folder / target)
                    else:
                        shutil.copy(project.path / source, folder / target)
            elif instruction == "RUN":
                line = re.sub(r"/venv\b", shlex.quote(str(venv)), rest)
                subprocess.run(
                    ["sh", "-ec", line], cwd=folder, env=environ, capture_output=True, timeout=200, check=True
                )
        (command,) = json.loads(arguments(final, "ENTRYPOINT")[0])
        result = subprocess.run(
            [str(venv / "bin" / command)],
            cwd=work,
            env={**environ, **variables(final), "PATH": environ["PATH"]},
            capture_output=True,
            encoding="utf-8",
            timeout=DEADLINE,
            check=False,
        )
        assert (result.returncode, result.stderr) == (0, "")
        messages = [json.loads(line)["message"] for line in result.stdout.splitlines()]
        assert messages[-1] == "Done"
        assert list(work.iterdir()) == []
        assert not Path("/dev/null.fault").exists()

    @pytest.mark.parametrize("multiprocessing", [True, False])
    def test_sigterm_ends_pid_1_with_its_log_written(self, bake: Bake, tmp_path: Path, multiprocessing: bool) -> None:
        """The kernel ignores the default action of a signal there, even if the process sends it to itself."""
        project = bake(multiprocessing=multiprocessing)
        app = (
            "import logging, os, time\n"
            "from my_service.logging_setup import setup_main_logging\n"
            "setup_main_logging()\n"
            "assert os.getpid() == 1\n"
            "logging.warning('At work')\n"
            "while True:\n"
            "    time.sleep(0.05)\n"  # a signal that arrives just before a long sleep is handled after it
        )
        process = subprocess.Popen(
            [*first_process(), sys.executable, "-c", app],
            cwd=tmp_path,
            env=project.environment(LOG_FILE="/dev/null"),
            stdout=subprocess.PIPE,
            text=True,
        )
        with process:
            assert process.stdout
            assert any("At work" in line for line in process.stdout)
            (first,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text("utf-8").split()
            os.kill(int(first), signal.SIGTERM)
            deadline = time.monotonic() + DEADLINE
            try:
                while Path(f"/proc/{first}").exists():
                    assert time.monotonic() < deadline, "still running"
                    time.sleep(0.01)
            finally:
                process.kill()
        assert process.returncode in (143, -signal.SIGTERM, -signal.SIGKILL)
