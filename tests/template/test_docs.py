"""docs/adopt.md and docs/fork.md, followed step by step."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.doctor import examine
from tests.support.project import DEADLINE, TEMPLATE, Bake, Project
from tests.support.receivers import HttpReceiver

DOCS = TEMPLATE / "docs"
COOKIECUTTER = shlex.join((sys.executable, "-m", "cookiecutter", "--default-config"))
NOT_THE_TEMPLATE = shutil.ignore_patterns(".git", ".venv", "build", "__pycache__", "*_cache")
APPLICATION = '''"""An application that was there before."""

import logging

logger = logging.getLogger(__name__)


def main() -> None:
    logger.debug("Looked")
    logger.info("Sold")


if __name__ == "__main__":
    main()
'''


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", (DOCS / page).read_text("utf-8"), re.MULTILINE | re.DOTALL)


def shell(script: str, cwd: Path) -> None:
    result = subprocess.run(
        ["sh", "-ec", script], cwd=cwd, capture_output=True, encoding="utf-8", timeout=DEADLINE, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr


def contents(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): p.read_text("utf-8") for p in folder.rglob("*") if p.is_file()}


def adopt_script(layout: str, choice: str) -> str:
    """Return the first block of docs/adopt.md for this layout and one more answer, literally but for the template."""
    *first, generate, src, flat = blocks("adopt.md", "sh")[0].splitlines()
    (move,) = [line for line in (src, flat) if line.endswith(f"# {layout}")]
    script = "\n".join((*first, f"{generate} {choice}", move))
    return script.replace("uvx cookiecutter", COOKIECUTTER).replace(
        "path/to/logging-template", shlex.quote(str(TEMPLATE))
    )


class TestAdopt:
    """The page docs/adopt.md."""

    @pytest.mark.parametrize("multiprocessing", ["yes", "no"])
    @pytest.mark.parametrize(("layout", "package"), [("src layout", "src/shop"), ("flat layout", "shop")])
    def test_adopt_page_works_for_an_existing_package(
        self, tmp_path: Path, layout: str, package: str, multiprocessing: str
    ) -> None:
        work = tmp_path / "work"
        source = work / package
        source.mkdir(parents=True)
        (work / "pyproject.toml").write_text('[project]\nname = "shop"\nversion = "1"\n', "utf-8")
        (source / "__init__.py").write_text("", "utf-8")
        (source / "app.py").write_text(APPLICATION, "utf-8")
        before = contents(work)

        script = adopt_script(layout, f"multiprocessing={multiprocessing}")
        shell(script, work)

        there = contents(work)
        assert {name: text for name, text in there.items() if "/logging_setup/" not in name} == before

        line, call = [line for line in blocks("adopt.md", "python")[0].splitlines() if line]
        code = APPLICATION.replace("import logging\n", f"import logging\n\n{line}\n", 1)
        (source / "app.py").write_text(code.replace("main() -> None:\n", f"main() -> None:\n{call}\n", 1), "utf-8")
        project = Project(work, "shop")
        result = project.run("-m", "shop.app", cwd=work, PYTHONPATH=str(source.parent), LOG_CONSOLE_FORMAT="json")
        assert (result.returncode, result.stderr) == (0, "")
        sold = json.loads(result.stdout.splitlines()[-1])
        assert (sold["message"], sold["service.name"]) == ("Sold", "shop")
        log = (work / "logs" / "shop.log").read_text("utf-8")
        assert " DEBUG " in log  # of the application's own package
        assert log.splitlines()[-1].endswith("Sold")

    def test_adopt_page_run_again_does_no_harm(self, tmp_path: Path) -> None:
        work = tmp_path / "work"
        settings = work / "src" / "shop" / "logging_setup" / "settings.py"
        settings.parents[1].mkdir(parents=True)
        script = adopt_script("src layout", "multiprocessing=no")
        shell(script, work)
        as_generated = settings.read_text("utf-8")
        settings.write_text('"""The owner\'s."""\n', "utf-8")
        before = contents(work)
        with pytest.raises(AssertionError, match="Directory not empty"):
            shell(script, work)
        assert contents(work) == before
        (remove,) = blocks("adopt.md", "sh")[1:]
        shell(remove + script, work)
        assert settings.read_text("utf-8") == as_generated


class TestFigures:
    """Figures in the README."""

    def test_readme_quotes_figures_of_the_benchmarks(self) -> None:
        fast = (TEMPLATE / "README.md").read_text("utf-8").split("- **Fast.**")[1].split("\n- **")[0]
        page = (TEMPLATE / "docs" / "benchmarks.md").read_text("utf-8")
        figures = re.findall(r"\d[\d.,-]*\d|\d+ cores of [\w ]+", fast)
        assert len(figures) >= 5
        assert [figure for figure in figures if figure not in page] == []


@pytest.fixture(scope="module")
def fork(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the template and apply every diff of docs/fork.md."""
    folder = tmp_path_factory.mktemp("fork") / "org-template"
    shutil.copytree(TEMPLATE, folder, ignore=NOT_THE_TEMPLATE)
    for diff in blocks("fork.md", "diff"):
        result = subprocess.run(
            ["git", "apply", "--recount", "-"], cwd=folder, input=diff, capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, f"{result.stderr}\n{diff}"
    return folder


def contents_of_template(folder: Path) -> dict[str, str]:
    ours = [folder / "cookiecutter.json", folder / "README.md", *(folder / "{{cookiecutter.project_slug}}").rglob("*")]
    return {
        str(path.relative_to(folder)): path.read_text("utf-8")
        for path in ours
        if path.is_file() and path.suffix in (".json", ".md", ".py", ".toml", ".example")
    }


class ChatReceiver(HttpReceiver):
    """Receive messages for a chat."""

    def take_body(self, body: bytes) -> None:
        self.texts.append(json.loads(body)["text"])


class TestFork:
    """The page docs/fork.md."""

    def test_fork_adds_a_handler_in_one_file_and_one_line(self, fork: Path) -> None:
        before, after = contents_of_template(TEMPLATE), contents_of_template(fork)
        changed = {Path(name).name for name in after if before.get(name) != after[name]}
        assert changed == {
            "cookiecutter.json",
            "README.md",
            "formatters.py",
            "log-record.schema.json",
            "chat.py",
            "get_handlers.py",
            ".env.example",
        }
        assert before.keys() - after.keys() == set()
        assert [Path(name).name for name in after.keys() - before.keys()] == ["chat.py"]
        (name,) = (name for name in after if name.endswith("get_handlers.py"))
        assert set(after[name].splitlines()) - set(before[name].splitlines()) == {'    "chat:ChatSink",'}
        assert len(after[name].splitlines()) == len(before[name].splitlines()) + 1

    @pytest.mark.parametrize(
        "answers",
        [
            {"author_name": "Example Platform Team"},
            {"email_handler": False},
            {"console_handler": "json", "file_handler": "none", "email_handler": False},
        ],
        ids=lambda answers: next(iter(answers)),
    )
    def test_fork_leaves_a_question_out(self, bake: Bake, tmp_path: Path, answers: dict[str, str | bool]) -> None:
        """The first of the answers is fixed, the others are given; the project is that of the template."""
        (question, answer), *others = answers.items()
        template = tmp_path / "org-template"
        shutil.copytree(TEMPLATE, template, ignore=NOT_THE_TEMPLATE)
        (rename,) = blocks("fork.md", "sh")
        shell(rename.replace("email_handler", question), template)
        file = template / "cookiecutter.json"
        kept = [each for each in file.read_text("utf-8").splitlines() if not each.startswith(f'  "__{question}":')]
        file.write_text("\n".join([kept[0], f'  "__{question}": {json.dumps(answer)},', *kept[1:]]), "utf-8")
        given = " ".join(f"{name}={text}" for name, text in others)
        shell(f"{COOKIECUTTER} --no-input --output-dir {tmp_path} {template} {given}", tmp_path)
        assert contents(tmp_path / "my-service") == contents(bake(**answers).path)

    @pytest.mark.parametrize("answers", ["", "multiprocessing=no email_handler=no"])  # the latter: no slow sink
    def test_fork_generates_its_defaults_field_and_handler(self, fork: Path, tmp_path: Path, answers: str) -> None:
        command = f"{COOKIECUTTER} --no-input --output-dir {shlex.quote(str(tmp_path))} {shlex.quote(str(fork))}"
        shell(f"{command} {answers}", tmp_path)
        project = Project(tmp_path / "my-service", "my-service")
        assert "Example Platform Team" in (project.path / "pyproject.toml").read_text("utf-8")
        app = (
            "import logging\n"
            "from my_service.logging_setup import setup_main_logging\n"
            "with setup_main_logging():\n"
            "    logging.getLogger('shop').info('Sold')\n"
            "    logging.getLogger('shop').error('Sold out')\n"
        )
        with ChatReceiver() as receiver:
            url = f"{receiver.url}/hook/s3cret"
            result = project.run("-c", app, cwd=tmp_path, LOG_CONSOLE_FORMAT="json", LOG_CHAT_URL=url)
            doctor = examine(project, tmp_path, "--probe", LOG_CHAT_URL=url, LOG_CHAT_LEVEL="CRITICAL")
        assert (result.returncode, result.stderr) == (0, "")
        entries = list(map(json.loads, result.stdout.splitlines()))
        assert {"Sold", "Sold out"} <= {entry["message"] for entry in entries}
        assert {entry["service.namespace"] for entry in entries} == {"example"}
        sold_out, test = receiver.texts
        assert "Sold out" in sold_out
        assert "This is a test" in test
        assert doctor["sinks"]["chat"] == "CRITICAL"
        assert {each["sink"]: each["verdict"] for each in doctor["probe"]}["chat"] == "reached"
        assert "s3cret" not in json.dumps(doctor)
        off = project.run("-c", app, cwd=tmp_path, LOG_CHAT_LEVLE="ERROR")
        assert "chat: off: LOG_CHAT_URL is not set" in off.stdout
        assert "LOG_CHAT_LEVLE is not a setting: did you mean LOG_CHAT_LEVEL?" in off.stdout
        refused = project.run("-c", app, cwd=tmp_path, LOG_CHAT_URL="s3cret", LOG_LEVEL="LOUD")
        assert refused.returncode == 2
        assert "LOG_CHAT_URL='***': must be a URL" in refused.stderr
        assert "LOG_LEVEL='LOUD'" in refused.stderr
        for command in (
            ("-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_settings.py", "tests/test_json_format.py"),
            ("-m", "mypy", "src"),
        ):
            checked = project.run(*command, cwd=project.path)
            assert checked.returncode == 0, checked.stdout
        for command in (("check",), ("format", "--check")):
            lint = project.run("-m", "ruff", *command, "--no-cache", str(project.path), cwd=tmp_path)
            assert lint.returncode == 0, lint.stdout
