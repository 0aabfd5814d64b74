"""The LOG_* variables: documentation, defaults and invalid values."""

import re
from pathlib import Path

import pytest

from my_service.logging_setup import settings
from my_service.logging_setup.settings import Settings

PROJECT = Path(__file__).parents[1]
DOCUMENTED = [(each.variable, each.default, each.about) for each, _ in Settings().variables()]


def test_env_example_lists_every_variable() -> None:
    text = (PROJECT / ".env.example").read_text("utf-8")
    listed = re.findall(r"^# (.*)\n(LOG_\w+)=(.*)$", text, re.MULTILINE)
    assert [(name, default, about) for about, name, default in listed] == DOCUMENTED
    assert text.count("\nLOG_") == len(DOCUMENTED)


def test_readme_lists_every_variable() -> None:
    text = (PROJECT / "README.md").read_text("utf-8")
    rows = re.findall(r"^\| `(LOG_\w+)` \| (?:`(.+)`)? *\| (.*) \|$", text, re.MULTILINE)
    assert rows == DOCUMENTED


def test_documented_defaults_are_the_defaults() -> None:
    written_out = {name: default for name, default, _ in DOCUMENTED}
    assert Settings.from_environ(written_out) == Settings.from_environ({}) == Settings()


def test_every_invalid_value_is_named_in_one_message() -> None:
    with pytest.raises(ValueError, match="LOG_LEVEL='LOUD'") as caught:
        Settings.from_environ({"LOG_LEVEL": "LOUD", "LOG_REDACT": "perhaps"})
    assert "LOG_REDACT='perhaps'" in str(caught.value)


def test_password_is_not_in_the_repr() -> None:
    assert "hunter2" not in repr(Settings.from_environ({"LOG_EMAIL_PASSWORD": "hunter2"}))


def test_levels_of_single_loggers_are_set() -> None:
    levels = Settings.from_environ({"LOG_LEVELS": "urllib3=WARNING"}).levels
    assert dict(levels) == {"urllib3": 30, **dict.fromkeys(settings.OWN_LOGGERS, 10)}


def test_loggers_and_sinks_follow_log_level() -> None:
    found = Settings.from_environ({"LOG_LEVEL": "ERROR"})
    assert {found.level, *dict(found.levels).values()} == {40}
    for each, value in found.variables():
        if each.unset is not None:
            assert value == 40
