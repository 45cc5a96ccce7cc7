"""What docs/protocol.md says that the paper's recipe takes on three kinds of machine, from shapes alone."""

import json
from pathlib import Path

import pytest

from limakit.plan.run import Option, plan
from limakit.store.study import Study

LIMA = Path(__file__).parents[2] / "src/limakit/starter/recipes/lima.toml"
PAGE = (Path(__file__).parents[2] / "docs/protocol.md").read_text()
SHAPES = {
    "65B": {"hidden_size": 8192, "intermediate_size": 22016, "num_hidden_layers": 80, "num_attention_heads": 64},
    "0.5B": {"hidden_size": 896, "intermediate_size": 4864, "num_hidden_layers": 24, "num_attention_heads": 14},
}
SHAPES["65B"] |= {"num_key_value_heads": 64, "vocab_size": 32000, "tie_word_embeddings": False}
SHAPES["0.5B"] |= {"num_key_value_heads": 2, "vocab_size": 151936, "tie_word_embeddings": True}


def options(root: Path, shape: str, gib: float, devices: int) -> dict[str, Option]:
    config = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "max_position_embeddings": 2048}
    (root / "model").mkdir()
    (root / "model" / "config.json").write_text(json.dumps(config | SHAPES[shape]))
    text = LIMA.read_text().replace('"huggyllama/llama-7b"', '"model"')
    (root / "recipe.toml").write_text(text.replace('revision = "REPLACE-WITH-A-COMMIT"', ""))
    found = plan(Study(root), gib=gib, devices=devices, tflops=None, price=None)
    return {option.strategy.name: option for option in found.options}


@pytest.mark.parametrize(
    ("shape", "gib", "devices", "fits"),
    [
        ("65B", 80, 8, "lora, FSDP over 8, layers recomputed"),
        ("65B", 131, 1, "qlora, layers recomputed"),
        ("0.5B", 8, 1, "lora, layers recomputed"),
    ],
)
def test_the_first_strategy_that_fits_is_the_one_on_the_page(
    tmp_path: Path, shape: str, gib: float, devices: int, fits: str
) -> None:
    found = options(tmp_path, shape, gib, devices)
    first = next(option for option in found.values() if option.fits)
    assert first.strategy.name == fits
    assert f"{fits}: {first.memory.total / 2**30:.0f} GiB" in PAGE


@pytest.mark.parametrize(("devices", "fits"), [(8, False), (16, False), (24, True)])
def test_training_all_of_65b_takes_as_many_gpus_as_the_page_says(tmp_path: Path, devices: int, fits: bool) -> None:
    assert options(tmp_path, "65B", 80, devices)[f"full, FSDP over {devices}, layers recomputed"].fits is fits
