"""Penalty, nucleus and draw: worked examples and properties."""

import pytest

torch = pytest.importorskip("torch")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from torch import Tensor  # noqa: E402

from limakit.errors import ModelError  # noqa: E402
from limakit.models.local_sampling import choose, draw, nucleus, penalise  # noqa: E402
from limakit.recipe import Generate  # noqa: E402

LOGIT = st.one_of(st.floats(-8, 8, width=32), st.sampled_from([-1.0, 0.0, 1.0]))
ROWS = st.integers(2, 40).flatmap(lambda v: st.lists(st.lists(LOGIT, min_size=v, max_size=v), min_size=1, max_size=5))
TOP_P = st.floats(0.05, 1.0)


def kept(logits: Tensor, top_p: float, width: int) -> list[tuple[set[int], bool]]:
    ids, probabilities, certain = nucleus(logits, logits.logsumexp(-1, keepdim=True), top_p, width)
    sets = [set(i[p > 0].tolist()) for i, p in zip(ids, probabilities, strict=True)]
    return list(zip(sets, certain.tolist(), strict=True))


def test_penalty_by_hand() -> None:
    logits = torch.tensor([[2.4, -1.0, 3.0, 0.0]])
    history = torch.tensor([[0, 1, 0, 2]])
    got = penalise(logits, history, torch.tensor([3]), 1.2)
    assert got[0].tolist() == pytest.approx([2.0, -1.2, 3.0, 0.0])
    assert logits[0, 0] == pytest.approx(2.4)


def test_penalty_leaves_what_was_not_generated() -> None:
    logits = torch.randn(3, 9, generator=torch.Generator().manual_seed(0))
    history = torch.tensor([[0, 0, 0], [4, 0, 0], [4, 4, 8]])
    got = penalise(logits, history, torch.tensor([0, 1, 3]), 1.5)
    changed = [set((row != old).nonzero()[:, 0].tolist()) for row, old in zip(got, logits, strict=True)]
    assert changed == [set(), {4}, {4, 8}]


def test_penalty_is_hugging_faces_when_it_ignores_the_prompt() -> None:
    from transformers import RepetitionPenaltyLogitsProcessor

    random = torch.Generator().manual_seed(1)
    logits, history = torch.randn(4, 50, generator=random), torch.randint(0, 50, (4, 12), generator=random)
    prompt = torch.randint(0, 50, (4, 5), generator=random)
    theirs = RepetitionPenaltyLogitsProcessor(1.2, prompt_ignore_length=5)(torch.cat([prompt, history], 1), logits)  # type: ignore[arg-type]
    assert torch.equal(penalise(logits, history, torch.full((4,), 12), 1.2), theirs)


def test_nucleus_by_hand() -> None:
    logits = torch.tensor([[0.1, 0.5, 0.1, 0.3]]).log()
    assert kept(logits, 0.45, 4) == [({1}, True)]
    assert kept(logits, 0.75, 4) == [({1, 3}, True)]
    assert kept(logits, 0.85, 4) == [({0, 1, 3}, True)], "of equal tokens the lower id comes first"
    assert kept(logits, 1.0, 4) == [({0, 1, 2, 3}, True)]


@given(ROWS, TOP_P)
def test_the_nucleus_is_the_smallest_set_with_enough_mass(rows: list[list[float]], top_p: float) -> None:
    logits = torch.tensor(rows)
    for row, (tokens, certain) in zip(logits, kept(logits, top_p, logits.shape[1]), strict=True):
        probabilities = row.double().softmax(0)
        inside = probabilities[list(tokens)]
        outside = [p for i, p in enumerate(probabilities.tolist()) if i not in tokens]
        assert certain
        assert float(inside.sum()) >= top_p - 1e-6
        assert float(inside.sum() - inside.min()) < top_p + 1e-6
        assert not outside or float(inside.min()) >= max(outside)


@given(ROWS, TOP_P, st.integers(1, 10))
def test_a_narrow_search_is_right_or_says_that_it_is_not(rows: list[list[float]], top_p: float, width: int) -> None:
    logits = torch.tensor(rows)
    for narrow, whole in zip(kept(logits, top_p, width), kept(logits, top_p, 40), strict=True):
        assert not narrow[1] or narrow[0] == whole[0]


@settings(deadline=None)
@given(ROWS, TOP_P, st.integers(0, 2**32))
def test_a_row_is_drawn_alike_alone_and_in_company(rows: list[list[float]], top_p: float, seed: int) -> None:
    logits = torch.tensor(rows)
    draws = torch.rand(len(rows), dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    together = draw(logits, draws, top_p).tolist()
    assert together == [draw(logits[i : i + 1], draws[i : i + 1], top_p)[0] for i in range(len(rows))]
    for token, (tokens, _) in zip(together, kept(logits, top_p, 40), strict=True):
        assert token in tokens


def test_a_wide_flat_row_does_not_change_its_neighbours() -> None:
    """One row needs the whole vocabulary, the others a few tokens; ties by the thousand."""
    random = torch.Generator().manual_seed(2)
    logits = torch.randn(8, 5000, generator=random) * torch.tensor([0.0, 0.1, 1, 2, 3, 4, 5, 9])[:, None]
    logits = (logits * 4).round() / 4
    draws = torch.rand(8, dtype=torch.float64, generator=random)
    together = draw(logits, draws, 0.9).tolist()
    assert together == [draw(logits[i : i + 1], draws[i : i + 1], 0.9)[0] for i in range(8)]


def test_draws_follow_the_renormalised_nucleus() -> None:
    probabilities = torch.tensor([0.02, 0.5, 0.03, 0.3, 0.15])
    steps = 20_000
    draws = (torch.arange(steps, dtype=torch.float64) + 0.5) / steps
    tokens = draw(probabilities.log().expand(steps, -1), draws, 0.9)
    shares = torch.bincount(tokens, minlength=5) / steps
    assert shares.tolist() == pytest.approx([0, 0.5 / 0.95, 0, 0.3 / 0.95, 0.15 / 0.95], abs=2e-4)


def test_the_ends_of_the_unit_interval_stay_inside() -> None:
    logits = torch.tensor([[0.0, 0.0, 5.0, 5.0, 0.0]]).expand(2, -1)
    assert draw(logits, torch.tensor([0.0, 1 - 2**-53], dtype=torch.float64), 0.9).tolist() == [2, 3]


def test_order_is_penalty_temperature_nucleus() -> None:
    """After the penalty token 1 leads, and at this temperature it alone is the nucleus."""
    logits = torch.tensor([[3.0, 2.9, 0.0]])
    history, counts, draws = torch.tensor([[0]]), torch.tensor([1]), torch.tensor([0.0], dtype=torch.float64)
    assert choose(logits, history, counts, draws, Generate(temperature=0.1)).tolist() == [1]
    assert choose(logits, history, counts, draws, Generate(temperature=5.0)).tolist() == [0]
    assert choose(logits, history, counts, draws, Generate(temperature=0)).tolist() == [1]


def test_no_top_k_beside_the_nucleus() -> None:
    """Hugging Face keeps the 50 likeliest tokens unless told 0."""
    draws = (torch.arange(200, dtype=torch.float64) + 0.5) / 200
    drawn = choose(torch.zeros(200, 200), torch.zeros(200, 0), torch.zeros(200), draws, Generate(top_p=1.0))
    assert len(drawn.unique()) == 200


def test_the_nucleus_is_taken_after_the_temperature() -> None:
    """llama.cpp takes it before: at p = 0.6 only token 0 would be left, whatever the temperature."""
    logits, draws = torch.tensor([[2.0, 1.0, 0.0]]), torch.tensor([0.99], dtype=torch.float64)
    assert float(logits.softmax(-1)[0, 0]) > 0.6
    none = torch.zeros(1, 0, dtype=torch.int64), torch.zeros(1)
    assert choose(logits, *none, draws, Generate(temperature=1.0, top_p=0.6)).tolist() == [0]
    assert choose(logits, *none, draws, Generate(temperature=3.0, top_p=0.6)).tolist() == [1]


def test_the_penalty_looks_back_to_the_beginning() -> None:
    """llama.cpp looks back 64 tokens."""
    history = torch.tensor([[7, *[1] * 300]])
    got = penalise(torch.full((1, 9), 3.0), history, torch.tensor([301]), 1.5)
    assert got[0, 7] == pytest.approx(2.0)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_output_that_is_not_finite_is_refused(bad: float) -> None:
    logits = torch.tensor([[0.0, bad]])
    with pytest.raises(ModelError, match="not finite"):
        choose(logits, torch.zeros(1, 0, dtype=torch.int64), torch.zeros(1), torch.zeros(1), Generate())
