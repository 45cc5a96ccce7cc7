"""One training run: examples and a base model in, a checkpoint an epoch out."""

import hashlib
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson
import torch

from limakit.engine import Progress, silent
from limakit.errors import TrainingError
from limakit.models.chat import Chat
from limakit.models.local import context_length
from limakit.models.local_shape import read_shape
from limakit.recipe_train import Train
from limakit.records import Example, Prompt, Turn
from limakit.store import files
from limakit.store.study import versions
from limakit.train import adapters, dropout, parallel, preflight, speed, verify
from limakit.train.base import load
from limakit.train.batches import render, usable
from limakit.train.checkpoint import Checkpoints
from limakit.train.loop import fit
from limakit.train.optimizer import check_batches
from limakit.train.parallel import World, join
from limakit.train.step import FIX, precision

RUN = "run.json"
deterministic: Any = torch.utils.deterministic
_LOG = logging.getLogger("limakit")


def train(
    examples: Sequence[Example],
    dev: Sequence[Prompt],
    settings: Train,
    *,
    seed: int,
    base: Path,
    folder: Path,
    progress: Progress,
) -> dict[str, Any]:
    """Fine-tune the model in `base` on `examples` and return counts.

    `folder` gets `preflight.json` and `.txt` before the first step, `metrics.jsonl`, `epoch-01/` … as Hugging Face
    folders, and `run.json` last. Dev prompts that have a reference answer give a dev loss an epoch. Killed at any
    moment and called again, it ends in the same bytes; called again when done, it does nothing. Under torchrun the
    first process calls this and the others `follow`. Raises TrainingError and ModelError.
    """
    with join() as world:
        adapters.check(settings, world.device, world.size)
        fingerprint = _fingerprint(examples, dev, settings, seed, base)
        job = _Job(tuple(examples), tuple(dev), settings, seed, base, folder, fingerprint)
        checkpoints = job.checkpoints(world)
        done = _finished(folder, fingerprint, checkpoints, settings)
        world.share(job if done is None else None)
        try:
            counts = _train(job, world, progress) if done is None else done
        except torch.OutOfMemoryError:  # the step itself shrinks its micro-batches
            raise TrainingError("out of memory: weights, gradients and moments do not fit", fix=FIX) from None
        checkpoints.clear(states_only=True)
        return counts


def follow() -> None:
    """Take part in the training that the first process of a torchrun does, if it has any to do."""
    with join() as world:
        job = world.share(None)
        if job is not None:
            _train(job, world, silent)


def dismiss() -> None:
    """Tell those who `follow` that there is nothing to train."""
    with join() as world:
        world.share(None)


@dataclass(frozen=True, slots=True)
class _Job:
    """What all processes need to know."""

    examples: tuple[Example, ...]
    dev: tuple[Prompt, ...]
    settings: Train
    seed: int
    base: Path
    folder: Path
    fingerprint: str

    def checkpoints(self, world: World) -> Checkpoints:
        dtype = torch.float32 if self.settings.precision == "fp32" else torch.bfloat16
        return Checkpoints(self.folder, self.fingerprint, dtype, world)


def _train(job: _Job, world: World, progress: Progress) -> dict[str, Any]:
    """From the base model to `run.json`; returns counts."""
    settings, seed, checkpoints = job.settings, job.seed, job.checkpoints(world)
    word = speed.advice(settings, world.device) if world.leads else None
    if word:
        _LOG.warning(word)
    speed.keep_memory()
    # With many processes `shard` moves it, a layer at a time; with LoRA it is smaller once adapters are there.
    device = world.device if world.size == 1 and settings.method != "lora" else torch.device("cpu")
    with _deterministic():
        torch.manual_seed(seed)
        model, tokenizer = load(job.base, device, adapters.quantization(settings))
        verify.check_forward(model)
        branches = dropout.install(model, settings.residual_dropout) if settings.residual_dropout else []
        chat = Chat(tokenizer)
        longest = min(settings.max_tokens, context_length(model.config))
        documents = render(job.examples, chat, max_tokens=longest, loss_on=settings.loss_on)
        if world.leads and longest < settings.max_tokens and any(document.trimmed for document in documents):
            _LOG.warning(
                f"the model's context is {longest:,} tokens, so texts are trimmed there and not at train.max_tokens = "
                f"{settings.max_tokens:,}"
            )
        kept = usable(documents)
        check_batches(kept, settings, seed, world.size)
        if settings.method != "full":
            adapters.add(model, settings, chat.eot_id, seed)
        if settings.method == "lora" and world.size == 1:
            model.to(world.device)
        shape = read_shape(job.base)
        found = preflight.inspect(documents, model, shape, tokenizer, chat.eot_id, settings, world.device, world.size)
        if world.leads:
            preflight.write(job.folder, found)
            if word := preflight.warning(found):
                _LOG.warning(word)
            pace = speed.matrix_speed(settings, world.device) * world.size
            _LOG.info(preflight.summary(found, preflight.least_hours(kept, shape, settings, pace), pace, job.folder))
        held_out = render(_answered(job.dev), chat, max_tokens=longest, loss_on=settings.loss_on)
        held_out = [document for document in held_out if document.targets]
        speed.install(model, settings)
        parallel.shard(model, dropout.decoder_layers(model), world)
        place = fit(model, tokenizer, kept, held_out, settings, seed, checkpoints, world, progress)
        with nullcontext() if settings.method == "full" else precision(settings, world.device):
            difference = verify.check_export(checkpoints.epoch(place.epoch), model, kept[0], checkpoints.dtype, world)
    counts = {
        **found["examples"],
        "dev_documents": len(held_out),
        "epochs": place.epoch,
        "steps": place.step,
        "parameters": found["parameters"],
        "trained_parameters": found["trained_parameters"],
        "loss": place.metrics[-1]["loss"],
    }
    facts = {
        "fingerprint": job.fingerprint,
        "settings": settings.model_dump(mode="json"),
        "seed": seed,
        "counts": counts,
        "eot_id": chat.eot_id,
        "export_difference": difference,
        "dropout_modules": sorted({name for layer in branches for name in layer}),
        "device": world.device.type,
        "processes": world.size,
        "threads": torch.get_num_threads(),
        "versions": versions(),
        "epochs": checkpoints.digests(place.epoch),
    }
    if world.leads:
        files.publish_json(job.folder / RUN, facts)
    return counts


def _answered(prompts: Sequence[Prompt]) -> list[Example]:
    """Prompts with a reference answer, as dialogues that end with it."""
    return [
        Example(
            id=prompt.id,
            messages=(*prompt.messages, Turn(role="assistant", content=prompt.reference)),
            source="dev",
            group=prompt.group,
            site="",
        )
        for prompt in prompts
        if prompt.reference
    ]


def _fingerprint(examples: Sequence[Example], dev: Sequence[Prompt], settings: Train, seed: int, base: Path) -> str:
    """Digest of all that decides the weights: the texts, the settings, the seed, the base model's files."""
    digest = hashlib.sha256(orjson.dumps([settings.model_dump(mode="json"), seed], option=orjson.OPT_SORT_KEYS))
    for record in (*examples, *dev):
        digest.update(orjson.dumps(asdict(record), option=orjson.OPT_SORT_KEYS))
    for path in sorted(path for path in base.glob("*") if path.suffix in {".safetensors", ".json"}):
        digest.update(f"{path.name} {files.sha256(path)}".encode())
    return digest.hexdigest()


def _finished(folder: Path, fingerprint: str, checkpoints: Checkpoints, settings: Train) -> dict[str, Any] | None:
    """Counts of this very run where it is done and its checkpoints are intact, else None."""
    if not (folder / RUN).exists():
        return None
    facts = files.read_json(folder / RUN)
    same = facts["fingerprint"] == fingerprint and facts["epochs"] == checkpoints.digests(settings.epochs)
    return facts["counts"] if same else None


@contextmanager
def _deterministic() -> Iterator[None]:
    """The same bits each time on the same machine with the same number of threads."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # or cuBLAS is not deterministic; read at its first use
    before = torch.are_deterministic_algorithms_enabled(), deterministic.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True, warn_only=True)
    deterministic.fill_uninitialized_memory = False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0])
        deterministic.fill_uninitialized_memory = before[1]
