"""The corpus: reading it, holding documents out, training the tokenizer, and packing token ids into flat files."""

import hashlib
import itertools
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import zstandard
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

SUBSETS = ("expository", "wikipedia", "fiction")
END = "<|endoftext|>"
HELD_OUT_ONE_IN = 100
TOKENIZER_CHARACTERS = 12_000_000
SPLIT = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def documents(corpus: Path, subset: str, *, held_out: bool) -> Iterator[str]:
    """Yield the texts of a subset that lie on the wanted side of the hold-out line, in file order."""
    with zstandard.open(corpus / f"{subset}.jsonl.zst", "rt", encoding="utf-8") as lines:
        for line in lines:
            record = json.loads(line)
            if is_held_out(record["id"]) == held_out:
                yield record["text"]


def is_held_out(identity: str) -> bool:
    """Hold out one document in a hundred, by its id alone, so that the split never moves."""
    return int.from_bytes(hashlib.sha256(identity.encode()).digest()[:8]) % HELD_OUT_ONE_IN == 0


def train_tokenizer(corpus: Path, vocab: int) -> Tokenizer:
    """Train a byte-level BPE on equal shares of the subsets. Any text survives encoding and decoding unchanged."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab,
        special_tokens=[END],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    shares = (first_characters(documents(corpus, subset, held_out=False)) for subset in SUBSETS)
    tokenizer.train_from_iterator(itertools.chain.from_iterable(shares), trainer)
    return tokenizer


def first_characters(texts: Iterable[str], each: int = 100_000) -> Iterator[str]:
    """Yield texts, each cut to its first characters, until the tokenizer's share of a subset is full."""
    left = TOKENIZER_CHARACTERS
    for text in texts:
        if left <= 0:
            return
        yield text[: min(each, left)]
        left -= min(each, left)


def pack(corpus: Path, subset: str, tokenizer: Tokenizer, cache: Path) -> Path:
    """Return the file of a subset's training tokens, two bytes each, every document closed by the end token."""
    # The name carries the vocabulary's hash: another tokenizer never meets ids that are not its own.
    digest = hashlib.sha256(tokenizer.to_str().encode()).hexdigest()[:12]
    path = cache / f"{subset}-{digest}.u16"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        with partial.open("wb") as out:
            for ids in encode(documents(corpus, subset, held_out=False), tokenizer):
                ids.tofile(out)
        partial.rename(path)
    return path


def encode(texts: Iterable[str], tokenizer: Tokenizer) -> Iterator[np.ndarray]:
    """Yield each text's ids followed by the end token."""
    end = tokenizer.get_vocab()[END]
    remaining = iter(texts)
    while batch := list(itertools.islice(remaining, 64)):
        for encoding in tokenizer.encode_batch_fast(batch):
            yield np.array([*encoding.ids, end], dtype=np.uint16)
