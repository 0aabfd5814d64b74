"""Start with unusable LOG_* values: all are named in one message, status 2, no traceback."""

import re
from pathlib import Path

import pytest

from tests.support.project import Bake, Project

BAD = {
    "LOG_LEVEL": ("LOUD", "a level: DEBUG, INFO, WARNING, ERROR, CRITICAL, or a number"),
    "LOG_LEVELS": ("urllib3", "comma-separated logger=LEVEL pairs"),
    "LOG_REDACT": ("perhaps", "on or off"),
    "LOG_REDACT_KEYS": ("iban,*", "comma-separated words"),
    "LOG_FIELDS": ("env=prod,team", "comma-separated name=value pairs, for example env=prod"),
    "LOG_DATE_FORMAT": ("%H:%Q", "a format of time.strftime() such as %Y-%m-%dT%H:%M:%S%z, without %Q"),
    "LOG_LISTENER": ("fork", "one of process, thread"),
    "LOG_QUEUE_TIMEOUT": ("nan", "a number of seconds from 0 to 60"),
    "LOG_CONSOLE_LEVEL": ("9" * 5000, "a level"),
    "LOG_CONSOLE_FORMAT": ("xml", "one of text, json, gcp, ecs, datadog, or a format string such as %(asctime)s"),
    "LOG_CONSOLE_STREAM": ("stdin", "one of stdout, stderr"),
    "LOG_FILE": ("/tmp/", "the path of a file"),  # noqa: S108
    "LOG_FILE_FORMAT": ("%(message)", "one of text, json, gcp, ecs, datadog, or a format string"),
    "LOG_FILE_BACKUPS": ("9" * 5000, "a whole number of files from 0 to 10000"),
    "LOG_FILE_WHEN": ("\x1b[2J", "one of midnight, hour"),
    "LOG_EMAIL_PORT": ("0", "a whole number from 1 to 65535"),
    "LOG_EMAIL_FORMAT": ("{lvl} {message}", "one of text, json, gcp, ecs, datadog, or a format string"),
    "LOG_EMAIL_TO": ("ops", "comma-separated e-mail addresses"),
}


class TestBadValues:
    """Invalid values at the start."""

    @pytest.mark.parametrize("multiprocessing", [True, False])
    def test_all_bad_values_are_named_in_one_message(self, bake: Bake, tmp_path: Path, multiprocessing: bool) -> None:
        project = bake(multiprocessing=multiprocessing)
        bad = {
            name: both
            for name, both in BAD.items()
            if multiprocessing or name not in ("LOG_LISTENER", "LOG_QUEUE_TIMEOUT")
        }
        run = project.run("-m", project.package, cwd=tmp_path, **{name: value for name, (value, _) in bad.items()})
        assert run.returncode == 2
        assert run.stdout == ""
        assert "Traceback" not in run.stderr
        first, *lines = run.stderr.splitlines()
        assert first == "ERROR logging: invalid settings, not started:"
        assert len(lines) == len(bad)
        for name, (_, wanted) in bad.items():
            (line,) = (line for line in lines if line.startswith(f"  - {name}="))
            assert f"must be {wanted}" in line
            assert line.isprintable()
            assert len(line) < 400
        assert list(tmp_path.iterdir()) == []

    def test_contradicting_settings_are_named(self, project: Project, tmp_path: Path) -> None:
        mail = {"LOG_EMAIL_HOST": "mail", "LOG_EMAIL_USER": "bob", "LOG_EMAIL_CA_FILE": "none.pem"}
        run = project.run("-m", project.package, cwd=tmp_path, **mail)
        assert run.returncode == 2
        assert [re.split("[=:]", line.split()[1])[0] for line in run.stderr.splitlines()[1:]] == [
            "LOG_EMAIL_CA_FILE",
            "LOG_EMAIL_TO",
            "LOG_EMAIL_USER",
        ]

    @pytest.mark.parametrize("multiprocessing", [True, False])
    def test_misspelt_variable_is_named_in_the_log(self, bake: Bake, tmp_path: Path, multiprocessing: bool) -> None:
        project = bake(multiprocessing=multiprocessing)
        run = project.run("-m", project.package, cwd=tmp_path, LOG_FILR="x.log", LOG_DIR="another program's")
        (warning,) = (line for line in run.stdout.splitlines() if " WARNING " in line and "not a setting" in line)
        assert "LOG_FILR is not a setting: did you mean LOG_FILE?" in warning

    def test_empty_value_counts_as_not_set(self, project: Project, tmp_path: Path) -> None:
        blank = dict.fromkeys(BAD, " ")
        assert project.run("-m", project.package, cwd=tmp_path, **blank).returncode == 0


class TestSecrets:
    """Secrets in the message."""

    def test_secrets_are_not_in_the_message_or_the_repr(self, project: Project, tmp_path: Path) -> None:
        run = project.run(
            "-m",
            project.package,
            cwd=tmp_path,
            LOG_EMAIL_PASSWORD="hunter2",  # noqa: S106
            LOG_EMAIL_PASSWORD_FILE="https://a:hunter2@b/",  # noqa: S106
            LOG_EMAIL_HOST="mail",
            LOG_LEVELS="https://bob:hunter2@host",
        )
        assert run.returncode == 2
        assert "hunter2" not in run.stderr
        settings = "s.Settings(sinks={'email': {'password': 'hunter2'}})"
        code = f"import {project.package}.logging_setup as s; print({settings})"
        run = project.run("-c", code, cwd=tmp_path)
        assert "Settings(level=20" in run.stdout
        assert "hunter2" not in run.stdout

    def test_malformed_secret_is_masked_in_the_message(self, project: Project) -> None:
        with project.imported() as load:
            settings = load("settings")

            def never(_: str) -> str:
                raise ValueError("something else")

            class Changed(settings.Settings):
                level: int = settings.setting("LOG_LEVEL", never, "INFO", "", secret=True)

            with pytest.raises(ValueError, match=r"LOG_LEVEL='[*]{3}': must be something else"):
                Changed.from_environ({"LOG_LEVEL": "hunter2"})
