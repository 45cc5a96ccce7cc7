"""Two processes (gloo) against one: the same losses, gradient norms and weights; exact resume; torchrun."""

import importlib.util
import json
import math
import multiprocessing
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from limakit.cli.app import app
from limakit.engine import silent
from limakit.pipeline import modelling
from limakit.store import files
from limakit.store.study import Study
from limakit.train import launch
from limakit.train.batches import microbatches
from limakit.train.parallel import World, deal
from limakit.train.run import dismiss, follow
from tests.conftest import build_model
from tests.train import families
from tests.train.test_run import SETTINGS, content, rows, run

SMALL = SETTINGS.model_copy(update={"epochs": 2, "batch_size": 4, "tokens_per_microbatch": 60, "learning_rate": 1e-3})


def together(task: Any, *given: Any, size: int = 2) -> list[int | None]:
    """Run `task(*given)` as the first of some processes while the others follow; their exit codes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def process(rank: int) -> None:
        names = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": size, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        os.environ.update({name: str(value) for name, value in names.items()})
        torch.set_num_threads(1)  # the threads of the process that forks are not there any more
        if launch.follows():
            follow()
        else:
            task(*given)

    fork = multiprocessing.get_context("fork")
    started = [fork.Process(target=process, args=(rank,)) for rank in range(size)]
    for each in started:
        each.start()
    for each in started:
        each.join(120)
        each.kill()
    return [each.exitcode for each in started]


def same(one: Path, many: Path, *, epochs: int = 2) -> None:
    for a, b in zip(rows(one), rows(many), strict=True):
        assert a["loss"] == pytest.approx(b["loss"], abs=1e-5)
        assert a["grad_norm"] == pytest.approx(b["grad_norm"], rel=1e-4)
        assert a.get("dev_loss", 0) == pytest.approx(b.get("dev_loss", 0), abs=1e-5)
    last = f"epoch-{epochs:02d}/model.safetensors"
    ours, theirs = load_file(one / last), load_file(many / last)
    assert ours.keys() == theirs.keys()
    for name, weight in ours.items():
        assert (weight - theirs[name]).abs().max() < 2e-3
        assert (weight - theirs[name]).abs().mean() < 2e-5


@pytest.mark.parametrize(
    ("tie", "change"),
    [
        (True, {}),
        (False, {"max_grad_norm": 0.5, "gradient_checkpointing": True}),
        (True, {"method": "lora", "lora_rank": 4}),
        (False, {"method": "lora", "lora_rank": 4, "precision": "bf16"}),
    ],
)
def test_two_processes_do_what_one_does(tmp_path: Path, tie: bool, change: dict[str, Any]):
    if change.get("method") == "lora" and not importlib.util.find_spec("peft"):
        pytest.skip("peft is not installed")
    base, settings = build_model(tmp_path / "base", tie=tie), SMALL.model_copy(update=change)
    run(base, tmp_path / "one", settings)
    assert together(run, base, tmp_path / "two", settings) == [0, 0]
    same(tmp_path / "one", tmp_path / "two")
    assert files.read_json(tmp_path / "two/run.json")["processes"] == 2
    assert content(tmp_path / "one").keys() == content(tmp_path / "two").keys()


def test_killed_together_they_end_in_the_same_bytes(tiny_model: Path, tmp_path: Path):
    """Each process writes a shard of the state. A flipped bit in one, or one cut short, and the state before it counts;
    from an intact one a single process goes on as well."""
    settings = SMALL.model_copy(update={"epochs": 3, "optimizer": "adamw-8bit"})
    shards = ["shard-00001-model-00001-of-00001.safetensors", "shard-00002-model-00001-of-00001.safetensors"]

    def die(what: str, done: float, *rest: Any) -> None:
        if done == 6:
            os._exit(9)

    def interrupted() -> None:
        run(tiny_model, tmp_path / "killed", settings, progress=die)

    assert together(run, tiny_model, tmp_path / "whole", settings) == [0, 0]
    assert together(interrupted)[0] == 9
    assert [path.name for path in sorted((tmp_path / "killed").glob("state-*"))] == ["state-01", "state-02"]
    assert sorted(path.name for path in (tmp_path / "killed/state-02").glob("shard-*")) == shards
    for name, shard in (("alone", None), ("cut", shards[0])):
        folder = shutil.copytree(tmp_path / "killed", tmp_path / name)
        if shard:
            (folder / "state-02" / shard).write_bytes((folder / "state-02" / shard).read_bytes()[:-9])
        steps: list[float] = []
        run(tiny_model, folder, settings, progress=lambda what, done, *rest, to=steps: to.append(done))
        assert steps == ([3, 4, 5, 6] if shard else [5, 6])
        same(folder, tmp_path / "whole", epochs=3)
    damaged = bytearray((tmp_path / "killed/state-02" / shards[1]).read_bytes())
    damaged[-99] ^= 1
    (tmp_path / "killed/state-02" / shards[1]).write_bytes(damaged)
    assert together(run, tiny_model, tmp_path / "killed", settings) == [0, 0]
    assert content(tmp_path / "killed") == content(tmp_path / "whole")


def test_with_nothing_to_do_the_others_are_dismissed(tiny_model: Path, tmp_path: Path):
    run(tiny_model, tmp_path / "run", SMALL)
    assert together(run, tiny_model, tmp_path / "run", SMALL) == [0, 0]
    assert together(dismiss) == [0, 0]


def test_torchrun_trains_a_study_and_a_second_call_finds_it_done(tiny_model: Path, tmp_path: Path):
    recipe = f"""
[base]
model = {str(tiny_model)!r}
[[sources]]
kind = "stackexchange"
path = "embedded/kitchen.example"
[curate]
quotas = {{ other = 8 }}
[train]
epochs = 1
batch_size = 4
max_tokens = 64
"""
    study = tmp_path / "study"
    study.mkdir()
    (study / "recipe.toml").write_text(recipe)
    assert CliRunner().invoke(app, ["curate", str(study)], catch_exceptions=False).exit_code == 0
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [sys.executable, *torchrun, "-m", "limakit", "train", str(study), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    (line,) = done.stdout.splitlines()
    assert json.loads(line)["state"] == "done"
    assert files.read_json(study / "train/tuned/run.json")["processes"] == 2

    def again() -> None:
        assert [outcome.state for outcome in modelling.train(Study(study), silent)] == ["unchanged"]

    assert together(again) == [0, 0]


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_micro_batches_are_dealt_out_evenly_and_once(size: int):
    batch = families.documents(7)
    worlds = [World(torch.device("cpu"), rank, size) for rank in range(size)]
    dealt = [list(deal(batch, 40, world)) for world in worlds]
    assert len({len(pieces) for pieces in dealt}) == 1
    counted = sorted((number, piece.ids_T.tolist()) for pieces in dealt for number, piece, counts in pieces if counts)
    alone = [(number, piece.ids_T.tolist()) for number, piece in enumerate(microbatches(batch, 40))]
    if size <= len(alone):
        assert counted == alone
    assert [token for _, ids in counted for token in ids] == [token for document in batch for token in document.ids]


def test_a_spare_micro_batch_adds_nothing():
    from limakit.train import loss

    model = families.build("llama")
    (piece,) = microbatches(families.documents(3), 1000)
    assert loss.backward(model, piece, math.inf).item() == 0
    assert all(p.grad is None or not p.grad.any() for p in model.parameters())
