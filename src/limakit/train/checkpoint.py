"""An epoch's checkpoint as a Hugging Face folder, and the state from which a killed run goes on.

Both are published whole and carry the digest of every file. A state is good if its own bytes and those of all epochs
before it are as they were published; the newest good one counts, else training starts over and arrives at the same
bytes. Two states are kept, so that a damaged one costs an epoch, and none once training is done.
"""

import copy
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoModelForCausalLM, GenerationConfig

from limakit.models.chat import Chat, chat_template
from limakit.store import checkpoints, files
from limakit.train.parallel import World, slice_like, whole
from limakit.train.weights import merged, trained

_STATES = 2


@dataclass(frozen=True, slots=True)
class Place:
    """How far training has got."""

    epoch: int
    step: int
    metrics: list[dict[str, Any]]
    """Every line of `metrics.jsonl` so far."""


class Checkpoints:
    """The checkpoints of one run. `fingerprint` covers all that decides the weights; states of others do not count."""

    def __init__(self, folder: Path, fingerprint: str, dtype: torch.dtype, world: World):
        self.folder, self._fingerprint, self.dtype, self._world = folder, fingerprint, dtype, world

    def save(self, place: Place, model: Any, tokenizer: Any, optimizer: torch.optim.Optimizer) -> None:
        """Publish the epoch, then the state; then drop the states that are no longer needed.

        All processes of the run take part, and the first one writes.
        """
        self._save_epoch(place, model, tokenizer)
        weights = self._gather((name, whole(parameter.detach())) for name, parameter in trained(model).items())
        slots = self._gather(_slots(model, optimizer))
        if self._world.leads:
            self._save_state(place, weights, slots)
        self._world.wait()

    def _save_epoch(self, place: Place, model: Any, tokenizer: Any) -> None:
        weights = self._gather(merged(model, self.dtype))
        if self._world.leads:
            checkpoints.publish_folder(
                self.epoch(place.epoch), lambda folder: export(folder, model.config, weights, tokenizer, self.dtype)
            )

    def _gather(self, tensors: Iterable[tuple[str, Tensor]]) -> dict[str, Tensor]:
        """All of them on the CPU of the first process, none elsewhere."""
        return {name: value.cpu() for name, value in tensors if self._world.leads}

    def _save_state(self, place: Place, weights: dict[str, Tensor], slots: dict[str, Tensor]) -> None:
        facts = {
            "fingerprint": self._fingerprint,
            "epoch": place.epoch,
            "step": place.step,
            "epochs": self.digests(place.epoch),
        }

        def fill(folder: Path) -> None:
            save_file(weights, folder / "weights.safetensors")
            save_file(slots, folder / "optimizer.safetensors")
            files.write_jsonl(folder / "metrics.jsonl", place.metrics)
            files.publish_json(folder / "state.json", facts)

        checkpoints.publish_folder(self.folder / f"state-{place.epoch:02d}", fill)
        for old in self._states()[_STATES:]:
            checkpoints.remove(old)

    def latest(self) -> tuple[Place, Path] | None:
        """The newest good state of this run and its folder, or None; the first process looks."""
        return self._world.share(self._latest() if self._world.leads else None)

    def _latest(self) -> tuple[Place, Path] | None:
        for folder in self._states():
            if checkpoints.intact(folder):
                facts = files.read_json(folder / "state.json")
                if facts["fingerprint"] == self._fingerprint and facts["epochs"] == self.digests(facts["epoch"]):
                    metrics = files.read_jsonl(folder / "metrics.jsonl", dict[str, Any])
                    return Place(facts["epoch"], facts["step"], metrics), folder
        return None

    def digests(self, epochs: int) -> dict[str, str]:
        """Digest of the checksums of each of the first `epochs` checkpoints that is intact."""
        folders = [self.epoch(epoch) for epoch in range(1, epochs + 1)]
        return {f.name: files.sha256(f / checkpoints.CHECKSUMS) for f in folders if checkpoints.intact(f)}

    def clear(self, *, states_only: bool) -> None:
        """Remove states and half-written folders, and all epochs too unless `states_only`."""
        patterns = ["state-*", ".state-*.tmp", ".epoch-*.tmp", *([] if states_only else ["epoch-*"])]
        for pattern in patterns:
            for folder in sorted(self.folder.glob(pattern)):
                checkpoints.remove(folder)

    def _states(self) -> list[Path]:
        """State folders, the newest first."""
        return sorted(self.folder.glob("state-*"), key=lambda folder: int(folder.name[6:]), reverse=True)

    def epoch(self, epoch: int) -> Path:
        """Folder of an epoch's checkpoint, counted from 1."""
        return self.folder / f"epoch-{epoch:02d}"


def restore(folder: Path, model: Any, optimizer: torch.optim.Optimizer) -> None:
    """Put a state's weights and optimiser moments in place, bit by bit."""
    weights, slots = load_file(folder / "weights.safetensors"), load_file(folder / "optimizer.safetensors")
    with torch.no_grad():
        for name, parameter in trained(model).items():
            parameter.copy_(slice_like(weights[name], parameter))
    for name, parameter in trained(model).items():
        for key, value in slots.items():
            kind, _, owner = key.partition(":")
            if owner == name:
                optimizer.state[parameter][kind] = slice_like(value, parameter)


def export(folder: Path, config: Any, weights: dict[str, Tensor], tokenizer: Any, dtype: torch.dtype) -> None:
    """Write a Hugging Face folder that other tools load as it is: safetensors, config, tokenizer with EOT, a
    generation config that stops at EOT, and a chat template that renders what `Chat` renders.

    `weights` come from `weights.merged`, so that generation needs no peft, and have `dtype`. With bf16 training they
    are what the forward pass used: rounded masters.
    """
    chat = Chat(tokenizer)
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    config = copy.deepcopy(config)
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    with torch.device("meta"):  # a shell of the plain class: no adapters, no shards, no quantisation
        shell = AutoModelForCausalLM.from_config(config, attn_implementation="sdpa")
    shell.generation_config = GenerationConfig(
        bos_token_id=tokenizer.bos_token_id, eos_token_id=chat.eot_id, pad_token_id=pad
    )
    tokenizer.chat_template = chat_template(tokenizer)
    shell.save_pretrained(folder, state_dict=weights)
    tokenizer.save_pretrained(folder)
    written = files.read_json(folder / "config.json")
    files.publish_json(folder / "config.json", {**written, "dtype": str(dtype).removeprefix("torch.")})


def _slots(model: Any, optimizer: torch.optim.Optimizer) -> Iterator[tuple[str, Tensor]]:
    """The optimiser's tensors, named `kind:parameter`."""
    for name, parameter in trained(model).items():
        for kind, value in optimizer.state[parameter].items():
            yield f"{kind}:{name}", whole(value)
