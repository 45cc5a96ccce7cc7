"""A whole run: the protocol, the checkpoints, kills, damage, and learning itself."""

import dataclasses
import itertools
import multiprocessing
import os
import random
import re
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from limakit.engine import silent
from limakit.errors import TrainingError
from limakit.models.chat import EOT, Chat
from limakit.recipe_train import Train
from limakit.records import Example, Prompt, Turn
from limakit.store import files
from limakit.train import loss, speed
from limakit.train.base import load
from limakit.train.batches import batches
from limakit.train.loop import learning_rate, steps_an_epoch
from limakit.train.optimizer import make_optimizer
from limakit.train.run import train
from tests.conftest import TEXT, build_model
from tests.train import families

SETTINGS = Train(epochs=4, batch_size=2, learning_rate=1e-2, final_learning_rate=1e-3, residual_dropout=0.2)
SHARD = "shard-00001-model-00001-of-00001.safetensors"
"""What torch.distributed.checkpoint calls the file of the first process."""
DEV = [
    Prompt(id="d/1", messages=(Turn(role="user", content="Why is the sky blue?"),), reference="Short waves scatter."),
    Prompt(id="d/2", messages=(Turn(role="user", content="No reference."),)),
]


def example(number: int, answer: str, source: str = "here") -> Example:
    turns = (Turn(role="user", content=f"Question {number}?"), Turn(role="assistant", content=answer))
    return Example(id=f"e/{number}", messages=turns, source=source, group="g", site="s")


EXAMPLES = [example(number, text, "here" if number else "there") for number, text in enumerate([*TEXT, "Short."])]


def run(base: Path, folder: Path, settings: Train = SETTINGS, seed: int = 0, **changes: Any) -> dict[str, Any]:
    given: dict[str, Any] = {"examples": EXAMPLES, "dev": DEV, "progress": silent, **changes}
    examples, dev, progress = given["examples"], given["dev"], given["progress"]
    return train(examples, dev, settings, seed=seed, base=base, folder=folder, progress=progress)


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def finished(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished") / "run"
    run(tiny_model, folder)
    return folder


def rows(folder: Path) -> list[dict[str, Any]]:
    return [files.orjson.loads(line) for line in (folder / "metrics.jsonl").read_bytes().splitlines()]


def test_what_a_run_leaves_behind(finished: Path):
    names = sorted(path.name for path in finished.iterdir())
    epochs = [f"epoch-{epoch:02d}" for epoch in range(1, 5)]
    assert names == [*epochs, "metrics.jsonl", "preflight.json", "preflight.txt", "run.json"]
    facts = files.read_json(finished / "run.json")
    assert facts["counts"] == {
        "read": 5,
        "used": 5,
        "without_response": 0,
        "trimmed": 0,
        "trimmed_tokens": 0,
        "dev_documents": 1,
        "epochs": 4,
        "steps": 12,
        "parameters": 30912,
        "trained_parameters": 30912,
        "loss": rows(finished)[-1]["loss"],
    }
    assert facts["threads"] == 1
    assert facts["dropout_modules"] == ["mlp", "self_attn"]


def test_metrics_follow_the_protocol(finished: Path):
    found = rows(finished)
    assert [row["step"] for row in found] == list(range(1, 13))
    assert [row["epoch"] for row in found] == [1] * 3 + [2] * 3 + [3] * 3 + [4] * 3
    assert found[0]["lr"] == 1e-2
    assert found[-1]["lr"] == 1e-3
    steps = {round(b["lr"] - a["lr"], 12) for a, b in itertools.pairwise(found)}
    assert len(steps) == 1
    assert len({sum(r["tokens"] for r in found if r["epoch"] == epoch) for epoch in range(1, 5)}) == 1
    assert [row["step"] for row in found if "dev_loss" in row] == [3, 6, 9, 12]
    assert not any("time" in key or "second" in key for row in found for key in row)


def test_the_paper_s_learning_rates():
    paper = Train()
    rates = [learning_rate(step, 480, paper) for step in range(1, 481)]
    assert (rates[0], rates[-1]) == (1e-5, 1e-6)
    assert all(a > b for a, b in itertools.pairwise(rates))
    assert learning_rate(1, 1, paper) == 1e-5


def test_micro_batches_without_padding_are_no_larger_batches():
    """TRL's packing turns the 32 steps of an epoch into 8; ours are the paper's, whatever goes through at once."""
    documents = families.documents(1000)
    for tokens in (8, 4096, 10**6):
        paper = Train(tokens_per_microbatch=tokens)
        assert steps_an_epoch(len(documents), paper) == 32
    sizes = [len(batch) for batch in batches(documents, 0, 1, Train().batch_size)]
    assert (len(sizes), set(sizes[:-1]), sum(sizes)) == (32, {32}, 1000)


def test_adamw_as_in_the_paper_decays_matrices_only():
    model = families.build("qwen2")
    decayed, plain = make_optimizer(model, Train()).param_groups
    assert (decayed["betas"], decayed["weight_decay"], decayed["fused"]) == ((0.9, 0.95), 0.1, True)
    assert plain["weight_decay"] == 0
    assert {p.ndim for p in decayed["params"]} == {2}
    assert {p.ndim for p in plain["params"]} == {1}
    assert len(decayed["params"]) + len(plain["params"]) == len(list(model.parameters()))


def test_a_repeated_run_has_the_same_bytes_and_another_seed_has_not(finished: Path, tiny_model: Path, tmp_path: Path):
    run(tiny_model, tmp_path / "again")
    assert content(tmp_path / "again") == content(finished)
    run(tiny_model, tmp_path / "other", seed=1)
    assert (tmp_path / "other/metrics.jsonl").read_bytes() != (finished / "metrics.jsonl").read_bytes()


def test_a_finished_run_does_nothing(finished: Path, tiny_model: Path, tmp_path: Path):
    folder = shutil.copytree(finished, tmp_path / "run")
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    calls: list[Any] = []
    counts = run(tiny_model, folder, progress=lambda *told: calls.append(told))
    assert counts == files.read_json(folder / "run.json")["counts"]
    assert not calls
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_settings_that_matter_start_it_over(finished: Path, tiny_model: Path, tmp_path: Path):
    folder = shutil.copytree(finished, tmp_path / "run")
    run(tiny_model, folder, SETTINGS.model_copy(update={"epochs": 2}))
    assert [path.name for path in sorted(folder.glob("epoch-*"))] == ["epoch-01", "epoch-02"]


def test_killed_at_random_it_ends_in_the_same_bytes(finished: Path, tiny_model: Path, tmp_path: Path):
    """Set LIMAKIT_KILLS=20 for more of them; the edges of epochs have a test of their own below."""
    start = time.perf_counter()
    run(tiny_model, tmp_path / "timed")
    whole = time.perf_counter() - start
    chance, fork = random.Random(7), multiprocessing.get_context("fork")
    folder, killed = tmp_path / "killed", 0
    while killed < int(os.environ.get("LIMAKIT_KILLS", "4")):
        process = fork.Process(target=run, args=(tiny_model, folder))
        process.start()
        process.join(chance.uniform(0.0, 0.6) * whole)
        killed += process.is_alive()
        process.kill()
        process.join()
        if (folder / "run.json").exists():
            run(tiny_model, folder)
            assert content(folder) == content(finished)
            shutil.rmtree(folder)
    run(tiny_model, folder)
    assert content(folder) == content(finished)


@pytest.mark.parametrize("moment", ["epoch", "state", "drop", "run"])
def test_killed_at_an_edge_it_ends_in_the_same_bytes(
    finished: Path, tiny_model: Path, tmp_path: Path, moment: str, monkeypatch: pytest.MonkeyPatch
):
    """Epoch published but no state; state published; old states half removed; all done but the last clean-up."""

    def die(*_: Any) -> None:
        os._exit(9)

    def victim() -> None:
        from limakit.store import checkpoints as store
        from limakit.train import run as module

        if moment == "run":
            module.Checkpoints.clear = lambda self, *, states_only: die() if states_only else None  # type: ignore[method-assign]
        elif moment == "drop":
            store.remove = lambda folder: die() if folder.name == "state-01" else None
        else:
            publish = store.publish_folder

            def publish_and_die(folder: Path, fill: Any) -> None:
                publish(folder, fill)
                if folder.name == f"{moment}-03":
                    die()

            store.publish_folder = publish_and_die
        run(tiny_model, tmp_path / "run")

    process = multiprocessing.get_context("fork").Process(target=victim)
    process.start()
    process.join()
    assert process.exitcode == 9
    run(tiny_model, tmp_path / "run")
    assert content(tmp_path / "run") == content(finished)


@pytest.fixture(scope="module")
def halfway(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run stopped in its third epoch: states 1 and 2 are there."""
    folder = tmp_path_factory.mktemp("halfway") / "run"

    def stop(what: str, done: float, *rest: Any) -> None:
        if done == 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tiny_model, folder, progress=stop)
    assert sorted(path.name for path in folder.glob("state-*")) == ["state-01", "state-02"]
    return folder


@pytest.mark.parametrize(
    ("damaged", "goes_on_after"),
    [
        (None, 6),
        (f"state-02/{SHARD}", 3),
        ("state-02/state.json", 3),
        ("state-02/checksums.json", 3),
        ("epoch-02/model.safetensors", 3),
        ("epoch-01/tokenizer.json", 0),
        ("metrics.jsonl", 6),
    ],
)
@pytest.mark.parametrize("how", ["flipped", "cut"])
def test_damage_is_noticed_and_the_last_good_state_used(
    halfway: Path, finished: Path, tiny_model: Path, tmp_path: Path, damaged: str | None, goes_on_after: int, how: str
):
    folder = shutil.copytree(halfway, tmp_path / "run")
    if damaged:
        data = bytearray((folder / damaged).read_bytes())
        data[len(data) // 2] ^= 1
        (folder / damaged).write_bytes(data if how == "flipped" else data[: len(data) // 2])
    steps: list[float] = []
    run(tiny_model, folder, progress=lambda what, done, *rest: steps.append(done))
    assert steps[0] == goes_on_after + 1
    assert content(folder) == content(finished)


def test_a_loss_that_is_not_finite_stops_within_the_step(tiny_model: Path, tmp_path: Path, monkeypatch):
    backward, calls = loss.backward, itertools.count(1)

    def poisoned(*given: Any) -> torch.Tensor:
        return backward(*given) * (float("nan") if next(calls) == 5 else 1.0)

    monkeypatch.setattr(loss, "backward", poisoned)
    with pytest.raises(TrainingError, match=r"loss nan .* at step 5, epoch 2.*Lower train.learning_rate"):
        run(tiny_model, tmp_path / "run")
    assert [path.name for path in sorted((tmp_path / "run").glob("epoch-*"))] == ["epoch-01"]
    assert len(rows(tmp_path / "run")) == 4


def test_out_of_memory_shrinks_the_micro_batch_and_a_resumed_run_remembers(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    backward, sizes = loss.backward, []

    def limited(model: Any, batch: Any, total: int) -> torch.Tensor:
        sizes.append(sum(batch.lengths))
        if len(batch.lengths) > 1 and len(sizes) > 4:
            raise torch.OutOfMemoryError("no more")
        return backward(model, batch, total)

    monkeypatch.setattr(loss, "backward", limited)
    run(tiny_model, tmp_path / "run")
    limits = [row["microbatch_tokens"] for row in rows(tmp_path / "run")]
    assert limits[0] == SETTINGS.tokens_per_microbatch
    assert limits[-1] < 200

    def stop(what: str, done: float, *rest: Any) -> None:
        if done == 8:
            raise KeyboardInterrupt

    sizes.clear()
    with pytest.raises(KeyboardInterrupt):
        run(tiny_model, tmp_path / "again", progress=stop)
    run(tiny_model, tmp_path / "again")
    assert content(tmp_path / "again") == content(tmp_path / "run")


def test_weights_and_moments_that_do_not_fit_are_said_in_one_line(tiny_model: Path, tmp_path: Path, monkeypatch):
    def full(*_: Any, **__: Any) -> None:
        raise torch.OutOfMemoryError("no more")

    monkeypatch.setattr(torch.optim.AdamW, "step", full)
    with pytest.raises(TrainingError, match=r"weights, gradients and moments do not fit. Set train.gradient_check"):
        run(tiny_model, tmp_path / "run")


def test_it_learns_four_answers_by_heart_and_stops(tiny_model: Path, tmp_path: Path):
    settings = Train(epochs=40, batch_size=4, learning_rate=2e-2, final_learning_rate=1e-3, residual_dropout=0.0)
    examples = EXAMPLES[:4]
    run(tiny_model, tmp_path / "run", settings, examples=examples, dev=[])
    assert rows(tmp_path / "run")[-1]["loss"] < 0.05
    folder = tmp_path / "run" / "epoch-40"
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model: Any = AutoModelForCausalLM.from_pretrained(folder)
    for learnt in examples:
        prompt = tokenizer.apply_chat_template(
            [{"role": "user", "content": learnt.messages[0].content}], return_tensors="pt", return_dict=True
        )
        out = model.generate(**prompt, max_new_tokens=120, do_sample=False)[0, prompt["input_ids"].shape[1] :]
        assert tokenizer.decode(out) == learnt.messages[1].content + EOT


def test_the_checkpoint_is_what_other_tools_expect(finished: Path, tiny_model: Path):
    folder = finished / "epoch-04"
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    chat = Chat(tokenizer)
    assert model.generation_config.eos_token_id == chat.eot_id == 384
    assert tokenizer.eos_token == "<|endoftext|>"
    messages = EXAMPLES[0].messages
    plain = [{"role": turn.role, "content": turn.content} for turn in messages]
    ids = chat.render(messages, max_tokens=999).ids
    assert list(tokenizer.apply_chat_template(plain, return_dict=False)) == ids
    base, _ = load(tiny_model, torch.device("cpu"))
    assert not torch.equal(model(torch.tensor([ids])).logits, base(torch.tensor([ids])).logits)
    for path in folder.rglob("*.json"):
        assert str(tiny_model.parent) not in path.read_text()


def test_bf16_stores_what_the_forward_pass_used(tiny_model: Path, tmp_path: Path):
    settings = SETTINGS.model_copy(update={"precision": "bf16", "epochs": 1})
    run(tiny_model, tmp_path / "run", settings)
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "run/epoch-01", dtype="auto")
    assert model.dtype == torch.bfloat16
    assert files.read_json(tmp_path / "run/epoch-01/config.json")["dtype"] == "bfloat16"


def test_small_updates_are_lost_in_bf16_weights_and_kept_in_ours(tiny_model: Path):
    """Weights like a large model's, 1e-5 a step: bf16 keeps about an eighth of it, which is why ours are fp32."""
    torch.manual_seed(0)
    whole = torch.randn(100_000) * 0.02
    half = whole.to(torch.bfloat16)
    kept = (half + 1e-5 * torch.sign(whole).to(torch.bfloat16)).float() - half.float()
    assert (kept.abs() / 1e-5).mean().item() < 1.5
    assert (kept != 0).float().mean().item() < 0.2
    model, _ = load(tiny_model, torch.device("cpu"))
    optimizer = make_optimizer(model, Train(precision="bf16", weight_decay=0.0))
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    for name, parameter in model.named_parameters():
        assert parameter.dtype == torch.float32
        assert (before[name] - parameter).mean().item() == pytest.approx(1e-5, rel=0.02)


def test_preflight_shows_the_mask_and_counts(finished: Path, tiny_model: Path, tmp_path: Path):
    text = (finished / "preflight.txt").read_text()
    assert "--- there: e/0 ---\nQuestion 0?<|eot|>⟦" + TEXT[0] + "<|eot|>⟧" in text
    assert "--- here: e/1 ---" in text
    assert "e/2" not in text
    found = files.read_json(finished / "preflight.json")
    assert found["memory_bytes"]["optimizer"] == 8 * (found["parameters"] - 32), "EOT's row apart"
    parts = [size for name, size in found["memory_bytes"].items() if name != "total"]
    assert sum(parts) == found["memory_bytes"]["total"]


def test_memory_and_the_least_time_are_told_before_the_first_step(
    tiny_model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    """Time goes into no file: it would not be the same twice."""
    monkeypatch.setattr(speed, "matrix_speed", lambda *_: 1e6)
    steps: list[float] = []

    def first(what: str, done: float, *rest: Any) -> None:
        steps.append(len(caplog.records))

    with caplog.at_level("INFO", "limakit"):
        run(tiny_model, tmp_path / "run", SETTINGS.model_copy(update={"epochs": 1}), progress=first)
    (said,) = [record.getMessage() for record in caplog.records if record.name == "limakit"]
    found = files.read_json(tmp_path / "run/preflight.json")
    layers = 6 * (found["parameters"] - 385 * 32) * found["tokens"]["total"]
    head = 6 * 384 * 32 * found["tokens"]["in_loss"]
    minutes = float(re.search(r"at least ([\d.]+) min at the 0 GFLOP/s", said)[1])  # type: ignore[index]
    assert minutes == pytest.approx((layers + head) / 1e6 / 60, rel=0.1), "attention and norms beside it are little"
    assert "5 examples, 0 of them trimmed" in said
    assert str(tmp_path / "run/preflight.txt") in said
    assert steps[0] == 1, "before the first step is done"


def test_a_matrix_product_has_a_speed():
    assert speed.matrix_speed(Train(), torch.device("cpu")) > 1e8


def test_what_is_trimmed_and_what_has_no_response_left_is_counted(
    tiny_model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    long = dataclasses.replace(
        EXAMPLES[0], messages=(Turn(role="user", content="word " * 99), *EXAMPLES[0].messages[1:])
    )
    settings = SETTINGS.model_copy(update={"max_tokens": 30, "epochs": 1})
    counts = run(tiny_model, tmp_path / "run", settings, examples=[*EXAMPLES, long])
    assert (counts["read"], counts["used"], counts["without_response"], counts["trimmed"]) == (6, 5, 1, 4)
    (word,) = (text for record in caplog.records if "to stop" in (text := record.getMessage()))
    assert word.startswith("4 of 6 examples are trimmed before their end")
    assert f"the longest has {files.read_json(tmp_path / 'run/preflight.json')['tokens']['longest_untrimmed']}" in word


def test_texts_longer_than_the_model_s_context_are_trimmed_there_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    base = build_model(tmp_path / "base")
    config = files.read_json(base / "config.json")
    files.publish_json(base / "config.json", {**config, "max_position_embeddings": 24})
    counts = run(base, tmp_path / "run", SETTINGS.model_copy(update={"epochs": 1}))
    assert counts["trimmed"] == 4
    assert files.read_json(tmp_path / "run/preflight.json")["tokens"]["longest"] == 24
    told = [record.getMessage() for record in caplog.records]
    assert sum("context is 24 tokens" in text and "train.max_tokens = 2,048" in text for text in told) == 1


def test_nothing_to_learn_from_is_said_at_once(tiny_model: Path, tmp_path: Path):
    with pytest.raises(TrainingError, match="nothing to learn from"):
        run(tiny_model, tmp_path / "run", examples=[])
