"""LoRA: nothing changes before training, the merged checkpoint is the trained model, and peft is not needed for it."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from limakit.errors import MissingExtra, ModelError
from limakit.recipe_train import Train
from limakit.store import files
from limakit.train import adapters, loss, weights
from limakit.train.base import load
from limakit.train.batches import microbatches
from tests.conftest import build_model
from tests.train import families
from tests.train.test_run import SETTINGS, content, rows, run

LORA = Train(method="lora", lora_rank=4, lora_alpha=8.0)
EOT = 7
needs_peft = pytest.mark.skipif(not importlib.util.find_spec("peft"), reason="peft is not installed")


@needs_peft
@pytest.mark.parametrize("family", families.FAMILIES)
def test_adapters_start_as_nothing_and_merge_exactly(family: str):
    plain, model = families.build(family).eval(), families.build(family).eval()
    (piece,) = microbatches(families.documents(4), 1000)
    piece.ids_T[3] = EOT
    adapters.add(model, LORA, EOT, seed=0)
    torch.testing.assert_close(loss.hidden(model, piece), loss.hidden(plain, piece))
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in weights.trained(model).values():
            parameter += 0.05 * torch.randn(parameter.shape, generator=generator)
    expected = loss.head(model, loss.hidden(model, piece))
    assert not torch.allclose(expected, loss.head(plain, loss.hidden(plain, piece)), atol=1e-2)
    plain.load_state_dict(dict(weights.merged(model, torch.float32)), strict=False)
    torch.testing.assert_close(loss.head(plain, loss.hidden(plain, piece)), expected, atol=1e-4, rtol=1e-4)


@needs_peft
def test_only_adapters_and_the_row_of_eot_are_trained():
    tied, untied = families.build("smollm"), families.build("llama")
    for model, rows_trained in ((tied, 1), (untied, 2)):
        adapters.add(model, LORA, EOT, seed=0)
        trained = weights.trained(model)
        assert all(".lora_" in name or name.endswith(adapters.EOT_DELTA) for name in trained)
        assert sum(name.endswith(adapters.EOT_DELTA) for name in trained) == rows_trained
        assert len(adapters.lora_layers(model)) == 3 * 7
        (piece,) = microbatches(families.documents(4), 1000)
        piece.ids_T[3] = EOT
        loss.backward(model, piece, 10)
        assert all(p.grad is not None for p in trained.values())


@needs_peft
@pytest.mark.parametrize("tie", [True, False])
def test_a_run_exports_merged_folders_and_trains_eot(tmp_path: Path, tie: bool):
    base = build_model(tmp_path / "base", tie=tie)
    settings = SETTINGS.model_copy(update={"method": "lora", "lora_dropout": 0.1, "epochs": 2})
    counts = run(base, tmp_path / "run", settings)
    assert counts["trained_parameters"] < counts["parameters"]
    assert rows(tmp_path / "run")[-1]["loss"] < rows(tmp_path / "run")[0]["loss"]
    folder = tmp_path / "run/epoch-02"
    assert sorted(path.name for path in folder.iterdir() if "adapter" in path.name) == []
    tuned: Any = AutoModelForCausalLM.from_pretrained(folder)
    start, _ = load(base, torch.device("cpu"))
    assert not hasattr(tuned.get_decoder().layers[0].self_attn.q_proj, "lora_A")
    eot = files.read_json(tmp_path / "run/run.json")["eot_id"]
    for table in ("get_input_embeddings", "get_output_embeddings"):
        moved = (getattr(tuned, table)().weight != getattr(start, table)().weight).any(1).nonzero().flatten().tolist()
        assert moved == [eot]


@needs_peft
def test_a_killed_run_goes_on_exactly(tiny_model: Path, tmp_path: Path):
    settings = SETTINGS.model_copy(update={"method": "lora", "precision": "bf16", "lora_dropout": 0.1})

    def stop(what: str, done: float, *rest: Any) -> None:
        if done == 8:
            raise KeyboardInterrupt

    run(tiny_model, tmp_path / "whole", settings)
    with pytest.raises(KeyboardInterrupt):
        run(tiny_model, tmp_path / "killed", settings, progress=stop)
    run(tiny_model, tmp_path / "killed", settings)
    assert content(tmp_path / "killed") == content(tmp_path / "whole")


@needs_peft
@pytest.mark.parametrize(
    "change", [{"lora_rank": 2}, {"lora_alpha": 4.0}, {"lora_dropout": 0.5}, {"lora_targets": ["q_proj"]}]
)
def test_every_setting_changes_the_result(tiny_model: Path, tmp_path: Path, change: dict[str, Any]):
    settings = SETTINGS.model_copy(update={"method": "lora", "epochs": 1})
    run(tiny_model, tmp_path / "one", settings)
    run(tiny_model, tmp_path / "other", settings.model_copy(update=change))
    assert rows(tmp_path / "one")[-1]["loss"] != rows(tmp_path / "other")[-1]["loss"]


@needs_peft
def test_with_bf16_the_frozen_matrices_are_stored_in_it():
    model = families.build("llama")
    adapters.add(model, LORA.model_copy(update={"precision": "bf16"}), EOT, seed=0)
    layers = adapters.lora_layers(model).values()
    assert {layer.base_layer.weight.dtype for layer in layers} == {torch.bfloat16}
    assert {p.dtype for p in weights.trained(model).values()} == {torch.float32}


@needs_peft
def test_targets_that_are_not_there_are_refused():
    with pytest.raises(ModelError, match=r"train.lora_targets.*leave it empty"):
        adapters.add(families.build("llama"), LORA.model_copy(update={"lora_targets": ["nowhere"]}), EOT, seed=0)


def test_what_cannot_run_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch):
    qlora = Train(method="qlora")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "bitsandbytes" else True)
    with pytest.raises(ModelError, match=r"needs a CUDA GPU. Set train.method"):
        adapters.check(qlora, torch.device("cpu"), 1)
    with pytest.raises(MissingExtra, match=r"needs bitsandbytes. Install it: pip install 'limakit\[qlora\]'"):
        adapters.check(qlora, torch.device("cuda"), 1)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: True)
    with pytest.raises(ModelError, match="one process only"):
        adapters.check(qlora, torch.device("cuda"), 2)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match="needs peft"):
        adapters.check(LORA, torch.device("cpu"), 1)
    adapters.check(Train(), torch.device("cpu"), 2)


@needs_peft
def test_qlora_trains_and_exports_what_it_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """On a CPU, which bitsandbytes can do slowly; there it would pack weights of this size wrongly for evaluation."""
    modules = pytest.importorskip("bitsandbytes.nn.modules")
    monkeypatch.setattr(modules, "has_avx512bf16", lambda: False)
    monkeypatch.setattr(adapters, "check", lambda *_: None)
    settings = SETTINGS.model_copy(update={"method": "qlora", "precision": "bf16", "epochs": 2})
    run(build_model(tmp_path / "base", tie=False), tmp_path / "run", settings)
    assert rows(tmp_path / "run")[-1]["loss"] < rows(tmp_path / "run")[0]["loss"]
    assert "quantization" not in (tmp_path / "run/epoch-02/config.json").read_text()
    tuned: Any = AutoModelForCausalLM.from_pretrained(tmp_path / "run/epoch-02")
    assert {p.dtype for p in tuned.parameters()} == {torch.bfloat16}


def test_the_quantisation_is_nf4():
    assert adapters.quantization(LORA) is None
    found = adapters.quantization(Train(method="qlora"))
    assert found is not None
    assert (found.bnb_4bit_quant_type, found.bnb_4bit_use_double_quant) == ("nf4", True)
