"""Log calls: level, context, one line a record."""

import json
import logging

import pytest
from conftest import Logs, Run

from my_service.logging_setup import log_context
from my_service.logging_setup.formatters import make_formatter
from my_service.logging_setup.records.serialize import prepare
from my_service.service import take_order

APPLICATION = "my_service"


def written(message: str, form: str) -> str:
    """Return a record with this message as a sink writes it."""
    record = logging.LogRecord("shop", logging.INFO, __file__, 1, message, None, None)
    return make_formatter(form).format(prepare(record))


@pytest.mark.parametrize("command", [APPLICATION, f"{APPLICATION}.main"])
def test_application_runs_from_any_folder(run: Run, command: str) -> None:
    result = run("-m", command)
    assert (result.returncode, result.stderr) == (0, "")


def test_invalid_setting_stops_the_start_without_a_traceback(run: Run) -> None:
    result = run("-m", APPLICATION, LOG_LEVEL="LOUD")
    assert result.returncode == 2
    assert "LOG_LEVEL='LOUD'" in result.stderr
    assert "Traceback" not in result.stderr


def test_console_shows_info_and_hides_debug(run: Run) -> None:
    shown = run("-m", APPLICATION).stdout
    assert "Ready" in shown
    assert "Looking into the warehouse" not in shown
    assert "Looking into the warehouse" in run("-m", APPLICATION, LOG_CONSOLE_LEVEL="DEBUG").stdout


def test_record_is_one_line_of_json() -> None:
    assert json.loads(written("one\ntwo", "json"))["message"] == "one\ntwo"
    assert "\n" not in written("one\ntwo", "json")


def test_message_cannot_forge_a_record() -> None:
    first, *more = written("in\n2026-01-01 ERROR forged\x1b[2J", "text").splitlines()
    assert first.endswith("in")
    assert all(line.startswith(" ") for line in more)
    assert "\x1b" not in "".join(more)


def test_context_is_in_every_record_made_inside(logs: Logs) -> None:
    with log_context(order=1), log_context(item="tea"):
        logging.getLogger("shop").info("Packed")
    logging.getLogger("shop").info("Sent")
    assert [record.fields for record in logs.records] == [{"order": 1, "item": "tea"}, {}]


def test_shortage_is_logged(logs: Logs) -> None:
    take_order(0)
    assert logs.messages("WARNING") == ["Nearly out of stock"]
    assert logs.records[-1].fields == {"order": 0, "left": 2}
