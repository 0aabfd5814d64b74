"""The update by cruft of a project from before the logging package had subpackages, with owners' edits in it.

That version is a commit of this repository: a clone without history, or an archive, does not have it.
"""

import json
import re
import subprocess
import textwrap
from pathlib import Path

import pytest

from tests.support.project import TEMPLATE, Project
from tests.support.updates import commit, conflicts, contents, create, cruft, git, make_repository, restore, update

BEFORE_ROOMS = "49e7c4b"
PACKAGE = "{{cookiecutter.project_slug}}/src/{{cookiecutter.__package}}/logging_setup"
MAIN, SERVICE = "src/my_service/main.py", "src/my_service/service.py"
GET_HANDLERS = "src/my_service/logging_setup/get_handlers.py"
LOGGING = Path("src/my_service/logging_setup")
REDACT = "src/my_service/logging_setup/redact.py"

# File -> a line, and the owner's in its place.
ORDERS = {
    MAIN: ("        service.take_order(0)\n", "        service.take_order(0)\n        service.take_order(7)\n"),
    SERVICE: ('        logger.info("Order taken")\n', '        logger.info("Order %d taken", number)\n'),
}
OWN_LINE = 'OWN_HANDLERS: Final[tuple[str, ...]] = ("audit:AuditHandler",)'
OWN_HANDLER = {GET_HANDLERS: ("OWN_HANDLERS: Final[tuple[str, ...]] = ()", OWN_LINE)}
AUDIT_HANDLER = '''"""The owner's."""

import logging

from ..formatters import make_formatter
from ..settings import Settings


class AuditHandler(logging.FileHandler):
    """Append to audit.jsonl."""

    def __init__(self, _settings: Settings) -> None:
        super().__init__("audit.jsonl", encoding="utf-8", delay=True)
        self.setFormatter(make_formatter("json"))
        self.addFilter(logging.Filter("audit"))
'''

USE_AUDIT = """
import logging
from my_service import main
from my_service.logging_setup import setup_main_logging
with setup_main_logging():
    logging.getLogger("audit.orders").info("Paid")
    main.main()
"""


def has_history() -> bool:
    """Return True if this is a clone that has the old version."""
    command = ["git", "cat-file", "-e", f"{BEFORE_ROOMS}^{{commit}}"]
    try:
        return subprocess.run(command, cwd=TEMPLATE, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


pytestmark = pytest.mark.skipif(not has_history(), reason=f"this clone does not have the commit {BEFORE_ROOMS}")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a repository of the template, in which `previous` is the version without subpackages."""
    return make_repository(tmp_path_factory.mktemp("template") / "logging-template", restore(BEFORE_ROOMS))


@pytest.fixture
def project(template: Path, tmp_path: Path) -> Path:
    """Generate a project of that version."""
    project = create(template, tmp_path / "mine", "--checkout", "previous")
    commit(project, "cruft create")
    return project


def edited(text: str, line: str, own: str) -> str:
    """Return `text` with the owner's line in place of `line`."""
    assert text.count(line) == 1
    return text.replace(line, own)


def edit(project: Path, edits: dict[str, tuple[str, str]]) -> None:
    """Make the owner's edits, and commit them."""
    for name, (line, own) in edits.items():
        file = project / name
        file.write_text(edited(file.read_text("utf-8"), line, own), "utf-8")
    commit(project, "Work")


def fresh_with_orders(template: Path, project: Path, folder: Path) -> dict[str, str]:
    """Generate a project of the current version from the same answers, with the edits ORDERS."""
    answers = json.loads((project / ".cruft.json").read_text("utf-8"))["context"]["cookiecutter"]
    description = json.dumps({"description": answers["description"]})  # its default has changed
    fresh = contents(create(template, folder / "fresh", "--extra-context", description))
    return fresh | {name: edited(fresh[name], line, own) for name, (line, own) in ORDERS.items()}


def unreleased() -> str:
    """Return the part of CHANGELOG.md about the version after that one."""
    text = (TEMPLATE / "CHANGELOG.md").read_text("utf-8")
    return text.partition("## [0.1.0]")[0]


def moves() -> list[tuple[str, str]]:
    """Return the rows of the table, each with its two cells."""
    rows = [row.strip("| ").split(" | ") for row in unreleased().splitlines() if row.startswith("| ")]
    return [(before, now) for before, now in rows if before != "before"]


def modules(cell: str) -> list[str]:
    """Return the modules that a cell names; one without a folder is in that of the first."""
    names = re.findall(r"`([\w/]+\.py)`", cell)
    folder = str(Path(names[0]).parent) if names else ""
    return [name if "/" in name else str(Path(folder, name)) for name in names]


def follow_the_changelog(project: Path, own: Path) -> None:
    """Follow the steps in CHANGELOG.md for a handler of the owner's."""
    git("checkout", "--theirs", GET_HANDLERS, cwd=project)
    moved = LOGGING / "sinks" / own.name
    git("mv", str(own), str(moved), cwd=project)
    (example,) = re.findall("```python\n(.*?)```", unreleased(), re.DOTALL)
    with (project / moved).open("a", encoding="utf-8") as file:
        file.write(textwrap.dedent(example))
    edit(project, {GET_HANDLERS: ("\n]\n", '\n    "audit:AuditSink",\n]\n')})


class TestUpdateToRooms:
    """An update of a project with an owner's edits."""

    def test_edits_of_main_and_service_merge(self, template: Path, project: Path, tmp_path: Path) -> None:
        edit(project, ORDERS)
        update(project, "--checkout", "main")
        assert contents(project) == fresh_with_orders(template, project, tmp_path)

    def test_own_handler_is_a_conflict(self, project: Path, tmp_path: Path) -> None:
        own = LOGGING / "handlers" / "audit.py"
        (project / own).write_text(AUDIT_HANDLER, "utf-8")
        edit(project, {**ORDERS, **OWN_HANDLER})
        assert cruft("update", "--skip-apply-ask", "--checkout", "main", cwd=project).returncode == 0
        assert conflicts(project) == [GET_HANDLERS]
        ours, theirs = re.split("^=======\n", (project / GET_HANDLERS).read_text("utf-8"), flags=re.MULTILINE)
        assert OWN_LINE in ours
        assert "SINKS" in theirs
        follow_the_changelog(project, own)
        package = Project(project, "my-service")
        run = package.run("-c", USE_AUDIT, cwd=tmp_path)
        assert (run.returncode, run.stderr) == (0, "")
        assert json.loads((tmp_path / "audit.jsonl").read_text("utf-8"))["message"] == "Paid"

    def test_edit_of_a_moved_module_is_kept(self, template: Path, project: Path, tmp_path: Path) -> None:
        edit(project, {**ORDERS, REDACT: ('MASK: Final = "***"\n', 'MASK: Final = "[masked]"\n')})
        kept = (project / REDACT).read_text("utf-8")
        update(project, "--checkout", "main")
        assert contents(project) == {**fresh_with_orders(template, project, tmp_path), REDACT: kept}


class TestTableOfMoves:
    """The table of CHANGELOG.md: module -> its new place."""

    def test_every_old_module_is_named_or_stays(self) -> None:
        listed = git("ls-tree", "-r", "--name-only", f"{BEFORE_ROOMS}:{PACKAGE}", cwd=TEMPLATE).splitlines()
        old = {name for name in listed if not name.endswith("__init__.py")}
        stay = {name for name in old if (TEMPLATE / PACKAGE / name).exists()}
        named = {name for before, _ in moves() for name in modules(before)}
        assert old - stay - named == set()
        assert named - old == set()

    def test_every_new_module_exists(self) -> None:
        places = set()
        for before, now in moves():
            room = re.search(r"the same name in `(\w+/)`", now)
            named = [*modules(before), *modules(now)] if room else modules(now)
            assert named, before
            places.update(room[1] + Path(name).name if room else name for name in named)
        assert [name for name in sorted(places) if not (TEMPLATE / PACKAGE / name).exists()] == []
