"""Every shell block of a generated project's pages, run literally, in order, by a shell in a copy of the project.

README_SEED=1 runs ten random combinations in place of one: pytest -s tests/project/test_readme_commands.py
"""

import contextlib
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import combinations
from tests.support.project import DEADLINE, Bake

WITHIN = 250.0  # seconds for a block; includes downloads
OTHER = {
    "multiprocessing": False,
    "console_handler": "json",
    "file_handler": "size",
    "email_handler": True,
    "collector_handler": "syslog",
}
SEED = os.environ.get("README_SEED")
CHOSEN = random.Random(int(SEED)).sample(combinations.every_combination(), 10) if SEED else [OTHER]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def commands(project: Path) -> list[str]:
    """Return the shell blocks of all pages in order, then the commands within their text."""
    pages = [project / "README.md", *sorted((project / "docs").glob("*.md"))]
    found = [block for page in pages for block in blocks(page, "sh")]
    in_text = {command for page in pages for command in re.findall(r"`(uvx? [^`]+)`", page.read_text("utf-8"))}
    return [*found, *sorted(in_text)]


def environment() -> dict[str, str]:
    """Return the tests' environment without variables that a newcomer's lacks, with uv on the path."""
    unusual = ("PYTHONPATH", "VIRTUAL_ENV", "PYTHONDONTWRITEBYTECODE", "PYTEST_CURRENT_TEST")
    environ = {key: value for key, value in os.environ.items() if not key.startswith("LOG_") and key not in unusual}
    environ["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), environ["PATH"]))
    return {**environ, "UV_PYTHON": sys.executable, "UV_PYTHON_DOWNLOADS": "never"}


def reason_to_skip(block: str) -> str:
    """Return why this machine cannot run the block, or an empty string."""
    if "logging_setup level" in block:
        return "it needs a running service: test_live_level.py runs it"
    if "docker" in block:
        docker = shutil.which("docker")
        if not docker or subprocess.run([docker, "version"], capture_output=True, check=False).returncode:
            return "no Docker daemon"
    with socket.socket() as probe:
        if "localhost:8025" in block and not probe.connect_ex(("localhost", 8025)):
            return "port 8025 is in use"
    return ""


@contextlib.contextmanager
def server(block: str, cwd: Path) -> Iterator[None]:
    """Run a block that starts a server, until the end of the test."""
    with subprocess.Popen(
        ["sh", "-ec", f"exec {block}"], cwd=cwd, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            deadline = time.monotonic() + DEADLINE
            while True:
                with socket.socket() as probe:
                    if not probe.connect_ex(("localhost", 8025)):
                        break
                assert time.monotonic() < deadline
                assert process.poll() is None
                time.sleep(0.05)
            yield
        finally:
            process.terminate()


def run_block(block: str, cwd: Path) -> None:
    result = subprocess.run(
        ["sh", "-ec", block],
        cwd=cwd,
        env={**environment(), "TMPDIR": str(cwd)},  # where a level change at run time is stored
        capture_output=True,
        encoding="utf-8",
        timeout=WITHIN,
        check=False,
    )
    assert result.returncode == 0, f"{block}\n{result.stdout[-3000:]}{result.stderr[-3000:]}"
    assert "Traceback" not in result.stderr, f"{block}\n{result.stderr[-3000:]}"


@pytest.mark.timeout(900)
@pytest.mark.parametrize("answers", CHOSEN, ids=map(combinations.words, CHOSEN))
def test_every_command_of_the_pages_works(bake: Bake, tmp_path: Path, answers: combinations.Answers) -> None:
    project = bake(**answers)
    path = Path(shutil.copytree(project.path, tmp_path / "a clone" / project.slug))
    with contextlib.ExitStack() as servers:
        for block in commands(path):
            begin = time.monotonic()
            # Lines of a block belong together, except if one needs Docker.
            for part in block.splitlines() if "docker" in block else [block]:
                if reason := reason_to_skip(part):
                    print(f"skipped: {reason}: {part}")
                elif "aiosmtpd" in part:
                    servers.enter_context(server(part, path))
                else:
                    run_block(part, path)
            print(f"{time.monotonic() - begin:5.1f} s  {block.strip()}")
    assert (path / ".git" / "hooks" / "pre-commit").exists()


@pytest.mark.parametrize("answers", [{}, OTHER], ids=["default", "other"])
class TestSnippets:
    """Python snippets of the README, and .env.example."""

    def test_readme_snippets_run(self, bake: Bake, tmp_path: Path, answers: combinations.Answers) -> None:
        project = bake(**answers)
        # Without the one of a test, which pytest runs.
        snippets = [code for code in blocks(project.path / "README.md", "python") if "conftest" not in code]
        assert len(snippets) == (2 if answers else 3)
        for number, snippet in enumerate(snippets):
            file = tmp_path / f"snippet_{number}.py"
            file.write_text(snippet, "utf-8")
            result = project.run(str(file), cwd=tmp_path)
            assert (result.returncode, result.stderr) == (0, ""), snippet
        assert ("Job 2" in result.stdout) == (not answers)

    def test_sigterm_snippet_finishes_its_work(self, bake: Bake, tmp_path: Path, answers: combinations.Answers) -> None:
        project = bake(**answers)
        (snippet,) = [code for code in blocks(project.path / "docs" / "logging.md", "python") if "SIGTERM" in code]
        work = 'import logging, time; logging.warning("begun"); time.sleep(0.1); logging.warning("finished")'
        file = tmp_path / "snippet.py"
        file.write_text(snippet.replace("...  # one unit of work", work), "utf-8")
        with project.start(str(file), cwd=tmp_path) as process:
            assert process.stdout
            assert any("begun" in line for line in process.stdout)
            process.terminate()
            output, errors = process.communicate(timeout=DEADLINE)
        assert (process.returncode, errors) == (0, "")
        assert "finished" in output.splitlines()[-1]

    def test_env_example_works_as_its_head_says(
        self, bake: Bake, tmp_path: Path, answers: combinations.Answers
    ) -> None:
        project = bake(**answers)
        text = (project.path / ".env.example").read_text("utf-8")
        (line,) = re.findall(r"use `(.*?)`", text)
        (tmp_path / ".env").write_text(text, "utf-8")
        script = f'{line}\nexec "{sys.executable}" -m {project.package}'
        result = project.shell(script, tmp_path)
        assert (result.returncode, result.stderr) == (0, "")
        assert "Done" in result.stdout
