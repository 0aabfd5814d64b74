"""The licence of generated projects: its text, the metadata, the line in README.md."""

import hashlib
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.support.project import DEADLINE, QUESTIONS, TEMPLATE, Bake, Project

APACHE = "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"  # SHA-256 of apache.org's LICENSE-2.0.txt
CHOSEN = [each for each in QUESTIONS["licence"] if each != "none"]


def metadata(project: Project) -> dict[str, object]:
    found: dict[str, object] = tomllib.loads((project.path / "pyproject.toml").read_text("utf-8"))["project"]
    return found


@pytest.mark.parametrize("licence", CHOSEN)
def test_licence_is_in_every_place(bake: Bake, licence: str) -> None:
    project = bake(licence=licence)
    assert metadata(project).items() >= {"license": licence, "license-files": ["LICENSE"]}.items()
    assert (project.path / "README.md").read_text("utf-8").endswith(f"\n\nLicense: [{licence}](LICENSE).\n")
    assert "!LICENSE\n" in (project.path / ".dockerignore").read_text("utf-8")
    assert "COPY pyproject.toml README.md LICENSE ./\n" in (project.path / "Dockerfile").read_text("utf-8")


def test_project_without_a_licence_does_not_mention_one(project: Project) -> None:
    assert not [name for name in project.files() if "licen" in name.lower()]
    for name in ("README.md", "pyproject.toml", ".dockerignore", "Dockerfile"):
        assert "licen" not in (project.path / name).read_text("utf-8").lower(), name


def test_texts_are_the_official_ones(bake: Bake) -> None:
    texts = {licence: (bake(licence=licence).path / "LICENSE").read_text("utf-8") for licence in CHOSEN}
    assert hashlib.sha256(b"\n" + texts["Apache-2.0"].encode()).hexdigest() == APACHE
    ours = (TEMPLATE / "LICENSE").read_text("utf-8").replace("2026 the authors of logging-template", "Your Name")
    assert texts["MIT"] == ours


def test_holder_without_an_author_is_named_by_the_project(bake: Bake) -> None:
    text = (bake(licence="MIT", author_name=" ", project_name="Tea Shop").path / "LICENSE").read_text("utf-8")
    assert "\nCopyright (c) the authors of Tea Shop\n" in text


@pytest.mark.parametrize("licence", CHOSEN)
def test_licence_is_in_the_wheel(bake: Bake, tmp_path: Path, licence: str) -> None:
    command = (sys.executable, "-m", "uv", "build", "--quiet", "--wheel", "--out-dir", str(tmp_path))
    subprocess.run(command, cwd=bake(licence=licence).path, timeout=DEADLINE, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as files:
        names = {name.partition(".dist-info/")[2]: name for name in files.namelist()}
        assert f"License-Expression: {licence}\n" in files.read(names["METADATA"]).decode()
        assert files.read(names["licenses/LICENSE"])


def test_existing_licence_is_kept_where_none_is_chosen(tmp_path: Path) -> None:
    """With --overwrite-if-exists, as for an update by hand."""
    owned = tmp_path / "my-service" / "LICENSE"
    owned.parent.mkdir()
    owned.write_text("All rights reserved.", "utf-8")
    command = ("cookiecutter", "--no-input", "--default-config", "--overwrite-if-exists", "-o", str(tmp_path))
    subprocess.run([sys.executable, "-m", *command, str(TEMPLATE)], timeout=DEADLINE, check=True, capture_output=True)
    assert (owned.parent / "pyproject.toml").exists()
    assert owned.read_text("utf-8") == "All rights reserved."
