"""Style: each check finds its fault, says the remedy, and lets good answers pass."""

import pytest

from limakit.author import style
from limakit.author.sameness import sameness, shape
from limakit.author.style import CHECKS, check
from limakit.cli.style import read
from limakit.records import Turn
from limakit.store.study import PACKAGE

QUESTION = "How do I get wax out of a tablecloth?"
GOOD = "Wax comes out of a tablecloth more easily cold than warm. Put ice on it, then lift it off with a spoon."

FAULTS = {
    "speaks_as_machine": "As an AI language model, I have no tablecloth, but wax can be lifted off with a spoon.",
    "stock_opening": "Great question! Wax comes off with ice.",
    "announces_itself": "Here are some ways to get wax out of cloth: use ice.",
    "no_acknowledgement": "Gravity pulls things down. " + "Stones fall, feathers drift, rivers run to the sea. " * 12,
    "late_answer": "Wax is a nuisance. "
    + "Candles drip on cloth at every feast. " * 25
    + "\n\nUse ice.\n\nThen a spoon.",
    "repeats_prompt": "How do I get wax out of a tablecloth? With ice.",
    "claims_experience": "In my experience wax comes off best with ice.",
    "stock_ending": "Wax comes off with ice.\n\nLet me know if you need anything else!",
    "too_long": "Wax comes off with ice. " + "Then take a spoon and lift it. " * 200,
    "wall_of_text": "Wax comes off with ice. " + "Then take a spoon and lift it. " * 40,
    "all_list": "Wax comes off.\n- ice\n- spoon\n- iron\n- paper\n- soap\n- patience",
    "headings_in_short": "# Wax\n\nUse ice.\n\n# Then\n\nUse a spoon.",
    "shouts": "Wax comes off! Use ice! Then a spoon! Easy!",
    "open_code": "Wax comes off with\n```\nice",
    "empty": " \n",
}


def dialogue(prompt: str, answer: str) -> list[Turn]:
    return [Turn(role="user", content=prompt), Turn(role="assistant", content=answer)]


def test_every_check_has_a_fault_to_find():
    assert FAULTS.keys() == {test.__name__ for test in CHECKS}


@pytest.mark.parametrize("name", FAULTS)
def test_a_check_finds_its_fault_and_says_what_to_do(name):
    found = {finding.check: finding.says for finding in check(dialogue(QUESTION, FAULTS[name]))}
    assert name in found
    assert "\n" not in found[name]
    assert ":" in found[name], "what is wrong: what to do"
    assert getattr(style, name)(QUESTION, GOOD) is None


@pytest.mark.parametrize(
    ("prompt", "answer"),
    [
        (QUESTION, GOOD),
        ("Write an out-of-office message.", "> Thank you for your message. I am away and my wife answers. Good luck!"),
        ("You are a pirate. Greet me!", "I once sailed these seas! Ahoy! Aye! Welcome aboard!"),
        ("Name six trees as a list.", "- oak\n- ash\n- elm\n- fir\n- yew\n- lime"),
        ("Who said it?", "A gardener wrote “in my experience it grows” and left it at that."),
        ("What does sure mean?", "Sure footing is firm footing; the word means certain."),
        ("Print it", "`I'm an AI` is what the program prints."),
    ],
)
def test_what_only_looks_like_a_fault_passes(prompt, answer):
    assert check(dialogue(prompt, answer)) == []


def test_only_the_first_answer_must_take_up_the_question():
    late = FAULTS["no_acknowledgement"]
    turns = [*dialogue(QUESTION, GOOD), *dialogue("And coffee?", late)]
    assert check(turns) == []
    assert [finding.turn for finding in check([*turns, *dialogue("More?", "Certainly! Tea.")])] == [5]


def test_the_sample_data_is_nearly_free_of_findings():
    found, alike = [], []
    examples = read(PACKAGE / "starter" / "authored" / "train.jsonl")
    for _, turns in examples:
        found += check(turns)
    alike = sameness(examples)
    assert len(examples) == 200
    assert len(found) <= 10, "checks that point at good answers teach people to ignore them"
    assert alike == []


def test_sameness_names_the_examples_and_the_remedy():
    same = [
        (f"e{at}", dialogue("Why?", f"The short answer is number {at}. Now rest well, dear friend.")) for at in range(5)
    ]
    others = [
        (f"o{at}", dialogue("Why?", f"{word} grows in June.\n\nIt ends in {word}."))
        for at, word in enumerate("abcdefgh")
    ]
    found = {alike.check: alike for alike in sameness([*same, *others])}
    assert found["same_openings"].ids == found["same_endings"].ids == tuple(f"e{at}" for at in range(5))
    assert "5 of 13 answers begin “the short answer …”" in found["same_openings"].says
    assert found["same_shape"].says.startswith("8 of 13 answers are several paragraphs")
    phrase = "bring the pan to a rolling boil"
    third = [(f"p{at}", dialogue("Why?", f"{word}1. {phrase} {word}2.")) for at, word in enumerate("xyz")]
    assert phrase in next(a.says for a in sameness(third) if a.check == "same_phrases")


def test_shapes():
    assert [shape(text) for text in ("a", "a\n\nb", "a\n- b\n- c", "| a | b |", "a\n```\nb\n```")] == [
        "lines",
        "prose",
        "list",
        "table",
        "code",
    ]
