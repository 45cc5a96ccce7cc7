"""What curation asks of the base model: tokens on the card, difficulty as a signal of quality."""

import shutil
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from limakit.engine import silent
from limakit.errors import ModelError
from limakit.models.tokens import token_counter
from limakit.pipeline import consulting
from limakit.pipeline.curating import curate
from limakit.store.study import Study
from tests.sources.items import curated, given

RECIPE = '[[sources]]\nkind = "authored"\npath = "ours.jsonl"\n'
DIVERSE = "[curate]\nselect = 'diverse'\nquality = { difficulty = 1.0 }\nquotas = { authored = 1 }\n"


def written(folder: Path, *pairs: tuple[str, str]) -> None:
    given(
        folder / "ours.jsonl",
        [
            {"id": str(n), "messages": [{"role": "user", "content": a}, {"role": "assistant", "content": b}]}
            for n, (a, b) in enumerate(pairs)
        ],
    )


def test_the_card_counts_the_base_models_tokens(tmp_path: Path, tiny_model: Path) -> None:
    shutil.copy(tiny_model / "tokenizer.json", tmp_path / "tokenizer.json")
    written(tmp_path, ("Why is the sky blue?", "Short waves scatter more."))
    curated(tmp_path, f'{RECIPE}[base]\nmodel = "{tmp_path}"\n')
    tokenizer = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    sizes = [len(tokenizer.encode(text).ids) for text in ("Why is the sky blue?", "Short waves scatter more.")]
    card = (tmp_path / "curate" / "card.md").read_text()
    assert "prompt tokens, mean | response tokens, mean" in card
    assert f"| authored | 1 | {sizes[0]} | {sizes[1]} | 200 | 40 | 334 |" in card
    assert "Ours are tokens of " in card


def test_without_a_tokenizer_the_card_counts_words(tmp_path: Path) -> None:
    written(tmp_path, ("Why is the sky blue?", "Short waves scatter more."))
    curated(tmp_path, f'{RECIPE}[base]\nmodel = "someone/else"\nrevision = "{"a" * 40}"\n')
    card = (tmp_path / "curate" / "card.md").read_text()
    assert "| authored | 1 | 5 | 4 | 200 | 40 | 334 |" in card
    assert "as the base model is not on this machine" in card


def test_a_damaged_tokenizer_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(ModelError, match=r"tokenizer\.json: the tokenizer is damaged") as caught:
        token_counter(tmp_path)
    assert "\n" not in str(caught.value)


def test_the_harder_answer_is_taken_and_one_that_the_prompt_does_not_help_is_not(tmp_path: Path) -> None:
    said = "Bread rises because yeast makes gas, and the dough is elastic enough to hold it in."
    pairs = [(f"Repeat this text: {said}", said), ("Why does bread rise?", said.replace("elastic", "tough"))]
    written(tmp_path, *pairs)
    (tmp_path / "recipe.toml").write_text(RECIPE + DIVERSE)
    study = Study(tmp_path)
    ask = consulting.difficulty(study)
    assert ask is not None
    values = [value if value < 1 else 0.0 for value in ask(pairs)]
    _, train = curated(tmp_path, RECIPE + DIVERSE)
    assert [example["id"].rpartition("/")[2] for example in train] == [str(values.index(max(values)))]
    with study.lock():
        (again,) = curate(study, silent)
    assert again.state == "unchanged"


def test_the_model_is_opened_only_where_it_is_asked(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text(RECIPE + DIVERSE.replace("'diverse'", "'top'"))
    assert consulting.difficulty(Study(tmp_path)) is None
    assert set(consulting.inputs(Study(tmp_path))) == {"base/tokenizer.json"}
