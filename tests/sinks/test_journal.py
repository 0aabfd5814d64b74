"""The console under systemd: lines of the journal have a priority, and no time stamp of their own."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.processes import first_process
from tests.support.project import DEADLINE, Bake, Project

CODE = """
import logging
from journal_log.logging_setup import setup_main_logging
with setup_main_logging():
    for level in (10, 20, 30, 40, 50):
        logging.log(level, "level %d", level)
    try:
        1 / 0
    except ZeroDivisionError:
        logging.exception("two\\nlines")
"""
# A journal of its own, in folders that only these processes see; systemd itself sets JOURNAL_STREAM.
JOURNALD = "/lib/systemd/systemd-journald"
SERVICE = f"""
set -e
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /var/log
mkdir -p /run/systemd/journal
{JOURNALD} &
until [ -S /run/systemd/journal/stdout ] && [ -S /run/systemd/journal/io.systemd.journal ]; do sleep 0.05; done
systemd-cat -t journal-log sh -c 'JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2) exec "$0" -c "$1"' "$0" "$1"
journalctl --sync
exec journalctl -t journal-log -o json --no-pager
"""
modes = pytest.mark.parametrize("multiprocessing", [True, False], ids=["queue", "direct"])


def run(project: Project, folder: Path, journal: str = "", **variables: str) -> list[str]:
    """Run CODE with a pipe as its stdout, and return what it writes there; `journal`: its number, with this change."""
    reader, writer = os.pipe()
    with os.fdopen(reader, encoding="utf-8") as shown, os.fdopen(writer, "wb") as stdout:
        pipe = os.fstat(writer)
        environment = project.environment(
            LOG_FILE=str(folder / "app.log"),
            LOG_LEVEL="DEBUG",
            JOURNAL_STREAM=f"{pipe.st_dev}:{pipe.st_ino}{journal}",
            **variables,
        )
        command = [sys.executable, "-c", CODE]
        subprocess.run(command, cwd=folder, env=environment, stdout=stdout, timeout=DEADLINE, check=True)
        stdout.close()
        return shown.read().splitlines()


@pytest.fixture
def project(bake: Bake, multiprocessing: bool) -> Project:
    return bake(project_slug="journal-log", multiprocessing=multiprocessing)


@modes
class TestJournal:
    def test_every_line_has_its_priority_and_no_time(self, project: Project, tmp_path: Path) -> None:
        lines = [line for line in run(project, tmp_path) if "email: off" not in line]
        assert lines[:6] == [
            "<7>DEBUG    root level 10",
            "<6>INFO     root level 20",
            "<4>WARNING  root level 30",
            "<3>ERROR    root level 40",
            "<2>CRITICAL root level 50",
            "<3>ERROR    root two",
        ]
        assert lines[6:8] == ["<3>    lines", "<3>    Traceback (most recent call last):"]
        assert {line[:7] for line in lines[6:]} == {"<3>    "}

    def test_file_has_time_and_no_priority(self, project: Project, tmp_path: Path) -> None:
        run(project, tmp_path)
        lines = (tmp_path / "app.log").read_text("utf-8").splitlines()
        assert all(re.match(r"\d{4}-\d\d-\d\dT| {4}", line) for line in lines)

    def test_json_has_its_priority_too(self, project: Project, tmp_path: Path) -> None:
        lines = run(project, tmp_path, LOG_CONSOLE_FORMAT="json")
        entries = [(line[:3], json.loads(line[3:])) for line in lines if "email: off" not in line]
        assert [(priority, entry["message"]) for priority, entry in entries[:2]] == [
            ("<7>", "level 10"),
            ("<6>", "level 20"),
        ]
        assert all("timestamp" in entry for _, entry in entries)

    def test_other_stream_than_the_journal_is_unchanged(self, project: Project, tmp_path: Path) -> None:
        """A service that systemd starts may redirect its stdout; the variable stays."""
        lines = run(project, tmp_path, journal="1")
        assert lines
        assert all(re.match(r"\d{4}-\d\d-\d\dT| {4}", line) for line in lines)


@pytest.mark.skipif(not Path(JOURNALD).exists() or os.geteuid() != 0, reason="systemd-journald cannot run here")
@modes
def test_journald_gets_priorities_and_messages(project: Project, tmp_path: Path) -> None:
    done = subprocess.run(
        [*first_process("--mount", "--mount-proc"), "sh", "-c", SERVICE, sys.executable, CODE],
        cwd=tmp_path,
        env=project.environment(LOG_FILE=str(tmp_path / "app.log"), LOG_LEVEL="DEBUG", SYSTEMD_COLORS="0"),
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    entries = [json.loads(line) for line in done.stdout.splitlines()]
    found = [(entry["PRIORITY"], entry["MESSAGE"]) for entry in entries if "email: off" not in entry["MESSAGE"]]
    assert found[:8] == [
        ("7", "DEBUG    root level 10"),
        ("6", "INFO     root level 20"),
        ("4", "WARNING  root level 30"),
        ("3", "ERROR    root level 40"),
        ("2", "CRITICAL root level 50"),
        ("3", "ERROR    root two"),
        ("3", "    lines"),
        ("3", "    Traceback (most recent call last):"),
    ]


@modes
def test_closed_stdout_is_no_journal(project: Project, tmp_path: Path) -> None:
    environment = project.environment(LOG_FILE=str(tmp_path / "app.log"), JOURNAL_STREAM="8:1")
    command = f"'{sys.executable}' -c \"$1\" >&-"
    done = subprocess.run(
        ["sh", "-c", command, "sh", CODE], cwd=tmp_path, env=environment, timeout=DEADLINE, check=False
    )
    assert done.returncode == 0


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
@modes
def test_unit_file_of_the_page_is_valid(project: Project, tmp_path: Path) -> None:
    page = (project.path / "docs" / "logging.md").read_text("utf-8")
    unit = page.partition("```ini\n")[2].partition("```")[0]
    assert "ExecStart=/opt/journal-log/.venv/bin/journal-log\n" in unit
    here = unit.replace("=/opt/journal-log/.venv/bin/journal-log", f'="{sys.executable}"').replace(
        "User=journal-log", ""
    )
    (tmp_path / "journal-log.service").write_text(here, "utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "./journal-log.service"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
