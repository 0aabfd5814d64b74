"""The default project, installed and run with the commands of its README."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.support.project import Project

INSTALL_WITHIN = 200.0  # seconds; includes downloads


def run(*command: str, cwd: Path, path: str = "") -> "subprocess.CompletedProcess[str]":
    """Run a command with the tests' Python first on PATH, and without variables that would change its behaviour."""
    environ = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith("LOG_") and key not in ("PYTHONPATH", "VIRTUAL_ENV", "PYTHONDONTWRITEBYTECODE")
    }
    environ["PATH"] = os.pathsep.join(filter(None, (path, str(Path(sys.executable).parent), os.environ["PATH"])))
    environ["UV_PYTHON"] = sys.executable
    environ["UV_PYTHON_DOWNLOADS"] = "never"
    return subprocess.run(
        command, cwd=cwd, env=environ, capture_output=True, encoding="utf-8", timeout=INSTALL_WITHIN, check=False
    )


def commands(project: Path) -> tuple[list[str], list[str]]:
    """Return the lines of the README's first two blocks: with uv, and with pip."""
    uv, pip, *_ = re.findall(
        r"^```sh\n(.*?)^```$", (project / "README.md").read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    return uv.splitlines(), pip.splitlines()


def copy(project: Project, folder: Path) -> Path:
    """Copy the project to a path with a space: installing changes it, and the generated one is shared."""
    return Path(shutil.copytree(project.path, folder / "a clone" / project.slug))


@pytest.fixture(scope="module")
def installed(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project, after the first two of its README's lines for pip."""
    path = copy(project, tmp_path_factory.mktemp("pip"))
    for line in commands(path)[1][:2]:
        result = run("sh", "-c", line, cwd=path)
        assert result.returncode == 0, f"{line}\n{result.stdout}{result.stderr}"
    return path


class TestInstalled:
    """The commands of the README, and their effects."""

    def test_readme_pip_commands_work(self, installed: Path) -> None:
        lines = commands(installed)[1]
        assert len(lines) == 4
        for line in lines[2:]:
            result = run("sh", "-c", line, cwd=installed)
            assert result.returncode == 0, f"{line}\n{result.stdout}{result.stderr}"

    @pytest.mark.parametrize(
        "command", [("my-service",), ("python", "-m", "my_service"), ("python", "-m", "my_service.main")]
    )
    def test_commands_run_from_any_folder_and_append(
        self, installed: Path, tmp_path: Path, command: tuple[str, ...]
    ) -> None:
        scripts = str(installed / ".venv" / "bin")
        log = tmp_path / "logs" / "my-service.log"
        for times in (1, 2):
            result = run(str(Path(scripts, command[0])), *command[1:], cwd=tmp_path, path=scripts)
            assert (result.returncode, result.stderr) == (0, "")
            assert log.read_text("utf-8").count("Nearly out of stock") == times

    def test_console_and_file_show_every_process(self, installed: Path, tmp_path: Path) -> None:
        """Console and file show main, service and two workers; only the file shows DEBUG."""
        console = run(str(installed / ".venv" / "bin" / "my-service"), cwd=tmp_path).stdout
        file = (tmp_path / "logs" / "my-service.log").read_text("utf-8")
        for part in ("my_service.main Ready", "my_service.service Order taken", "[worker-1]", "[worker-2]"):
            assert part in console
        assert sorted(line for line in file.splitlines() if " DEBUG " not in line) == sorted(console.splitlines())
        assert " DEBUG " in file

    def test_readme_uv_commands_give_a_complete_wheel(self, project: Project, tmp_path: Path) -> None:
        path = copy(project, tmp_path)
        lines = commands(path)[0]
        checks = "uv run ruff check && uv run ruff format --check && uv run mypy"
        assert lines == ["uv run my-service", "uv run pytest", checks]
        for line in [*lines, "uv build --wheel"]:
            result = run("sh", "-c", line, cwd=path)
            assert result.returncode == 0, f"{line}\n{result.stdout}{result.stderr}"
        (wheel,) = (path / "dist").glob("*.whl")
        packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
        assert packed == {name.removeprefix("src/") for name in project.files() if name.startswith("src/")}

    def test_gitignore_covers_only_run_time_files(self, project: Project, tmp_path: Path) -> None:
        path = copy(project, tmp_path)
        run("git", "init", "--quiet", cwd=path)
        result = run("git", "check-ignore", "--", *project.files(), cwd=path)
        assert (result.returncode, result.stdout) == (1, ""), result.stderr
        written = [".env", "logs/my-service.log", ".venv/pyvenv.cfg"]
        assert run("git", "check-ignore", "--", *written, cwd=path).stdout.split() == written
