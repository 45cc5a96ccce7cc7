"""Rendering, order and packing."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from limakit.errors import TrainingError
from limakit.train.batches import Document, batches, concatenate, microbatches, order, usable

documents = st.lists(st.integers(1, 30), min_size=1, max_size=20).map(
    lambda lengths: [
        Document(str(i), "s", [10 * i + place for place in range(n)], [place % 2 == 1 for place in range(n)], 0)
        for i, n in enumerate(lengths)
    ]
)


def test_a_worked_example():
    first = Document("a", "s", [5, 6, 7], [False, False, True], 0)
    second = Document("b", "s", [8, 9], [True, True], 0)
    piece = concatenate([first, second])
    assert piece.ids_T.tolist() == [5, 6, 7, 8, 9]
    assert piece.positions_T.tolist() == [0, 1, 2, 0, 1]
    assert piece.lengths == (3, 2)
    assert piece.rows_N.tolist() == [1, 3]  # 7 is predicted from 6, 9 from 8; nothing predicts the first token, 8
    assert piece.targets_N.tolist() == [7, 9]


@given(documents, st.integers(1, 60))
def test_every_document_is_in_one_microbatch_in_order(docs: list[Document], limit: int):
    pieces = list(microbatches(docs, limit))
    assert torch.cat([piece.ids_T for piece in pieces]).tolist() == [token for d in docs for token in d.ids]
    assert sum(len(piece.targets_N) for piece in pieces) == sum(d.targets for d in docs)
    assert all(sum(piece.lengths) <= limit or len(piece.lengths) == 1 for piece in pieces)


@given(st.integers(1, 200), st.integers(0, 10**6), st.integers(1, 20))
def test_order_is_a_permutation_and_a_pure_function(count: int, seed: int, epoch: int):
    assert sorted(order(count, seed, epoch)) == list(range(count))
    assert order(count, seed, epoch) == order(count, seed, epoch)


def test_order_changes_with_seed_and_epoch_and_is_pinned():
    assert order(50, 0, 1) != order(50, 0, 2)
    assert order(50, 0, 1) != order(50, 1, 1)
    assert order(6, 0, 1) == [4, 1, 3, 2, 5, 0]  # the same on every machine and version


@given(documents, st.integers(1, 8))
def test_batches_hold_each_document_once_an_epoch(docs: list[Document], size: int):
    found = list(batches(docs, 0, 1, size))
    assert sorted(d.id for batch in found for d in batch) == sorted(d.id for d in docs)
    assert all(len(batch) == size for batch in found[:-1])


def test_nothing_to_learn_from_is_said_at_once():
    with pytest.raises(TrainingError, match="nothing to learn from"):
        usable([Document("a", "s", [1, 2], [False, False], 9)])
    with pytest.raises(TrainingError):
        usable([])
