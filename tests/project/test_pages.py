"""The pages of generated projects: links, and the messages that docs/architecture.md quotes."""

import re

import pytest

from tests.support import combinations
from tests.support.project import Bake, Project

SOME = combinations.every_pair()
PAGES = ("README.md", "docs/architecture.md", "docs/logging.md")
PLACEHOLDER = re.compile(r"\.\.\.|[:,] |\b(?:N|NAME|PATH|\d+)\b")


def anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def lost_records(project: Project) -> list[str]:
    """Return the messages that the chapter on lost records quotes."""
    page = (project.path / "docs" / "architecture.md").read_text("utf-8")
    section = page.partition("## Lost records\n")[2].partition("\n## ")[0]
    assert all(line.count(" | ") == 2 for line in section.splitlines() if line.startswith("| "))
    return re.findall(r"`(\w+: .+?)`", section.replace("\n", " "))


def unquoted(source: str) -> str:
    """Return a module's text with adjacent string literals joined, and expressions of f-strings as one mark."""
    joined = re.sub(r'"\s*\n\s*f?"', "", source)
    return re.sub(r"\{[^{}]*\}", "\0", joined)


@pytest.mark.parametrize("answers", SOME, ids=map(combinations.words, SOME))
def test_pages_links_resolve(bake: Bake, answers: combinations.Answers) -> None:
    project = bake(**answers)
    for name in PAGES:
        path = project.path / name
        for target, anchor in re.findall(r"\]\(([^)#:]*)(?:#([^)]*))?\)", path.read_text("utf-8")):
            page = path.parent / target if target else path
            assert page.exists(), f"{name}: {target}"
            assert not anchor or anchor in anchors(page.read_text("utf-8")), f"{name}: {target}#{anchor}"


@pytest.mark.parametrize("answers", SOME, ids=map(combinations.words, SOME))
def test_architecture_quotes_existing_messages(bake: Bake, answers: combinations.Answers) -> None:
    project = bake(**answers)
    package = project.path / "src" / project.package / "logging_setup"
    source = "\0".join(unquoted(path.read_text("utf-8")) for path in package.rglob("*.py"))
    messages = lost_records(project)
    assert messages
    parts = {message: [part.strip(" ,()") for part in PLACEHOLDER.split(message)] for message in messages}
    assert {message: part for message in messages for part in parts[message] if part not in source} == {}


@pytest.mark.parametrize("answers", SOME, ids=map(combinations.words, SOME))
def test_architecture_names_existing_modules(bake: Bake, answers: combinations.Answers) -> None:
    project = bake(**answers)
    package = project.path / "src" / project.package / "logging_setup"
    page = (project.path / "docs" / "architecture.md").read_text("utf-8")
    named = set(re.findall(r"`(?!src/)([\w/]+(?:\.py|/))`", page)) - {"sinks/audit.py"}
    assert len(named) > 10
    assert [name for name in sorted(named) if not (package / name).exists()] == []
    rooms = {f"{path.name}/" for path in package.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert rooms <= named
