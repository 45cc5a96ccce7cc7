"""The pretraining script on a toy corpus: contaminated documents go, a killed run ends in the same weights."""

import json
import random
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import zstandard
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, LlamaForCausalLM

from tests.starter.texts import STARTER, of

TOOLS = Path(__file__).parents[2] / "tools/pretrain"
WORDS = [
    "the",
    "water",
    "and",
    "a",
    "stone",
    "in",
    "light",
    "of",
    "old",
    "green",
    "tea",
    "under",
    "seven",
    "small",
    "boats",
]


def small(vocab: int, end: int) -> LlamaForCausalLM:
    """One layer of the script's architecture."""
    shape = import_module("model").build(vocab, end).config
    shape.update({"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 1, "num_attention_heads": 1})
    shape.update({"num_key_value_heads": 1, "layer_types": None})
    return LlamaForCausalLM(shape)


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The script's modules, at a size for tests and without the compiler."""
    monkeypatch.syspath_prepend(str(TOOLS))
    export, pretrain, training = (import_module(name) for name in ("export", "pretrain", "training"))
    monkeypatch.setattr(pretrain, "VOCABULARY", 300)
    monkeypatch.setattr(pretrain, "build", small)
    monkeypatch.setattr(export, "HELD_OUT_TOKENS", 300)
    monkeypatch.setattr(export, "PROMPTS", ("The water",))
    for name, value in {
        "WORKERS": 1,
        "BATCH_TOKENS": 128,
        "MICRO_BATCH_TOKENS": 64,
        "LOG_EVERY": 2,
        "SAVE_EVERY": 3,
    }.items():
        monkeypatch.setattr(training, name, value)
    monkeypatch.setattr(training, "LENGTHS", ((0.0, 16), (0.5, 64)))
    monkeypatch.setattr(torch, "compile", lambda function, dynamic: function)
    threads = torch.get_num_threads()
    yield training
    torch.set_num_threads(threads)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Three subsets of forty documents; one document quotes a test prompt."""
    draw = random.Random(0)
    for subset in ("wikipedia", "expository", "fiction"):
        rows = [{"id": f"{subset}-{n}", "text": " ".join(draw.choices(WORDS, k=120)) + "."} for n in range(120)]
        if subset == "fiction":
            rows[7]["text"] += " " + of("test")[22].prompt.replace(".", " -")
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (tmp_path / f"{subset}.jsonl.zst").write_bytes(zstandard.compress(lines.encode()))
    return tmp_path


def run(corpus: Path, out: str, *more: str) -> int:
    words = ["--corpus", str(corpus), "--out", str(corpus / out), "--cache", str(corpus / f"{out}-cache")]
    return import_module("pretrain").main([*words, "--tokens", "0.001", "--minutes", "1e6", *more])


def test_a_killed_run_ends_in_the_same_weights_and_contaminated_documents_go(
    tools: Any, corpus: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(corpus, "whole") == 0
    assert "contaminated: 1 documents refused fiction-7\n" in capsys.readouterr().out
    killed = corpus / "killed"

    def stop(report: Any, length: int) -> None:
        if report.tokens == 4 * 128:
            raise KeyboardInterrupt

    with monkeypatch.context() as context:
        context.setattr(tools, "log", stop)
        with pytest.raises(KeyboardInterrupt):
            run(corpus, "killed")
    assert not killed.exists()
    assert (corpus / "killed-cache/state.safetensors").exists()
    capsys.readouterr()
    assert run(corpus, "killed") == 0
    assert capsys.readouterr().out.count("tokens/s") == 3, "it goes on after step 3 of 8, and logs every other step"
    weights = [load_file(corpus / name / "model.safetensors") for name in ("whole", "killed")]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert not (corpus / "killed-cache/state.safetensors").exists()
    card = (killed / "README.md").read_text(encoding="utf-8")
    assert "left out altogether: 1 of them" in card
    assert "| 1 | 0.0 million | 0 | " in card
    assert "0.0 million at 16, 0.0 million at 64 |" in card
    assert AutoModelForCausalLM.from_pretrained(killed).config.max_position_embeddings == 2048


def test_a_model_is_trained_further_and_its_card_says_so(tools: Any, corpus: Path) -> None:
    assert run(corpus, "first") == 0
    assert run(corpus, "further", "--start", str(corpus / "first")) == 0
    runs = [json.loads((corpus / name / "training.json").read_text()) for name in ("first", "further")]
    assert runs[1][0] == runs[0][0]
    assert [run["tokens"] for run in runs[1]] == [8 * 128, 8 * 128]
    losses = [run["curve"][0][1] for run in runs[1]]
    assert losses[1] < losses[0] - 0.1, "it begins with what the first run has learnt"
    card = (corpus / "further" / "README.md").read_text(encoding="utf-8")
    assert "| 2 | 0.0 million | 0 | " in card


def test_a_start_that_does_not_fit_is_refused(tools: Any, corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit, match=r"its tokenizer is not the one that this corpus gives"):
        run(corpus, "further", "--start", str(STARTER / "model"))
    assert run(corpus, "first") == 0
    (corpus / "first" / "training.json").unlink()
    for start in ("first", "nowhere"):
        with pytest.raises(SystemExit, match=r"no training.json; --start takes a folder that this script has written"):
            run(corpus, "further", "--start", str(corpus / start))


def test_windows_of_a_further_run_are_new_ones(tools: Any, corpus: Path) -> None:
    (corpus / "ids.u16").write_bytes(np.arange(5000, dtype=np.uint16).tobytes())
    plan = tools.Plan({"some": corpus / "ids.u16"}, {"some": 1.0}, 1024, 1.0, 1, corpus / "state", seen=1024)
    sampler = tools.Sampler(plan, 0)
    steps = [(plan.seen + tokens) // tools.BATCH_TOKENS for tokens in range(0, 1024, tools.BATCH_TOKENS)]
    drawn = [sampler.batch(16, step, 0)[0] for step in steps]
    assert steps[0] == 8, "the first run took steps 0 to 7"
    assert not any(torch.equal(drawn[0], other) for other in drawn[1:])


def test_the_last_windows_are_as_long_as_the_positions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(TOOLS))
    training = import_module("training")
    config = json.loads((STARTER / "model/config.json").read_text(encoding="utf-8"))
    assert training.LENGTHS[-1][1] == config["max_position_embeddings"]
    assert all(training.MICRO_BATCH_TOKENS % length == 0 for _, length in training.LENGTHS)


def test_bfloat16_only_where_the_processor_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(TOOLS))
    training = import_module("training")
    capable = torch.cpu.get_capabilities()
    fast = capable.get("avx512_bf16") or capable.get("amx_bf16")
    assert training.PRECISION is (torch.bfloat16 if fast else torch.float32)
