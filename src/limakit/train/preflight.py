"""What is about to be trained, for a person to look at before the first step."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from limakit.errors import TrainingError
from limakit.recipe_train import Train
from limakit.store import files
from limakit.train.batches import Document
from limakit.train.weights import trained

_OPEN, _CLOSE = "⟦", "⟧"


def inspect(documents: Sequence[Document], model: Any, tokenizer: Any, eot: int, settings: Train) -> dict[str, Any]:
    """Counts, token statistics, memory and one example of each source with its loss mask, as plain data.

    Raises TrainingError where an example that was not trimmed does not train its last end-of-turn token.
    """
    for document in documents:
        if not document.trimmed and not (document.ids[-1] == eot and document.mask[-1]):
            raise TrainingError("the end-of-turn token is not in the loss", where=document.id)
    lengths = np.array([len(document.ids) for document in documents])
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
        },
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "trained_parameters": sum(parameter.numel() for parameter in trained(model).values()),
        "memory_bytes": memory(model, settings, int(lengths.max())),
        "samples": {
            source: {"id": document.id, "text": marked(document, tokenizer)}
            for source, document in sorted(first.items())
        },
    }


def memory(model: Any, settings: Train, longest: int) -> dict[str, int]:
    """Estimated bytes by part. Gradients and both moments are fp32 and only of what is trained; activations are counted
    for a gated Llama layer: about 14 vectors of the hidden size and 4 of the feed-forward size a token, in one layer at
    a time where the others keep only what goes into them (`gradient_checkpointing`)."""
    config = model.config
    moved = sum(parameter.numel() for parameter in trained(model).values())
    tokens = max(settings.tokens_per_microbatch, longest)
    width = 14 * config.hidden_size + 4 * getattr(config, "intermediate_size", 4 * config.hidden_size)
    layers = config.num_hidden_layers
    kept = layers * config.hidden_size + width if settings.gradient_checkpointing else layers * width
    parts = {
        "weights": sum(parameter.numel() * parameter.element_size() for parameter in model.parameters()),
        "gradients": 4 * moved,
        "optimizer": 8 * moved,
        "activations": tokens * kept * (4 if settings.precision == "fp32" else 2),
    }
    return {**parts, "total": sum(parts.values())}


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
        f"{memory_bytes['total'] / 2**30:.2f} GiB of memory.",
        f"One example of each source; the loss is on what stands between {_OPEN} and {_CLOSE}.",
    ]
    for source, sample in found["samples"].items():
        lines += ["", f"--- {source}: {sample['id']} ---", sample["text"]]
    files.publish_text(folder / "preflight.txt", "\n".join(lines) + "\n")
