"""Repositories of the template with two versions, and projects that cruft makes and updates."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.support.project import DEADLINE, TEMPLATE

NOT_THE_TEMPLATE = shutil.ignore_patterns(".git", ".venv", "build", "__pycache__", "*_cache")


def git(*arguments: str, cwd: Path) -> str:
    """Run git without a user's configuration, and return its output."""
    identity = ("-c", "user.name=Owner", "-c", "user.email=owner@localhost", "-c", "commit.gpgsign=false")
    return subprocess.run(
        ["git", *identity, *arguments], cwd=cwd, capture_output=True, encoding="utf-8", timeout=DEADLINE, check=True
    ).stdout.strip()


def commit(folder: Path, message: str) -> None:
    """Commit everything in a folder, which becomes a repository."""
    if not (folder / ".git").exists():
        git("init", "--quiet", "--initial-branch=main", cwd=folder)
    git("add", "--all", cwd=folder)
    git("commit", "--quiet", "--allow-empty", "--message", message, cwd=folder)


def cruft(*arguments: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    """Run cruft to its end."""
    return subprocess.run(
        [sys.executable, "-m", "cruft", *arguments],
        cwd=cwd,
        capture_output=True,
        encoding="utf-8",
        timeout=DEADLINE,
        check=False,
    )


def create(template: Path, folder: Path, *arguments: str) -> Path:
    """Generate the project my-service in a folder, and return its path."""
    result = cruft("create", str(template), "--no-input", "--output-dir", str(folder), *arguments, cwd=template)
    assert result.returncode == 0, result.stdout + result.stderr
    return folder / "my-service"


def conflicts(project: Path) -> list[str]:
    """List the files with conflict markers, and those of refused changes, relative to the project."""
    refused = [str(path.relative_to(project)) for path in project.rglob("*") if path.suffix in (".rej", ".orig")]
    return sorted([*git("diff", "--name-only", "--diff-filter=U", cwd=project).split(), *refused])


def update(project: Path, *arguments: str) -> None:
    """Update a project, without a conflict, and commit it."""
    result = cruft("update", "--skip-apply-ask", *arguments, cwd=project)
    assert result.returncode == 0, result.stdout + result.stderr
    assert conflicts(project) == []
    commit(project, "cruft update")


def contents(project: Path) -> dict[str, str]:
    """Read every file of a project, except those of git and cruft."""
    paths = [path for path in project.rglob("*") if path.is_file() and ".git" not in path.parts]
    return {str(path.relative_to(project)): path.read_text("utf-8") for path in paths if path.name != ".cruft.json"}


def restore(revision: str) -> Callable[[Path], None]:
    """Return a function that replaces the template in a folder by that of a tag or commit of this repository."""

    def as_of_then(template: Path) -> None:
        empty(template)
        archive = subprocess.run(["git", "archive", revision], cwd=TEMPLATE, capture_output=True, check=True).stdout
        subprocess.run(["tar", "-x"], cwd=template, input=archive, check=True)

    return as_of_then


def empty(folder: Path) -> None:
    """Delete everything in a folder but its repository."""
    for path in folder.iterdir():
        if path.name != ".git":
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def make_repository(folder: Path, go_back: Callable[[Path], None]) -> Path:
    """Make a repository of the template: `previous` is a tag, the head of main is the working tree."""
    shutil.copytree(TEMPLATE, folder, ignore=NOT_THE_TEMPLATE)
    go_back(folder)
    commit(folder, "The previous version")
    git("tag", "previous", cwd=folder)
    empty(folder)
    shutil.copytree(TEMPLATE, folder, ignore=NOT_THE_TEMPLATE, dirs_exist_ok=True)
    commit(folder, "The working tree")
    return folder
