"""`limakit serve` hands over to whatever is there."""

import shutil
from pathlib import Path

import pytest

from limakit.cli import serving
from limakit.errors import LimakitError
from limakit.store import checkpoints, files
from limakit.store.study import Study


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """What is installed, to be filled by a test."""
    found: set[str] = set()
    monkeypatch.setattr(serving, "_program", lambda name: f"/bin/{name}" if name in found else None)
    monkeypatch.setattr(serving, "find_spec", lambda name: name in found or None)
    return found


def test_vllm_first_then_transformers_else_what_to_install(programs: set[str]) -> None:
    with pytest.raises(LimakitError, match="pip install vllm"):
        serving.command(Path("/m"), "127.0.0.1", 1)
    programs |= {"transformers"}
    with pytest.raises(LimakitError, match=r"transformers\[serving\]"):
        serving.command(Path("/m"), "127.0.0.1", 1)
    programs |= {"fastapi", "uvicorn"}
    words = ["serve", "/m", "--host", "127.0.0.1", "--port", "1"]
    assert serving.command(Path("/m"), "127.0.0.1", 1) == ["/bin/transformers", *words]
    programs |= {"vllm"}
    assert serving.command(Path("/m"), "127.0.0.1", 1) == ["/bin/vllm", *words]


def test_the_checkpoint_is_handed_over_with_the_recipes_sampling(
    trained_study: Path,
    tmp_path: Path,
    programs: set[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    study = Path(shutil.copytree(trained_study, tmp_path / "study"))
    programs |= {"vllm"}
    called: list[list[str]] = []
    monkeypatch.setattr(serving.os, "execv", lambda program, words: called.append(words))
    for epoch in (1, 2):
        serving.serve(Study(study), None, epoch, "127.0.0.1", 9)
    served, checkpoint = study / "serve/tuned", study / "train/tuned/epoch-02"
    assert called[0][:3] == ["/bin/vllm", "serve", str(served.resolve())]
    assert (served / "model.safetensors").samefile(checkpoint / "model.safetensors")
    config = files.read_json(served / "generation_config.json")
    assert (config["do_sample"], config["temperature"], config["top_p"], config["top_k"]) == (True, 0.7, 0.9, 0)
    assert "do_sample" not in files.read_json(checkpoint / "generation_config.json")
    assert checkpoints.intact(checkpoint)
    serving.serve(Study(study), "base", None, "127.0.0.1", 9)
    assert called[-1][2] == str(Study(study).resolve(Study(study).recipe.base.model).resolve())
    assert "Handing over to: /bin/vllm" in capsys.readouterr().err
    with pytest.raises(LimakitError, match="no system"):
        serving.serve(Study(study), "nobody", None, "127.0.0.1", 9)


def test_a_prompt_of_ours_cannot_be_handed_over(trained_study: Path, tmp_path: Path, programs: set[str]) -> None:
    recipe = (trained_study / "recipe.toml").read_text()
    (tmp_path / "recipe.toml").write_text(f"{recipe}\n[systems.shots]\nkind = 'few_shot'\n")
    with pytest.raises(LimakitError, match="few-shot"):
        serving.serve(Study(tmp_path), "shots", None, "127.0.0.1", 9)
