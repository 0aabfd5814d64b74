"""Sets of answers: all of them, and a few in which every pair of choices occurs.

Both are computed from cookiecutter.json, so a new question or choice is tested without a change here.
"""

import itertools
from typing import Any

from tests.support.project import ASKED, QUESTIONS

Answers = dict[str, Any]
ASIDE = ("licence", "webhook_handler")  # one choice of each in a combination: they change hardly any file of the others

# Booleans and lists are choices; texts are not.
CHOICES: dict[str, list[Any]] = {
    name: [True, False] if isinstance(QUESTIONS[name], bool) else QUESTIONS[name]
    for name in ASKED
    if not isinstance(QUESTIONS[name], str)
}


def is_refused(answers: Answers) -> bool:
    """Return True if no handler is chosen, which the template refuses."""
    return all(answers[name] in ("none", False) for name in CHOICES if name.endswith("_handler"))


def every_combination() -> list[Answers]:
    """Return every set of answers from which a project is generated."""
    combined = {name: choices for name, choices in CHOICES.items() if name not in ASIDE}
    found = []
    for each in itertools.product(*combined.values()):
        answers = dict(zip(combined, each, strict=True))
        place = sum(CHOICES[name].index(answer) for name, answer in answers.items())
        answers |= {name: CHOICES[name][place % len(CHOICES[name])] for name in ASIDE}
        answers = {name: answers[name] for name in CHOICES}
        if not is_refused(answers):
            found.append(answers)
    return found


def every_pair() -> list[Answers]:
    """Return a small set in which any two choices of two questions occur together, chosen greedily."""
    left = every_combination()
    missing = set().union(*map(pairs, left))
    found = []
    while missing:
        best = max(left, key=lambda answers: len(pairs(answers) & missing))
        found.append(best)
        missing -= pairs(best)
    return found


def pairs(answers: Answers) -> set[tuple[tuple[str, Any], ...]]:
    return set(itertools.combinations(answers.items(), 2))


def words(answers: Answers) -> str:
    """Format a set of answers for a report."""
    return " ".join(f"{name.removesuffix('_handler')}={answer}" for name, answer in answers.items())
