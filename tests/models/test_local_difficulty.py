"""Instruction-following difficulty against its definition, computed the long way."""

import math
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from limakit.models.local_difficulty import MOST_TOKENS, load_difficulty

PAIRS = [
    ("Why is the sky blue?", "Short waves scatter more than long ones, so blue reaches us from everywhere."),
    ("Add two numbers.", "def add(a, b):\n    return a + b\n" * 12),
]


def loss(folder: Path, before: str, said: str) -> float:
    """The mean loss of `said` behind `before`, by the whole model in one pass."""
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder).eval()
    head, tail = (tokenizer.encode(text, add_special_tokens=False) for text in (before, said))
    if not head:
        head, tail = tail[:1], tail[1:]
    with torch.no_grad():
        logits = model(torch.tensor([head + tail])).logits[0, len(head) - 1 : -1]
    return float(torch.nn.functional.cross_entropy(logits, torch.tensor(tail)))


def test_it_is_the_ratio_of_two_losses(tiny_model: Path) -> None:
    found = load_difficulty(tiny_model)(PAIRS)
    for (asked, said), value in zip(PAIRS, found, strict=True):
        tokenizer = AutoTokenizer.from_pretrained(tiny_model)
        first, rest = tokenizer.encode(said, add_special_tokens=False)[:1], said
        head = asked + "\n\n" + tokenizer.decode(first)
        tail = rest.removeprefix(tokenizer.decode(first))
        assert value == pytest.approx(loss(tiny_model, head, tail) / loss(tiny_model, "", said), rel=1e-4)


def test_a_prompt_that_holds_the_answer_makes_it_easier_for_a_model_that_has_learnt() -> None:
    from limakit.models.hub import EMBEDDED

    said = "Bread rises because yeast makes gas, and the dough is elastic enough to hold it."
    easy, hard = load_difficulty(EMBEDDED)([(f"Repeat this text: {said}", said), ("Name a king.", said)])
    assert easy < hard


def test_edges(tiny_model: Path) -> None:
    ask = load_difficulty(tiny_model)
    assert ask([("", ""), ("x", "")]) == [1.0, 1.0]
    assert all(map(math.isfinite, ask([("w " * 3 * MOST_TOKENS, "answer " * 3 * MOST_TOKENS), ("a", "b")])))
    assert ask([]) == []
