"""Logging's reports on itself, and stderr: masked, escaped, counted, and not only in the failing sink."""

import contextlib
import json
import logging
import os
import re
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.hostile import BEGINS, FORBIDDEN
from tests.support.imported import Imported, record
from tests.support.network import wait_until
from tests.support.project import Bake, Project
from tests.support.scripts import BLOCKED, HEAD, with_handler

WAYS = {"process": {}, "thread": {"LOG_LISTENER": "thread"}, "direct": {}}
ways = pytest.mark.parametrize("way", WAYS)


def application(folder: Path, body: str, way: str) -> str:
    """Write an application of this body, and return its path."""
    head = HEAD.replace(", setup_proc_logging", "") if way == "direct" else HEAD
    (folder / "app.py").write_text(head + body, "utf-8")
    return str(folder / "app.py")


class TestDroppedRecords:
    @pytest.mark.parametrize("listener", ["process", "thread"])
    def test_stderr_shows_dropped_records_in_file_format(self, project: Project, tmp_path: Path, listener: str) -> None:
        """Case 50."""
        custom = with_handler(project, tmp_path, BLOCKED)
        body = r"""
with setup_main_logging() as logs:
    assert logs.flush(30)
    logger.info("block")
    handler = logging.getLogger().handlers[0]
    while not handler.dropped:
        logger.info("number")
    try:
        raise ValueError("one\n2026-01-01T00:00:00.000+00:00 CRITICAL forged \x1b[2J")
    except ValueError:
        with log_context(password="hunter2"):
            logger.exception("a\r\n2026-01-01T00:00:00.000+00:00 CRITICAL forged \x9b token=hunter2 \u202e")
    open("release", "w").close()
"""
        body = body.replace("with setup", f"from {project.package}.logging_setup import log_context\nwith setup", 1)
        path = application(tmp_path, body, listener)
        run = custom.run(path, cwd=tmp_path, LOG_LISTENER=listener, LOG_QUEUE_TIMEOUT="0.2", LOG_FILE="app.log")
        assert run.returncode == 0, run.stderr
        lines = run.stderr.rstrip("\n").split("\n")
        assert len([line for line in lines if not line.startswith("    ")]) == 1, run.stderr
        assert BEGINS.match(lines[0]), run.stderr
        assert "token=*** " in lines[1]
        assert "password=***" in lines[0]
        assert not FORBIDDEN.intersection("".join(lines))
        assert "hunter2" not in run.stderr
        assert any("ValueError: one" in line for line in lines)


LEAKY = """
import logging
class CustomHandler(logging.Handler):
    def emit(self, record):
        raise OSError("POST https://me:hunter2@host/?iban=hunter2\\n2026-01-01T00:00:00.000+00:00 CRITICAL \\x1b[2J")
"""


class TestRedaction:
    """Case 51."""

    @ways
    @pytest.mark.parametrize("file", ["app.log", "/dev/full"])
    def test_report_is_masked_with_additional_keys(self, bake: Bake, tmp_path: Path, way: str, file: str) -> None:
        custom = with_handler(bake(console_handler="none", multiprocessing=way != "direct"), tmp_path, LEAKY)
        path = application(tmp_path, "with setup_main_logging():\n    logger.info('one')\n", way)
        run = custom.run(path, cwd=tmp_path, LOG_FILE=file, LOG_REDACT_KEYS="iban", **WAYS[way])
        assert run.returncode == 0, run.stderr
        shown = run.stderr if file == "/dev/full" else (tmp_path / file).read_text("utf-8")
        assert run.stderr == "" or file == "/dev/full"
        reports = [line for line in shown.split("\n") if "CustomHandler: handler failed" in line]
        assert reports
        assert all("OSError: POST https://me:***@host/?iban=***" in line for line in reports)
        assert "hunter2" not in shown
        assert not FORBIDDEN.intersection(shown.replace("\n", ""))
        assert all(BEGINS.match(line) or line.startswith("    ") for line in shown.split("\n")[:-1])

    def test_report_is_not_masked_when_redaction_is_off(self, bake: Bake, tmp_path: Path) -> None:
        """Prove that the test above can fail."""
        custom = with_handler(bake(console_handler="none"), tmp_path, LEAKY)
        path = application(tmp_path, "with setup_main_logging():\n    logger.info('one')\n", "process")
        custom.run(path, cwd=tmp_path, LOG_FILE="app.log", LOG_REDACT="off")
        assert "https://me:hunter2@host/?iban=hunter2" in (tmp_path / "app.log").read_text("utf-8")


FIFTY = """
import json
with setup_main_logging() as logs:
    logger.info("one")
    for number in range(50):
        logger.critical("number %d", number)
    print(json.dumps(logs.counts()["handlers"]))
"""


class TestNoSink:
    """Case 94."""

    @ways
    @pytest.mark.parametrize("file", ["/dev/full", "a file/app.log"])
    def test_stderr_gets_the_reports_and_counts_are_right(
        self, bake: Bake, tmp_path: Path, way: str, file: str
    ) -> None:
        (tmp_path / "a file").touch()
        project = bake(console_handler="none", multiprocessing=way != "direct")
        run = project.run(application(tmp_path, FIFTY, way), cwd=tmp_path, LOG_FILE=file, **WAYS[way])
        assert run.returncode == 0, run.stderr
        count = json.loads(run.stdout)["file"]
        assert count["handled"] == 0
        assert count["failed"] >= 51
        lines = run.stderr.splitlines()
        assert all(BEGINS.match(line) for line in lines), run.stderr
        assert sum("cannot be written" in line for line in lines) == 1, run.stderr
        (at_end,) = re.findall(r"is closed, (\d+) records dropped", run.stderr)
        assert int(at_end) >= count["failed"]

    def test_working_sink_keeps_stderr_empty(self, bake: Bake, tmp_path: Path) -> None:
        run = bake().run(application(tmp_path, FIFTY, "process"), cwd=tmp_path, LOG_FILE="/dev/full")
        assert (run.returncode, run.stderr) == (0, "")
        counts = json.loads(next(line for line in run.stdout.splitlines() if line.startswith("{")))
        assert counts["file"]["handled"] == 0
        assert counts["console"]["failed"] == 0
        assert sum("cannot be written" in line for line in run.stdout.splitlines()) == 1


@pytest.fixture
def parts(bake: Bake) -> Any:
    imported = Imported(bake(project_slug="report-parts", multiprocessing=False, collector_handler="tcp"))
    yield imported
    imported.close()


class TestCounts:
    def test_records_lost_in_the_background_are_failed(self, parts: Imported) -> None:
        background = parts.module("sinks.background")

        class Refused(background.BackgroundHandler):  # type: ignore[misc, name-defined]
            def payload(self, made: logging.LogRecord) -> str:
                return made.getMessage()

            def deliver(self, batch: list[str]) -> None:
                if "bad" in batch:
                    raise background.RefusedError("no")

        guarded = parts.module("sinks.dispatcher").GuardedHandler(Refused("custom"))
        for text in ("good", "bad", "good", "bad"):
            guarded.handle(record(text))
        wait_until(lambda: guarded.count()["failed"] == 2)
        assert guarded.count()["handled"] == 2
        guarded.handler.close()
        guarded.handle(record("after its end"))
        assert (guarded.count()["handled"], guarded.count()["failed"]) == (2, 3)

    def test_records_lost_by_a_console_are_failed(self, parts: Imported, monkeypatch: pytest.MonkeyPatch) -> None:
        with Path("/dev/full").open("w", encoding="utf-8") as full:
            monkeypatch.setattr("sys.stdout", full)
            guarded = parts.module("sinks.dispatcher").GuardedHandler(parts.module("sinks.console").ConsoleHandler())
            guarded.handle(record("one"))
        assert (guarded.count()["handled"], guarded.count()["failed"]) == (0, 1)
        reader, writer = os.pipe()
        os.close(reader)
        with os.fdopen(writer, "w", encoding="utf-8") as broken:
            monkeypatch.setattr("sys.stdout", broken)
            guarded = parts.module("sinks.dispatcher").GuardedHandler(parts.module("sinks.console").ConsoleHandler())
            for _ in range(3):  # the first detects it
                guarded.handle(record("one"))
        assert (guarded.count()["handled"], guarded.count()["failed"]) == (0, 3)

    def test_records_of_an_unread_console_are_failed(self, bake: Bake, monkeypatch: pytest.MonkeyPatch) -> None:
        parts = Imported(bake(project_slug="report-console"))
        reader, writer = os.pipe()
        with contextlib.closing(parts), os.fdopen(writer, "w", encoding="utf-8") as stream:
            monkeypatch.setattr("sys.stdout", stream)
            guarded = parts.module("sinks.dispatcher").GuardedHandler(parts.module("sinks.console").ConsoleHandler())
            for _ in range(20):
                guarded.handle(record("x" * 9000))
            guarded.handler.finish_by(time.monotonic() + 0.5)
            guarded.handler.close()
            whole = os.read(reader, 1_000_000).split(b"\n").count(b"x" * 9000)
            os.close(reader)
            guarded.handler._thread.join()  # noqa: SLF001 - it reports the broken pipe
        count = guarded.count()
        assert 0 < whole < 20
        assert count["handled"] + count["failed"] == 20
        assert count["handled"] <= whole <= count["handled"] + 65_536 // 9001, "the batch under way counts as failed"

    def test_exception_without_a_text_is_reported(self, parts: Imported) -> None:
        class HostileError(Exception):
            def __str__(self) -> str:
                raise RuntimeError

        class Custom(logging.Handler):
            def emit(self, _record: logging.LogRecord) -> None:
                raise HostileError

        guarded = parts.module("sinks.dispatcher").GuardedHandler(Custom())
        guarded.handle(record("one"))
        assert guarded.count()["failed"] == 1
        assert parts.reported == [
            "Custom: handler failed, 1 records dropped: HostileError: <HostileError: str() failed with RuntimeError>"
        ]


class TestStderr:
    def test_report_has_no_context_of_the_caller(self, parts: Imported, capsys: pytest.CaptureFixture[str]) -> None:
        parts.module("process.reports").connect(None)
        with parts.module("records.context").log_context(tenant="acme"):
            parts.module("process.reports").say("one\ntwo")
        first, second, _ = capsys.readouterr().err.split("\n")
        assert BEGINS.match(first)
        assert first.endswith("WARNING  report_parts.logging_setup one")
        assert second == "    two"

    def test_only_warnings_without_a_sink_go_to_stderr(
        self, parts: Imported, capsys: pytest.CaptureFixture[str]
    ) -> None:
        recent = parts.module("sinks.alerts").RecentRecords(5)  # a buffer, not a sink
        picky = logging.NullHandler(logging.ERROR)
        parts.module("sinks.dispatcher").Dispatcher([recent, picky])
        for level in (logging.INFO, logging.WARNING, logging.ERROR):
            parts.module("process.reports").say(f"level {level}", level)
        assert [line.split()[-1] for line in capsys.readouterr().err.splitlines()] == ["30"]

    @pytest.mark.parametrize("stream", [None, open(os.devnull, encoding="utf-8")])  # noqa: PTH123, SIM115
    def test_report_that_cannot_be_written_raises_nothing(
        self, parts: Imported, monkeypatch: pytest.MonkeyPatch, stream: Any
    ) -> None:
        parts.module("process.reports").connect(None)
        monkeypatch.setattr("sys.stderr", stream)
        parts.module("process.reports").say("one")
        parts.module("process.reports").to_stderr("ERROR", "one")
        broken = logging.LogRecord("test", 30, __file__, 1, "%d", ("x",), None)
        parts.module("process.reports").show(broken)
