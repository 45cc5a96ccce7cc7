"""Vectors from a sentence-transformers folder: loaded where it is harmless, refused in one line where it is not."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from limakit.engine import silent
from limakit.errors import MissingExtra, ModelError
from limakit.models.local_embed import check_embedder, load_embedder
from limakit.pipeline.curating import curate
from limakit.store.study import Study

GOOD = "sentence_transformers.sentence_transformer.modules.Pooling"


def folder_with(root: Path, modules: Any, *names: str) -> Path:
    (root / "modules.json").write_text(json.dumps(modules))
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")
    return root


@pytest.mark.parametrize(
    ("modules", "names", "says"),
    [
        ([{"type": "evil.Module", "path": ""}], (), "asks for the class 'evil.Module'"),
        ([{"type": GOOD, "path": "../other"}], (), "points outside"),
        ([{"type": GOOD, "path": "1"}], ("1/pytorch_model.bin",), "only as a pickle"),
        ({"type": GOOD}, (), "not a list"),
        ([GOOD], (), "not a list"),
    ],
)
def test_folders_that_could_run_code_are_refused(tmp_path: Path, modules: Any, names: Any, says: str) -> None:
    with pytest.raises(ModelError, match=says) as caught:
        check_embedder(folder_with(tmp_path, modules, *names))
    assert "\n" not in str(caught.value)


def test_what_is_no_model_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="has no modules"):
        load_embedder(tmp_path)
    with pytest.raises(ModelError, match="no such model folder"):
        load_embedder(tmp_path / "missing")


def test_without_the_extra_the_command_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    folder = folder_with(tmp_path, [{"type": GOOD, "path": "1"}], "1/model.safetensors", "1/pytorch_model.bin")
    with pytest.raises(MissingExtra, match=r"pip install 'limakit\[embed\]'"):
        load_embedder(folder)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sentence-transformers model of a few thousand random weights."""
    pytest.importorskip("sentence_transformers", reason="the [embed] extra is not installed")
    import torch
    from sentence_transformers import SentenceTransformer  # pyright: ignore[reportMissingImports]
    from sentence_transformers.sentence_transformer.modules import (  # pyright: ignore[reportMissingImports]
        Pooling,
        Transformer,
    )
    from transformers import BertConfig, BertModel, BertTokenizerFast  # pyright: ignore[reportAttributeAccessIssue]

    place = tmp_path_factory.mktemp("embedder")
    letters = [chr(code) for code in range(97, 123)]
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{letter}" for letter in letters)]
    (place / "vocab.txt").write_text("\n".join(vocabulary))
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=64,
    )  # fmt: skip
    BertModel(config).save_pretrained(place / "bert")
    BertTokenizerFast(vocab=str(place / "vocab.txt")).save_pretrained(place / "bert")
    body = Transformer(str(place / "bert"), max_seq_length=64)
    whole = SentenceTransformer(modules=[body, Pooling(32)], device="cpu")
    whole.save_pretrained(str(place / "model"))
    return place / "model"


def test_a_real_folder_gives_vectors(model: Path) -> None:
    embed = load_embedder(model)
    rows = embed(["one text", "another", "one text", "x " * 500])
    assert rows.shape == (4, 32)
    assert (rows[0] == rows[2]).all()
    assert not (rows[0] == rows[1]).all()


def test_curation_selects_by_it_and_sees_when_it_changes(model: Path, tmp_path: Path) -> None:
    study = tmp_path / "study"
    study.mkdir()
    recipe = (
        '[[sources]]\nkind = "stackexchange"\npath = "embedded/tinker.example"\ngroup = "stem"\n'
        '[curate]\nselect = "diverse"\nquotas = { stem = 8 }\nembeddings = "MODEL"\n'
    )
    picks = {}
    for name in ("tfidf", str(model)):
        (study / "recipe.toml").write_text(recipe.replace("MODEL", name))
        assert curate(Study(study), silent)[0].state == "done"
        picks[name] = (study / "curate" / "train.jsonl").read_bytes()
    assert len(set(picks.values())) == 2
    assert curate(Study(study), silent)[0].state == "unchanged"
    (study / "recipe.toml").write_text(recipe.replace("MODEL", str(tmp_path / "none")))
    with pytest.raises(ModelError, match="no such model folder"):
        curate(Study(study), silent)
