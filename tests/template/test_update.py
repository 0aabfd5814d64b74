"""Updates by cruft of a project from an earlier version, and changes of its choices.

The previous version is the latest tag and, since there may be none, an invented one.
"""

import json
import subprocess
from pathlib import Path

import pytest

from tests.support.project import TEMPLATE
from tests.support.updates import commit, contents, create, cruft, git, make_repository, restore, update

SERVICE = "src/my_service/service.py"
OWN_EDIT = '\n\ndef refund(number: int) -> None:\n    """The owner\'s."""\n    logger.info("Refunded %d", number)\n'


def make_up_the_previous_version(template: Path) -> None:
    """Undo some changes, so that this version seems to have changed lines, added a file and removed one."""
    skeleton = template / "{{cookiecutter.project_slug}}"
    package = skeleton / "src" / "{{cookiecutter.__package}}"
    for path, now, then in (
        (package / "service.py", "An ordinary module", "A module"),
        (package / "logging_setup" / "get_handlers.py", "Create the handlers", "Create all handlers"),
        (skeleton / "README.md", "## Settings", "## The settings"),
        (skeleton / "README.md", "{{ escaped(cookiecutter.project_name)", "The {{ escaped(cookiecutter.project_name)"),
        (template / "hooks" / "post_gen_project.py", "is ready in", "waits in"),
    ):
        text = path.read_text("utf-8")
        assert now in text
        path.write_text(text.replace(now, then), "utf-8")
    (package / "logging_setup" / "records" / "redaction.py").unlink()
    (package / "logging_setup" / "taken_away.py").write_text('"""Of an earlier version."""\n', "utf-8")


def latest_tag() -> str:
    """Return the latest tag, or nothing if there is no tag or no repository."""
    try:
        return git("describe", "--tags", "--abbrev=0", "--match", "v[0-9]*", cwd=TEMPLATE)
    except (OSError, subprocess.CalledProcessError):
        return ""


PREVIOUS = {"made up": make_up_the_previous_version}
if latest_tag():
    PREVIOUS[latest_tag()] = restore(latest_tag())


@pytest.fixture(scope="module", params=PREVIOUS)
def template(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a repository of the template: `previous` is a tag, the head of main is the working tree."""
    folder = tmp_path_factory.mktemp("template") / "logging-template"
    return make_repository(folder, PREVIOUS[request.param])


@pytest.fixture
def project(template: Path, tmp_path: Path) -> Path:
    """Generate a project of the previous version, with an owner's changes in service.py and a new file."""
    project = create(template, tmp_path / "mine", "--checkout", "previous")
    commit(project, "cruft create")
    with (project / SERVICE).open("a", encoding="utf-8") as file:
        file.write(OWN_EDIT)
    (project / "src" / "my_service" / "orders.py").write_text('"""The owner\'s too."""\n', "utf-8")
    commit(project, "Work")
    return project


def with_own_work(fresh: Path) -> dict[str, str]:
    """Generate a project of the current version with the owner's changes."""
    expected = contents(fresh)
    expected[SERVICE] += OWN_EDIT
    expected["src/my_service/orders.py"] = '"""The owner\'s too."""\n'
    return expected


class TestUpdate:
    def test_update_keeps_the_owners_changes(self, template: Path, project: Path, tmp_path: Path) -> None:
        assert cruft("check", "--checkout", "main", cwd=project).returncode == 1
        update(project, "--checkout", "main")
        assert contents(project) == with_own_work(create(template, tmp_path / "fresh"))
        assert cruft("check", "--checkout", "main", cwd=project).returncode == 0
        before = git("rev-parse", "HEAD^{tree}", cwd=project)
        update(project, "--checkout", "main")  # again, with nothing to do
        assert git("rev-parse", "HEAD^{tree}", cwd=project) == before

    def test_choice_is_changed_and_changed_back(self, template: Path, project: Path, tmp_path: Path) -> None:
        update(project, "--checkout", "main")
        for answers in (
            {"multiprocessing": False, "file_handler": "size", "email_handler": False},
            {"multiprocessing": True, "file_handler": "timed", "email_handler": True},
        ):
            update(project, "--checkout", "main", "--variables-to-update", json.dumps(answers))
            fresh = create(
                template, tmp_path / f"fresh-{answers['file_handler']}", "--extra-context", json.dumps(answers)
            )
            assert contents(project) == with_own_work(fresh)

    def test_text_answer_is_changed_everywhere(self, template: Path, project: Path, tmp_path: Path) -> None:
        answers = json.dumps({"description": 'Tea, "hot".', "author_name": "Ann"})
        update(project, "--checkout", "main", "--variables-to-update", answers)
        fresh = create(template, tmp_path / "fresh", "--extra-context", answers)
        assert contents(project) == with_own_work(fresh)
