"""Rollover by date, tested with records of given times instead of waiting."""

import gzip
import logging
import os
import random
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.support.imported import Imported, record
from tests.support.network import wait_until

NOON = datetime(2026, 1, 1, 12)  # noqa: DTZ001 - local, as the file's days are
ZONES = [
    # Spring and autumn, in each ten days around the change.
    ("Europe/Berlin", datetime(2026, 3, 24)),  # noqa: DTZ001
    ("Europe/Berlin", datetime(2026, 10, 20)),  # noqa: DTZ001
    ("America/Santiago", datetime(2026, 9, 1)),  # noqa: DTZ001
    ("America/Santiago", datetime(2026, 3, 31)),  # noqa: DTZ001
]


@pytest.fixture
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Set a local time zone for one test."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


def make(timed: Imported, folder: Path, **options: Any) -> logging.Handler:
    options = {"when": "midnight", "backups": 1000, **options}
    handler: logging.Handler = timed.module("sinks.timed_file").TimedFileHandler(str(folder / "app.log"), **options)
    return timed.use(handler)


def day(number: int) -> float:
    """Return noon of a day of January 2026."""
    return (NOON + timedelta(days=number - 1)).timestamp()


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


class TestBackups:
    """Backups that are kept, deleted or appended to."""

    def test_fifteen_days_are_kept_and_other_files_stay(self, timed: Imported, tmp_path: Path) -> None:
        strangers = {"app.log.2026-01-01.bak", "app.log.notes", "app.log.2026-01-02.gz.old", "xapp.log.2026-01-01"}
        for stranger in strangers:
            (tmp_path / stranger).touch()
        handler = make(timed, tmp_path, backups=15)
        for number in range(1, 21):
            for hour in range(3):
                handler.handle(record(f"day {number} hour {hour}", day(number) + 3600 * hour))
        kept = {f"app.log.2026-01-{number:02d}" for number in range(5, 20)}
        assert names(tmp_path) == {"app.log", *kept, *strangers}
        for number in range(5, 20):
            lines = (tmp_path / f"app.log.2026-01-{number:02d}").read_text("utf-8").splitlines()
            assert lines == [f"day {number} hour {hour}" for hour in range(3)]
        assert (tmp_path / "app.log").read_text("utf-8").startswith("day 20 hour 0\n")

    def test_configured_number_of_files_is_kept(self, timed: Imported, tmp_path: Path) -> None:
        settings = timed.module("settings").Settings.from_environ(
            {"LOG_FILE": str(tmp_path / "app.log"), "LOG_FILE_BACKUPS": "3", "LOG_FILE_WHEN": "hour"}
        )
        _console, file = timed.module("get_handlers").get_handlers(settings)
        timed.use(file)
        for hour in range(8):
            file.handle(record("a line", day(1) + 3600 * hour))
        assert names(tmp_path) == {"app.log", *(f"app.log.2026-01-01_{hour}" for hour in (16, 17, 18))}

    def test_existing_backup_is_appended_to(self, timed: Imported, tmp_path: Path) -> None:
        (tmp_path / "app.log.2026-01-01").write_text("before\n", "utf-8")
        handler = make(timed, tmp_path)
        handler.handle(record("after", day(1)))
        handler.handle(record("next day", day(2)))
        assert (tmp_path / "app.log.2026-01-01").read_text("utf-8") == "before\nafter\n"
        assert names(tmp_path) == {"app.log", "app.log.2026-01-01"}

    def test_late_record_is_added_to_its_compressed_day(self, timed: Imported, tmp_path: Path) -> None:
        handler = make(timed, tmp_path, compress="gzip")
        handler.handle(record("one", day(1)))
        handler.handle(record("two", day(2)))
        whole = tmp_path / "app.log.2026-01-01.gz"
        wait_until(whole.exists)
        handler.handle(record("late", day(1) + 60))
        handler.handle(record("three", day(3)))
        handler.close()  # a rollover during a compression leaves the rest to the next start
        again = make(timed, tmp_path, compress="gzip")
        again.handle(record("three, too", day(3)))
        wait_until(lambda: names(tmp_path) == {"app.log", "app.log.2026-01-01.gz", "app.log.2026-01-02.gz"})
        assert gzip.decompress(whole.read_bytes()) == b"one\nlate\n"


def check_days(folder: Path, count: int) -> None:
    """Check that each line, the name of its period, is in the file of that name."""
    seen = 0
    for path in folder.iterdir():
        lines = path.read_text("utf-8").splitlines()
        seen += len(lines)
        assert len(set(lines)) == 1, path
        if path.name != "app.log":
            assert path.name == f"app.log.{lines[0]}"
    assert seen == count


class TestDays:
    """The file of each day."""

    def test_batch_is_split_into_the_files_of_its_days(self, timed: Imported, tmp_path: Path) -> None:
        handler = make(timed, tmp_path)
        days = [1, 1, 2, 1, 2, 2, 3, 2]
        for _ in range(2):
            timed.hand_over(handler, [record(f"day {number}", day(number)) for number in days])
        for number, name in ((1, "app.log.2026-01-01"), (2, "app.log.2026-01-02"), (3, "app.log")):
            assert (tmp_path / name).read_text("utf-8") == f"day {number}\n" * 2 * days.count(number)

    def test_undated_record_does_not_affect_its_batch(self, timed: Imported, tmp_path: Path) -> None:
        handler = make(timed, tmp_path)
        for _ in range(2):
            timed.hand_over(handler, [record("a line", day(1)), record("no day", 1e300), record("a line", day(1))])
        written = "".join(path.read_text("utf-8") for path in tmp_path.iterdir())
        assert written == "a line\nno day\na line\n" * 2
        assert not timed.reported

    @pytest.mark.parametrize("when", ["midnight", "hour"])
    @pytest.mark.parametrize(("zone", "start"), ZONES, indirect=["zone"])
    def test_clock_change_puts_no_line_into_a_wrong_file(
        self, timed: Imported, tmp_path: Path, zone: str, start: datetime, when: str
    ) -> None:
        form = "%Y-%m-%d" if when == "midnight" else "%Y-%m-%d_%H"
        handler = make(timed, tmp_path, when=when)
        first = start.replace(tzinfo=ZoneInfo(zone)).timestamp()
        for hour in range(240):
            for second in (0, 1, 1800, 3599):
                moment = first + 3600 * hour + second
                # What is expected comes from zoneinfo, which the handler does not use.
                handler.handle(record(f"{datetime.fromtimestamp(moment, ZoneInfo(zone)):{form}}", moment))
        check_days(tmp_path, 240 * 4)

    @pytest.mark.parametrize("zone", ["Europe/Berlin", "America/Santiago"], indirect=True)
    def test_unordered_records_at_midnight_go_to_their_day(self, timed: Imported, tmp_path: Path, zone: str) -> None:
        handler = make(timed, tmp_path)
        midnight = datetime(2026, 10, 25, tzinfo=ZoneInfo(zone)).timestamp()
        order = random.Random(1)
        moments = sorted((midnight + number / 10 for number in range(-50, 50)), key=lambda m: m + order.random() * 3)
        assert moments != sorted(moments)
        for moment in moments:
            handler.handle(record(f"{datetime.fromtimestamp(moment, ZoneInfo(zone)):%Y-%m-%d}", moment))
        check_days(tmp_path, 100)

    def test_restart_continues_the_file_of_its_day(self, timed: Imported, tmp_path: Path) -> None:
        # Made on the first of January but written today, as records delayed over midnight are.
        first = make(timed, tmp_path)
        first.handle(record("one", day(1)))
        first.close()
        second = make(timed, tmp_path)
        second.handle(record("one more", day(1) + 60))
        second.close()
        make(timed, tmp_path).handle(record("two", day(2)))
        assert (tmp_path / "app.log.2026-01-01").read_text("utf-8") == "one\none more\n"
        assert (tmp_path / "app.log").read_text("utf-8") == "two\n"

    def test_file_of_yesterday_rolls_over_at_start(self, timed: Imported, tmp_path: Path) -> None:
        (tmp_path / "app.log").write_text("old\n", "utf-8")
        os.utime(tmp_path / "app.log", (day(1), day(1)))
        make(timed, tmp_path).handle(record("new"))
        assert (tmp_path / "app.log.2026-01-01").read_text("utf-8") == "old\n"
        assert (tmp_path / "app.log").read_text("utf-8") == "new\n"

    def test_clock_set_back_loses_no_line(self, timed: Imported, tmp_path: Path) -> None:
        handler = make(timed, tmp_path)
        ahead = time.time() + 40 * 86_400
        handler.handle(record("ahead", ahead))
        handler.handle(record("now"))
        assert (tmp_path / "app.log").read_text("utf-8") == "now\n"
        assert (tmp_path / f"app.log.{datetime.fromtimestamp(ahead):%Y-%m-%d}").read_text("utf-8") == "ahead\n"  # noqa: DTZ006
