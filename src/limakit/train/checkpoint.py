"""An epoch's checkpoint as a Hugging Face folder, and the state from which a killed run goes on.

Both are published whole and carry the digest of every file. A state is good if its own bytes and those of all epochs
before it are as they were published; the newest good one counts, else training starts over and arrives at the same
bytes. Two states are kept, so that a damaged one costs an epoch, and none once training is done.

A state is written by all processes, each its own part, through torch.distributed.checkpoint into safetensors files; any
number of processes can go on from it.
"""

import copy
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageReader, HuggingFaceStorageWriter
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save
from transformers import AutoModelForCausalLM, GenerationConfig

from limakit.models.chat import Chat, chat_template
from limakit.store import checkpoints, files
from limakit.train.optimizer import Optimizer, blank_state
from limakit.train.parallel import World
from limakit.train.weights import merged, trained

_STATES = 2
_STEP = "step"


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

    def save(self, place: Place, model: Any, tokenizer: Any, optimizer: Optimizer) -> None:
        """Publish the epoch, then the state; then drop the states that are no longer needed.

        All processes of the run take part; the first one writes the epoch, and publishes.
        """
        self._save_epoch(place, model, tokenizer)
        self._save_state(place, _state(model, optimizer))
        self._world.wait()

    def _save_epoch(self, place: Place, model: Any, tokenizer: Any) -> None:
        tensors = merged(model, self.dtype)
        weights = {name: value for name, value in tensors if self._world.leads}  # all must go through it
        if self._world.leads:
            checkpoints.publish_folder(
                self.epoch(place.epoch), lambda folder: export(folder, model.config, weights, tokenizer, self.dtype)
            )

    def _save_state(self, place: Place, tensors: dict[str, Tensor]) -> None:
        if not self._world.leads:
            self._write(tensors, self._world.share(None))
            return
        facts = {
            "fingerprint": self._fingerprint,
            "epoch": place.epoch,
            "step": place.step,
            "epochs": self.digests(place.epoch),
        }

        def fill(folder: Path) -> None:
            self._write(tensors, self._world.share(folder))
            files.write_jsonl(folder / "metrics.jsonl", place.metrics)
            files.publish_json(folder / "state.json", facts)

        checkpoints.publish_folder(self.folder / f"state-{place.epoch:02d}", fill)
        for old in self._states()[_STATES:]:
            checkpoints.remove(old)

    def _write(self, tensors: dict[str, Tensor], folder: Path | None) -> None:
        """This process's part of the tensors; returns when all have written theirs."""
        assert folder is not None
        writer = HuggingFaceStorageWriter(str(folder), save_distributed=True)
        with _alone():
            save(tensors, storage_writer=writer, no_dist=self._world.size == 1)

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

    def restore(self, place: Place, folder: Path, model: Any, optimizer: Optimizer) -> None:
        """Put a state's weights and optimiser moments in place, bit by bit; each process reads its own part."""
        for parameter in trained(model).values():
            optimizer.state[parameter].update(blank_state(optimizer, parameter))
            optimizer.state[parameter][_STEP].fill_(place.step)
        reader = HuggingFaceStorageReader(str(folder))
        with _alone():
            load(_state(model, optimizer), storage_reader=reader, no_dist=self._world.size == 1)


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


@contextmanager
def _alone() -> Iterator[None]:
    """Without torch's warning that one process works alone."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "torch.distributed is disabled")
        yield


def _state(model: Any, optimizer: Optimizer) -> dict[str, Tensor]:
    """The tensors of a state themselves, not copies: weights by name, moments as `kind:name`. The number of steps is
    the same for all and stands in `state.json`."""
    found: dict[str, Tensor] = {}
    for name, parameter in trained(model).items():
        found[name] = parameter.detach()
        found |= {f"{kind}:{name}": value for kind, value in optimizer.state[parameter].items() if kind != _STEP}
    return found
