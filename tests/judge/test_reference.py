"""The reference judge: ROUGE-L as published, sane where it must be, symmetric, silent without a reference."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limakit.judge.reference import NAME, common_subsequence, judge, rouge_l
from limakit.records import Pair, Response, Turn

REFERENCE = (
    "Basil dies on windowsills mostly because of cold feet and wet soil. Water it from below, only when the "
    "pot feels light, and pour away what is left after ten minutes. Give it the brightest place you have. "
    "Pinch out the tips every week, just above a pair of leaves, so that it grows bushy and doesn't flower. "
    "Shop pots hold a dozen seedlings: divide them into three pots and each of them will live for months."
)
PARAPHRASE = (
    "Cold feet and wet soil are what kills basil. Water from below when the pot feels light and pour away the "
    "rest. It wants the brightest place in the house. Pinch the tips just above a pair of leaves every week, "
    "and divide a shop pot into three."
)
OTHER = (
    "A bicycle chain should be cleaned before it is oiled. Turn the pedals backwards, hold a rag around the "
    "chain and let it run through. Then put one drop on each link, wait a quarter of an hour, and wipe off "
    "whatever is on the outside."
)
RAMBLE = (
    "That is a thing which one could say a great deal about, and a great deal has been said about it in the "
    "course of time by many people in many places, and the pot and the place and the week are all of them of "
    "some interest to it. "
) * 4


def pair(a: str, b: str, reference: str | None = "Water the basil from below and give it light.") -> Pair:
    first = Response(prompt_id="p", system="tuned", text=a, finish="eot", tokens=1)
    second = Response(prompt_id="p", system="base", text=b, finish="length", tokens=1)
    question = (Turn(role="user", content="How do I keep basil alive?"),)
    return Pair(id="x", prompt_id="p", messages=question, a=first, b=second, reference=reference)


def test_the_closer_answer_wins() -> None:
    verdict = next(judge([pair("Give it light and water it from below.", "Bananas are yellow.")], tie_band=1.0))
    assert (verdict.label, verdict.winner, verdict.judge) == ("a", "tuned", NAME)
    assert verdict.detail == "ROUGE-L tuned 35.3, base 0.0; a difference up to 1 is a tie"


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        pytest.param(REFERENCE, PARAPHRASE, id="the reference itself beats a paraphrase"),
        pytest.param(PARAPHRASE, OTHER, id="a paraphrase beats an answer to something else"),
        pytest.param(PARAPHRASE, RAMBLE, id="a paraphrase beats a long ramble"),
        pytest.param(PARAPHRASE, " ".join([PARAPHRASE] * 3), id="once beats three times"),
        pytest.param(REFERENCE, " ".join([REFERENCE] * 3), id="the reference beats itself three times"),
        pytest.param(PARAPHRASE, f"{PARAPHRASE} {RAMBLE}", id="an end beats rambling on"),
        pytest.param(REFERENCE, " ".join(sorted(REFERENCE.split())), id="order counts"),
        pytest.param(PARAPHRASE, PARAPHRASE[: len(PARAPHRASE) // 3], id="an answer beats its first third"),
        pytest.param(OTHER, "", id="anything beats nothing"),
        pytest.param(OTHER, "…?!", id="anything beats signs"),
    ],
)
def test_what_any_sane_metric_says(better: str, worse: str) -> None:
    assert next(judge([pair(better, worse, REFERENCE)], tie_band=2.5)).label == "a"
    assert next(judge([pair(worse, better, REFERENCE)], tie_band=2.5)).label == "b"


@pytest.mark.parametrize(
    ("text", "reference", "score"),
    [
        ("Give it light.", "Water it and give it light.", 66.66666666666666),
        ("the cat sat on the mat", "the cat was on the mat, it sat", 71.42857142857143),
        ("```python\nprint(a_b)\n```", "print(a, b)  # python 3", 66.66666666666666),
        (PARAPHRASE, REFERENCE, 52.38095238095239),
        (OTHER, REFERENCE, 12.903225806451616),
        (REFERENCE, REFERENCE, 100.0),
    ],
)
def test_scores_are_those_of_rouge_score(text: str, reference: str, score: float) -> None:
    """Figures of rouge-score 0.1.2, `rougeL` without stemming, F-measure times 100."""
    assert rouge_l(text, reference) == pytest.approx(score, abs=1e-9)


def test_words_are_words_in_any_language() -> None:
    assert rouge_l("Är det kallt ute?", "är det kallt") == pytest.approx(200 * 3 / 7)
    assert rouge_l("今日は寒い", "今日は暑い") == pytest.approx(80)


def test_within_the_band_is_a_tie_and_the_band_is_read() -> None:
    close = pair("Give it light and water it from below.", "Give it light and water the thing from above.")
    labels = [next(judge([close], tie_band=band)).label for band in (0.0, 50.0)]
    assert labels == ["a", "tie"]
    assert next(judge([pair("same", "same")], tie_band=0)).label == "tie"


def test_without_reference_the_verdict_is_missing() -> None:
    for reference in (None, "", " \n"):
        verdict = next(judge([pair("x", "y", reference)], tie_band=1.0))
        assert (verdict.label, verdict.winner, verdict.detail) == (None, None, "no reference")


@given(st.lists(st.sampled_from("abcd"), max_size=12), st.lists(st.sampled_from("abcd"), max_size=12))
def test_the_common_subsequence_is_the_longest(a: list[str], b: list[str]) -> None:
    table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            table[i + 1][j + 1] = table[i][j] + 1 if x == y else max(table[i][j + 1], table[i + 1][j])
    assert common_subsequence(a, b) == table[-1][-1]


TEXTS = st.text("abc é\n.", max_size=12)


@given(TEXTS, TEXTS, TEXTS, st.floats(0, 20))
def test_swapping_the_sides_mirrors_the_label(a: str, b: str, reference: str, band: float) -> None:
    item = pair(a, b, reference)
    straight, swapped = judge([item, item.swap()], tie_band=band)
    assert swapped.label == {"a": "b", "b": "a", "tie": "tie", None: None}[straight.label]
    assert swapped.winner == straight.winner
