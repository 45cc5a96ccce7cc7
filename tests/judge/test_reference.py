"""The reference judge: symmetric, tied within its band, silent where there is nothing to compare with."""

from hypothesis import given
from hypothesis import strategies as st
from sacrebleu import sentence_chrf

from limakit.judge.reference import NAME, judge
from limakit.records import Pair, Response, Turn


def pair(a: str, b: str, reference: str | None = "Water the basil from below and give it light.") -> Pair:
    first = Response(prompt_id="p", system="tuned", text=a, finish="eot", tokens=1)
    second = Response(prompt_id="p", system="base", text=b, finish="length", tokens=1)
    question = (Turn(role="user", content="How do I keep basil alive?"),)
    return Pair(id="x", prompt_id="p", messages=question, a=first, b=second, reference=reference)


def test_the_closer_answer_wins() -> None:
    verdict = next(judge([pair("Give it light and water it from below.", "Bananas are yellow.")], tie_band=1.0))
    assert (verdict.label, verdict.winner, verdict.judge) == ("a", "tuned", NAME)
    assert verdict.detail == "chrF tuned 51.1, base 9.7; a difference up to 1 is a tie"


def test_scores_are_sacrebleus() -> None:
    text, reference = "Give it light.", "Water it and give it light."
    verdict = next(judge([pair(text, "", reference)], tie_band=0))
    assert f"tuned {sentence_chrf(text, [reference]).score:.1f}" in verdict.detail
    assert "base 0.0" in verdict.detail


def test_within_the_band_is_a_tie_and_the_band_is_read() -> None:
    close = pair("Give it light and water it from below.", "Give it light and water it from above.")
    labels = [next(judge([close], tie_band=band)).label for band in (0.0, 50.0)]
    assert labels == ["a", "tie"]
    assert next(judge([pair("same", "same")], tie_band=0)).label == "tie"


def test_without_reference_the_verdict_is_missing() -> None:
    for reference in (None, "", " \n"):
        verdict = next(judge([pair("x", "y", reference)], tie_band=1.0))
        assert (verdict.label, verdict.winner, verdict.detail) == (None, None, "no reference")


@given(st.text(max_size=60), st.text(max_size=60), st.text(min_size=1, max_size=60), st.floats(0, 20))
def test_swapping_the_sides_mirrors_the_label(a: str, b: str, reference: str, band: float) -> None:
    item = pair(a, b, reference)
    straight, swapped = judge([item, item.swap()], tie_band=band)
    assert swapped.label == {"a": "b", "b": "a", "tie": "tie", None: None}[straight.label]
    assert swapped.winner == straight.winner
