"""A small study with its curation written by hand, so that what comes after it can be tested by itself."""

from pathlib import Path

from limakit.records import Example, Prompt, Provenance, Turn
from limakit.store import files

EPOCHS = 3
RECIPE = """
[base]
model = {model!r}

[train]
epochs = 3
batch_size = 2
max_tokens = 96
learning_rate = 3e-3
final_learning_rate = 1e-3

[choose]
epochs = [1, 2, 3]

[generate]
max_new_tokens = 16
slots = 4

[report]
resamples = 200
"""


def write_study(root: Path, model: Path) -> Path:
    """Recipe and curated files of a study whose base model is `model`."""
    files.publish_text(root / "recipe.toml", RECIPE.format(model=str(model)))
    provenance = Provenance(
        source="stackexchange",
        site="kitchen",
        id="1",
        url="https://example.org/1",
        author="Ann | B",
        licence="CC BY-SA 4.0",
    )
    examples = [
        Example(
            id=f"e{number}",
            messages=(
                Turn(role="user", content=f"How {word}?"),
                Turn(role="assistant", content=f"{word} slowly. " * 3),
            ),
            source="stackexchange",
            group="other",
            site="kitchen",
            provenance=(provenance,),
        )
        for number, word in enumerate(["stir", "bake", "cut", "wait"])
    ]
    prompts = [
        Prompt(id=f"d{n}", messages=(Turn(role="user", content=f"How {w}?"),), reference=f"{w} slowly.")
        for n, w in enumerate(["boil", "fry", "mix", "rest"])
    ]
    curated = root / "curate"
    files.write_jsonl(curated / "train.jsonl", examples)
    files.write_jsonl(curated / "dev.jsonl", prompts)
    files.write_jsonl(curated / "test.jsonl", prompts[:2])
    files.publish_text(curated / "ATTRIBUTION.md", "# Attribution\n\nAnn | B\n")
    files.publish_json(curated / "manifest.json", {"counts": {}})
    return root
