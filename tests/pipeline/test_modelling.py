"""What the training stage tells beyond the run itself."""

from pathlib import Path

import pytest
import torch

from limakit.cli import say
from limakit.models import local_stop
from limakit.recipe import Generate
from limakit.records import Prompt
from limakit.store.files import read_json, read_jsonl


def test_after_training_the_stop_rate_is_known(trained_study: Path) -> None:
    counts = read_json(trained_study / "train/tuned/manifest.json")["counts"]
    assert (counts["stop_prompts"], counts["stop_limit"]) == (4, 16)
    assert 0 <= counts["stop_rate"] <= 1
    dev = read_jsonl(trained_study / "curate/dev.jsonl", Prompt)
    found = local_stop.stop_rate(trained_study / "train/tuned/epoch-03", dev, Generate(max_new_tokens=16), 0)
    assert found["stop_rate"] == counts["stop_rate"]


def test_nobody_asked_and_no_memory_are_no_rate(trained_study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = trained_study / "train/tuned/epoch-03"
    dev = read_jsonl(trained_study / "curate/dev.jsonl", Prompt)
    assert local_stop.stop_rate(folder, [], Generate(), 0)["stop_rate"] is None

    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("no more")

    monkeypatch.setattr(local_stop, "load_system", full)
    assert local_stop.stop_rate(folder, dev, Generate(), 0) == {
        "stop_prompts": 0,
        "stop_limit": 256,
        "stop_rate": None,
    }


def test_it_is_said_in_the_line_of_the_stage() -> None:
    counts = {"epochs": 3, "steps": 9, "loss": 1.5}
    assert say._train(counts) == "3 epochs, 9 steps, loss 1.500"
    told = say._train({**counts, "stop_prompts": 8, "stop_limit": 256, "stop_rate": 0.75})
    assert told.endswith("loss 1.500; 75% of 8 dev prompts answered to an end within 256 tokens")
