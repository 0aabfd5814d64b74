"""The template's own files, its README and changelog, and its closing message."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.project import ASKED, DEADLINE, QUESTIONS, TEMPLATE

SKELETON = TEMPLATE / "{{cookiecutter.project_slug}}"
README = (TEMPLATE / "README.md").read_text("utf-8")
DOCUMENTS = [*TEMPLATE.glob("*.md"), *TEMPLATE.glob("docs/*.md")]
CHANGELOG = (TEMPLATE / "CHANGELOG.md").read_text("utf-8")


class TestSource:
    """The template's Python files."""

    @pytest.mark.parametrize("arguments", [("check",), ("format", "--check")])
    def test_template_passes_ruff(self, arguments: tuple[str, ...]) -> None:
        result = subprocess.run(
            [sys.executable, "-m", "ruff", *arguments, "."], cwd=TEMPLATE, capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, result.stdout

    def test_every_python_file_parses_before_generation(self) -> None:
        for folder in ("hooks", "tests", SKELETON.name):
            for path in (TEMPLATE / folder).rglob("*.py"):
                ast.parse(path.read_text("utf-8"), str(path))


class TestPages:
    """README, changelog and links."""

    def test_readme_is_short(self) -> None:
        assert len(README.splitlines()) <= 120

    def test_readme_lists_every_question_and_choice(self) -> None:
        rows = re.findall(r"^\| `(\w+)` \| (.*?) \|", README, re.MULTILINE)
        assert [name for name, _ in rows] == ASKED
        for name, choices in rows:
            default = QUESTIONS[name]
            if isinstance(default, bool):
                assert choices == ("`true`, `false`" if default else "`false`, `true`")
            elif isinstance(default, list):
                assert choices == ", ".join(f"`{choice}`" for choice in default)
            elif "{{" not in default:
                assert choices == default
            elif name == "description":  # unless the slug cannot be used
                assert f"{{{{ '{choices}' if " in default

    def test_duration_of_make_test_is_the_same_on_every_page(self) -> None:
        pages = [(TEMPLATE / name).read_text("utf-8") for name in ("README.md", "CONTRIBUTING.md", "Makefile")]
        stated = [re.findall(r"about \d+ minutes on 2 cores", page) for page in pages]
        assert all(stated)
        assert len({each for found in stated for each in found}) == 1

    def test_changelog_has_the_version_and_its_effects(self) -> None:
        (version,) = re.findall(r'^version = "(.+)"$', (TEMPLATE / "pyproject.toml").read_text("utf-8"), re.MULTILINE)
        sections = re.split(r"^## ", CHANGELOG, flags=re.MULTILINE)[1:]
        assert any(section.startswith(f"[{version}]") for section in sections)
        for section in sections:
            assert "### In your generated project" in section, section.splitlines()[0]

    @pytest.mark.parametrize("document", sorted(path.relative_to(TEMPLATE).as_posix() for path in DOCUMENTS))
    def test_links_to_files_resolve(self, document: str) -> None:
        path = TEMPLATE / document
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text("utf-8")):
            assert (path.parent / target).exists(), target


class TestClosingMessage:
    """The message after the generation."""

    @pytest.mark.parametrize(
        ("answers", "expected"),
        [
            ((), ["several processes", "console: text", "log file: timed", "e-mail: yes"]),
            (
                ("multiprocessing=no", "console_handler=json", "file_handler=size", "email_handler=no"),
                ["one process", "console: json", "log file: size", "e-mail: none"],
            ),
            (("webhook_handler=yes",), ["e-mail: yes", "webhook: yes, once LOG_WEBHOOK_URL is set"]),
            (("project_name=Tea Shop", "file_handler=none"), ["several processes", "console: text", "log file: none"]),
        ],
    )
    def test_closing_message_names_choices_and_commands(
        self, tmp_path: Path, answers: tuple[str, ...], expected: list[str]
    ) -> None:
        command = ("-m", "cookiecutter", "--no-input", "--default-config", "--output-dir", str(tmp_path), str(TEMPLATE))
        message = subprocess.run(
            [sys.executable, *command, *answers], capture_output=True, encoding="utf-8", timeout=DEADLINE, check=True
        ).stdout
        (folder,) = tmp_path.iterdir()
        assert f"{folder.name} is ready in {folder}" in message
        assert f"    cd {folder.name}\n    uv run {folder.name}\n" in message
        for line in expected:
            assert line in message
