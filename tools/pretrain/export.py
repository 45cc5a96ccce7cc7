"""From trained weights to the published folder: Hugging Face files, held-out loss, samples and a model card."""

import copy
import json
import math
import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, count, islice
from pathlib import Path
from typing import Any

import torch
from corpus import END, SUBSETS, documents, encode
from tokenizers import Tokenizer
from torch.nn import functional as F
from training import Plan
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

HELD_OUT_TOKENS = 200_000
WINDOW = 1024
PROMPTS = ("The city of", "In order to learn a new language, you should", "A function is")
CARD = Path(__file__).parent / "card.md"
RECORD = "training.json"
"""File of a published folder that lists its runs of training, oldest first (`Report.record`)."""


@dataclass(frozen=True)
class Measurement:
    """How well a model predicts one subset's held-out documents."""

    subset: str
    tokens: int
    nats_per_token: float
    bits_per_byte: float


def earlier(folder: Path) -> list[dict[str, Any]]:
    """The runs of training that a published folder has behind it.

    Raises:
        SystemExit: the folder does not say.
    """
    if not (folder / RECORD).exists():
        sys.exit(f"{folder}: no {RECORD}; --start takes a folder that this script has written")
    return json.loads((folder / RECORD).read_text(encoding="utf-8"))


def export(
    model: LlamaForCausalLM, tokenizer: Tokenizer, runs: Sequence[dict[str, Any]], plan: Plan, corpus: Path, out: Path
) -> list[Measurement]:
    """Write the folder beside its destination, measure what was written, add the card, and put the files in place."""
    partial = out.with_name(out.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    write_weights(model, partial)
    write_tokenizer(tokenizer, model.config.max_position_embeddings, partial)
    # Everything reported is measured on the files as a user would load them.
    loaded = AutoModelForCausalLM.from_pretrained(partial, dtype=torch.float32).eval()
    measurements = [
        measure(loaded, tokenizer, documents(corpus, subset, plan.refused, held_out=True), subset) for subset in SUBSETS
    ]
    (partial / "README.md").write_text(card(loaded, runs, plan, measurements, samples(partial)), encoding="utf-8")
    (partial / RECORD).write_text(json.dumps(runs) + "\n", encoding="utf-8")
    out.mkdir(parents=True, exist_ok=True)
    for file in partial.iterdir():
        file.chmod(0o644)
        file.replace(out / file.name)
    partial.rmdir()
    return measurements


def write_weights(model: LlamaForCausalLM, folder: Path) -> None:
    """Save in bfloat16, half the size of float32; refuse weights that are not numbers."""
    if not all(weight.isfinite().all() for weight in model.parameters()):
        raise FloatingPointError("training diverged: the weights are not finite")
    copy.deepcopy(model).bfloat16().save_pretrained(folder)


def write_tokenizer(tokenizer: Tokenizer, positions: int, folder: Path) -> None:
    """Save the tokenizer so that AutoTokenizer loads it, adding nothing to a text and tidying nothing away."""
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=END,
        eos_token=END,
        model_max_length=positions,
        clean_up_tokenization_spaces=False,
    ).save_pretrained(folder)


@torch.inference_mode()
def measure(model: PreTrainedModel, tokenizer: Tokenizer, texts: Iterable[str], subset: str) -> Measurement:
    """Score a subset's first held-out tokens in windows, each once; end tokens cost bits but add no bytes."""
    stream = (token for ids in encode(texts, tokenizer) for token in ids.tolist())
    ids = list(islice(stream, HELD_OUT_TOKENS))
    tokens = torch.tensor([tokenizer.get_vocab()[END], *ids])
    nats = 0.0
    for start in range(0, len(ids), WINDOW):
        window = tokens[start : start + WINDOW + 1]
        logits_TV = model(window[None, :-1]).logits[0]
        nats += F.cross_entropy(logits_TV, window[1:], reduction="sum").item()
    text_bytes = len(tokenizer.decode(ids, skip_special_tokens=True).encode())
    return Measurement(subset, len(ids), nats / len(ids), nats / math.log(2) / text_bytes)


def samples(folder: Path) -> list[tuple[str, str]]:
    """Continue each prompt once, at a moderate temperature and a fixed seed."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    continued = []
    for prompt in PROMPTS:
        torch.manual_seed(0)
        ids = tokenizer(prompt, return_tensors="pt")
        output = model.generate(  # pyright: ignore[reportAttributeAccessIssue] - the library's own types disagree
            **ids, max_new_tokens=80, do_sample=True, temperature=0.7, top_p=0.9, pad_token_id=tokenizer.eos_token_id
        )
        continued.append((prompt, tokenizer.decode(output[0, ids.input_ids.shape[1] :], skip_special_tokens=True)))
    return continued


def card(
    model: PreTrainedModel,
    runs: Sequence[dict[str, Any]],
    plan: Plan,
    measurements: list[Measurement],
    continued: list[tuple[str, str]],
) -> str:
    """Fill the model card's template with what this run was and what it reached."""
    config = model.config
    return CARD.read_text(encoding="utf-8").format(
        parameters=f"{model.num_parameters() / 1e6:.2f} million",
        layers=config.num_hidden_layers,
        width=config.hidden_size,
        heads=config.num_attention_heads,
        head_width=config.head_dim,
        feed_forward=config.intermediate_size,
        vocab=config.vocab_size,
        positions=config.max_position_embeddings,
        tokens=f"{sum(run['tokens'] for run in runs) / 1e6:.1f} million",
        minutes=f"{sum(run['seconds'] for run in runs) / 60:.0f}",
        runs="\n".join(map(run_row, count(1), runs)),
        mixture=", ".join(f"{subset} {share:.0%}" for subset, share in plan.mixture.items()),
        refused=len(plan.refused),
        curve="\n".join(f"| {tokens / 1e6:.1f} | {loss:.3f} |" for tokens, loss in whole_curve(runs)),
        held_out="\n".join(
            f"| {m.subset} | {m.tokens:,} | {m.nats_per_token:.3f} | {m.bits_per_byte:.3f} |" for m in measurements
        ),
        samples="\n\n".join(f"```text\n[{prompt}]{text}\n```" for prompt, text in continued),
    )


def run_row(number: int, run: dict[str, Any]) -> str:
    """One run of training as a line of the card's table."""
    windows = ", ".join(f"{tokens / 1e6:.1f} million at {length}" for length, tokens in run["windows"])
    speed = run["tokens"] / run["seconds"]
    return (
        f"| {number} | {run['tokens'] / 1e6:.1f} million | {run['seconds'] / 60:.0f} | {speed:,.0f}"
        f" | {run['precision']} | {windows} |"
    )


def whole_curve(runs: Sequence[dict[str, Any]]) -> list[tuple[int, float]]:
    """The thinned loss curves of all runs, one after the other: tokens since the first run's start, and nats."""
    ends = accumulate(run["tokens"] for run in runs)
    return [
        (end - run["tokens"] + tokens, loss)
        for end, run in zip(ends, runs, strict=True)
        for tokens, loss in thin(run["curve"])
    ]


def thin(curve: list[tuple[int, float]], points: int = 12) -> list[tuple[int, float]]:
    """Keep about so many points, evenly spaced, the last among them."""
    return curve[::-1][:: max(1, round(len(curve) / points))][::-1]
