"""Generation into an existing folder, and private variables from outside: the command line or a replay file.

All of it by the cookiecutter command, in a process of its own.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.project import DEADLINE, TEMPLATE

OVERWRITE = "--overwrite-if-exists"
SKIP = "--skip-if-file-exists"
NO_QUEUE = ("multiprocessing=no", "email_handler=no")
SINKS = Path("src", "my_service", "logging_setup", "sinks")
QUEUE_ROOM = SINKS.parent / "queue"


def generate(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run cookiecutter with options and answers; the options stand first."""
    options = [argument for argument in arguments if argument.startswith("--")]
    answers = [argument for argument in arguments if not argument.startswith("--")]
    if not any(option.startswith("--replay") for option in options):
        options += ["--no-input", "--default-config"]
    return subprocess.run(
        [sys.executable, "-m", "cookiecutter", *options, "--output-dir", str(folder), str(TEMPLATE), *answers],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=DEADLINE,
        check=False,
    )


def generated(folder: Path, *arguments: str) -> str:
    """Generate, and return the closing message."""
    result = generate(folder, *arguments)
    assert result.returncode == 0, result.stderr
    return result.stdout


def refusal(folder: Path, *arguments: str) -> str:
    """Return the message with which these arguments are refused, after checking that no file is left."""
    before = sorted(folder.rglob("*"))
    result = generate(folder, *arguments)
    assert result.returncode != 0, result.stdout
    assert "Nothing was generated." in result.stderr, result.stderr
    assert sorted(folder.rglob("*")) == before
    assert "Traceback" not in result.stderr
    return result.stderr


class TestExistingFolder:
    """Case 90: generation into an existing folder deletes nothing that was there before."""

    @pytest.mark.parametrize("options", [(OVERWRITE, SKIP), (OVERWRITE,)], ids=["skip", "overwrite"])
    def test_module_of_another_choice_is_kept(self, tmp_path: Path, options: tuple[str, ...]) -> None:
        generated(tmp_path)
        project = tmp_path / "my-service"
        kept = [SINKS / "email.py", QUEUE_ROOM / "pipe.py", Path("src", "my_service", "multi.py")]
        for module in kept:
            (project / module).write_text('"""The owner\'s."""\n', "utf-8")
        message = generated(tmp_path, *options, *NO_QUEUE, "collector_handler=http")
        for module in kept:
            assert (project / module).exists(), module
            assert f"\n    {module}\n" in message
        if SKIP in options:
            assert {(project / module).read_text("utf-8") for module in kept} == {'"""The owner\'s."""\n'}
        assert (project / SINKS / "http.py").exists()
        assert not (project / SINKS / "tcp.py").exists()
        assert not [path for path in project.iterdir() if "before" in path.name]

    def test_same_answers_give_the_same_project(self, tmp_path: Path) -> None:
        generated(tmp_path, *NO_QUEUE)
        before = sorted(tmp_path.rglob("*"))
        message = generated(tmp_path, OVERWRITE, *NO_QUEUE)
        assert sorted(tmp_path.rglob("*")) == before
        assert "Not deleted" not in message

    def test_folder_behind_a_link_is_left_untouched(self, tmp_path: Path) -> None:
        generated(tmp_path / "out")
        project, elsewhere = tmp_path / "out" / "my-service", tmp_path / "elsewhere"
        for room in (SINKS, QUEUE_ROOM):
            moved = elsewhere / room.name
            moved.parent.mkdir(exist_ok=True)
            (project / room).rename(moved)
            (project / room).symlink_to(moved)
        before = sorted(elsewhere.rglob("*"))
        generated(tmp_path / "out", OVERWRITE, SKIP, *NO_QUEUE)
        assert [path for path in before if not path.exists()] == []


class TestPrivateVariables:
    """Case 91: private variables are derived from the answers, whatever the command line or a replay file has."""

    @pytest.mark.parametrize(("name", "slug"), [("__asked_slug", "a..b"), ("__package", "shop")])
    def test_override_is_refused(self, tmp_path: Path, name: str, slug: str) -> None:
        message = refusal(tmp_path, f"{name}=os", f"project_slug={slug}")
        assert f"{name} is 'os': expected " in message

    def test_variables_of_earlier_versions_are_ignored(self, tmp_path: Path) -> None:
        generated(tmp_path, "__folder=x", '__toml_description="', "__markdown_name=`", "project_slug=shop")
        assert [path.name for path in tmp_path.iterdir()] == ["shop"]

    @pytest.mark.parametrize("options", [(), (OVERWRITE, SKIP)], ids=["plain", "overwrite"])
    def test_refusal_ignores_a_folder_of_its_name(self, tmp_path: Path, options: tuple[str, ...]) -> None:
        kept = tmp_path / "refused-answers" / "precious"
        kept.parent.mkdir()
        kept.write_text("mine")
        assert "project_slug 'a/b'" in refusal(tmp_path, *options, "project_slug=a/b")
        assert kept.read_text() == "mine"

    def test_folder_may_be_named_refused_answers(self, tmp_path: Path) -> None:
        generated(tmp_path, "project_slug=refused-answers")
        assert [path.name for path in tmp_path.iterdir()] == ["refused-answers"]

    def test_replay_without_private_variables_is_refused(self, tmp_path: Path) -> None:
        answers = {name: value for name, value in replayed(tmp_path).items() if not name.startswith("_")}
        assert "__package is '': expected 'my_service'" in self.replay(tmp_path, answers)

    def test_replay_with_another_slug_is_refused(self, tmp_path: Path) -> None:
        answers = replayed(tmp_path) | {"project_slug": "shop"}
        message = self.replay(tmp_path, answers)
        assert "__package is 'my_service': expected 'shop'" in message
        assert "__asked_slug is 'my-service': expected 'shop'" in message

    def test_replay_of_a_refusal_is_refused_again(self, tmp_path: Path) -> None:
        answers = replayed(tmp_path, "project_slug=a/b")
        assert "project_slug 'a/b'" in self.replay(tmp_path, answers)

    def test_replay_gives_the_project_again(self, tmp_path: Path) -> None:
        file = tmp_path / "answers.json"
        file.write_text(json.dumps({"cookiecutter": replayed(tmp_path, "project_slug=shop")}), "utf-8")
        generated(tmp_path / "out", f"--replay-file={file}")
        assert [path.name for path in (tmp_path / "out").iterdir()] == ["shop"]

    @staticmethod
    def replay(tmp_path: Path, answers: dict[str, object]) -> str:
        file = tmp_path / "answers.json"
        file.write_text(json.dumps({"cookiecutter": answers}), "utf-8")
        return refusal(tmp_path / "out", f"--replay-file={file}")


def replayed(tmp_path: Path, *answers: str) -> dict[str, object]:
    """Return what cookiecutter writes into its replay file for these answers."""
    configuration = tmp_path / "configuration.yaml"
    configuration.write_text(f"replay_dir: {tmp_path / 'replay'}\n", "utf-8")
    (tmp_path / "out").mkdir()
    command = (
        "-m",
        "cookiecutter",
        "--no-input",
        f"--config-file={configuration}",
        "--output-dir",
        str(tmp_path / "out"),
    )
    subprocess.run(
        [sys.executable, *command, str(TEMPLATE), *answers], capture_output=True, timeout=DEADLINE, check=False
    )
    (file,) = (tmp_path / "replay").glob("*.json")
    for path in sorted((tmp_path / "out").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    return dict(json.loads(file.read_text("utf-8"))["cookiecutter"])
