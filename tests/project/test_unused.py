"""No definition of a generated project is unused: code that serves only choices that were not made.

vulture finds the definitions of `src` that nothing in `src` refers to, by their names.
"""

import logging
import re
from pathlib import Path

import pytest
from vulture import Vulture
from vulture.core import Item

from tests.support import combinations
from tests.support.project import Bake, Project

SOME = combinations.every_pair()
FENCED = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
# Attributes that logging and its users read.
OF_LOGGING = {*dir(logging.makeLogRecord({})), *dir(logging.Handler()), "taskName"}
KNOWN = {
    "password_file": "read_secret_file() reads it, by the name of the secret and `_file`",
    "token_file": "as above",
    "url_file": "as above",
    "key_file": "as above",
    "trust_env": "an attribute of a session of requests",
    "_delivered_at": "for the due_in() of a subclass of BackgroundHandler",
}


def unused(source: Path) -> list[Item]:
    """Return the definitions below `source` that nothing there refers to."""
    vulture = Vulture()
    vulture.scavenge([str(source)])
    return list(vulture.get_unused_code())


def referred_to(project: Project) -> set[str]:
    """Return names that are used otherwise: by the table of sinks, or by an example in the project's pages."""
    table = (project.logging / "get_handlers.py").read_text("utf-8")
    examples = [block for page in project.path.rglob("*.md") for block in FENCED.findall(page.read_text("utf-8"))]
    return {*re.findall(r'"\w+:(\w+)"', table), *re.findall(r"\w+", "\n".join(examples))}


def is_expected(item: Item, names: set[str]) -> bool:
    of_python = item.name.startswith("__") or (item.typ == "attribute" and item.name in OF_LOGGING)
    return of_python or item.name in names or item.name in KNOWN


@pytest.mark.parametrize("answers", SOME, ids=map(combinations.words, SOME))
def test_definition_is_used(bake: Bake, answers: combinations.Answers) -> None:
    project = bake(**answers)
    names = referred_to(project)
    found = [item for item in unused(project.source) if not is_expected(item, names)]
    assert [f"{Path(item.filename).relative_to(project.path)}: {item.message}" for item in found] == []


def test_unused_definition_is_found(tmp_path: Path) -> None:
    source = "import os\nclass Sink:\n    place = 1\n    def write(self): self.count = 1\n\ndef used(): pass\nused()\n"
    (tmp_path / "module.py").write_text(source, "utf-8")
    assert {item.name for item in unused(tmp_path)} == {"os", "Sink", "place", "write", "count"}
