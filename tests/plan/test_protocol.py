"""What docs/protocol.md says that the paper's recipe takes on three kinds of machine, from shapes alone."""

import json
from pathlib import Path

import pytest

from limakit.plan.examples import expected
from limakit.plan.run import Option, plan
from limakit.recipe_sources import KINDS
from limakit.store.study import Study

LIMA = Path(__file__).parents[2] / "src/limakit/starter/recipes/lima.toml"
PAGE = (Path(__file__).parents[2] / "docs/protocol.md").read_text()
COMMENTED = tuple(f"# {start}" for start in ("[[sources]]", "kind =", "path =", "licence =", "large_windows ="))
SHAPES = {
    "65B": {"hidden_size": 8192, "intermediate_size": 22016, "num_hidden_layers": 80, "num_attention_heads": 64},
    "0.5B": {"hidden_size": 896, "intermediate_size": 4864, "num_hidden_layers": 24, "num_attention_heads": 14},
}
SHAPES["65B"] |= {"num_key_value_heads": 64, "vocab_size": 32000, "tie_word_embeddings": False}
SHAPES["0.5B"] |= {"num_key_value_heads": 2, "vocab_size": 151936, "tie_word_embeddings": True}


def study(root: Path, shape: str = "0.5B") -> Study:
    config = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "max_position_embeddings": 2048}
    (root / "model").mkdir()
    (root / "model" / "config.json").write_text(json.dumps(config | SHAPES[shape]))
    text = LIMA.read_text().replace('"huggyllama/llama-7b"', '"model"')
    (root / "recipe.toml").write_text(text.replace('revision = "REPLACE-WITH-A-COMMIT"', ""))
    return Study(root)


def options(root: Path, shape: str, gib: float, devices: int) -> dict[str, Option]:
    found = plan(study(root, shape), gib=gib, devices=devices, tflops=None, price=None)
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


def test_the_papers_recipe_trains_on_1000_examples_and_on_1030_with_dialogues(tmp_path: Path) -> None:
    bare = plan(study(tmp_path), gib=80, devices=1, tflops=None, price=None)
    assert "the quotas' 1,000 examples of 750 tokens" in bare.tokens_from
    assert bare.tokens == 750_000
    recipe = tmp_path / "recipe.toml"
    text = recipe.read_text()
    everything = "\n".join(
        line.removeprefix("# ") if line.startswith(COMMENTED) else line for line in text.splitlines()
    )
    recipe.write_text(everything.replace("[curate.quotas]", "[curate.quotas]\ndialogues = 20"))
    assert expected(Study(tmp_path)) == 1000, "no source asks for dialogues yet"
    recipe.write_text(recipe.read_text().replace('path = "dumps"', 'path = "dumps"\ndialogues = true'))
    assert expected(Study(tmp_path)) == 1020
    line = '{"messages": []}\n'
    (tmp_path / "dialogues.jsonl").write_text(10 * line + "\n")
    assert expected(Study(tmp_path)) == 1030
    assert {source.kind for source in Study(tmp_path).recipe.sources} == KINDS.keys()


def test_examples_taken_whole_and_held_out_ones_count(tmp_path: Path) -> None:
    (tmp_path / "mine.jsonl").write_text('{"messages": []}\n' * 7)
    (tmp_path / "recipe.toml").write_text(
        '[[sources]]\nkind = "authored"\npath = "mine.jsonl"\n[curate]\nquotas = { stem = 10 }\nhold_out_test = 3\n'
    )
    assert expected(Study(tmp_path)) == 4, "nobody can fill the quota"
    (tmp_path / "mine.jsonl").unlink()
    assert expected(Study(tmp_path)) == 197, "the paper's, where the file is not there yet"
    (tmp_path / "tickets.csv").write_text('prompt,response\n"How,\nplease?",So.\n' + "a,b\n" * 8)
    (tmp_path / "recipe.toml").write_text(
        '[[sources]]\nkind = "conversations"\npath = "tickets.csv"\n[curate]\nhold_out_dev = 2\n'
    )
    assert expected(Study(tmp_path)) == 7
