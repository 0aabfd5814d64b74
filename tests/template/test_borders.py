"""The import rules of the subpackages of a generated `logging_setup`, read from the imports in its source."""

import ast
from collections.abc import Mapping
from graphlib import TopologicalSorter
from pathlib import Path
from typing import ClassVar

import pytest

from tests.support.project import Bake

ROOMS = ("env", "records", "process", "sinks", "queue", "doctor")  # the lowest first: each imports from lower ones only
FRONT = len(ROOMS)
MAX_FLOORS = 9

Imports = Mapping[str, set[str]]


def read_imports(folder: Path) -> Imports:
    """Return which modules of `folder` each of them imports, anywhere in its source; names are relative to `folder`."""
    modules = {".".join(path.relative_to(folder).with_suffix("").parts): path for path in folder.rglob("*.py")}
    package = f"{folder.parent.name}.{folder.name}."
    found: dict[str, set[str]] = {}
    for name, path in modules.items():
        targets = set()
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                targets |= {each.name.removeprefix(package) for each in node.names if each.name.startswith(package)}
            elif isinstance(node, ast.ImportFrom):
                base = name.split(".")[: -node.level] if node.level else [f"{node.module}.".removeprefix(package)[:-1]]
                stem = ".".join([*base, *([node.module] if node.level and node.module else [])])
                targets |= {stem, *(f"{stem}.{each.name}".lstrip(".") for each in node.names)}
        found[name] = {each for each in targets if each in modules and each != name}
    return found


def room(module: str) -> int:
    """Return the index of a module's subpackage in ROOMS, or FRONT."""
    first, dot, _ = module.partition(".")
    return ROOMS.index(first) if dot else FRONT


def upwards(imports: Imports) -> list[str]:
    """Return the imports from a subpackage of a higher one, or of the front."""
    arrows = [(module, target) for module, targets in imports.items() for target in targets]
    return sorted(f"{module} imports {target}" for module, target in arrows if room(target) > room(module))


def longest_chain(imports: Imports) -> list[str]:
    """Return the modules of the longest chain of imports, the lowest first. Raises graphlib.CycleError."""
    chains: dict[str, list[str]] = {}
    for module in TopologicalSorter(imports).static_order():
        below = [chains[target] for target in sorted(imports[module])]
        chains[module] = [*max(below, key=len, default=[]), module]
    return max(chains.values(), key=len)


CHOICES = {"queue": {}, "direct": {"multiprocessing": False}, "syslog": {"collector_handler": "syslog"}}


@pytest.mark.parametrize("choice", CHOICES)
class TestBorders:
    def test_subpackages_import_lower_ones_only(self, bake: Bake, choice: str) -> None:
        assert upwards(read_imports(bake(**CHOICES[choice]).logging)) == []

    def test_chains_of_imports_are_short_and_end(self, bake: Bake, choice: str) -> None:
        chain = longest_chain(read_imports(bake(**CHOICES[choice]).logging))
        assert len(chain) <= MAX_FLOORS, " <- ".join(chain)


class TestReading:
    """The reading of imports itself, on a small package."""

    SOURCES: ClassVar = {
        "front.py": "from .queue.pipe import Queue\nimport logging",
        "queue/pipe.py": "from ..process import reports\nfrom ..env.parsers import text\nfrom . import frames",
        "queue/frames.py": "",
        "process/reports.py": "def late():\n    from my_service.logging_setup.front import x",
        "env/parsers.py": "import os",
    }

    @pytest.fixture
    def imports(self, tmp_path: Path) -> Imports:
        folder = tmp_path / "my_service" / "logging_setup"
        for name, source in self.SOURCES.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(source, "utf-8")
        return read_imports(folder)

    def test_relative_absolute_and_late_imports_are_found(self, imports: Imports) -> None:
        assert imports == {
            "front": {"queue.pipe"},
            "queue.pipe": {"process.reports", "env.parsers", "queue.frames"},
            "queue.frames": set(),
            "process.reports": {"front"},
            "env.parsers": set(),
        }

    def test_import_of_the_front_is_found(self, imports: Imports) -> None:
        assert upwards(imports) == ["process.reports imports front"]

    def test_longest_chain_is_found(self, imports: Imports) -> None:
        chain = longest_chain({**imports, "process.reports": {"env.parsers"}})
        assert chain == ["env.parsers", "process.reports", "queue.pipe", "front"]
