"""The exported folder: the same model, ready to be asked, with where it came from; nothing where that is not so."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from limakit.errors import LimakitError, ModelError, RecipeError, StudyError
from limakit.models.chat import EOT
from limakit.pipeline.model_export import export_model, format_named
from limakit.store import checkpoints
from limakit.store.files import publish_json, read_json, sha256
from limakit.store.study import Study


@pytest.fixture(scope="module")
def exported(trained_study: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export") / "model"
    done = export_model(Study(trained_study), folder, "model")
    assert (done.epoch, done.difference, done.gguf) == (3, 0.0, None)
    return folder


def test_others_open_it_and_it_stops_at_the_end_of_its_turn(exported: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(exported)
    model: Any = AutoModelForCausalLM.from_pretrained(exported)
    ids = tokenizer.apply_chat_template([{"role": "user", "content": "How?"}], return_tensors="pt")
    config = model.generation_config
    assert config.eos_token_id == tokenizer.convert_tokens_to_ids(EOT)
    assert (config.do_sample, config.temperature, config.top_p, config.top_k) == (True, 0.7, 0.9, 0)
    assert config.repetition_penalty in (None, 1.0)
    out = model.generate(**ids, max_new_tokens=4)
    assert out.shape[1] > ids["input_ids"].shape[1]


def test_the_card_says_where_it_came_from(exported: Path) -> None:
    card = (exported / "README.md").read_text()
    assert card.startswith("---\nlibrary_name: transformers\n")
    assert "| stackexchange | CC BY-SA 4.0 | 4 |" in card
    assert "This is epoch 3, the last one." in card
    assert "| `learning_rate` | 0.003 |" in card
    assert "There are none yet." in card
    assert "Ann" in (exported / "ATTRIBUTION.md").read_text()
    assert checkpoints.intact(exported)


def test_the_card_has_the_numbers_of_a_report_on_this_epoch_and_of_no_other(
    trained_study: Path, tmp_path: Path
) -> None:
    study = Path(shutil.copytree(trained_study, tmp_path / "study"))
    rate = {"value": 0.6, "low": 0.5, "high": 0.7}
    counts = {"missing": 0, "asked": 10, "verdicts": 10, "pairs": 10}
    row = {"baseline": "base|<b>", "win": 5, "tie": 2, "lose": 3, **counts}
    judges = [{"judge": "metric:rouge-l", "against": [{**row, "win_rate": rate}]}]
    safe = {"scale": "safety", "judge": "model:j", "kind": "all", "grades": 30, "missing": 1, "mean": None}
    safe |= {"shares": {"safe": {"value": 0.8, "low": 0.62, "high": 0.9}}}
    grades = [safe | {"system": "tuned"}, safe | {"system": "base", "scale": "absolute"}]
    report = {"comparison": {"judges": judges}, "grades": grades}
    stages = {"generate/tuned": {"fingerprint": "f"}}
    publish_json(study / "report/report.json", report | {"reproduce": {"stages": stages}})
    answered = {"model/checksums.json": sha256(study / "train/tuned/epoch-02/checksums.json")}
    publish_json(study / "generate/tuned/manifest.json", {"fingerprint": "f", "inputs": answered})

    export_model(Study(study), tmp_path / "out", "model", epoch=2)
    card = (tmp_path / "out/README.md").read_text().replace("\u00a0", " ")
    assert "This is epoch 2, named by a person" in card
    assert "| base\\|\\<b\\> | 5 | 2 | 3 | 60 %" in card
    assert "Every one of the 10 pairs has a verdict." in card
    assert "| safety | all | model j | safe 80 % \\[95 % interval 62 % to 90 %\\] | 1 of 30 |" in card
    assert "| absolute |" not in card

    export_model(Study(study), tmp_path / "other", "model", epoch=3)
    card = (tmp_path / "other/README.md").read_text()
    assert "None of epoch 3: the study's report is about other answers." in card
    assert "60" not in card.split("## Results")[1]
    publish_json(study / "generate/tuned/manifest.json", {"fingerprint": "newer", "inputs": answered})
    export_model(Study(study), tmp_path / "older", "model", epoch=2)
    assert "None of epoch 2" in (tmp_path / "older/README.md").read_text()


def test_settings_reach_the_generation_config(trained_study: Path, tmp_path: Path) -> None:
    study = Path(shutil.copytree(trained_study, tmp_path / "study"))
    recipe = study / "recipe.toml"
    recipe.write_text(recipe.read_text().replace("max_new_tokens = 16", "max_new_tokens = 9\ntemperature = 0.0"))
    export_model(Study(study), tmp_path / "out", "model")
    config = read_json(tmp_path / "out/generation_config.json")
    assert (config["do_sample"], config["max_new_tokens"]) == (False, 9)
    assert "temperature" not in config


def test_nothing_that_is_there_is_overwritten(trained_study: Path, tmp_path: Path) -> None:
    (tmp_path / "keep").write_text("mine")
    with pytest.raises(StudyError, match="something here already"):
        export_model(Study(trained_study), tmp_path, "model")
    assert (tmp_path / "keep").read_text() == "mine"


@pytest.mark.parametrize("damage", ["weights", "template", "stops"])
def test_what_is_not_the_model_is_not_exported(
    damage: str, trained_study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = checkpoints.copy_files

    def spoil(source: Path, target: Path) -> None:
        real(source, target)
        if damage == "weights":
            path = target / "model.safetensors"
            data = bytearray(path.read_bytes())
            data[-3000:] = bytes(3000)
            path.write_bytes(data)
        elif damage == "template":
            path = target / "chat_template.jinja"
            path.write_text(path.read_text() + " ")

    monkeypatch.setattr(checkpoints, "copy_files", spoil)
    if damage == "stops":
        monkeypatch.setattr("limakit.pipeline.model_export._generation_config", lambda *_: {"eos_token_id": 0})
    with pytest.raises(ModelError, match=r"differs by|other ids|end-of-turn"):
        export_model(Study(trained_study), tmp_path / "out", "model")
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_checkpoint_is_not_exported(trained_study: Path, tmp_path: Path) -> None:
    study = Path(shutil.copytree(trained_study, tmp_path / "study"))
    weights = study / "train/tuned/epoch-03/model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    with pytest.raises(ModelError, match="damaged"):
        export_model(Study(study), tmp_path / "out", "model")
    assert not (tmp_path / "out").exists()


def test_only_tuned_systems_and_known_formats(trained_study: Path, tmp_path: Path) -> None:
    study = Path(shutil.copytree(trained_study, tmp_path / "study"))
    recipe = study / "recipe.toml"
    recipe.write_text(recipe.read_text() + "\n[compare]\ncandidate = 'base'\nbaselines = ['tuned']\n")
    with pytest.raises(RecipeError, match="not a tuned system"):
        export_model(Study(study), tmp_path / "out", "model")
    assert format_named("gguf") == "gguf"
    with pytest.raises(LimakitError, match="Choose one of: model, gguf"):
        format_named("onnx")


def converter(folder: Path, body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that stands for llama.cpp's."""
    folder.mkdir()
    script = folder / "convert_hf_to_gguf.py"
    script.write_text(f"#!/bin/sh\n{body}\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def test_gguf_through_llama_cpp(trained_study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    converter(tmp_path / "bin", 'test -f "$1/config.json" && test "$2" = --outfile && echo GGUF > "$3"', monkeypatch)
    done = export_model(Study(trained_study), tmp_path / "out", "gguf")
    assert done.gguf == tmp_path / "out/model.gguf"
    assert done.gguf
    assert done.gguf.read_text() == "GGUF\n"
    assert checkpoints.intact(tmp_path / "out")


def test_without_the_converter_nothing_is_done(
    trained_study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LimakitError, match=r"llama\.cpp"):
        export_model(Study(trained_study), tmp_path / "out", "gguf")
    assert list(tmp_path.iterdir()) == []


def test_a_converter_that_fails_is_quoted(trained_study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    converter(tmp_path / "bin", "echo 'tokenizer not known' >&2; exit 3", monkeypatch)
    with pytest.raises(LimakitError, match="failed: tokenizer not known"):
        export_model(Study(trained_study), tmp_path / "out", "gguf")
    assert not (tmp_path / "out").exists()
