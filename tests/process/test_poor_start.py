"""Setup and log calls in a process without descriptors, a working directory or an exit status."""

import os
from pathlib import Path

from tests.support.oracle import log_lines
from tests.support.project import Project
from tests.support.scripts import HEAD

FEW = """
import resource
highest = max(map(int, os.listdir("/proc/self/fd")))
resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 5, highest + 5))
with setup_main_logging() as logs:
    logger.info("line %s", type(logs).__name__)
"""
MANY = """
with setup_main_logging() as logs:
    logger.info("line %s", type(logs).__name__)
"""
DELETED = """
os.mkdir("gone")
os.chdir("gone")
os.rmdir("../gone")
with setup_main_logging():
    logger.warning("line")
"""
CLOSED = """
logs = setup_main_logging()
logger.info("line before")
logs.flush()
if not os.fork():
    os.closerange(3, 4096)
    for number in range(3):
        logger.info("line after")
    os._exit(0)
os.wait()
logs.stop()
"""
IGNORED = """
with setup_main_logging() as logs:
    logs.flush()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    os.kill(logs._process.pid, signal.SIGKILL)
    for _ in range(100):
        time.sleep(0.02)
        logger.info("line")
"""


def run(project: Project, folder: Path, body: str, **variables: str) -> tuple[list[str], str]:
    """Run `body`; return the lines of the log file, and stderr."""
    (folder / "app.py").write_text(HEAD + body, "utf-8")
    done = project.run("app.py", cwd=folder, **{"LOG_FILE": str(folder / "app.log"), **variables})
    assert done.returncode == 0, done.stderr
    return log_lines(folder / "app.log") if (folder / "app.log").exists() else [], done.stderr


def test_few_descriptors_start_a_thread(project: Project, tmp_path: Path) -> None:
    lines, errors = run(project, tmp_path, FEW)
    assert errors.count("listener: process not started, replaced by a thread: ") == 1
    assert sum("line ThreadSession" in line for line in lines) == 1


def test_long_settings_reach_the_listener(project: Project, tmp_path: Path) -> None:
    levels = ",".join(f"library.module{number}=INFO" for number in range(4_000))  # 100 kB
    lines, errors = run(project, tmp_path, MANY, LOG_LEVELS=levels)
    assert errors == ""
    assert sum("line ProcessSession" in line for line in lines) == 1


def test_deleted_working_directory_raises_nothing(project: Project, tmp_path: Path) -> None:
    lines, errors = run(project, tmp_path, DELETED, LOG_FILE="logs/app.log", LOG_CONSOLE_STREAM="stderr")
    assert lines == []
    assert "file: logs/app.log cannot be written" in errors
    assert errors.count(" line") == 1


def test_closed_descriptor_is_reported_once(project: Project, tmp_path: Path) -> None:
    lines, errors = run(project, tmp_path, CLOSED)
    assert sum("line before" in line for line in lines) == 1
    assert errors.count("queue: descriptor closed by other code, records dropped") == 1


def test_end_without_a_status_is_unknown(project: Project, tmp_path: Path) -> None:
    lines, errors = run(project, tmp_path, IGNORED)
    assert errors == ""
    assert any("listener: restarted" in line and line.endswith(": unknown") for line in lines), os.linesep.join(lines)
