"""Every combination of the choices: generated, parsed, linted, format-checked, without leftovers."""

import ast
import functools
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import combinations
from tests.support.project import Bake, Project

OF_GITHUB = re.compile(r"\$\{\{ [\w.-]+ \}\}")
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
Baked = list[tuple[str, Project]]
pytestmark = pytest.mark.timeout(900)  # of which the generation takes most, on a busy machine


@pytest.fixture(scope="module")
def everything(bake: Bake) -> Baked:
    """Generate a project of every combination; return each with its answers in words."""
    return [(combinations.words(answers), bake(**answers)) for answers in combinations.every_combination()]


@functools.cache
def parsed(source: str) -> ast.Module:
    """Parse each different text once: most files are the same in most projects."""
    tree = ast.parse(source)
    compile(tree, "generated", "exec")
    return tree


@functools.cache
def words_of(source: str) -> frozenset[str]:
    """Return the words of a text, searched once for each different text."""
    return frozenset(re.findall(r"\w+", source))


def texts(project: Project) -> Iterator[tuple[str, str]]:
    for name in project.files():
        yield name, (project.path / name).read_text("utf-8")


class TestSource:
    """The source of the projects."""

    def test_every_file_parses(self, everything: Baked) -> None:
        for _, project in everything:
            for name, text in texts(project):
                if name.endswith(".py"):
                    parsed(text)
                elif name.endswith(".toml"):
                    assert tomllib.loads(text)["project"]["name"] == project.slug

    @pytest.mark.parametrize("arguments", [("check",), ("format", "--check")])
    def test_ruff_finds_nothing(self, everything: Baked, arguments: tuple[str, ...]) -> None:
        folders = [str(project.path) for _, project in everything]
        result = subprocess.run(
            [sys.executable, "-m", "ruff", *arguments, "--no-cache", "--quiet", *folders],
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stdout[-4000:] + result.stderr[-1000:]

    def test_no_template_syntax_is_left(self, everything: Baked) -> None:
        for words, project in everything:
            for name, text in texts(project):
                ours = OF_GITHUB.sub("", text)
                found = [mark for mark in ("{{", "{%", "%}", "{#", "cookiecutter.") if mark in ours]
                assert not found, f"{found} in {name}: {words}"

    def test_removed_block_leaves_no_gap(self, everything: Baked) -> None:
        """Ruff checks this in Python files, except for two blank lines inside a function or a list."""
        for words, project in everything:
            for name, text in texts(project):
                if not text:
                    continue
                where = f"{name}: {words}"
                assert text.endswith("\n"), where
                assert not text.endswith("\n\n"), where
                assert not text.startswith("\n"), where
                if name.endswith(".py"):
                    assert not re.search(r"\n\n\n[ )\]}]", text), where
                else:
                    assert "\n\n\n" not in FENCED.sub("code", text), where


def imported(path: Path, source: str) -> Iterator[Path]:
    """List the files or folders that the relative imports of a module refer to."""
    for node in ast.walk(parsed(source)):
        if isinstance(node, ast.ImportFrom) and node.level:
            folder = path.parents[node.level - 1]
            if node.module:
                yield folder.joinpath(*node.module.split("."))
            elif node.names[0].name != "*":
                yield from (folder / name.name for name in node.names)


class TestFiles:
    """The files of the projects."""

    def test_no_cache_and_no_empty_file_is_generated(self, everything: Baked) -> None:
        for words, project in everything:
            paths = list(project.path.rglob("*"))
            assert not [path for path in paths if path.name.endswith(("__pycache__", "_cache", ".pyc"))], words
            assert not [path for path in paths if path.is_dir() and not any(path.iterdir())], words
            empty = [path.name for path in paths if path.is_file() and not path.read_text("utf-8").strip()]
            assert empty == ["py.typed"], words

    def test_imports_resolve_and_every_module_is_used(self, everything: Baked) -> None:
        """A module that was not chosen is neither imported nor generated."""
        for words, project in everything:
            modules = sorted(project.source.rglob("*.py"))
            sources = {path: path.read_text("utf-8") for path in modules}
            for path, source in sources.items():
                for target in imported(path, source):
                    assert target.with_suffix(".py").exists() or target.is_dir(), (
                        f"{path.name} imports {target}: {words}"
                    )
                if not path.name.startswith("__"):
                    users = [other for other in modules if other != path and path.stem in words_of(sources[other])]
                    assert users or path.name == "main.py", f"unused module {path.name}: {words}"

    def test_handler_is_generated_only_if_chosen(self, everything: Baked) -> None:
        for answers, (words, project) in zip(combinations.every_combination(), everything, strict=True):
            assert (project.source / "multi.py").exists() == answers["multiprocessing"], words
            assert (project.logging / "queue").exists() == answers["multiprocessing"], words
            for question in ("console", "file", "email", "webhook"):
                chosen = answers[f"{question}_handler"] not in ("none", False)
                assert any((project.logging / "sinks").glob(f"*{question}.py")) == chosen, words
                for name in ("README.md", ".env.example"):
                    mentioned = f"LOG_{question.upper()}" in (project.path / name).read_text("utf-8")
                    assert mentioned == chosen, f"LOG_{question.upper()} in {name}: {words}"
                variable = f'"LOG_{question.upper()}_'
                defining = [path.name for path in project.logging.rglob("*.py") if variable in path.read_text("utf-8")]
                assert bool(defining) == chosen, f"{variable} in {defining}: {words}"
