"""What is about to be trained, for a person to look at before the first step."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from limakit.errors import TrainingError
from limakit.models.local_shape import Shape
from limakit.recipe_train import Train
from limakit.store import files
from limakit.train.batches import Document
from limakit.train.memory import Strategy, memory, step_flops
from limakit.train.weights import trained

_OPEN, _CLOSE = "⟦", "⟧"


def inspect(
    documents: Sequence[Document],
    model: Any,
    shape: Shape,
    tokenizer: Any,
    eot: int,
    settings: Train,
    device: torch.device,
    processes: int,
) -> dict[str, Any]:
    """Counts, token statistics, memory on each device and one example of each source with its loss mask, as plain data.

    Raises TrainingError where an example that was not trimmed does not train its last end-of-turn token.
    """
    for document in documents:
        if not document.trimmed and not (document.ids[-1] == eot and document.mask[-1]):
            raise TrainingError("the end-of-turn token is not in the loss", where=document.id)
    lengths = np.array([len(document.ids) for document in documents])
    at_once = max(
        int(lengths.max()), min(settings.tokens_per_microbatch, int(np.sort(lengths)[-settings.batch_size :].sum()))
    )
    needed = memory(shape, settings, planned(settings, processes), device=device.type, tokens=at_once)
    first = {document.source: document for document in reversed(documents) if document.targets}
    return {
        "examples": {
            "read": len(documents),
            "used": sum(1 for document in documents if document.targets),
            "without_response": sum(1 for document in documents if not document.targets),
            "trimmed": sum(1 for document in documents if document.trimmed),
            "trimmed_tokens": sum(document.trimmed for document in documents),
        },
        "tokens": {
            "total": int(lengths.sum()),
            "in_loss": sum(document.targets for document in documents),
            "mean": round(float(lengths.mean()), 1),
            "median": float(np.median(lengths)),
            "longest": int(lengths.max()),
            "longest_untrimmed": max(len(document.ids) + document.trimmed for document in documents),
        },
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "trained_parameters": sum(parameter.numel() for parameter in trained(model).values()),
        "memory_bytes": {**asdict(needed), "total": needed.total},
        "samples": {
            source: {"id": document.id, "text": marked(document, tokenizer)}
            for source, document in sorted(first.items())
        },
    }


def least_hours(documents: Sequence[Document], shape: Shape, settings: Train, speed: float) -> float:
    """Hours of the whole training at `speed` operations a second on all devices together: no run is faster than the
    matrix products that it is made of."""
    tokens, targets = sum(len(document.ids) for document in documents), sum(document.targets for document in documents)
    flops = step_flops(shape, planned(settings, 1), tokens / len(documents)) * tokens
    flops -= 2 * shape.head * (3 if settings.method == "full" else 2) * (tokens - targets)  # the head sees no prompt
    return flops * settings.epochs / speed / 3600


def planned(settings: Train, processes: int) -> Strategy:
    """The recipe's own way to train."""
    return Strategy(method=settings.method, devices=processes, recompute=settings.gradient_checkpointing)


def summary(found: dict[str, Any], hours: float, speed: float, folder: Path) -> str:
    """One line for the user before the first step."""
    examples, total = found["examples"], found["memory_bytes"]["total"]
    time = f"{hours:,.1f} h" if hours >= 1 else f"{60 * hours:,.1f} min"
    return (
        f"training on {examples['used']:,} examples, {examples['trimmed']:,} of them trimmed: about "
        f"{total / 2**30:.2g} GiB of memory a device, and at least {time} at the {speed / 1e9:,.0f} GFLOP/s that a "
        f"matrix product reaches here; what is learnt, token by token: {folder / 'preflight.txt'}"
    )


def warning(found: dict[str, Any]) -> str | None:
    """One line where most examples lose their end, from which alone a model learns to stop."""
    examples = found["examples"]
    if 2 * examples["trimmed"] <= examples["read"]:
        return None
    return (
        f"{examples['trimmed']:,} of {examples['read']:,} examples are trimmed before their end, so that few teach the "
        f"model to stop. Raise train.max_tokens (the longest has {found['tokens']['longest_untrimmed']:,} tokens), or "
        "curate shorter ones"
    )


def marked(document: Document, tokenizer: Any) -> str:
    """The text as the model sees it, what counts in the loss between ⟦ and ⟧."""
    text, start = "", 0
    for end in range(1, len(document.ids) + 1):
        if end == len(document.ids) or document.mask[end] != document.mask[start]:
            span = tokenizer.decode(document.ids[start:end], skip_special_tokens=False)
            text += f"{_OPEN}{span}{_CLOSE}" if document.mask[start] else span
            start = end
    return text


def write(folder: Path, found: dict[str, Any]) -> None:
    """Publish `preflight.json` and the same to read as `preflight.txt`."""
    files.publish_json(folder / "preflight.json", found)
    examples, tokens, memory_bytes = found["examples"], found["tokens"], found["memory_bytes"]
    lines = [
        f"{examples['used']:,} of {examples['read']:,} examples are used; {examples['without_response']:,} have no "
        f"response within the limit; {examples['trimmed']:,} are trimmed, by {examples['trimmed_tokens']:,} tokens.",
        f"{tokens['total']:,} tokens, {tokens['in_loss']:,} of them in the loss; mean {tokens['mean']:,}, median "
        f"{tokens['median']:,}, longest {tokens['longest']:,}.",
        f"{found['trained_parameters']:,} of {found['parameters']:,} parameters are trained; about "
        f"{memory_bytes['total'] / 2**30:.2f} GiB of memory a device.",
        f"One example of each source; the loss is on what stands between {_OPEN} and {_CLOSE}.",
    ]
    for source, sample in found["samples"].items():
        lines += ["", f"--- {source}: {sample['id']} ---", sample["text"]]
    files.publish_text(folder / "preflight.txt", "\n".join(lines) + "\n")
