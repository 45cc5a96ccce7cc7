"""The base model is found, checked, or refused with one clear line."""

import json
import shutil
from pathlib import Path

import pytest

from limakit.errors import ModelError
from limakit.models.hub import check_folder, resolve_base, resolve_config
from limakit.recipe import Base


def test_a_folder_is_relative_to_the_study(tiny_model: Path) -> None:
    assert resolve_base(Base(model=tiny_model.name), tiny_model.parent) == tiny_model
    assert resolve_base(Base(model=str(tiny_model)), Path("/nowhere")) == tiny_model


@pytest.mark.parametrize("name", ["./missing", "../a/b/c", "a/b/c", "/no/such/folder", "name with spaces"])
def test_a_missing_folder_is_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such model folder"):
        resolve_base(Base(model=name), tmp_path)


@pytest.mark.parametrize("revision", [None, "main", "abc123", "v1.0"])
def test_a_hub_name_needs_its_commit(revision: str | None, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="needs its commit"):
        resolve_base(Base(model="someone/some-model", revision=revision), tmp_path)


def test_offline_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("huggingface_hub")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelError, match="cannot be reached") as caught:
        resolve_base(Base(model="someone/some-model", revision="0" * 40), tmp_path)
    assert "\n" not in str(caught.value)
    assert "Go online once" in str(caught.value)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "config.json").unlink(), "no config.json"),
        (lambda f: (f / "tokenizer.json").unlink(), "no tokenizer"),
        (lambda f: (f / "model.safetensors").unlink(), "no model.safetensors"),
        (lambda f: (f / "model.safetensors").rename(f / "pytorch_model.bin"), "pickles"),
        (lambda f: (f / "model.safetensors").write_bytes(b""), "not a whole safetensors"),
        (lambda f: (f / "model.safetensors").write_bytes(b"version https://git-lfs.github.com/spec/v1\n"), "whole"),
        (lambda f: (f / "model.safetensors").write_bytes((f / "model.safetensors").read_bytes()[:-1]), "whole"),
        (lambda f: (f / "model.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}"), "not a whole"),
        (lambda f: (f / "model.safetensors").write_bytes((2).to_bytes(8, "little") + b"[]"), "not a whole"),
        (lambda f: (f / "model.safetensors").write_bytes((8).to_bytes(8, "little") + b'{"a": 1}'), "not a whole"),
    ],
)
def test_a_damaged_folder_says_what_is_wrong(damage, message: str, tiny_model: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_model, tmp_path / "model"))
    damage(folder)
    with pytest.raises(ModelError, match=message):
        check_folder(folder)


@pytest.mark.parametrize(("name", "fix"), [("adapter_config.json", "merge_and_unload"), ("m.gguf", "llama.cpp")])
def test_what_is_there_instead_of_a_model_says_what_to_do(name: str, fix: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("{}")
    with pytest.raises(ModelError, match=f"no config.json.*{fix}"):
        check_folder(tmp_path)
    with pytest.raises(ModelError, match=f"no config.json.*{fix}"):
        resolve_config(Base(model=str(tmp_path)), tmp_path)


def test_an_index_must_have_all_its_files(tiny_model: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_model, tmp_path / "model"))
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    names = {"a": "model-00001-of-00002.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": names}))
    assert check_folder(folder) == folder
    names["b"] = "model-00002-of-00002.safetensors"
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": names}))
    with pytest.raises(ModelError, match="cannot be read"):
        check_folder(folder)
    (folder / "model.safetensors.index.json").write_text("[]")
    with pytest.raises(ModelError, match="index"):
        check_folder(folder)
