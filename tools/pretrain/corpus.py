"""The corpus: reading it, holding documents out, refusing contaminated ones, the tokenizer, packed token ids."""

import hashlib
import itertools
import json
import os
from collections.abc import Collection, Iterable, Iterator
from importlib import resources
from pathlib import Path

import numpy as np
import zstandard
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from limakit.curate.words import U64, hashed, shingles

SUBSETS = ("expository", "wikipedia", "fiction")
END = "<|endoftext|>"
HELD_OUT_ONE_IN = 100
RUN = 13
SIEVE_BITS = 22
TOKENIZER_CHARACTERS = 12_000_000
SPLIT = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


class Protected:
    """Texts that a model will be tested on: no document that shares a run of `RUN` words with one is used.

    Brown et al. (2020, appendix C) take 13 words; here the whole document goes, held out or not.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self.runs = np.unique(shingles(hashed(list(texts)), RUN).hashes)
        self.sieve = np.zeros(1 << SIEVE_BITS, bool)
        self.sieve[self.runs >> U64(64 - SIEVE_BITS)] = True

    @classmethod
    def starter(cls) -> "Protected":
        """limakit's own prompts with their references, and the test dialogues."""
        starter, texts = Path(str(resources.files("limakit"))) / "starter", []
        for path in (*sorted((starter / "prompts").glob("*.jsonl")), starter / "dialogues/scripts.jsonl"):
            for row in map(json.loads, path.read_text(encoding="utf-8").splitlines()):
                texts += [
                    *(m["content"] for m in row.get("messages", ())),
                    row.get("reference") or "",
                    *row.get("turns", ()),
                ]
        return cls(texts)

    def meets(self, text: str) -> bool:
        """Whether a text shares a run of words with any of them."""
        runs = shingles(hashed([text]), RUN).hashes
        maybe = runs[self.sieve[runs >> U64(64 - SIEVE_BITS)]]
        places = np.minimum(np.searchsorted(self.runs, maybe), len(self.runs) - 1)
        return bool((self.runs[places] == maybe).any())


def documents(corpus: Path, subset: str, refused: Collection[str], *, held_out: bool) -> Iterator[str]:
    """Yield the texts of a subset on the wanted side of the hold-out line, but for refused ids, in file order."""
    for record in records(corpus, subset):
        if is_held_out(record["id"]) == held_out and record["id"] not in refused:
            yield record["text"]


def records(corpus: Path, subset: str) -> Iterator[dict[str, str]]:
    """Yield every `{"text": …, "id": …}` of a subset."""
    with zstandard.open(corpus / f"{subset}.jsonl.zst", "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def contaminated(corpus: Path, protected: Protected) -> list[str]:
    """The ids of the documents to refuse."""
    return [r["id"] for subset in SUBSETS for r in records(corpus, subset) if protected.meets(r["text"])]


def is_held_out(identity: str) -> bool:
    """Hold out one document in a hundred, by its id alone, so that the split never moves."""
    return int.from_bytes(hashlib.sha256(identity.encode()).digest()[:8]) % HELD_OUT_ONE_IN == 0


def train_tokenizer(corpus: Path, refused: Collection[str], vocab: int) -> Tokenizer:
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
    shares = (first_characters(documents(corpus, subset, refused, held_out=False)) for subset in SUBSETS)
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


def pack(corpus: Path, subset: str, refused: Collection[str], tokenizer: Tokenizer, cache: Path) -> Path:
    """Return the file of a subset's training tokens, two bytes each, every document closed by the end token."""
    # The name carries the hash of vocabulary and refused documents: another run never meets ids that are not its own.
    digest = hashlib.sha256(f"{tokenizer.to_str()} {sorted(refused)}".encode()).hexdigest()[:12]
    path = cache / f"{subset}-{digest}.u16"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        with partial.open("wb") as out:
            for ids in encode(documents(corpus, subset, refused, held_out=False), tokenizer):
                ids.tofile(out)
            out.flush()
            os.fsync(out.fileno())
        partial.rename(path)
    return path


def encode(texts: Iterable[str], tokenizer: Tokenizer) -> Iterator[np.ndarray]:
    """Yield each text's ids followed by the end token."""
    end = tokenizer.get_vocab()[END]
    remaining = iter(texts)
    while batch := list(itertools.islice(remaining, 64)):
        for encoding in tokenizer.encode_batch_fast(batch):
            yield np.array([*encoding.ids, end], dtype=np.uint16)
