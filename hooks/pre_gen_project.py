"""Refuse answers that cannot become a working project: all of them, in one message.

The answers are data here, read from a JSON literal (`tojson` escapes whatever could end it);
no answer is ever pasted into code. When this hook fails, cookiecutter removes the folder that
it has made. It makes that folder first, so an answer that is no folder name (empty, a path)
was set aside by `__folder` in cookiecutter.json, and is found here as `__asked_slug`.
"""

import json
import keyword
import re
import sys
import unicodedata

SLUG = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")
LONGEST_SLUG = 40  # characters; longer ones make generated lines too long to read
SLUG_FORM = "small letters, digits and single hyphens, a letter first, for example my-service"
ONE_LINE = ("project_name", "description", "author_name")
# Modules that the generated project itself has to import under their own names.
TAKEN = {"src", "tests", "pytest", "mypy", "ruff", "logging_setup"}
# Device names on Windows, whatever the extension.
DEVICES = {"con", "prn", "aux", "nul", *(f"{d}{n}" for d in ("com", "lpt") for n in range(1, 10))}


def problems(answers: dict[str, object]) -> list[str]:
    """What is wrong with the answers, each as one line that says what would be right."""
    found = []
    for question in ONE_LINE:
        answer = str(answers[question])
        if question == "project_name" and not answer.strip():
            found.append("project_name is empty: give the project a name")
        if any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in answer):
            found.append(f"{question} {answer!r} has a control character: one line of plain text")
    found += slug_problems(str(answers["__asked_slug"]))
    sinks = [answers[question] for question in ("console_handler", "file_handler", "collector_handler")]
    if sinks == ["none", "none", "none"] and not answers["email_handler"]:
        found.append("no handler is chosen: the log would go nowhere; choose at least one")
    return found


def slug_problems(slug: str) -> list[str]:
    if not slug:
        return [f"project_slug is empty: {SLUG_FORM}"]
    if not SLUG.fullmatch(slug):
        return [f"project_slug {slug!r} is no usable name: {SLUG_FORM}"]
    found = []
    if len(slug) > LONGEST_SLUG:
        found.append(f"project_slug has {len(slug)} characters: {LONGEST_SLUG} at most")
    package = slug.replace("-", "_")
    if keyword.iskeyword(package) or keyword.issoftkeyword(package):
        found.append(f"project_slug {slug!r} is a Python keyword: another name")
    elif package in sys.stdlib_module_names:
        found.append(f"project_slug {slug!r} would hide a module of Python: another name")
    elif package in TAKEN or package in DEVICES:
        found.append(f"project_slug {slug!r} is taken: another name")
    return found


def main() -> None:
    found = problems(json.loads(r"""{{ cookiecutter | tojson }}"""))
    if found:
        lines = "".join(f"\n  - {line}" for line in found)
        sys.exit(f"Nothing was generated. Please change these answers:{lines}")


main()
