"""The pages of generated projects: links, quoted messages, snippets, and words of choices that were not made."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import combinations
from tests.support.project import Bake, Project

SOME = combinations.every_pair()
PAGES = ("README.md", "docs/architecture.md", "docs/logging.md", "docs/web.md")
# Words of a choice -> True if the answers have it; for all files but those of the logging package and the tests.
CHOICE_WORDS: dict[str, Callable[[combinations.Answers], bool]] = {
    r"e-?mails?|mails?|smtp": lambda answers: answers["email_handler"],
    r"LOG_WEBHOOK\w*": lambda answers: answers["webhook_handler"],
    r"alerts?": lambda answers: answers["email_handler"] or answers["webhook_handler"],
    r"queues?|listener|workers?|pools?|spawn(?:ed)?|multi\.py": lambda answers: answers["multiprocessing"],
    r"LOG_FILE|\w+\.log|logs/|log files?|roll(?:s|ed)?[- ]?over|backups?": lambda answers: (
        answers["file_handler"] != "none"
    ),
    r"consoles?|colou?r(?:ed)?": lambda answers: answers["console_handler"] != "none",
    r"collectors?": lambda answers: answers["collector_handler"] != "none",
    r"opentelemetry-\w+|otlp|requests>": lambda answers: answers["collector_handler"] == "otlp",
    r"syslog|rfc 5424": lambda answers: answers["collector_handler"] == "syslog",
    r"udp|datagrams?": lambda answers: answers["collector_handler"] in ("syslog", "udp"),
    r"backlogs?|backoff": lambda answers: (
        answers["email_handler"]
        or answers["webhook_handler"]
        or answers["collector_handler"] != "none"
        or (answers["multiprocessing"] and answers["console_handler"] != "none")
    ),
}
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


@pytest.mark.parametrize("answers", SOME, ids=map(combinations.words, SOME))
def test_no_word_of_another_choice_is_left(bake: Bake, answers: combinations.Answers) -> None:
    project = bake(**answers)
    absent = [words for words, is_chosen in CHOICE_WORDS.items() if not is_chosen(answers)]
    word = re.compile(rf"(?<![\w.-])(?:{'|'.join(absent or ['(?!)'])})(?!\w)", re.IGNORECASE)
    names = [name for name in project.files() if "logging_setup" not in name and not name.startswith("tests")]
    lines = [(name, line) for name in names for line in (project.path / name).read_text("utf-8").splitlines()]
    assert [(name, line) for name, line in lines if word.search(line)] == []


def test_snippets_import_what_they_use(bake: Bake, tmp_path: Path) -> None:
    """No undefined name in a Python block, other than those of architecture.md, which are parts of modules."""
    for number, answers in enumerate(SOME):
        for page in ("README.md", "docs/logging.md", "docs/web.md"):
            text = (bake(**answers).path / page).read_text("utf-8")
            for block, code in enumerate(re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)):
                (tmp_path / f"{number}_{Path(page).stem}_{block}.py").write_text(code, "utf-8")
    command = (sys.executable, "-m", "ruff", "check", "--isolated", "--no-cache", "--select", "E9,F", str(tmp_path))
    result = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    assert result.returncode == 0, result.stdout
    assert len(list(tmp_path.iterdir())) > 5 * len(SOME)
