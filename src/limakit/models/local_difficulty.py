"""Instruction-following difficulty: how little a prompt helps a model to foresee the answer (Li et al. 2023,
arXiv 2308.12032, IFD)."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from limakit.models.chat import encode, start_ids
from limakit.models.hub import check_folder
from limakit.models.local import context_length, load

MOST_TOKENS = 1024
"""Of prompt and answer together; what goes beyond is cut from the answer's end."""
PART = 128
"""Positions whose logits are made at a time."""

Pair = tuple[str, str]
"""A prompt and the answer to it."""


def load_difficulty(folder: Path) -> Callable[[Sequence[Pair]], list[float]]:
    """A function from pairs to difficulties: the answer's mean loss a token behind the prompt, divided by that of the
    answer alone. 1 and more says that the prompt does not help at all, or that the two do not belong together.

    An answer without room for a token has difficulty 1. Raises ModelError where the model cannot be opened.
    """
    model, tokenizer = load(check_folder(folder))
    room = min(MOST_TOKENS, context_length(model.config))
    start = start_ids(tokenizer)

    def difficulty(pair: Pair) -> float:
        asked = [*start, *encode(tokenizer, f"{pair[0]}\n\n")][: room // 2]
        said = encode(tokenizer, pair[1])[: room - len(asked)]
        before = start or said[:1]
        first = len(said) if start else len(said) - 1
        if first < 1:
            return 1.0
        said = said[-first:]
        alone = _loss(model, [*before, *said], first)
        return _loss(model, [*asked, *([] if start else before), *said], first) / alone if alone else 1.0

    return lambda pairs: [difficulty(pair) for pair in pairs]


@torch.no_grad()
def _loss(model: Any, ids: list[int], count: int) -> float:
    """Mean cross-entropy of the last `count` ids."""
    row = torch.tensor([ids], device=model.device)
    hidden = model.base_model(input_ids=row, use_cache=False).last_hidden_state[0, -count - 1 : -1]
    head, targets, total = model.get_output_embeddings(), row[0, -count:], 0.0
    for begin in range(0, count, PART):
        logits = head(hidden[begin : begin + PART]).float()
        total += float(cross_entropy(logits, targets[begin : begin + PART], reduction="sum"))
    return total / count
