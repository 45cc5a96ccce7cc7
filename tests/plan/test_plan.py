"""`limakit plan`: from a recipe to what fits, how long and how much."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from limakit.cli.app import app
from limakit.cli.say_plan import text
from limakit.errors import ModelError
from limakit.plan.run import plan, plan_model
from limakit.store.study import Study
from limakit.train.memory import step_flops
from tests.studies import write_study


def bare(tmp_path: Path, model: Path) -> Study:
    """A study whose base model is a config.json without weights or tokenizer."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model/config.json").write_bytes((model / "config.json").read_bytes())
    sources = "[[sources]]\nkind = 'stackexchange'\npath = 'dump'\n"  # quotas count where a source can fill them
    (tmp_path / "recipe.toml").write_text(f"[base]\nmodel = 'model'\n{sources}[curate]\nquotas = {{ other = 10 }}")
    return Study(tmp_path)


def test_without_weights_or_data_the_papers_lengths_are_taken(tmp_path: Path, tiny_model: Path) -> None:
    found = plan(bare(tmp_path, tiny_model), gib=80, devices=1, tflops=None, price=None)
    assert found.tokens == 7500
    assert "as in the paper" in found.tokens_from
    assert found.best
    assert found.best.strategy.name == "full"
    assert found.best.hours is None
    assert "--tflops" in text(found, 80, 1)
    assert [option.strategy.method for option in found.options] == ["full", "full", "lora", "lora", "qlora", "qlora"]


def test_time_and_cost_follow_from_the_operations(tmp_path: Path, tiny_model: Path) -> None:
    study = bare(tmp_path, tiny_model)
    one = plan(study, gib=80, devices=1, tflops=1e-6, price=2.0)
    four = plan(study, gib=80, devices=4, tflops=1e-6, price=2.0)
    option = one.options[0]
    assert option.flops == step_flops(one.shape, option.strategy, 750) * 7500 * 15
    assert option.hours == pytest.approx(option.flops / 1e6 / 3600)
    assert option.hours
    assert option.cost == pytest.approx(2 * option.hours)
    assert four.options[0].hours == pytest.approx(option.hours / 4)
    assert four.options[0].cost == pytest.approx(option.cost)
    assert four.options[0].strategy.name == "full, FSDP over 4"
    assert "hours" in text(four, 80, 4)
    assert " million parameters" in text(four, 80, 4)
    alone = four.options[-1]
    assert alone.strategy.name == "qlora, layers recomputed", "train runs it in one process only"
    assert (alone.hours, alone.cost) == (one.options[-1].hours, one.options[-1].cost)
    json.dumps(one.data())


def test_a_model_folder_needs_no_study(tiny_model: Path) -> None:
    found = plan_model(tiny_model, gib=80, devices=1, tflops=1.0, price=None)
    assert found.tokens == 750_000
    assert "the paper's 1,000 examples" in found.tokens_from
    option = found.options[0]
    assert option.flops == step_flops(found.shape, option.strategy, 750) * 750_000 * 15


def test_a_hub_model_is_planned_by_its_config_alone(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the hub's own cache layout, as the hub client finds it offline."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    call = CliRunner().invoke
    told = call(app, ["plan", "someone/some-model"]).exception
    assert str(told) == (
        "someone/some-model: the hub cannot be reached and revision main is not in the local cache. Go online once, or "
        "give the folder of a study or model."
    )
    cached = tmp_path / "models--someone--some-model"
    (cached / "snapshots" / ("0" * 40)).mkdir(parents=True)
    (cached / "refs").mkdir()
    (cached / "refs/main").write_text("0" * 40)
    shutil.copy(tiny_model / "config.json", cached / "snapshots" / ("0" * 40))
    done = call(app, ["plan", "someone/some-model", "--json"])
    assert (done.exit_code, json.loads(done.stdout)["best"], json.loads(done.stdout)["tokens"]) == (0, "full", 750_000)
    assert "limakit new nosuchstudy" in str(call(app, ["plan", "nosuchstudy"]).exception)


def test_six_operations_a_parameter_and_token(tmp_path: Path, tiny_model: Path) -> None:
    found = plan(bare(tmp_path, tiny_model), gib=1, devices=1, tflops=None, price=None)
    full, again, lora = (step_flops(found.shape, found.options[n].strategy, 0) for n in (0, 1, 2))
    assert full == 6 * (found.shape.linear + found.shape.head)
    assert (again / full, lora / full) == (4 / 3, 2 / 3)


def test_what_does_not_fit_is_said(tmp_path: Path, tiny_model: Path) -> None:
    found = plan(bare(tmp_path, tiny_model), gib=0.001, devices=1, tflops=None, price=None)
    assert found.best is None
    assert "Nothing fits" in text(found, 0.001, 1)
    assert found.data()["best"] is None


def test_the_training_set_counts_where_it_is_there(tmp_path: Path, tiny_model: Path, trained_study: Path) -> None:
    curated = plan(Study(write_study(tmp_path / "s", tiny_model)), gib=80, devices=1, tflops=None, price=None)
    trained = plan(Study(trained_study), gib=80, devices=1, tflops=None, price=None)
    assert "train.jsonl" in curated.tokens_from
    assert "counted" in trained.tokens_from
    assert 0 < curated.tokens < trained.tokens < 8 * curated.tokens, "the tiny tokenizer knows few words"


@pytest.mark.parametrize("config", ["{", "{}", '{"model_type": "t5"}', '{"model_type": "llama", "hidden_size": "x"}'])
def test_a_config_that_is_none_is_one_clear_line(tmp_path: Path, tiny_model: Path, config: str) -> None:
    study = bare(tmp_path, tiny_model)
    (tmp_path / "model/config.json").write_text(config)
    with pytest.raises(ModelError, match=r"config\.json") as caught:
        plan(study, gib=80, devices=1, tflops=None, price=None)
    assert "\n" not in str(caught.value)
