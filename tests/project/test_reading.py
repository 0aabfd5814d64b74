"""What docs/architecture.md lists to read for a task exists and is short; its examples work unchanged."""

import ast
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import combinations
from tests.support.doctor import examine
from tests.support.project import Bake, Project
from tests.support.receivers import HttpReceiver

SOME = combinations.every_pair()
LIMITS = {  # task -> files, lines; those of the table itself are counted in the lines
    "find out why a record is missing": (4, 600),
    "add a `LOG_*` variable": (1, 155),
    "add a sink": (4, 500),
    "add a rollover period": (2, 303),
    "follow one log call": (8, 911),
    "understand the restart of the listener": (3, 340),
}
MODULE = re.compile(r"`([\w/]+\.py)`(?: \((`[^)]*`)\))?")
SECTION = re.compile(r"\]\(([\w.]*)#([\w-]+)\)")


def tasks(project: Project) -> dict[str, str]:
    """Return each task of the table with the text of its second column."""
    section = page(project).partition("## What to read\n")[2].partition("\n## ")[0]
    return dict(re.findall(r"^\| (?!task|-)(.+?) \| (.+) \|$", section, re.MULTILINE))


def page(project: Project) -> str:
    return (project.path / "docs" / "architecture.md").read_text("utf-8")


def lines_to_read(project: Project, text: str) -> Iterator[tuple[str, int]]:
    """Yield the file and the number of lines of each section, module or definition that `text` names."""
    for name, anchor in SECTION.findall(text):
        file = name or "architecture.md"
        yield file, section_lines((project.path / "docs" / file).read_text("utf-8"), anchor)
    for name, definitions in MODULE.findall(text):
        source = (project.logging / name).read_text("utf-8")
        for each in re.findall(r"`([^`]+)`", definitions):
            yield name, definition_lines(source, each)
        if not definitions:
            yield name, len(source.splitlines())


def section_lines(text: str, anchor: str) -> int:
    for section in re.split(r"^## ", text, flags=re.MULTILINE):
        heading = re.sub(r"[^\w\- ]", "", section.partition("\n")[0].lower()).replace(" ", "-")
        if heading == anchor:
            return len(section.splitlines())
    raise AssertionError(f"no section #{anchor}")


def definition_lines(source: str, name: str) -> int:
    body: list[ast.stmt] = ast.parse(source).body
    for part in name.split("."):
        (found,) = (node for node in body if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == part)
        body = found.body
    return (found.end_lineno or 0) - found.lineno + 1


@pytest.mark.parametrize("answers", SOME, ids=map(combinations.words, SOME))
def test_reading_list_names_what_exists(bake: Bake, answers: combinations.Answers) -> None:
    project = bake(**answers)
    found = tasks(project)
    assert len(found) >= 4
    for text in found.values():
        assert list(lines_to_read(project, text))


@pytest.mark.parametrize("task", LIMITS)
def test_task_needs_little_reading(project: Project, task: str) -> None:
    files, lines = LIMITS[task]
    read = list(lines_to_read(project, tasks(project)[task]))
    assert len({file for file, _ in read}) <= files, read
    assert sum(count for _, count in read) + section_lines(page(project), "what-to-read") <= lines, read


@pytest.mark.parametrize("multiprocessing", [True, False])
def test_reports_are_found_by_the_documented_search(bake: Bake, tmp_path: Path, multiprocessing: bool) -> None:
    project = bake(multiprocessing=multiprocessing)
    (word,) = re.findall(r"`grep -F ([\w.]+)`", page(project))
    code = (
        "from my_service.logging_setup import setup_main_logging\n"
        "from my_service.logging_setup.process import reports\n"
        "with setup_main_logging():\n"
        "    reports.say('file: event, consequence: cause')\n"
    )
    run = project.run("-c", code, cwd=tmp_path, LOG_CONSOLE_FORMAT="json")
    (line,) = (line for line in (run.stdout + run.stderr).splitlines() if "consequence" in line)
    assert word in line


class SlackReceiver(HttpReceiver):
    """Receive messages of an incoming webhook."""

    def take_body(self, body: bytes) -> None:
        self.texts.append(json.loads(body)["text"])


@pytest.fixture
def extended(project: Project, tmp_path: Path) -> Project:
    """Copy the default project, and follow the page: add both sinks, and the weekly rollover."""
    copy = tmp_path / "copy"
    shutil.copytree(project.path, copy)
    made = Project(copy, project.slug)
    blocks = re.findall(r"^```python\n(.*?)^```$", page(project), re.MULTILINE | re.DOTALL)
    audit, slack, week = (next(each for each in blocks if word in each) for word in ("AuditSink", "SlackSink", "week"))
    (made.logging / "sinks" / "audit.py").write_text(audit, "utf-8")
    (made.logging / "sinks" / "slack.py").write_text(slack, "utf-8")
    replace(made.logging / "get_handlers.py", "\n]\n", '\n    "audit:AuditSink",\n    "slack:SlackSink",\n]\n')
    timed = made.logging / "sinks" / "timed_file.py"
    replace(timed, "    else:\n        start =", f"{week}    else:\n        start =")
    replace(timed, 'one_of("midnight", "hour")', 'one_of("midnight", "hour", "week")')
    return made


def replace(file: Path, old: str, new: str) -> None:
    text = file.read_text("utf-8")
    assert text.count(old) == 1, old
    file.write_text(text.replace(old, new), "utf-8")


APP = """
import logging
from my_service.logging_setup import setup_main_logging
with setup_main_logging():
    logging.getLogger("audit.login").info("Logged in")
    logging.getLogger("shop").error("Sold out")
"""


def test_documented_sinks_receive_records(extended: Project, tmp_path: Path) -> None:
    with SlackReceiver() as receiver:
        run = extended.run("-c", APP, cwd=tmp_path, LOG_SLACK_URL=receiver.url, LOG_FILE_WHEN="week")
        slack = {"LOG_SLACK_URL": receiver.url, "LOG_SLACK_LEVEL": "CRITICAL"}
        report = examine(extended, tmp_path, "--probe", status=1, **slack)
    assert (run.returncode, run.stderr) == (0, "")
    assert "Sold out" in receiver.texts[0]
    assert [json.loads(line)["message"] for line in (tmp_path / "audit.jsonl").open(encoding="utf-8")] == ["Logged in"]
    assert report["sinks"]["slack"] == "CRITICAL"
    assert {each["sink"]: each["verdict"] for each in report["probe"]} == {
        "console": "reached",
        "file": "reached",
        "audit": "not tried",
        "slack": "reached",
    }


@pytest.mark.parametrize("answers", SOME, ids=map(combinations.words, SOME))
def test_documented_sinks_can_be_imported(bake: Bake, tmp_path: Path, answers: combinations.Answers) -> None:
    """What an example imports is there, whatever the other choices are."""
    project = bake(**answers)
    copy = Project(tmp_path / "copy", project.slug)
    shutil.copytree(project.path, copy.path)
    for number, code in enumerate(
        re.findall(r"^```python\n(.*?Sink\):\n.*?)^```$", page(project), re.MULTILINE | re.DOTALL)
    ):
        (copy.logging / "sinks" / f"sink_{number}.py").write_text(code, "utf-8")
        run = copy.run("-c", f"import {copy.package}.logging_setup.sinks.sink_{number}", cwd=tmp_path)
        assert (run.returncode, run.stderr) == (0, "")
    assert (copy.logging / "sinks" / "sink_0.py").exists()


def test_documented_period_is_a_week(extended: Project, tmp_path: Path) -> None:
    code = (
        "import re, time\n"
        "from my_service.logging_setup.sinks import timed_file\n"
        "sunday = time.mktime((2026, 3, 1, 23, 59, 59, 0, 0, -1))\n"
        "for moment in (sunday, sunday + 1):\n"
        "    period = timed_file.period_of(moment, 'week')\n"
        "    print(period.name, period.start <= moment < period.end, period.end - period.start)\n"
    )
    lines = extended.run("-c", code, cwd=tmp_path, TZ="UTC").stdout.split("\n")
    assert lines == ["2026-02-23 True 604800.0", "2026-03-02 True 604800.0", ""]


def test_documented_code_passes_ruff_and_mypy(extended: Project) -> None:
    for command in (("ruff", "check"), ("ruff", "format", "--check"), ("mypy", "--strict")):
        checked = extended.run("-m", *command, str(extended.path / "src"), cwd=extended.path)
        assert checked.returncode == 0, checked.stdout
