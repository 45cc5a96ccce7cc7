"""Out of memory: the micro-batch shrinks, the optimiser batch does not."""

import itertools
from typing import Any

import pytest
import torch

from limakit.errors import TrainingError
from limakit.recipe_train import Train
from limakit.train import loss, step
from limakit.train.batches import Microbatch
from limakit.train.parallel import World
from tests.train import families

ALONE = World(torch.device("cpu"))


def memory_for(tokens: int, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A machine whose memory ends above `tokens` a micro-batch, after some gradients are there; tokens asked for."""
    backward, asked = loss.backward, []

    def limited(model: Any, batch: Microbatch, total: int) -> torch.Tensor:
        asked.append(sum(batch.lengths))
        found = backward(model, batch, total)
        if asked[-1] > tokens:
            raise torch.OutOfMemoryError("no more")
        return found

    monkeypatch.setattr(loss, "backward", limited)
    return asked


def test_the_step_is_the_same_with_less_memory(monkeypatch):
    batch, settings = families.documents(8), Train()
    roomy, narrow = families.build("llama"), families.build("llama")
    expected, kept = step.gradients(roomy, batch, settings, 1000, (0, 1, 1), ALONE)
    asked = memory_for(30, monkeypatch)
    got, limit = step.gradients(narrow, batch, settings, 1000, (0, 1, 1), ALONE)
    assert (kept, limit < 31) == (1000, True)
    assert asked[0] == sum(len(document.ids) for document in batch)
    fitted = list(itertools.takewhile(lambda n: n <= 30, reversed(asked)))
    assert sum(fitted) == asked[0]
    assert got.item() == pytest.approx(expected.item(), abs=1e-5)
    for a, b in zip(narrow.parameters(), roomy.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad, atol=1e-6, rtol=1e-4)


def test_one_example_too_many_is_said_in_one_line(monkeypatch):
    memory_for(10, monkeypatch)
    with pytest.raises(TrainingError, match=r"out of memory with one example of \d+ tokens.*gradient_checkpointing"):
        step.gradients(families.build("llama"), families.documents(4), Train(), 1000, (0, 1, 1), ALONE)
