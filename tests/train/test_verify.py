"""Families we get right pass; one that does something of its own is refused by name."""

from pathlib import Path
from typing import Any

import pytest
import torch

from limakit.errors import ModelError, TrainingError
from limakit.train import attention, verify
from limakit.train.base import load
from limakit.train.batches import Document
from limakit.train.checkpoint import export
from limakit.train.parallel import World
from limakit.train.weights import merged
from tests.train import families


@pytest.mark.parametrize("family", families.FAMILIES)
def test_supported_families_pass_and_are_left_as_they_were(family: str):
    model = families.build(family).train()
    verify.check_forward(model)
    assert model.training
    assert model.config._attn_implementation == attention.NAME


def test_an_output_scale_we_do_not_know_is_refused_by_name():
    import transformers as hf

    config = hf.GraniteConfig(**{**families.SHAPE, "logits_scaling": 4.0, "embedding_multiplier": 2.0})
    model: Any = hf.AutoModelForCausalLM.from_config(config, attn_implementation=attention.NAME)
    with pytest.raises(ModelError, match="GraniteForCausalLM cannot be trained without padding"):
        verify.check_forward(model)


def test_attention_sinks_are_refused():
    x_BHTD = torch.zeros(1, 1, 2, 4)
    with pytest.raises(ModelError, match="attention sinks"):
        attention.attend(torch.nn.Identity(), x_BHTD, x_BHTD, x_BHTD, None, s_aux=torch.zeros(1))  # pyright: ignore[reportCallIssue]


def test_an_export_that_does_not_fit_beside_the_trained_model_is_compared_on_the_cpu(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    model, tokenizer = load(tiny_model, torch.device("cpu"))
    export(tmp_path / "out", model.config, dict(merged(model, torch.float32)), tokenizer, torch.float32)
    own, calls = verify._own, []

    def full_at_first(*given: Any) -> torch.Tensor:
        calls.append(given)
        if len(calls) == 1:
            raise torch.OutOfMemoryError("no more")
        return own(*given)

    monkeypatch.setattr(verify, "_own", full_at_first)
    document = Document("", "", list(range(1, 20)), [True] * 19, 0)
    assert verify.check_export(tmp_path / "out", model, document, torch.float32, World(torch.device("cpu"))) < 1e-5
    assert len(calls) == 2


def test_an_export_that_differs_is_noticed(tiny_model: Path, tmp_path: Path):
    model, tokenizer = load(tiny_model, torch.device("cpu"))
    export(tmp_path / "out", model.config, dict(merged(model, torch.float32)), tokenizer, torch.float32)
    document = Document("", "", list(range(1, 20)), [True] * 19, 0)
    assert verify.check_export(tmp_path / "out", model, document, torch.float32, World(torch.device("cpu"))) < 1e-5
    with torch.no_grad():
        model.get_input_embeddings().weight[5] += 1
    with pytest.raises(TrainingError, match="loaded again, differs"):
        verify.check_export(tmp_path / "out", model, document, torch.float32, World(torch.device("cpu")))
