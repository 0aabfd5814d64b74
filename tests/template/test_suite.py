"""The structure of the tests: no test imports another test."""

import ast

from tests.support.project import TEMPLATE

TESTS = TEMPLATE / "tests"


def imports(source: str) -> set[str]:
    """Return the modules that `source` imports, as they are written."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found.update(each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.update({node.module or ".", *(f"{node.module or '.'}.{each.name}" for each in node.names)})
    return found


def is_test(module: str) -> bool:
    return any(part.startswith("test_") or part == "conftest" for part in module.split("."))


def test_no_test_imports_another_test() -> None:
    found = {
        f"{path.relative_to(TESTS)} imports {module}"
        for path in TESTS.rglob("*.py")
        for module in imports(path.read_text("utf-8"))
        if is_test(module)
    }
    assert not found


def test_module_names_are_unique() -> None:
    names = [path.name for path in TESTS.rglob("test_*.py")]
    assert sorted(set(names)) == sorted(names)
