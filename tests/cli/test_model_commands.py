"""The commands around a model: choose, run, export and plan, as they are typed."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from limakit.cli.app import app
from limakit.errors import LimakitError
from limakit.pipeline.outcome import Outcome


def limakit(*words: object) -> str:
    done = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture
def study(trained_study: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained_study, tmp_path / "study"))


def test_choose_says_what_it_chose_and_how_sure_it_is(study: Path) -> None:
    said = limakit("choose", study)
    assert "choose: epoch" in said
    assert "dev/epoch-01: 4 answers" in said
    assert "choice.svg" in said
    choice = json.loads((study / "choose/choice.json").read_text())
    outcome = json.loads(limakit("choose", study, "--json").splitlines()[-1])
    assert (outcome["state"], outcome["counts"]["epoch"]) == ("unchanged", choice["epoch"])


@pytest.mark.parametrize(("checkpoint", "chooses"), [("'chosen'", True), ("'last'", False), ("2", False)])
def test_run_chooses_where_the_recipe_wants_it(
    study: Path, checkpoint: str, chooses: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from limakit.pipeline.story import STAGES

    recipe = study / "recipe.toml"
    recipe.write_text(recipe.read_text().replace("[generate]", f"[generate]\ncheckpoint = {checkpoint}"))
    ran: list[str] = []

    def stand_in(name: str) -> Any:
        def stage(study: Any, progress: Any) -> list[Outcome]:
            ran.append(name)
            return []

        return stage

    for name in STAGES:
        monkeypatch.setitem(STAGES, name, stand_in(name))
    monkeypatch.setattr("limakit.choose.choose", stand_in("choose"))
    limakit("run", study)
    assert ran == [name for name in ("curate", "train", "choose", *list(STAGES)[2:]) if chooses or name != "choose"]


def test_export_and_its_formats(study: Path, tmp_path: Path) -> None:
    said = limakit("export", study, "--to", tmp_path / "out", "--format", "model", "--epoch", "1")
    assert "bit for bit the same" in said
    assert f"vllm serve {tmp_path / 'out'}" in said
    told = json.loads(limakit("export", study, "--to", tmp_path / "again", "--format", "model", "--json"))
    assert told == {"folder": str(tmp_path / "again"), "epoch": 3, "difference": 0.0, "gguf": None}
    with pytest.raises(LimakitError, match="onnx"):
        limakit("export", study, "--to", tmp_path / "other", "--format", "onnx")


def test_plan_exits_with_1_where_nothing_fits(study: Path) -> None:
    assert "full" in limakit("plan", study)
    assert json.loads(limakit("plan", study, "--json", "--tflops", "100"))["best"] == "full"
    recipe = study / "recipe.toml"
    recipe.write_text(recipe.read_text().replace("[train]", "[train]\ntokens_per_microbatch = 1000000000"))
    assert CliRunner().invoke(app, ["plan", str(study), "--gpu-memory", "1"]).exit_code == 1
