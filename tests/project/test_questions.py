"""cookiecutter.json: every question has a prompt in words."""

import itertools

import pytest
from cookiecutter.prompt import YesNoPrompt, prompt_for_config

from tests.support import combinations
from tests.support.project import ASKED, QUESTIONS

PROMPTS = QUESTIONS["__prompts__"]


def texts() -> list[str]:
    """Return every text that a prompt shows."""
    return [text for prompt in PROMPTS.values() for text in (prompt.values() if isinstance(prompt, dict) else [prompt])]


class TestPrompts:
    """The words of the questions."""

    def test_questions_and_prompts_match(self) -> None:
        assert list(PROMPTS) == ASKED

    def test_choice_has_a_label_that_begins_with_it(self) -> None:
        for name, choices in QUESTIONS.items():
            if name in ASKED and isinstance(choices, list):
                labels = dict(PROMPTS[name])
                assert labels.pop("__prompt__")
                assert list(labels) == choices
                assert all(label.startswith(f"{choice} - ") for choice, label in labels.items())

    def test_prompts_have_no_square_brackets(self) -> None:
        """Rich would take them for markup."""
        assert not [text for text in texts() if "[" in text or "]" in text]

    def test_questions_ask_for_no_secret(self) -> None:
        assert not [name for name in ASKED if any(word in name for word in ("password", "token", "secret", "key"))]


BOOLEANS = [name for name in ASKED if isinstance(QUESTIONS[name], bool)]


class TestPairwiseSet:
    """The set of projects that are tested."""

    def test_pairwise_set_is_complete_and_small(self) -> None:
        every, some = combinations.every_combination(), combinations.every_pair()
        assert set().union(*map(combinations.pairs, some)) == set().union(*map(combinations.pairs, every))
        assert len(some) < len(every) / 3

    def test_every_pair_of_choices_occurs(self) -> None:
        pairs = set().union(*map(combinations.pairs, combinations.every_combination()))
        for first, second in itertools.combinations(combinations.CHOICES, 2):
            for choices in itertools.product(combinations.CHOICES[first], combinations.CHOICES[second]):
                assert tuple(zip((first, second), choices, strict=True)) in pairs

    @pytest.mark.parametrize("name", BOOLEANS)
    def test_word_for_a_boolean_is_converted(self, name: str) -> None:
        """Cookiecutter converts answers of the command line from 2.7 on; before, they reach this step as text."""
        for word, value in {**QUESTIONS["_booleans"], "No": False, "YES": True}.items():
            assert prompt_for_config({"cookiecutter": {**QUESTIONS, name: word}}, no_input=True)[name] is value
        other = prompt_for_config({"cookiecutter": {**QUESTIONS, name: "perhaps"}}, no_input=True)
        assert other[name] == "perhaps"  # which the hook refuses

    def test_every_word_of_cookiecutter_for_a_boolean_is_known(self) -> None:
        prompt = YesNoPrompt()
        assert QUESTIONS["_booleans"] == {
            **dict.fromkeys(prompt.yes_choices, True),
            **dict.fromkeys(prompt.no_choices, False),
        }
