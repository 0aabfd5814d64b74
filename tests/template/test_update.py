"""Updates by cruft of a project from an earlier version, and changes of its choices.

The template is copied into a repository of its own: the previous version first, then the working
tree. The previous one is the latest tag and, since there may be none, an invented one.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.project import DEADLINE, TEMPLATE

SERVICE = "src/my_service/service.py"
NOT_THE_TEMPLATE = shutil.ignore_patterns(".git", ".venv", "build", "__pycache__", "*_cache")
OWN_EDIT = '\n\ndef refund(number: int) -> None:\n    """The owner\'s."""\n    logger.info("Refunded %d", number)\n'


def git(*arguments: str, cwd: Path) -> str:
    """Run git without a user's configuration, and return its output."""
    identity = ("-c", "user.name=Owner", "-c", "user.email=owner@localhost", "-c", "commit.gpgsign=false")
    return subprocess.run(
        ["git", *identity, *arguments], cwd=cwd, capture_output=True, encoding="utf-8", timeout=DEADLINE, check=True
    ).stdout.strip()


def commit(folder: Path, message: str) -> None:
    if not (folder / ".git").exists():
        git("init", "--quiet", "--initial-branch=main", cwd=folder)
    git("add", "--all", cwd=folder)
    git("commit", "--quiet", "--allow-empty", "--message", message, cwd=folder)


def cruft(*arguments: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "cruft", *arguments],
        cwd=cwd,
        capture_output=True,
        encoding="utf-8",
        timeout=DEADLINE,
        check=False,
    )


def create(template: Path, folder: Path, *arguments: str) -> Path:
    result = cruft("create", str(template), "--no-input", "--output-dir", str(folder), *arguments, cwd=template)
    assert result.returncode == 0, result.stdout + result.stderr
    return folder / "my-service"


def update(project: Path, *arguments: str) -> None:
    result = cruft("update", "--skip-apply-ask", *arguments, cwd=project)
    assert result.returncode == 0, result.stdout + result.stderr
    refused = [path.name for path in project.rglob("*") if path.suffix in (".rej", ".orig")]
    assert refused == []
    commit(project, "cruft update")


def contents(project: Path) -> dict[str, str]:
    """Read every file of a project, except those of git and cruft."""
    paths = [path for path in project.rglob("*") if path.is_file() and ".git" not in path.parts]
    return {str(path.relative_to(project)): path.read_text("utf-8") for path in paths if path.name != ".cruft.json"}


def make_up_the_previous_version(template: Path) -> None:
    """Undo some changes, so that this version seems to have changed lines, added a file and removed one."""
    skeleton = template / "{{cookiecutter.project_slug}}"
    package = skeleton / "src" / "{{cookiecutter.__package}}"
    for path, now, then in (
        (package / "service.py", "An ordinary module", "A module"),
        (package / "logging_setup" / "get_handlers.py", "Make the handlers", "Make all handlers"),
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


def put_back(tag: str) -> Callable[[Path], None]:
    def as_of_then(template: Path) -> None:
        for path in template.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        archive = subprocess.run(["git", "archive", tag], cwd=TEMPLATE, capture_output=True, check=True).stdout
        subprocess.run(["tar", "-x"], cwd=template, input=archive, check=True)

    return as_of_then


PREVIOUS = {"made up": make_up_the_previous_version}
if latest_tag():
    PREVIOUS[latest_tag()] = put_back(latest_tag())


@pytest.fixture(scope="module", params=PREVIOUS)
def template(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a repository of the template: `previous` is a tag, the head of main is the working tree."""
    folder = tmp_path_factory.mktemp("template") / "logging-template"
    shutil.copytree(TEMPLATE, folder, ignore=NOT_THE_TEMPLATE)
    PREVIOUS[request.param](folder)
    commit(folder, "The previous version")
    git("tag", "previous", cwd=folder)
    for path in folder.iterdir():
        if path.name != ".git":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.copytree(TEMPLATE, folder, ignore=NOT_THE_TEMPLATE, dirs_exist_ok=True)
    commit(folder, "The working tree")
    return folder


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


def test_update_keeps_the_owners_changes(template: Path, project: Path, tmp_path: Path) -> None:
    assert cruft("check", "--checkout", "main", cwd=project).returncode == 1
    update(project, "--checkout", "main")
    assert contents(project) == with_own_work(create(template, tmp_path / "fresh"))
    assert cruft("check", "--checkout", "main", cwd=project).returncode == 0
    before = git("rev-parse", "HEAD^{tree}", cwd=project)
    update(project, "--checkout", "main")  # again, with nothing to do
    assert git("rev-parse", "HEAD^{tree}", cwd=project) == before


def test_choice_is_changed_and_changed_back(template: Path, project: Path, tmp_path: Path) -> None:
    update(project, "--checkout", "main")
    for answers in (
        {"multiprocessing": False, "file_handler": "size", "email_handler": False},
        {"multiprocessing": True, "file_handler": "timed", "email_handler": True},
    ):
        update(project, "--checkout", "main", "--variables-to-update", json.dumps(answers))
        fresh = create(template, tmp_path / f"fresh-{answers['file_handler']}", "--extra-context", json.dumps(answers))
        assert contents(project) == with_own_work(fresh)


def test_text_answer_is_changed_with_its_derivatives(template: Path, project: Path, tmp_path: Path) -> None:
    answers = json.dumps({"description": 'Tea, "hot".', "author_name": "Ann"})
    update(project, "--checkout", "main", "--variables-to-update", answers)
    fresh = create(template, tmp_path / "fresh", "--extra-context", answers)
    assert contents(project) == with_own_work(fresh)
