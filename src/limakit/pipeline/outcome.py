"""What every stage of the story shares: its outcome, and the files it needs from stages before it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from limakit.errors import StudyError, typed
from limakit.store.study import MANIFEST, Study, Work


@dataclass(frozen=True)
class Outcome:
    """What became of a stage."""

    stage: str
    state: Literal["done", "unchanged"]
    """`unchanged` where there was nothing to do."""
    counts: Mapping[str, Any]
    """As in the stage's manifest."""
    folder: Path


def published(work: Work, counts: Mapping[str, Any]) -> Outcome:
    work.publish(counts)
    return Outcome(work.stage, "done", work.manifest["counts"], work.final)


def unchanged(work: Work) -> Outcome:
    return Outcome(work.stage, "unchanged", work.manifest["counts"], work.final)


def need(study: Study, stage: str, name: str) -> Path:
    """A file of a finished stage. Raises StudyError naming the command that makes it; of a variant, its study's."""
    path = study.path(stage, name)
    if not path.is_file() or not study.path(stage, MANIFEST).is_file():
        learned = stage.startswith("train/") or (stage == "curate" and name != "test.jsonl")
        if learned and not study.recipe.learns:
            raise StudyError(
                f"this study learns nothing, so there is no {stage}/{name}",
                where=study.root,
                fix="It compares: limakit run, studio, report.",
            )
        verb = {"compare": "judge"}.get(stage.split("/")[0], stage.split("/")[0])
        command = study.again or f"limakit {verb} {typed(study.root)}"
        raise StudyError(f"{stage}/{name} is not there yet", where=study.root, fix=f"Run: {command}")
    return path


def model_files(name: str, folder: Path) -> dict[str, Path]:
    """The files that make a model, by a name that does not depend on where they lie."""
    return {f"{name}/{p.name}": p for p in sorted(folder.iterdir()) if p.suffix in {".safetensors", ".json", ".jinja"}}
