"""Hostile answers: they give a correct project, or one message and no files.

All of it by the cookiecutter command, in a process of its own.
"""

import ast
import importlib.metadata
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.project import ASKED, DEADLINE, QUESTIONS, TEMPLATE, Bake

NO_HANDLER = {
    name: "no" if isinstance(QUESTIONS[name], bool) else "none" for name in ASKED if name.endswith("_handler")
}
TEXTS = {
    "quotes": 'He said "no", \'\'\'twice\'\'\', """thrice""".',
    "backslash": "C:\\new\\table \\",
    "apostrophe": "Don't",
    "emoji": "\N{ROCKET} na\N{LATIN SMALL LETTER I WITH DIAERESIS}ve \N{CJK UNIFIED IDEOGRAPH-65E5}",
    "jinja": "{{ 7 * 7 }} {% raw %} {# no #} # {% endif %}",
    "code": '"); import os; os._exit(3) #',
    "markdown": "``` <!-- ~~~",
    "toml": "]\\u0000 = [",
    "percent": "%s %(name)s {0} ${HOME} `id` $(id)",
}
SLUGS = {
    "path": "a/b",
    "path upwards": "../x",
    "folder": "..",
    "backslash": "a\\b",
    "space": "my service",
    "capitals": "My-Service",
    "digit first": "7up",
    "hyphen first": "-rf",
    "underscores": "__init__",
    "newline": "my-service\n",
    "quotes": "my\"service'",
    "emoji": "my-\N{ROCKET}",
    "keyword": "class",
    "soft keyword": "match",
    "standard library": "logging",
    "standard library, with a hyphen": "concurrent",
    "device": "con",
    "taken": "tests",
    "too long": "a" * 41,
    "far too long": "a" * 300,
}


def generate(folder: Path, answers: dict[str, str], typed: str | None = None) -> "subprocess.CompletedProcess[str]":
    """Run cookiecutter with answers on the command line, or typed in."""
    folder.mkdir(parents=True)
    asked = () if typed else ("--no-input",)
    return subprocess.run(
        [
            *(sys.executable, "-m", "cookiecutter", "--default-config", *asked, "--output-dir", str(folder)),
            *(str(TEMPLATE), *(f"{name}={answer}" for name, answer in answers.items())),
        ],
        input=typed or "",
        capture_output=True,
        encoding="utf-8",
        timeout=DEADLINE,
        check=False,
    )


def left_in(folder: Path) -> list[Path]:
    return list(folder.rglob("*"))


def refused(tmp_path: Path, **answers: str) -> str:
    """Return the message with which these answers are refused, after checking that no file is left."""
    out = tmp_path / "deep" / "out"
    result = generate(out, answers)
    assert result.returncode != 0, result.stdout
    assert left_in(tmp_path) == [out.parent, out]
    assert "Traceback" not in result.stderr, result.stderr
    assert result.stderr.count("Nothing was generated.") == 1, result.stderr
    return result.stderr


def assert_correct(path: Path, **texts: str) -> None:
    """Check that every file parses, and contains the texts as they were given."""
    metadata = tomllib.loads((path / "pyproject.toml").read_text("utf-8"))["project"]
    for module in path.rglob("*.py"):
        ast.parse(module.read_text("utf-8"))
    if "description" in texts:
        assert metadata["description"] == texts["description"]
    if "author_name" in texts:
        assert metadata["authors"] == [{"name": texts["author_name"]}]
    readme = (path / "README.md").read_text("utf-8")
    before, _, _ = readme.partition("## Commands")
    assert not any(line.startswith(("```", "~~~", "<")) for line in before.splitlines()), before
    for page in path.rglob("*.md"):
        assert not re.search(r"(?<!\\)<!--", page.read_text("utf-8")), page


class TestAccepted:
    """Answers that give a correct project."""

    @pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in TEXTS.items() if name != "jinja"])
    def test_any_text_gives_a_correct_project(self, tmp_path: Path, text: str) -> None:
        answers = {"project_name": text, "project_slug": "shop", "description": text, "author_name": text}
        result = generate(tmp_path / "out", answers)
        assert result.returncode == 0, result.stderr
        assert_correct(tmp_path / "out" / "shop", description=text, author_name=text)

    @pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
    def test_any_typed_text_gives_a_correct_project(self, tmp_path: Path, text: str) -> None:
        typed = f"{text}\nshop\n{text}\n{text}\n" + "\n" * (len(ASKED) - 4)
        result = generate(tmp_path / "out", {}, typed)
        assert result.returncode == 0, result.stdout + result.stderr
        assert_correct(tmp_path / "out" / "shop", description=text.strip(), author_name=text.strip())

    def test_enter_alone_gives_the_default_project(self, tmp_path: Path) -> None:
        result = generate(tmp_path / "out", {}, "\n" * len(ASKED))
        assert result.returncode == 0, result.stdout + result.stderr
        assert_correct(tmp_path / "out" / "my-service", description="A Python service with preconfigured logging.")

    def test_jinja_in_an_answer_gives_a_correct_project(self, tmp_path: Path) -> None:
        """Cookiecutter renders an answer once, by design; the result is text again."""
        result = generate(tmp_path / "out", {"description": "{{ 7 * 7 }} {{ '{{' }} 1 }}"})
        assert result.returncode == 0, result.stderr
        assert_correct(tmp_path / "out" / "my-service", description="49 {{ 1 }}")

    def test_longest_and_shortest_slug_pass_ruff(self, tmp_path: Path) -> None:
        for slug in ("a", "a" * 40, "-".join(["abc"] * 10)):
            result = generate(tmp_path / f"out-{len(slug)}", {"project_slug": slug})
            assert result.returncode == 0, result.stderr
        for command in (("check",), ("format", "--check")):
            result = subprocess.run(
                [sys.executable, "-m", "ruff", *command, "--no-cache", str(tmp_path)],
                capture_output=True,
                text=True,
                check=False,
            )
            assert result.returncode == 0, result.stdout

    @pytest.mark.parametrize(
        ("version", "is_refused"), [("2.3.1", True), ("1.7.3", True), ("2.4.0", False), ("3.0a1", False)]
    )
    def test_version_of_cookiecutter_is_checked(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, is_refused: bool
    ) -> None:
        """The hook reads the version from cookiecutter's metadata; here a folder earlier on the path provides it."""
        metadata = tmp_path / f"cookiecutter-{version}.dist-info" / "METADATA"
        metadata.parent.mkdir()
        metadata.write_text(f"Metadata-Version: 2.1\nName: cookiecutter\nVersion: {version}\n", "utf-8")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        result = generate(tmp_path / "out", {})
        assert (result.returncode != 0) == is_refused
        assert bool(left_in(tmp_path / "out")) != is_refused
        if is_refused:
            assert f"cookiecutter {version} is too old, 2.4 or later is needed." in result.stderr
            assert "uv tool upgrade cookiecutter" in result.stderr

    def test_unknown_word_for_a_boolean_is_refused(self, tmp_path: Path) -> None:
        """From a replay file, whose answers cookiecutter does not convert; until 2.6, also from the command line."""
        replay = tmp_path / "replay.json"
        answers = {name: QUESTIONS[name][0] if isinstance(QUESTIONS[name], list) else QUESTIONS[name] for name in ASKED}
        answers |= {"project_slug": "a", "__asked_slug": "a", "__package": "a"}
        replay.write_text(json.dumps({"cookiecutter": {**answers, "email_handler": "perhaps"}}), "utf-8")
        command = ("cookiecutter", "--default-config", "-o", str(tmp_path / "out"), "--replay-file", str(replay))
        result = subprocess.run(
            [sys.executable, "-m", *command, str(TEMPLATE)], capture_output=True, encoding="utf-8", timeout=DEADLINE,
            check=False,
        )  # fmt: skip
        assert result.returncode
        assert "email_handler is 'perhaps': expected yes or no" in result.stderr


class TestRefused:
    """Answers that give one message and no files."""

    @pytest.mark.parametrize("slug", SLUGS.values(), ids=SLUGS)
    def test_unusable_slug_is_refused(self, tmp_path: Path, slug: str) -> None:
        assert "project_slug" in refused(tmp_path, project_slug=slug)

    @pytest.mark.parametrize(("slug", "shown"), [("a/b", True), ("my service", True), ("Shop", True), ("shop", False)])
    def test_next_question_shows_an_unusable_slug(self, tmp_path: Path, slug: str, shown: bool) -> None:
        asked = generate(tmp_path / "out", {}, f"\n{slug}\n").stdout.splitlines()
        assert [("project_slug cannot be used" in line) for line in asked if "Description" in line] == [shown]

    def test_absolute_path_is_refused_and_not_created(self, tmp_path: Path) -> None:
        assert "project_slug" in refused(tmp_path, project_slug=str(tmp_path / "elsewhere"))

    def test_neighbouring_folder_is_left_untouched(self, tmp_path: Path) -> None:
        beside = tmp_path / "beside"
        (beside / "src").mkdir(parents=True)
        result = generate(tmp_path / "out", {"project_slug": "../beside"})
        assert result.returncode != 0
        assert left_in(beside) == [beside / "src"]
        assert left_in(tmp_path / "out") == []

    def test_existing_folder_is_left_untouched(self, tmp_path: Path) -> None:
        (tmp_path / "out").mkdir()
        kept = tmp_path / "out" / "my-service" / "precious"
        generate(tmp_path / "out" / "new", {})
        kept.parent.mkdir()
        kept.write_text("mine")
        result = subprocess.run(
            [
                sys.executable,
                "-m",
                "cookiecutter",
                "--no-input",
                "--default-config",
                str(TEMPLATE),
                "project_slug=my-service",
            ],
            cwd=tmp_path / "out",
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
        )
        assert result.returncode != 0
        assert [path.name for path in kept.parent.iterdir()] == ["precious"]

    @pytest.mark.parametrize("answers", [{"project_name": ""}, {"project_name": " "}, {"project_slug": ""}])
    def test_empty_name_is_refused(self, tmp_path: Path, answers: dict[str, str]) -> None:
        assert f"{next(iter(answers))} is empty" in refused(tmp_path, **answers)

    def test_name_that_gives_an_empty_slug_is_refused(self, tmp_path: Path) -> None:
        assert "project_slug is empty" in refused(tmp_path, project_name="\N{ROCKET}")

    @pytest.mark.parametrize("question", ["project_name", "description", "author_name"])
    @pytest.mark.parametrize("text", ["one\ntwo", "one\rtwo", "tab\there", "\x1b[31m", "line\u2028end"])
    def test_control_character_is_refused(self, tmp_path: Path, question: str, text: str) -> None:
        assert f"{question} " in refused(tmp_path, **{"project_slug": "shop", question: text})

    def test_project_without_handlers_is_refused(self, tmp_path: Path) -> None:
        assert "otherwise no record is written" in refused(tmp_path, **NO_HANDLER)

    def test_all_problems_are_named_in_one_message(self, tmp_path: Path) -> None:
        message = refused(tmp_path, project_slug="a/b", description="one\ntwo", author_name="a\tb", **NO_HANDLER)
        for problem in ("project_slug 'a/b'", "description 'one", "author_name 'a", "no handler is chosen"):
            assert problem in message


TAKEN = {
    "test": "a module of Python",
    "jsonschema": "a package that the project, its tests or its tools import",
    "python": "a command that its own would hide",
    "pip": "a command that its own would hide",
    "test-email": "a folder or module of the generated project",
}


class TestTakenNames:
    """Case 82: names of projects that could not start, or would hide the command of another."""

    @pytest.mark.parametrize("slug", TAKEN)
    def test_taken_name_is_refused_with_its_owner(self, tmp_path: Path, slug: str) -> None:
        message = refused(tmp_path, project_slug=slug)
        assert f"project_slug '{slug}' is the name of {TAKEN[slug]}: choose another name\n" in message

    def test_project_name_with_a_taken_slug_is_refused(self, tmp_path: Path) -> None:
        assert "project_slug 'test' is the name of" in refused(tmp_path, project_name="Test")

    def test_names_of_installed_packages_are_refused(self, bake: Bake) -> None:
        """Packages and commands of each dependency."""
        names = set(installed_with(bake(collector_handler="otlp").path / "pyproject.toml"))
        assert {"pytest", "rpds", "dmypy", "urllib3", "ruff"} <= names, "the search finds what is there"
        assert [name for name in sorted(names) if may_be_slug(name) and not owner_of(name)] == []

    def test_names_of_the_projects_own_modules_are_refused(self, bake: Bake) -> None:
        project = bake()
        modules = [path.stem for path in (project.path / "tests").glob("*.py")]
        assert [name for name in (*modules, "src", "tests", "logging_setup") if not owner_of(name)] == []

    @pytest.mark.parametrize("name", ["uv", "uvx", "python3", "python3_11", "pip3", "activate", "compression", "cgi"])
    def test_names_of_commands_and_modules_are_refused(self, name: str) -> None:
        assert owner_of(name)

    @pytest.mark.parametrize("name", ["testing", "python_tools", "pipeline", "my_service", "shop", "json_api"])
    def test_similar_name_is_accepted(self, name: str) -> None:
        assert not owner_of(name)


def owner_of(package: str) -> str:
    """Return the owner of a name according to the hook, without running it."""
    namespace: dict[str, Any] = {"__name__": "hook"}
    source = (TEMPLATE / "hooks" / "pre_gen_project.py").read_text("utf-8")
    exec(source.removesuffix("main()\n"), namespace)  # noqa: S102
    return str(namespace["owner_of"](package))


def may_be_slug(package: str) -> bool:
    return re.fullmatch(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*", package) is not None


def installed_with(pyproject: Path) -> Iterator[str]:
    """The packages and commands of all distributions that the project's own names require; those installed here."""
    data = tomllib.loads(pyproject.read_text("utf-8"))
    waiting = [*data["project"]["dependencies"], *data["dependency-groups"]["dev"], *data["build-system"]["requires"]]
    packages = importlib.metadata.packages_distributions()
    seen: set[str] = set()
    while waiting:
        found = re.match(r"[\w.-]+", waiting.pop())
        assert found
        name = re.sub(r"[-_.]+", "-", found.group()).lower()
        if name in seen:
            continue
        seen.add(name)
        yield name.replace("-", "_")
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:  # for another Python, or the build
            continue
        yield from (entry.name for entry in distribution.entry_points if entry.group == "console_scripts")
        yield from (
            top
            for top, owners in packages.items()
            if name in {each.lower().replace("_", "-") for each in owners} and top.isidentifier()
        )
        waiting += [each for each in distribution.requires or () if "extra ==" not in each]
