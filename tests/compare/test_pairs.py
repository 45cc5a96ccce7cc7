"""Pairs: complete, counted, blind, and the same every time."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limakit.compare.pairs import make_pairs
from limakit.errors import InputError
from limakit.records import Prompt, Response, Turn


def prompts(n: int) -> list[Prompt]:
    return [
        Prompt(id=f"p{i}", messages=(Turn(role="user", content=f"Question {i}?"),), category="c", reference=f"R{i}")
        for i in range(n)
    ]


def answer(prompt: str, system: str, sample: int = 0, text: str = "") -> Response:
    return Response(
        prompt_id=prompt, system=system, text=text or f"{system} on {prompt}", finish="eot", tokens=3, sample=sample
    )


def answers(n: int, systems: tuple[str, ...], samples: int = 1) -> list[Response]:
    return [answer(f"p{i}", s, k) for i in range(n) for s in systems for k in range(samples)]


def test_one_pair_a_prompt_baseline_and_sample_in_that_order() -> None:
    made = make_pairs(
        prompts(3), answers(3, ("tuned", "base", "old"), 2), candidate="tuned", baselines=["base", "old"], samples=2
    )
    assert made.asked == len(made.pairs) == 12
    assert made.missing == []
    rows = [(p.prompt_id, ({p.a.system, p.b.system} - {"tuned"}).pop(), p.a.sample, p.b.sample) for p in made.pairs]
    assert rows == [(f"p{i}", b, k, k) for i in range(3) for b in ("base", "old") for k in range(2)]
    first = made.pairs[0]
    assert (first.reference, first.category, first.messages[0].content) == ("R0", "c", "Question 0?")


def test_sides_are_fair_and_fixed_for_ever() -> None:
    made = make_pairs(prompts(2000), answers(2000, ("tuned", "base")), candidate="tuned", baselines=["base"], seed=7)
    first = sum(pair.a.system == "tuned" for pair in made.pairs)
    assert abs(first - 1000) < 4 * (2000 / 4) ** 0.5
    # The drawn sides are part of the format: a change here would reshuffle studies that people are judging.
    assert "".join("T" if pair.a.system == "tuned" else "B" for pair in made.pairs[:24]) == "TBTTTTBBTBBBBTBTTTTBBBTB"
    other = make_pairs(prompts(2000), answers(2000, ("tuned", "base")), candidate="tuned", baselines=["base"], seed=8)
    moved = sum(x.a.system != y.a.system for x, y in zip(made.pairs, other.pairs, strict=True))
    assert abs(moved - 1000) < 4 * (2000 / 4) ** 0.5


@given(st.randoms(use_true_random=False), st.integers(0, 5))
def test_order_of_the_input_does_not_matter(shuffle: random.Random, seed: int) -> None:
    given_answers = answers(5, ("tuned", "base", "old"))
    mixed = list(given_answers)
    shuffle.shuffle(mixed)
    plain = make_pairs(prompts(5), given_answers, candidate="tuned", baselines=["base", "old"], seed=seed)
    other = make_pairs(prompts(5), mixed, candidate="tuned", baselines=["old", "base"], seed=seed)
    assert sorted(plain.pairs, key=lambda p: p.id) == sorted(other.pairs, key=lambda p: p.id)
    roles = make_pairs(prompts(5), given_answers, candidate="base", baselines=["tuned"], seed=seed)
    assert [p for p in plain.pairs if "old" not in (p.a.system, p.b.system)] == roles.pairs


def test_missing_answers_are_counted() -> None:
    given_answers = [r for r in answers(4, ("tuned", "base", "old")) if (r.prompt_id, r.system) != ("p1", "base")]
    given_answers = [r for r in given_answers if (r.prompt_id, r.system) != ("p3", "tuned")]
    made = make_pairs(prompts(4), given_answers, candidate="tuned", baselines=["base", "old"])
    assert made.missing == [("p1", "base", 0), ("p3", "tuned", 0)]
    assert made.counts() == {
        "asked": 8, "pairs": 5, "not_paired": 3, "missing_answers": {"base": 1, "tuned": 1}, "identical": 0,
    }  # fmt: skip


def test_ids_are_unique_and_name_no_system() -> None:
    made = make_pairs(
        prompts(300), answers(300, ("tuned", "base"), 2), candidate="tuned", baselines=["base"], samples=2
    )
    assert len({p.id for p in made.pairs}) == 600
    assert all(set(p.id) <= set("0123456789abcdef") for p in made.pairs)


def test_a_changed_answer_is_another_item_with_the_same_sides() -> None:
    old = make_pairs(prompts(1), answers(1, ("tuned", "base")), candidate="tuned", baselines=["base"]).pairs[0]
    new_answers = [answer("p0", "tuned", text="better"), answer("p0", "base")]
    new = make_pairs(prompts(1), new_answers, candidate="tuned", baselines=["base"]).pairs[0]
    assert new.id != old.id
    assert new.a.system == old.a.system


def test_two_answers_or_a_stranger_are_refused() -> None:
    twice = [answer("p0", "tuned"), answer("p0", "tuned")]
    with pytest.raises(InputError, match="two answers"):
        make_pairs(prompts(1), twice, candidate="tuned", baselines=["base"])
    with pytest.raises(InputError, match="not among the prompts"):
        make_pairs(prompts(1), [answer("p9", "tuned")], candidate="tuned", baselines=["base"])
    with pytest.raises(InputError, match="same id"):
        make_pairs(prompts(1) * 2, [], candidate="tuned", baselines=["base"])
