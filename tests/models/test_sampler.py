"""Random numbers that are a pure function of the answer and the position, and the scripted sampler."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from limakit.models.sampler import Answer, Request, ScriptedSampler, stream_key, uniforms
from limakit.recipe import Generate
from limakit.records import Prompt, Turn

U64 = st.integers(0, 2**64 - 1)


def test_a_stream_is_splitmix64() -> None:
    """First outputs of SplitMix64 seeded with 1234567, as published with its reference code, as fractions of 2^64."""
    known = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431]
    got = uniforms(np.full(4, 1234567, dtype=np.uint64), np.arange(4, dtype=np.uint64))
    assert got == pytest.approx([value / 2**64 for value in known], abs=1e-15)


def test_a_key_never_changes() -> None:
    """Written down, because finished studies depend on it."""
    assert stream_key(0, "p1", 0) == 3611712391019233828
    assert len({stream_key(seed, name, sample) for seed in range(5) for name in "ab" for sample in range(5)}) == 50
    assert stream_key(1, "2", 0) != stream_key(12, "", 0)


@given(st.lists(st.tuples(U64, st.integers(0, 2**20)), min_size=1, max_size=20))
def test_a_draw_depends_on_key_and_position_alone(pairs: list[tuple[int, int]]) -> None:
    keys, positions = (np.array(column, dtype=np.uint64) for column in zip(*pairs, strict=True))
    together = uniforms(keys, positions)
    alone = [uniforms(keys[i : i + 1], positions[i : i + 1])[0] for i in range(len(pairs))]
    assert together.tolist() == alone
    assert ((together >= 0) & (together < 1)).all()


def test_draws_are_uniform_along_a_stream_and_across_streams() -> None:
    steps = np.arange(20_000, dtype=np.uint64)
    along = uniforms(np.full_like(steps, stream_key(0, "p", 0)), steps)
    across = uniforms(np.array([stream_key(0, f"p{i}", 0) for i in steps], dtype=np.uint64), np.zeros_like(steps))
    for draws in (along, across):
        counts, _ = np.histogram(draws, bins=20, range=(0, 1))
        assert ((counts - 1000) ** 2 / 1000).sum() < 45  # chi-squared, 19 degrees of freedom: p = 0.0007
        assert abs(np.corrcoef(draws[:-1], draws[1:])[0, 1]) < 0.03
    assert abs(np.corrcoef(along, across)[0, 1]) < 0.03


def test_the_script_is_answered_in_full_or_cut_at_the_limit() -> None:
    requests = [Request(prompt=Prompt(id=i, messages=(Turn(role="user", content="?"),))) for i in ("a", "b")]
    sampler = ScriptedSampler({"a": "one two", "b": "one two three"})
    answers = dict(sampler.answer(requests, Generate(max_new_tokens=3), seed=0))
    assert answers[0] == Answer(text="one two", finish="eot", tokens=3)
    assert answers[1] == Answer(text="one two three", finish="length", tokens=3)
