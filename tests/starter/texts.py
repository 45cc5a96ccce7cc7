"""The starter data as the tests see it: every text with where it stands."""

import csv
import json
import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

STARTER = Path(str(resources.files("limakit"))) / "starter"
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Text:
    """One question with its answer, where there is one."""

    id: str
    split: str
    """`train`, `dialogue`, `dev`, `test` or `ood`."""
    prompt: str
    answer: str


def rows(name: str) -> list[dict]:
    """The objects of a JSONL file of the starter data."""
    return [json.loads(line) for line in (STARTER / name).read_text(encoding="utf-8").splitlines()]


def table(name: str) -> list[dict[str, str]]:
    """The rows of a CSV file of the starter data."""
    with (STARTER / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@cache
def texts() -> tuple[Text, ...]:
    """Examples, dialogues (all turns of a side as one text) and prompts, in this order."""
    found = []
    for split, name in (("train", "authored/train.jsonl"), ("dialogue", "dialogues/chains.jsonl")):
        for row in rows(name):
            sides = {"user": "", "assistant": ""}
            for message in row["messages"]:
                sides[message["role"]] += message["content"] + "\n"
            found.append(Text(row["id"], split, sides["user"].rstrip("\n"), sides["assistant"].rstrip("\n")))
    for split in ("dev", "test", "ood"):
        for row in rows(f"prompts/{split}.jsonl"):
            found.append(Text(row["id"], split, row["messages"][0]["content"], row["reference"] or ""))
    return tuple(found)


def of(split: str) -> list[Text]:
    """The texts of one split."""
    return [text for text in texts() if text.split == split]
