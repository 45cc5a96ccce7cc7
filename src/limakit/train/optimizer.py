"""AdamW as the recipe wants it: fp32 or 8-bit moments, all weights at the end of a step or each in the backward pass.

Where the paper is silent: weight decay acts on matrices only, embeddings included, and not on norm gains and biases.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor

from limakit.errors import TrainingError
from limakit.recipe_train import Train
from limakit.train.batches import Document, order
from limakit.train.eight_bit import AdamW8bit, blank
from limakit.train.parallel import whole


class InBackward:
    """Updates each weight as soon as its gradient is whole, and lets go of the gradient: all of them are never held at
    once. The result is bit by bit that of updating at the end.

    The head's gradient comes a chunk at a time, and with tied weights the embedding's with it, so these wait for
    `step`. For batches that are one micro-batch, without clipping, in one process.
    """

    def __init__(self, model: Any, settings: Train):
        each = {
            p: _adamw([group | {"params": [p]}], settings)
            for group in _groups(model, settings)
            for p in group["params"]
        }
        self._each: dict[Tensor, torch.optim.Optimizer] = each
        self._norms: dict[Tensor, Tensor] = {}
        self.param_groups = [group for optimizer in each.values() for group in optimizer.param_groups]
        self.state: Mapping[Tensor, dict[str, Tensor]] = {p: optimizer.state[p] for p, optimizer in each.items()}
        late = set(model.get_output_embeddings().parameters())
        for parameter in each:
            if parameter not in late:
                parameter.register_post_accumulate_grad_hook(self._update)

    def _update(self, parameter: Tensor) -> None:
        self._norms[parameter] = torch.linalg.vector_norm(cast(Tensor, parameter.grad))
        self._each[parameter].step()
        parameter.grad = None

    def step(self) -> None:
        """Update what waits."""
        for parameter, optimizer in self._each.items():
            if parameter.grad is not None:
                optimizer.step()

    def zero_grad(self) -> None:
        """Let go of the gradients that are left."""
        for parameter in self._each:
            parameter.grad = None

    def norm(self) -> Tensor:
        """Norm of all gradients of the step, those that are gone too."""
        norms, self._norms = self._norms, {}
        norms |= {p: torch.linalg.vector_norm(p.grad) for p in self._each if p.grad is not None}
        return torch.linalg.vector_norm(torch.stack([norms[p] for p in self._each if p in norms]))


Optimizer = torch.optim.Optimizer | InBackward


def make_optimizer(model: Any, settings: Train) -> Optimizer:
    """AdamW over what is trained."""
    return InBackward(model, settings) if settings.update_in_backward else _adamw(_groups(model, settings), settings)


def gradient_norm(optimizer: Optimizer) -> Tensor:
    """The norm of all gradients together, of all processes, 0-d; before `step`."""
    if isinstance(optimizer, InBackward):
        return optimizer.norm()
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    return whole(torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None]))


def blank_state(optimizer: Optimizer, parameter: Tensor) -> dict[str, Tensor]:
    """A parameter's state before its first step, to be filled from a file."""
    known = next(iter(optimizer._each.values())) if isinstance(optimizer, InBackward) else optimizer
    if isinstance(known, AdamW8bit):
        return blank(parameter)
    moments = {kind: torch.zeros_like(parameter) for kind in ("exp_avg", "exp_avg_sq")}
    return {"step": torch.zeros((), device=parameter.device), **moments}


def check_batches(documents: Sequence[Document], settings: Train, seed: int, processes: int) -> None:
    """Raise TrainingError where weights cannot be updated in the backward pass although the recipe says so: a batch of
    several micro-batches, or several processes."""
    if not settings.update_in_backward:
        return
    if processes > 1:
        raise TrainingError(
            "train.update_in_backward is for one process", fix="Set it to false; FSDP divides gradients already."
        )
    sizes, largest = [len(document.ids) for document in documents], 0
    for epoch in range(1, settings.epochs + 1):
        indices = order(len(sizes), seed, epoch)
        for start in range(0, len(indices), settings.batch_size):
            batch = indices[start : start + settings.batch_size]
            largest = max(largest, sum(sizes[index] for index in batch) if len(batch) > 1 else 0)
    if largest > settings.tokens_per_microbatch:
        raise TrainingError(
            f"train.update_in_backward takes a batch at once, and the largest has {largest:,} tokens",
            fix=f"Set train.tokens_per_microbatch to {largest} (with train.gradient_checkpointing = true it takes less "
            "memory), lower train.batch_size, or set train.update_in_backward = false.",
        )


def _groups(model: Any, settings: Train) -> list[dict[str, Any]]:
    """What is trained, matrices apart from the rest."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": settings.weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


def _adamw(groups: list[dict[str, Any]], settings: Train) -> torch.optim.Optimizer:
    betas = (settings.beta1, settings.beta2)
    if settings.optimizer == "adamw-8bit":
        return AdamW8bit(groups, settings.learning_rate, betas)
    return torch.optim.AdamW(groups, lr=settings.learning_rate, betas=betas, fused=True)
