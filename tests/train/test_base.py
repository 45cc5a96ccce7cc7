"""Loading: EOT gets a row of its own, bad folders get one clear line."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from limakit.errors import ModelError
from limakit.models.chat import EOT
from limakit.store import files
from limakit.train.base import add_eot, load, load_tokenizer
from tests.conftest import build_model

CPU = torch.device("cpu")


@pytest.mark.parametrize("tie", [True, False])
def test_eot_is_a_new_row_and_the_others_stay(tmp_path: Path, tie: bool):
    folder = build_model(tmp_path / "base", tie=tie)
    before: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    model, tokenizer = load(folder, CPU)
    eot, eos = tokenizer.convert_tokens_to_ids(EOT), tokenizer.eos_token_id
    assert eot == 384 == model.config.vocab_size - 1
    assert eot not in (eos, tokenizer.bos_token_id, tokenizer.pad_token_id)
    for new, old in (
        (model.get_input_embeddings().weight, before.get_input_embeddings().weight),
        (model.get_output_embeddings().weight, before.get_output_embeddings().weight),
    ):
        assert torch.equal(new[:-1], old)
        assert torch.equal(new[eot], old[eos])
    tied = model.get_input_embeddings().weight is model.get_output_embeddings().weight
    assert tied == tie


def test_an_unused_row_is_taken_before_the_vocabulary_grows(tmp_path: Path):
    folder = build_model(tmp_path / "base")
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    model.resize_token_embeddings(400)
    tokenizer = load_tokenizer(folder, model)
    assert add_eot(model, tokenizer) == 384
    assert model.config.vocab_size == 400


def test_without_eos_the_row_is_the_mean(tmp_path: Path):
    folder = build_model(tmp_path / "base")
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    tokenizer = load_tokenizer(folder, model)
    tokenizer.eos_token = None
    mean = model.get_input_embeddings().weight.mean(0)
    eot = add_eot(model, tokenizer)
    torch.testing.assert_close(model.get_input_embeddings().weight[eot], mean)


def test_a_tuned_model_keeps_its_eot(tmp_path: Path):
    model, tokenizer = load(build_model(tmp_path / "base"), CPU)
    with torch.no_grad():
        model.get_input_embeddings().weight[384] = 7.0
    assert add_eot(model, tokenizer) == 384
    assert (model.get_input_embeddings().weight[384] == 7.0).all()


def test_rows_between_the_model_s_and_eot_s_are_the_mean(tmp_path: Path):
    """The text-only Gemma 3 has a token for images in its tokenizer and no row for it."""
    folder = build_model(tmp_path / "base", tie=False)
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    tokenizer = load_tokenizer(folder, model)
    tokenizer.add_tokens(["<image>"], special_tokens=True)
    means = [m.weight.mean(0) for m in (model.get_input_embeddings(), model.get_output_embeddings())]
    assert add_eot(model, tokenizer) == 385
    for table, mean in zip((model.get_input_embeddings(), model.get_output_embeddings()), means, strict=True):
        torch.testing.assert_close(table.weight[384], mean)


def spoil(folder: Path, what: str) -> None:
    if what == "missing":
        shutil.rmtree(folder)
    elif what == "pickle":
        (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    elif what == "truncated":
        path = folder / "model.safetensors"
        path.write_bytes(path.read_bytes()[:-100])
    elif what == "not causal":
        files.publish_json(
            folder / "config.json", {**files.read_json(folder / "config.json"), "architectures": ["BertModel"]}
        )
    elif what == "unknown":
        files.publish_json(folder / "config.json", {"model_type": "made-up", "architectures": ["MadeUpForCausalLM"]})
    elif what == "a weight less":
        weights = load_file(folder / "model.safetensors")
        weights.pop("model.layers.1.mlp.up_proj.weight")
        save_file(weights, folder / "model.safetensors", {"format": "pt"})
    elif what == "another's tokenizer":
        build_model(folder.parent / "other", vocab=400)
        shutil.copy(folder.parent / "other/tokenizer.json", folder)
    elif what == "quantised":
        config = files.read_json(folder / "config.json")
        files.publish_json(
            folder / "config.json", {**config, "quantization_config": {"quant_method": "gptq", "bits": 4}}
        )
    elif what == "no tokenizer":
        (folder / "tokenizer.json").write_text("{")


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("missing", "no such model folder"),
        ("pickle", "pickles"),
        ("truncated", "not a whole safetensors file"),
        ("not causal", "not a causal language model but BertModel"),
        ("unknown", "configuration cannot be loaded|made-up"),
        ("a weight less", "up_proj"),
        ("no tokenizer", "tokenizer cannot be loaded"),
        ("another's tokenizer", "do not belong together"),
        ("quantised", "are quantised"),
    ],
)
def test_bad_folders_get_one_clear_line(tmp_path: Path, what: str, said: str):
    folder = build_model(tmp_path / "base")
    spoil(folder, what)
    with pytest.raises(ModelError, match=said) as caught:
        load(folder, CPU)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500
