"""How long work took on this machine, for estimates: kept in the study's cache, in no result."""

from pathlib import Path
from typing import Any

from limakit.errors import InputError
from limakit.pipeline.outcome import Outcome
from limakit.store import files
from limakit.store.study import Study


class Times:
    """Seconds and tokens of training and answering so far. Losing the file costs only an estimate."""

    def __init__(self, study: Study):
        self._path = study.path(".cache", "times.json")
        try:
            self._known: dict[str, list[float]] = files.read_json(self._path)
        except (FileNotFoundError, InputError):
            self._known = {}

    def add(self, folder: Path, stage: str, seconds: float, outcome: Outcome | None = None) -> None:
        """Remember what a stage of the study at `folder` took, unless there was nothing to do."""
        if stage not in ("train", "generate") or (outcome is not None and outcome.state == "unchanged"):
            return
        tokens = trained_tokens(folder) if stage == "train" else answered_tokens(folder)
        if tokens:
            old = self._known.get(stage, [0.0, 0.0])
            self._known[stage] = [old[0] + seconds, old[1] + tokens]
            files.publish_json(self._path, self._known)

    def rate(self, stage: str) -> float | None:
        """Seconds a token of `train` or `generate`; None before anything was measured."""
        seconds, tokens = self._known.get(stage, [0.0, 0.0])
        return seconds / tokens if tokens else None


def trained_tokens(folder: Path) -> float:
    """Tokens that a finished training went through, all epochs; 0 where there is none."""
    place = folder / "train" / "tuned"
    try:
        counts = files.read_json(place / "manifest.json")["counts"]
        return files.read_json(place / "preflight.json")["tokens"]["total"] * counts["epochs"]
    except (FileNotFoundError, KeyError):
        return 0


def answered_tokens(folder: Path) -> float:
    """Tokens that the systems of a study have answered with; 0 where there are none."""
    found: list[dict[str, Any]] = [
        files.read_json(path)["counts"] for path in sorted(folder.glob("generate/*/manifest.json"))
    ]
    return sum(counts["responses"] * counts["mean_tokens"] for counts in found if counts.get("mean_tokens"))
