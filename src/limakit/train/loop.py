"""The training loop, from top to bottom.

The paper's protocol (section 3): AdamW, learning rate falling linearly without warm-up, every epoch a checkpoint.
"""

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from limakit.engine import Progress
from limakit.errors import TrainingError
from limakit.recipe_train import Train
from limakit.store import checkpoints as store
from limakit.store import files
from limakit.train import loss
from limakit.train.batches import Document, batches
from limakit.train.checkpoint import Checkpoints, Place
from limakit.train.optimizer import Optimizer, gradient_norm, make_optimizer
from limakit.train.parallel import World, deal, settle
from limakit.train.step import gradients, precision

METRICS = "metrics.jsonl"


def fit(
    model: Any,
    tokenizer: Any,
    documents: Sequence[Document],
    dev: Sequence[Document],
    settings: Train,
    seed: int,
    checkpoints: Checkpoints,
    world: World,
    progress: Progress,
) -> Place:
    """Train from the newest good state, or from the start, to the end.

    `metrics.jsonl` gets a line a step: epoch, step, loss (mean over the step's tokens in the loss, nats), lr,
    grad_norm (before clipping), tokens, loss_tokens, microbatch_tokens (the limit, which shrinks when memory runs out);
    the last step of an epoch also dev_loss where there are dev documents. Raises TrainingError within the step in which
    loss or gradient stop being finite.
    """
    optimizer = make_optimizer(model, settings)
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    steps = settings.epochs * steps_an_epoch(len(documents), settings)
    place, log = _begin(model, optimizer, checkpoints, world)
    step, metrics = place.step, list(place.metrics)
    limit = metrics[-1]["microbatch_tokens"] if metrics else settings.tokens_per_microbatch
    clock, seen = time.perf_counter(), 0
    for epoch in range(place.epoch + 1, settings.epochs + 1):
        model.train()
        for batch in batches(documents, seed, epoch, settings.batch_size):
            step += 1
            lr = learning_rate(step, steps, settings)
            for group in optimizer.param_groups:
                group["lr"] = lr
            total, limit = gradients(model, batch, settings, limit, (seed, epoch, step), world)
            norm = gradient_norm(optimizer)
            row = {
                "epoch": epoch,
                "step": step,
                "loss": total.item(),
                "lr": lr,
                "grad_norm": norm.item(),
                "tokens": sum(len(document.ids) for document in batch),
                "loss_tokens": sum(document.targets for document in batch),
                "microbatch_tokens": limit,
            }
            if not (math.isfinite(row["loss"]) and math.isfinite(row["grad_norm"])):
                raise TrainingError(
                    f"loss {row['loss']} with gradient norm {row['grad_norm']} at step {step}, epoch {epoch}",
                    where=checkpoints.folder,
                    fix="Earlier checkpoints are kept. Lower train.learning_rate, or set train.precision to fp32.",
                )
            if settings.max_grad_norm:
                torch.nn.utils.clip_grads_with_norm_(parameters, settings.max_grad_norm, norm)
            optimizer.step()
            optimizer.zero_grad()
            if dev and step % steps_an_epoch(len(documents), settings) == 0:
                row["dev_loss"] = mean_loss(model, dev, settings, limit, world)
            metrics.append(row)
            if world.leads:
                store.append_line(log, row)
            seen += row["tokens"]
            rate = seen / (time.perf_counter() - clock)
            progress("train", step, steps, "step", f"loss {row['loss']:.3f}, {rate:,.0f} tokens/s")
        place = Place(epoch, step, metrics)
        checkpoints.save(place, model, tokenizer, optimizer)
    return place


def learning_rate(step: int, steps: int, settings: Train) -> float:
    """Of one step, counted from 1: `learning_rate` at the first, `final_learning_rate` at the last, linear between."""
    share = (step - 1) / max(1, steps - 1)
    return settings.learning_rate * (1 - share) + settings.final_learning_rate * share


def steps_an_epoch(documents: int, settings: Train) -> int:
    """Optimiser steps in one pass over the documents."""
    return math.ceil(documents / settings.batch_size)


def mean_loss(model: Any, documents: Sequence[Document], settings: Train, limit: int, world: World) -> float:
    """Mean loss a token over documents, in evaluation mode, nats."""
    training = model.training
    model.eval()
    total = torch.zeros((), device=world.device)
    for _, piece, counts in deal(documents, limit, world):
        with precision(settings, world.device):
            total += loss.evaluate(model, piece.to(world.device)) * counts
    settle(model, world)
    model.train(training)
    return world.sum(total).item() / sum(document.targets for document in documents)


def _begin(model: Any, optimizer: Optimizer, checkpoints: Checkpoints, world: World) -> tuple[Place, Path]:
    """Where to go on, with model, optimiser and `metrics.jsonl` as they were there."""
    found = checkpoints.latest()
    if found is None:
        if world.leads:
            checkpoints.clear(states_only=False)
        place = Place(0, 0, [])
    else:
        place, folder = found
        checkpoints.restore(place, folder, model, optimizer)
    log = checkpoints.folder / METRICS
    if world.leads:
        files.write_jsonl(log, place.metrics)
    return place, log
