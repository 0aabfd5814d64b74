"""Notebooks: records logged in a cell appear in the output of that cell. FAILURES.md, case 46."""

import json
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.support.project import DEADLINE, Bake

# With a listener process a thread of the kernel reads each line from a pipe, so a cell has to wait for it.
SET_UP = """
import logging, sys, time
from {package}.logging_setup import setup_main_logging

logs = setup_main_logging()

def log(text):
    written, write = [], sys.stdout.write
    sys.stdout.write = lambda each: (write(each), written.append(each))[0]  # the kernel undoes it after the cell
    logging.getLogger("{package}.notebook").warning(text)
    logs.flush()
    until = time.monotonic() + {deadline}
    while not any(text in each for each in written) and time.monotonic() < until:
        time.sleep(0.01)
"""
CELLS = [SET_UP, 'log("first")', 'log("second")', "logs.stop()"]
WITHIN = 20  # seconds


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Install a kernel that runs this interpreter; return the environment in which Jupyter finds it."""
    folder = tmp_path / "jupyter" / "kernels" / "generated"
    folder.mkdir(parents=True)
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (folder / "kernel.json").write_text(json.dumps({"argv": command, "display_name": "x", "language": "python"}))
    for name in ("JUPYTER_PATH", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(name, str(tmp_path / "jupyter"))
    return "generated"


@pytest.mark.parametrize("mode", ["process", "thread", "direct"])
def test_cell_shows_its_own_lines(
    bake: Bake, tmp_path: Path, kernel: str, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    project = bake(multiprocessing=False) if mode == "direct" else bake()
    environment = project.environment(**({} if mode == "direct" else {"LOG_LISTENER": mode}))
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("PYTEST_CURRENT_TEST")  # with which ipykernel leaves the descriptors of the streams alone
    cells = [nbformat.v4.new_code_cell(cell.format(package=project.package, deadline=WITHIN)) for cell in CELLS]
    notebook = nbformat.v4.new_notebook(cells=cells)
    options = {"kernel_name": kernel, "timeout": int(DEADLINE), "resources": {"metadata": {"path": str(tmp_path)}}}
    NotebookClient(notebook, **options).execute()
    texts = ["".join(output.get("text", "") for output in cell.outputs) for cell in notebook.cells]
    assert [text.count(" first\n") for text in texts] == [0, 1, 0, 0], texts
    assert [text.count(" second\n") for text in texts] == [0, 0, 1, 0], texts
