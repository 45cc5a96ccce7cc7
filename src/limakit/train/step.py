"""The gradients of one optimiser batch, in as many micro-batches as memory asks for.

Out of memory, the micro-batch shrinks and the step is done again from its beginning. The optimiser batch, the loss and
its weighting by token stay what they were.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from limakit.errors import TrainingError
from limakit.recipe_train import Train
from limakit.train import dropout, loss
from limakit.train.batches import Document, microbatches
from limakit.train.parallel import World, deal

_LOWER = "Lower train.tokens_per_microbatch, or set train.gradient_checkpointing = true."
_WHOLE = (
    "Earlier checkpoints are kept. Set train.gradient_checkpointing = true, lower train.batch_size, or set "
    "train.update_in_backward = false, with which micro-batches shrink."
)
FIX = (
    "Set train.gradient_checkpointing = true, train.precision = 'bf16' or train.method = 'lora', lower "
    "train.max_tokens, set train.optimizer = 'adamw-8bit', or use more GPUs."
)


def gradients(
    model: Any, batch: Sequence[Document], settings: Train, limit: int, masks: tuple[int, int, int], world: World
) -> tuple[Tensor, int]:
    """Add the gradients of the batch's mean loss a token to the parameters, which must hold none.

    `limit` is the most tokens of a micro-batch; `masks` are seed, epoch and step, from which the dropout follows.
    Returns the loss, 0-d, and the limit that fitted, to be used from now on. Raises TrainingError where even one
    document at a time does not fit, and at once where others train along: they wait for a process that ran out.
    """
    while True:
        found = _try(model, batch, settings, limit, masks, world)
        if found is not None:
            return world.sum(found), limit
        if world.size > 1:
            raise TrainingError(f"out of memory with {limit:,} tokens at once", fix=_LOWER)
        if settings.update_in_backward:  # some weights have moved, so the step cannot be done again
            raise TrainingError(f"out of memory with a batch of {sum(len(d.ids) for d in batch):,} tokens", fix=_WHOLE)
        model.zero_grad()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        limit = _smaller(batch, limit)


def precision(settings: Train, device: torch.device) -> torch.autocast:
    """Matrix products in bf16 where the recipe says so; weights, norms, softmax and loss stay fp32."""
    return torch.autocast(device.type, torch.bfloat16, enabled=settings.precision == "bf16")


def _try(
    model: Any, batch: Sequence[Document], settings: Train, limit: int, masks: tuple[int, int, int], world: World
) -> Tensor | None:
    """The loss, or None where memory ran out. The error is let go of here: its traceback holds the activations."""
    loss_tokens = sum(document.targets for document in batch)
    total = torch.zeros((), device=world.device)
    try:
        for number, piece, counts in deal(batch, limit, world):
            dropout.reseed(*masks, number)
            with precision(settings, world.device):
                total += loss.backward(model, piece.to(world.device), loss_tokens if counts else math.inf)
    except torch.OutOfMemoryError:
        return None
    return total


def _smaller(batch: Sequence[Document], limit: int) -> int:
    """Half of the largest micro-batch that holds more than one document. Raises TrainingError where none does."""
    shared = [sum(piece.lengths) for piece in microbatches(batch, limit) if len(piece.lengths) > 1]
    if not shared:
        longest = max(len(document.ids) for document in batch)
        raise TrainingError(f"out of memory with one example of {longest:,} tokens at a time", fix=FIX)
    return max(shared) // 2
