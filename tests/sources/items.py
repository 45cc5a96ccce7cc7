"""What the readers' tests share: items sorted by what became of them, and a whole curation of a recipe."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from limakit.engine import silent
from limakit.pipeline.curating import curate
from limakit.records import Candidate, Reject
from limakit.sources.given import Given
from limakit.sources.harvest import Asked, Damaged, Item, Passed
from limakit.store import files
from limakit.store.study import Study


@dataclass
class Sorted:
    """Items by kind."""

    candidates: list[Candidate] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    passed: Counter[str] = field(default_factory=Counter)
    damaged: list[Damaged] = field(default_factory=list)

    @property
    def rules(self) -> dict[str, int]:
        return dict(Counter(reject.rule for reject in self.rejects))


def sort(items: Iterable[Item]) -> Sorted:
    """The items of a reader."""
    result = Sorted()
    for item in items:
        match item:
            case Candidate():
                result.candidates.append(item)
            case Asked():
                result.asked.append(item)
            case Reject():
                result.rejects.append(item)
            case Passed():
                result.passed[item.kind] += item.count
            case Damaged():
                result.damaged.append(item)
    return result


def given(path: Path, data: bytes | str | list[Any]) -> Given:
    """A file with these bytes, this text or these JSON lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(data, list):
        data = b"".join(orjson.dumps(row) + b"\n" for row in data)
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return Given(path=path, label=path.name)


def curated(folder: Path, recipe: str) -> tuple[Any, list[Any]]:
    """Curate a study with this recipe: the funnel, whose counts the stage itself has checked, and train.jsonl."""
    files.publish_text(folder / "recipe.toml", recipe)
    study = Study(folder)
    with study.lock():
        curate(study, silent)
    return files.read_json(folder / "curate" / "funnel.json"), files.read_jsonl(folder / "curate" / "train.jsonl", dict)
