"""The doctor of a generated project, run as a command."""

import json
from pathlib import Path
from typing import Any

from tests.support.project import Project


def examine(project: Project, folder: Path, *options: str, status: int = 0, **variables: str) -> dict[str, Any]:
    """Run the doctor with --json, check its exit status, and return its report."""
    run = project.run("-m", f"{project.package}.logging_setup", "--json", *options, cwd=folder, **variables)
    assert run.returncode == status, run.stderr
    report: dict[str, Any] = json.loads(run.stdout)
    return report
