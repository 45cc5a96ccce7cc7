"""Counting tokens with what lies at hand."""

import sys
from pathlib import Path

import pytest

from limakit.errors import ModelError
from limakit.models.chat import encode
from limakit.models.tokens import counter, tokenizer_file
from limakit.recipe import Base


def test_counts_are_the_tokenizers_own(tiny_model: Path) -> None:
    from transformers import AutoTokenizer

    path = tokenizer_file(Base(model=tiny_model.name), tiny_model.parent)
    assert path == tiny_model / "tokenizer.json"
    count = counter(path)
    texts = ["Give it light, water it from below.", "", "ünï <|endoftext|>"]
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    assert count
    assert count(texts)[:2] == [len(encode(tokenizer, text)) for text in texts[:2]]


def test_nothing_at_hand_is_nothing_counted(tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert tokenizer_file(Base(model="someone/on-the-hub", revision="0" * 40), tmp_path) is None
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    assert counter(tiny_model / "tokenizer.json") is None


def test_a_damaged_tokenizer_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text('{"model": 3}')
    with pytest.raises(ModelError, match="not a tokenizer"):
        counter(tmp_path / "tokenizer.json")
