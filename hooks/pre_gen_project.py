"""Refuse answers that cannot give a working project, all of them in one message.

The answers are data, read from a JSON literal (`tojson` escapes every character that could end it);
no answer is pasted into code. When this hook fails, cookiecutter removes the folder that it has
created. It creates that folder before it runs this hook, so `__asked_slug` in cookiecutter.json keeps an
answer that is not a folder name (empty, a path), and replaces it in `project_slug`.
"""

import importlib.metadata
import json
import keyword
import re
import sys
import unicodedata
from pathlib import Path

COOKIECUTTER = (2, 4)  # the oldest version that gives the same projects
FILES_BEFORE = Path(".files-before-generation.json")  # read and deleted by post_gen_project.py
SLUG = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")
LONGEST_SLUG = 40  # characters; longer ones make generated lines too long
SLUG_FORM = "expected lowercase letters, digits and single hyphens, a letter first, for example my-service"
ONE_LINE = ("project_name", "description", "author_name")
# Owner -> names that it has already, as patterns; hyphens are underscores.
TAKEN = {
    "a folder or module of the generated project": """
        conftest logging_setup src test_email test_file test_json_format test_logging test_multi test_settings
        test_webhook tests
        """,
    # Removed after 3.11, or added later: a module of some supported versions only.
    "a module of Python": """
        aifc annotationlib asynchat asyncore audioop cgi cgitb chunk compression crypt distutils imghdr imp lib2to3
        mailcap msilib nis nntplib ossaudiodev pipes profiling site_packages sitecustomize smtpd sndhdr spwd sunau
        telnetlib test uu usercustomize xdrlib
        """,
    "a package that the project, its tests or its tools import": r"""
        ast_serialize attr attrs certifi charset_normalizer colorama exceptiongroup google googleapis_common_protos
        hatchling idna iniconfig jsonschema jsonschema_specifications librt mypy mypy_extensions mypyc
        opentelemetry(_\w+)? packaging pathspec pluggy protobuf py pygments pytest referencing requests rpds rpds_py
        ruff setuptools tomli trove_classifiers types_jsonschema typing_extensions urllib3 wheel
        """,
    "a command that its own would hide": r"""
        activate bash cruft deactivate dmypy docker env git make normalizer pygmentize (python|pip|pypy)[\d_]* sh
        stubgen stubtest uv uvx
        """,
}
# Device names on Windows, whatever the extension.
DEVICES = {"con", "prn", "aux", "nul", *(f"{d}{n}" for d in ("com", "lpt") for n in range(1, 10))}


def problems(answers: dict[str, object]) -> list[str]:
    """Return one line per problem: what was found, and what was expected."""
    found = []
    for question in ONE_LINE:
        answer = str(answers[question])
        if question == "project_name" and not answer.strip():
            found.append("project_name is empty: expected a name")
        if any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in answer):
            found.append(f"{question} {answer!r} has a control character: expected one line of plain text")
    booleans = [question for question in answers if f"__{question}" in answers]  # cookiecutter.json converts them
    found += [
        f"{each} is {answers[each]!r}: expected yes or no" for each in booleans if answers[each] not in (True, False)
    ]
    found += private_problems(answers) or slug_problems(str(answers["__asked_slug"]))
    derived = [f"__{question}" for question in booleans]  # any other private one is an answer that a fork has fixed
    sinks = [each for each in answers if each.endswith("_handler") and each not in derived]
    if all(answers[each] in ("none", False) for each in sinks):
        found.append("no handler is chosen: expected at least one, otherwise no record is written")
    return found


def private_problems(answers: dict[str, object]) -> list[str]:
    """Return one line per private variable that the command line or a replay file has changed."""
    slug, asked = str(answers["project_slug"]), str(answers["__asked_slug"])
    replaced = slug.startswith("refused-answers-") and slug_problems(asked)
    expected = {
        "__asked_slug": (asked if replaced else slug, "project_slug"),
        "__package": (slug.replace("-", "_"), "project_slug"),
        "__licence_file": ("LICENSE" if answers["licence"] != "none" else "", "licence"),
    }
    return [
        f"{name} is {answers[name]!r}: expected {value!r}, derived from {source}; it cannot be set"
        for name, (value, source) in expected.items()
        if answers[name] != value
    ]


def slug_problems(slug: str) -> list[str]:
    """Return one line per problem with the slug."""
    if not slug:
        return [f"project_slug is empty: {SLUG_FORM}"]
    if not SLUG.fullmatch(slug):
        return [f"project_slug {slug!r} is not a usable name: {SLUG_FORM}"]
    found = []
    if len(slug) > LONGEST_SLUG:
        found.append(f"project_slug has {len(slug)} characters: expected at most {LONGEST_SLUG}")
    owner = owner_of(slug.replace("-", "_"))
    if owner:
        found.append(f"project_slug {slug!r} is the name of {owner}: choose another name")
    return found


def owner_of(package: str) -> str:
    """Return what already has this name, or an empty string."""
    if keyword.iskeyword(package) or keyword.issoftkeyword(package):
        return "a Python keyword"
    if package in sys.stdlib_module_names:
        return "a module of Python"
    if package in DEVICES:
        return "a device of Windows"
    taken = (owner for owner, names in TAKEN.items() if any(re.fullmatch(name, package) for name in names.split()))
    return next(taken, "")


def version_problem() -> str:
    """Return what to do about a cookiecutter that is too old, or an empty string. Hooks run in its interpreter."""
    try:
        version = importlib.metadata.version("cookiecutter")
    except importlib.metadata.PackageNotFoundError:  # bundled in a program of another name
        return ""
    if tuple(map(int, re.findall(r"\d+", version)[:2])) >= COOKIECUTTER:
        return ""
    needed = ".".join(map(str, COOKIECUTTER))
    return (
        f"Nothing was generated: cookiecutter {version} is too old, {needed} or later is needed."
        "\nUpgrade it as it was installed: uv tool upgrade cookiecutter, pipx upgrade cookiecutter,"
        "\nor python -m pip install --upgrade cookiecutter"
    )


def main() -> None:
    if problem := version_problem():
        sys.exit(problem)
    found = problems(json.loads(r"""{{ cookiecutter | tojson }}"""))
    if found:
        lines = "".join(f"\n  - {line}" for line in found)
        sys.exit(f"Nothing was generated. Please change these answers:{lines}")
    before = [path.as_posix() for folder in ("src", "tests") for path in Path(folder).rglob("*.py")]
    if before:  # with --overwrite-if-exists
        FILES_BEFORE.write_text(json.dumps(before), "utf-8")


main()
