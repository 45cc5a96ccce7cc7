"""Is what we compute what the model means? Checked before the first step and after the last, logit by logit."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM

from limakit.errors import ModelError, TrainingError
from limakit.train import attention, loss
from limakit.train.batches import Document, concatenate, derive
from limakit.train.parallel import World, settle

_TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 0.1}
"""Largest difference of two logits, as a share of the largest logit, by the precision of the stored weights."""


@torch.no_grad()
def check_forward(model: Any) -> None:
    """Compare two short documents side by side in one row with the model's own pass over each of them.

    Raises ModelError where they differ: the family has an attention, positions or an output scale we do not know.
    """
    rows = model.get_input_embeddings().weight.shape[0]
    texts = [[derive("check", length, place) % rows for place in range(length)] for length in (9, 14)]
    training = model.training
    model.eval()
    ours = _ours(model, texts)
    model.set_attn_implementation("eager")
    own = _own(model, texts)
    model.set_attn_implementation(attention.NAME)
    model.train(training)
    if _differ(ours, own) > _TOLERANCE[torch.float32]:
        raise ModelError(f"{type(model).__name__} cannot be trained without padding: its logits would change")


@torch.no_grad()
def check_export(folder: Path, model: Any, document: Document, dtype: torch.dtype, world: World) -> float:
    """Load a checkpoint as anybody would and compare its logits on a document with those of the model just trained.

    The first process compares; the others help it compute and return 0. Returns the largest difference as a share of
    the largest logit. Raises TrainingError where it is too large.
    """
    model.eval()
    ours = _ours(model, [document.ids])
    settle(model, world)
    if not world.leads:
        return 0.0
    difference = _differ(ours.cpu(), _reloaded(folder, document, world.device))
    if difference > _TOLERANCE[dtype]:
        raise TrainingError(f"the checkpoint, loaded again, differs by {difference:.2g} of a logit", where=folder)
    return difference


def _reloaded(folder: Path, document: Document, device: torch.device) -> Tensor:
    """The logits of the model in a folder, on the CPU; computed there too where both do not fit on the device."""
    stored: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
    try:
        return _own(stored.eval().to(device), [document.ids]).cpu()
    except torch.OutOfMemoryError:
        pass  # the error holds what it had computed
    return _own(stored.to("cpu"), [document.ids])


def _ours(model: Any, texts: list[list[int]]) -> Tensor:
    """Our logits of every position but the last of each text, (N, V)."""
    documents = [Document("", "", ids, [True] * len(ids), 0) for ids in texts]
    batch = concatenate(documents).to(next(model.parameters()).device)
    return loss.head(model, loss.hidden(model, batch))


def _own(model: Any, texts: list[list[int]]) -> Tensor:
    """The same by the model's own forward pass."""
    device = next(model.parameters()).device
    return torch.cat([model(torch.tensor([ids], device=device), use_cache=False).logits[0, :-1] for ids in texts])


def _differ(ours: Tensor, own: Tensor) -> float:
    return ((ours - own).abs().max() / own.abs().max()).item()
