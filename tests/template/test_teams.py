"""Files around the code: workflows, commit hooks, and the example kept in the repository."""

import importlib.metadata
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.support.project import TEMPLATE, Bake, Project

WORKFLOW = Path(".github", "workflows", "ci.yml")
PINNED = re.compile(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")


def tool(*command: str) -> None:
    """Run a tool of the tests' environment; fail if it finds anything."""
    program = str(Path(sys.executable).parent / command[0])
    result = subprocess.run([program, *command[1:]], capture_output=True, encoding="utf-8", timeout=60, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.fixture(params=["template", "generated"])
def workflow(request: pytest.FixtureRequest, project: Project) -> Path:
    return (TEMPLATE if request.param == "template" else project.path) / WORKFLOW


class TestWorkflows:
    """Workflows for GitHub."""

    def test_workflow_passes_its_linters(self, workflow: Path) -> None:
        tool("check-jsonschema", "--builtin-schema", "vendor.github-workflows", str(workflow))
        tool("zizmor", "--offline", "--quiet", "--pedantic", str(workflow))

    def test_actions_are_pinned_by_hash_with_their_version(self, workflow: Path) -> None:
        used = re.findall(r"uses: (.*)", workflow.read_text("utf-8"))
        assert used
        assert [action for action in used if not PINNED.fullmatch(action)] == []

    def test_workflows_use_the_same_versions(self, project: Project) -> None:
        texts = [(path / WORKFLOW).read_text("utf-8") for path in (TEMPLATE, project.path)]
        first, second = (set(re.findall(r"uses: (.*)", text)) for text in texts)
        assert first == second

    def test_workflow_runs_every_supported_python(self, workflow: Path) -> None:
        assert 'python: ["3.11", "3.12", "3.13", "3.14", "3.15"]' in workflow.read_text("utf-8")

    def test_dependabot_proposes_versions_monthly(self, project: Project) -> None:
        file = project.path / ".github" / "dependabot.yml"
        tool("check-jsonschema", "--builtin-schema", "vendor.dependabot", str(file))
        tool("zizmor", "--offline", "--quiet", "--pedantic", str(file))
        text = file.read_text("utf-8")
        assert re.findall(r"package-ecosystem: (.*)", text) == ["github-actions", "uv"]
        assert re.findall(r"interval: (.*)", text) == ["monthly", "monthly"]

    @pytest.mark.parametrize("tool_name", ["ruff", "mypy"])
    def test_checks_use_one_minor_version(self, project: Project, tool_name: str) -> None:
        """A later one may have new findings: ruff is at 0.x, and mypy's minor versions are no more careful."""
        (bounds,) = re.findall(
            rf'"{tool_name}>=(\d+)\.(\d+),<(\d+)\.(\d+)"', (project.path / "pyproject.toml").read_text("utf-8")
        )
        major, minor, _, _ = map(int, bounds)
        assert tuple(map(int, bounds)) == (major, minor, major, minor + 1)
        hooks = (project.path / ".pre-commit-config.yaml").read_text("utf-8")
        pinned = re.findall(rf'"{tool_name}==(\d+)\.(\d+)\.\d+"', hooks)
        assert pinned
        assert set(pinned) == {bounds[:2]}
        installed = importlib.metadata.version(tool_name).split(".")[:2]
        assert tuple(installed) == bounds[:2], "the version with which every combination is checked"


class TestProject:
    """Commit hooks, and the example."""

    @pytest.mark.parametrize("collector", ["none", "otlp"])
    def test_mypy_hook_has_the_projects_libraries(self, bake: Bake, collector: str) -> None:
        project = bake(collector_handler=collector)
        configuration = project.path / ".pre-commit-config.yaml"
        tool("pre-commit", "validate-config", str(configuration))
        metadata = tomllib.loads((project.path / "pyproject.toml").read_text("utf-8"))
        wanted = {*metadata["project"]["dependencies"], *metadata["dependency-groups"]["dev"]}
        listed = set(re.findall(r'^ +- "(.*)"$', configuration.read_text("utf-8"), re.MULTILINE))
        assert {each for each in listed if not each.startswith("mypy")} == {
            each for each in wanted if not each.startswith(("mypy", "ruff"))
        }

    def test_example_is_up_to_date(self, project: Project) -> None:
        """`make examples` writes it; its diff shows what a change does to projects."""
        example = Project(TEMPLATE / "examples" / project.slug, project.slug)
        ignored = ("__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache")
        kept = [name for name in example.files() if not set(Path(name).parts) & set(ignored)]
        assert kept == [name for name in project.files() if not set(Path(name).parts) & set(ignored)]
        for name in kept:
            assert (example.path / name).read_text("utf-8") == (project.path / name).read_text("utf-8"), (
                f"{name} differs: make examples"
            )
