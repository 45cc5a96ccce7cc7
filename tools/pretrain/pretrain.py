"""Pretrain limakit's embedded base model, on a CPU, and write it as a Hugging Face folder."""

import argparse
import sys
from pathlib import Path

import torch
from corpus import END, Protected, contaminated, pack, train_tokenizer
from export import earlier, export
from model import build, resume
from training import Plan, train
from transformers.utils import logging

VOCABULARY = 4096
MIXTURE = {"wikipedia": 0.45, "expository": 0.25, "fiction": 0.30}
SEED = 1


def main(words: list[str] | None = None) -> int:
    """Tokenizer, packed data, training, export: each prints a line when it is done."""
    arguments = parse(words)
    logging.disable_progress_bar()
    runs = earlier(arguments.start) if arguments.start else []
    refused = contaminated(arguments.corpus, Protected.starter())
    print(f"contaminated: {len(refused)} documents refused {' '.join(refused[:5])}".rstrip(), flush=True)
    tokenizer = train_tokenizer(arguments.corpus, refused, VOCABULARY)
    print(f"tokenizer: {tokenizer.get_vocab_size()} tokens", flush=True)
    streams = {s: pack(arguments.corpus, s, refused, tokenizer, arguments.cache) for s in MIXTURE}
    sizes = ", ".join(f"{subset} {path.stat().st_size / 2e6:.1f}M tokens" for subset, path in streams.items())
    print(f"packed: {sizes}", flush=True)
    torch.manual_seed(SEED)
    end = tokenizer.get_vocab()[END]
    model = resume(arguments.start, tokenizer) if arguments.start else build(VOCABULARY, end)
    print(f"model: {model.num_parameters():,} parameters", flush=True)
    plan = Plan(
        streams,
        MIXTURE,
        tokens=round(arguments.tokens * 1e6),
        minutes=arguments.minutes,
        seed=SEED,
        state=arguments.cache / "state.safetensors",
        refused=tuple(refused),
        seen=sum(run["tokens"] for run in runs),
    )
    report = train(model, plan)
    for measurement in export(model, tokenizer, [*runs, report.record()], plan, arguments.corpus, arguments.out):
        print(f"held out: {measurement.subset} {measurement.bits_per_byte:.4f} bits per byte", flush=True)
    plan.state.unlink()
    return 0


def parse(words: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True, help="folder of the three .jsonl.zst files")
    parser.add_argument("--out", type=Path, required=True, help="folder for the model; its files are replaced")
    parser.add_argument(
        "--start", type=Path, help="folder of a model made here, to train it further (default: from nothing)"
    )
    parser.add_argument(
        "--cache",
        type=Path,
        default=Path.home() / ".cache" / "limakit-pretrain",
        help="folder for packed tokens and for the state from which a killed run goes on",
    )
    parser.add_argument("--tokens", type=float, default=28.0, help="training tokens, in millions")
    parser.add_argument("--minutes", type=float, default=30.0, help="training stops, annealed, at the latest then")
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(main())
