"""Recomputation gives the same bits, compiled layers the same numbers from one set of graphs."""

from pathlib import Path
from typing import Any

import pytest
import torch

from limakit.recipe_train import Train
from limakit.store import files
from limakit.train import dropout, loss, speed
from limakit.train.batches import microbatches
from tests.conftest import build_model
from tests.train import families
from tests.train.test_run import SETTINGS, rows, run


def gradients(model: Any, limit: int = 1000) -> tuple[list[float], dict[str, torch.Tensor]]:
    model.train()
    losses = []
    for number, piece in enumerate(microbatches(families.documents(8), limit)):
        dropout.reseed(0, 1, 1, number)
        losses.append(loss.backward(model, piece, 100).item())
    return losses, {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("family", families.FAMILIES)
def test_recomputed_activations_give_the_same_bits_with_dropout(family: str):
    plain, saving = families.build(family), families.build(family)
    for model in (plain, saving):
        dropout.install(model, 0.3)
    speed.install(saving, Train(gradient_checkpointing=True))
    expected, got = gradients(plain), gradients(saving)
    assert got[0] == expected[0]
    for name, grad in expected[1].items():
        assert torch.equal(got[1][name], grad)


def test_recomputation_keeps_far_less():
    sizes = []
    for on in (False, True):
        model = families.build("llama").train()
        speed.install(model, Train(gradient_checkpointing=on))
        kept: dict[int, int] = {}
        (piece,) = microbatches(families.documents(8), 1000)

        def pack(x: torch.Tensor, kept: dict[int, int] = kept) -> torch.Tensor:
            kept[x.data_ptr()] = x.numel()
            return x

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
            loss.hidden(model, piece)
        held = {p.data_ptr() for p in model.parameters()}
        sizes.append(sum(size for place, size in kept.items() if place not in held))
    assert sizes[1] < sizes[0] / 3


@pytest.mark.parametrize("checkpointing", [False, True])
def test_compiled_layers_compute_the_same_from_one_set_of_graphs(checkpointing: bool, monkeypatch: pytest.MonkeyPatch):
    """Other lengths, other layers and other dropout probabilities compile nothing new.

    The graphs are run as traced, without C++ made of them: benchmarks/train.py compares losses with it.
    """
    whole = torch.nn.Module.compile
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self, **given: whole(self, backend="eager", **given))
    plain, compiled = families.build("llama"), families.build("llama")
    speed.install(compiled, Train(compile=True, gradient_checkpointing=checkpointing))
    expected, got = gradients(plain, 40), gradients(compiled, 40)
    assert got[0] == pytest.approx(expected[0], abs=1e-6)
    for name, grad in expected[1].items():
        torch.testing.assert_close(got[1][name], grad, atol=1e-6, rtol=1e-4)
    dropout.install(compiled, 0.3)
    torch.compiler.reset()
    gradients(compiled, 40)
    with torch.compiler.set_stance("fail_on_recompile"):
        gradients(compiled, 25)


@pytest.mark.parametrize("change", [{"gradient_checkpointing": True}, {"compile": True}])
def test_a_run_with_it_learns_the_same(tmp_path: Path, change: dict[str, Any], monkeypatch: pytest.MonkeyPatch):
    compiled: list[Any] = []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self, **given: compiled.append(given))
    base = build_model(tmp_path / "base")
    settings = SETTINGS.model_copy(update={"epochs": 1, "residual_dropout": 0.0})
    run(base, tmp_path / "plain", settings)
    run(base, tmp_path / "other", settings.model_copy(update=change))
    for a, b in zip(rows(tmp_path / "plain"), rows(tmp_path / "other"), strict=True):
        assert a["loss"] == pytest.approx(b["loss"], abs=1e-5)
    assert compiled == [{"dynamic": True}] * (2 * ("compile" in change))


@pytest.mark.parametrize("slow", [True, False])
def test_a_slow_precision_is_told_before_training_and_kept(
    tiny_model: Path, tmp_path: Path, slow: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(speed, "bf16_slowdown", lambda device: 48.6 if slow else 0.6)
    settings = SETTINGS.model_copy(update={"precision": "bf16", "epochs": 1})
    run(tiny_model, tmp_path / "run", settings)
    told = [record.getMessage() for record in caplog.records if record.name == "limakit"]
    said = [text for text in told if "times slower" in text]
    assert len(said) == slow
    assert not slow or ("49 times slower" in said[0] and "train.precision = 'fp32'" in said[0])
    assert files.read_json(tmp_path / "run/epoch-01/config.json")["dtype"] == "bfloat16"


def test_fp32_is_never_slow_and_bf16_is_measured():
    assert speed.advice(Train(), torch.device("cpu")) is None
    assert speed.bf16_slowdown(torch.device("cpu")) > 0
    assert speed.bf16_slowdown(torch.device("cuda")) == 1
