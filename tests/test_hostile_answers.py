"""Answers that are meant to break it: a correct project, or one message and nothing left behind.

All through the command that people use, in a process of its own.
"""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from conftest import ASKED, DEADLINE, QUESTIONS, TEMPLATE

NO_HANDLER = {name: "none" for name in ASKED if name.endswith("_handler") and name != "email_handler"}
NO_HANDLER["email_handler"] = "no"
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
    """Run cookiecutter as people do: with answers on the command line, or typed in."""
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
    """The message with which these answers are refused, once it is sure that nothing is left behind."""
    out = tmp_path / "deep" / "out"
    result = generate(out, answers)
    assert result.returncode != 0, result.stdout
    assert left_in(tmp_path) == [out.parent, out]
    assert "Traceback" not in result.stderr, result.stderr
    assert result.stderr.count("Nothing was generated.") == 1, result.stderr
    return result.stderr


def assert_correct(path: Path, **texts: str) -> None:
    """That what can be parsed parses, and the texts stand in it as they were given."""
    metadata = tomllib.loads((path / "pyproject.toml").read_text("utf-8"))["project"]
    for module in path.rglob("*.py"):
        ast.parse(module.read_text("utf-8"))
    if "description" in texts:
        assert metadata["description"] == texts["description"]
    if "author_name" in texts:
        assert metadata["authors"] == [{"name": texts["author_name"]}]
    readme = (path / "README.md").read_text("utf-8")
    before, _, _ = readme.partition("## Run it")
    assert not any(line.startswith(("```", "~~~", "<")) for line in before.splitlines()), before


@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in TEXTS.items() if name != "jinja"])
def test_any_text_gives_a_correct_project(tmp_path: Path, text: str) -> None:
    answers = {"project_name": text, "project_slug": "shop", "description": text, "author_name": text}
    result = generate(tmp_path / "out", answers)
    assert result.returncode == 0, result.stderr
    assert_correct(tmp_path / "out" / "shop", description=text, author_name=text)


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_any_text_that_is_typed_in_gives_a_correct_project(tmp_path: Path, text: str) -> None:
    typed = f"{text}\nshop\n{text}\n{text}\n" + "\n" * (len(ASKED) - 4)
    result = generate(tmp_path / "out", {}, typed)
    assert result.returncode == 0, result.stdout + result.stderr
    assert_correct(tmp_path / "out" / "shop", description=text.strip(), author_name=text.strip())


def test_the_enter_key_alone_gives_the_default_project(tmp_path: Path) -> None:
    result = generate(tmp_path / "out", {}, "\n" * len(ASKED))
    assert result.returncode == 0, result.stdout + result.stderr
    assert_correct(tmp_path / "out" / "my-service", description=QUESTIONS["description"])


def test_jinja_on_the_command_line_gives_a_correct_project(tmp_path: Path) -> None:
    """There cookiecutter itself renders it, once; what comes of that is text again."""
    result = generate(tmp_path / "out", {"description": "{{ 7 * 7 }} {{ '{{' }} 1 }}"})
    assert result.returncode == 0, result.stderr
    assert_correct(tmp_path / "out" / "my-service", description="49 {{ 1 }}")


@pytest.mark.parametrize("slug", SLUGS.values(), ids=SLUGS)
def test_a_slug_that_is_no_usable_name_is_refused(tmp_path: Path, slug: str) -> None:
    assert "project_slug" in refused(tmp_path, project_slug=slug)


def test_an_absolute_path_is_refused_and_not_made(tmp_path: Path) -> None:
    assert "project_slug" in refused(tmp_path, project_slug=str(tmp_path / "elsewhere"))


def test_a_slug_that_names_a_project_beside_leaves_that_alone(tmp_path: Path) -> None:
    beside = tmp_path / "beside"
    (beside / "src").mkdir(parents=True)
    result = generate(tmp_path / "out", {"project_slug": "../beside"})
    assert result.returncode != 0
    assert left_in(beside) == [beside / "src"]
    assert left_in(tmp_path / "out") == []


def test_a_folder_that_exists_already_is_left_alone(tmp_path: Path) -> None:
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
def test_an_empty_name_is_refused(tmp_path: Path, answers: dict[str, str]) -> None:
    assert f"{next(iter(answers))} is empty" in refused(tmp_path, **answers)


def test_a_name_that_gives_an_empty_slug_is_refused(tmp_path: Path) -> None:
    assert "project_slug is empty" in refused(tmp_path, project_name="\N{ROCKET}")


@pytest.mark.parametrize("question", ["project_name", "description", "author_name"])
@pytest.mark.parametrize("text", ["one\ntwo", "one\rtwo", "tab\there", "\x1b[31m", "line\u2028end"])
def test_a_control_character_is_refused(tmp_path: Path, question: str, text: str) -> None:
    assert f"{question} " in refused(tmp_path, **{"project_slug": "shop", question: text})


def test_no_handler_at_all_is_refused_with_the_reason(tmp_path: Path) -> None:
    assert "the log would go nowhere" in refused(tmp_path, **NO_HANDLER)


def test_every_problem_is_named_in_one_message(tmp_path: Path) -> None:
    message = refused(tmp_path, project_slug="a/b", description="one\ntwo", author_name="a\tb", **NO_HANDLER)
    for problem in ("project_slug 'a/b'", "description 'one", "author_name 'a", "no handler is chosen"):
        assert problem in message


def test_the_longest_and_the_shortest_slug_give_a_project_that_ruff_accepts(tmp_path: Path) -> None:
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
