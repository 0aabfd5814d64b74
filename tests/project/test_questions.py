"""cookiecutter.json: every question has a prompt in words."""

from tests.support import combinations
from tests.support.project import ASKED, QUESTIONS

PROMPTS = QUESTIONS["__prompts__"]


def texts() -> list[str]:
    """Return every text that a prompt shows."""
    return [text for prompt in PROMPTS.values() for text in (prompt.values() if isinstance(prompt, dict) else [prompt])]


def test_questions_and_prompts_match() -> None:
    assert list(PROMPTS) == ASKED


def test_choice_has_a_label_that_begins_with_it() -> None:
    for name, choices in QUESTIONS.items():
        if name in ASKED and isinstance(choices, list):
            labels = dict(PROMPTS[name])
            assert labels.pop("__prompt__")
            assert list(labels) == choices
            assert all(label.startswith(f"{choice} - ") for choice, label in labels.items())


def test_prompts_have_no_square_brackets() -> None:
    """Rich would take them for markup."""
    assert not [text for text in texts() if "[" in text or "]" in text]


def test_questions_ask_for_no_secret() -> None:
    assert not [name for name in ASKED if any(word in name for word in ("password", "token", "secret", "key"))]


def test_pairwise_set_is_complete_and_small() -> None:
    every, some = combinations.every_combination(), combinations.every_pair()
    assert set().union(*map(combinations.pairs, some)) == set().union(*map(combinations.pairs, every))
    assert len(some) < len(every) / 3
