"""The log file: path, content, rollover."""

import logging
from pathlib import Path

from conftest import Run

from my_service.logging_setup.sinks.timed_file import TimedFileHandler

APPLICATION = "my_service"
FILE = "logs/my-service.log"


def record(message: str, created: float) -> logging.LogRecord:
    made = logging.LogRecord("shop", logging.INFO, __file__, 1, message, None, None)
    made.created = created
    return made


def test_file_contains_debug_and_a_second_run_appends(run: Run, tmp_path: Path) -> None:
    run("-m", APPLICATION)
    assert (tmp_path / FILE).read_text("utf-8").count("Looking into the warehouse order=0") == 1
    run("-m", APPLICATION)
    assert (tmp_path / FILE).read_text("utf-8").count("Looking into the warehouse order=0") == 2


def test_log_file_sets_the_path(run: Run, tmp_path: Path) -> None:
    run("-m", APPLICATION, LOG_FILE="elsewhere/app.log")
    assert "Ready" in (tmp_path / "elsewhere" / "app.log").read_text("utf-8")
    assert not (tmp_path / "logs").exists()


def test_unwritable_file_does_not_stop_the_application(run: Run) -> None:
    result = run("-m", APPLICATION, LOG_FILE="/dev/null/app.log")
    assert result.returncode == 0
    assert "Traceback" not in result.stderr


def test_each_day_has_a_file_and_only_the_latest_are_kept(tmp_path: Path) -> None:
    handler = TimedFileHandler(str(tmp_path / "app.log"), "midnight", 3)
    for day in range(6):
        handler.handle(record(f"day {day}", 1_800_000_000.0 + day * 86_400))
    handler.close()
    backups = sorted(tmp_path.glob("app.log.20*"))
    assert [path.read_text("utf-8") for path in backups] == ["day 2\n", "day 3\n", "day 4\n"]
    assert (tmp_path / "app.log").read_text("utf-8") == "day 5\n"


def test_log_files_are_ignored_by_git() -> None:
    ignored = (Path(__file__).parents[1] / ".gitignore").read_text("utf-8").splitlines()
    assert "/logs/" in ignored
