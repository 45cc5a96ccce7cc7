"""Where to draw the line of contamination by meaning: what each threshold catches and what it refuses for nothing.

    python benchmarks/meaning.py [--model FOLDER] [--prompts FOLDER_OF_JSONL]

`paraphrases.jsonl` holds 46 prompts of the authored examples said anew by hand (`same`), and for each another question
on its subject (`other`). A paraphrase should be caught; the question on the same subject and any two prompts of the
authored examples should not. Vectors: TF-IDF of words, as the rule `contamination_cosine` has it; the light vectors
(TF-IDF and SVD); and a sentence-transformers model, where a folder of one is named. With --prompts, also how many of
the training prompts come too near to a public test prompt, the nearest of them to be read.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

import limakit
from limakit.curate.tfidf import Weights
from limakit.curate.vectors import SCALE, Latent, whole
from limakit.curate.words import hashed
from limakit.models.local_embed import load_embedder

HERE = Path(__file__).parent
AUTHORED = Path(limakit.__file__).parent / "starter" / "authored" / "train.jsonl"
STEPS = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="folder of a sentence-transformers model")
    parser.add_argument("--prompts", type=Path, help="folder of public test prompts, .jsonl")
    given = parser.parse_args()
    pairs = [json.loads(line) for line in (HERE / "paraphrases.jsonl").read_text().splitlines()]
    examples = [json.loads(line) for line in AUTHORED.read_text().splitlines()]
    authored = {example["id"]: example["messages"][0]["content"] for example in examples}
    texts = [example["messages"][-1]["content"] for example in examples]
    ways: dict[str, Any] = {"TF-IDF": Words(texts + list(authored.values())), "light": Latent(texts)}
    if given.model:
        ways[given.model.name] = load_embedder(given.model)
    public = sorted({text for path in sorted((given.prompts or HERE / "-").glob("*.jsonl")) for text in _prompts(path)})
    for name, embed in ways.items():
        known = whole(embed(list(authored.values()))).astype(np.int64)
        at = [list(authored).index(pair["authored"]) for pair in pairs]
        same, other = (
            np.sum(whole(embed([pair[kind] for pair in pairs])).astype(np.int64) * known[at], axis=1) / SCALE**2
            for kind in ("same", "other")
        )
        among = np.triu(known @ known.T / SCALE**2, 1).max(axis=0)
        print(f"\n{name}: threshold, paraphrases caught, same subject refused, unrelated prompts refused")
        for least in STEPS:
            shares = (np.mean(values >= least) for values in (same, other, among))
            print(f"{least:5.2f} " + " ".join(f"{share:8.1%}" for share in shares))
        print("least alike paraphrases:", ", ".join(f"{value:.2f}" for value in sorted(same)[:8]))
        print("most alike of the others:", ", ".join(f"{value:.2f}" for value in sorted(other)[-8:]))
        if public:
            near = whole(embed(public)).astype(np.int64) @ known.T / SCALE**2
            best = np.argsort(-near.max(axis=1))[:12]
            print(f"of {len(public):,} public prompts the nearest to an authored one:")
            for number in best:
                twin = list(authored.values())[int(near[number].argmax())]
                print(f"  {near[number].max():.2f} {public[number][:90]!r} – {twin[:90]!r}")


class Words:
    """TF-IDF rows as dense vectors, for few texts."""

    def __init__(self, sample: list[str]):
        self._weights = Weights(sample)

    def __call__(self, texts: list[str]) -> Any:
        return self._weights.rows(hashed(texts)).toarray()


def _prompts(path: Path) -> list[str]:
    """First turns of a file of test prompts, whatever its layout."""
    found = []
    for line in path.read_text().splitlines():
        row = json.loads(line)
        text = row.get("turns", [None])[0] or row.get("prompt") or row.get("instruction") or row.get("text")
        text = text or row.get("Instruction") or row.get("question")
        if isinstance(text, str) and len(text) < 600:
            found.append(text)
    return found


if __name__ == "__main__":
    main()
