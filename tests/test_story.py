"""The whole loop in small: a dump goes in, a report comes out, whatever happens on the way."""

import json
import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from limakit.records import Example, Pair, Prompt, Response, Verdict
from limakit.store.files import read_json, read_jsonl
from tests.commands import fails, limakit, process
from tests.nursery import Nursery

RECIPE = """
[base]
model = {model!r}

[[sources]]
kind = "stackexchange"
path = "embedded/kitchen.example"

[curate]
quotas = {{ other = 12 }}
hold_out_dev = 2
hold_out_test = 2
test_prompts = "embedded"
max_test_prompts = 6

[train]
epochs = 2
batch_size = 4
max_tokens = 96
learning_rate = 1e-3
final_learning_rate = 1e-4

[generate]
max_new_tokens = 12
slots = 2
"""

STAGES = ["curate", "train/tuned", "generate/tuned", "generate/base", "compare", "judge/metric-rouge-l", "report"]


def run(study: Path, how: Callable[..., Any] = process) -> list[dict]:
    """Run a study to its end; the outcomes of its stages."""
    done = how("run", study, "--json")
    assert done.returncode == 0, done.stderr[-2000:] + done.stdout
    return [json.loads(line) for line in done.stdout.splitlines()]


def contents(study: Path) -> dict[str, bytes]:
    """Every byte of a study that is a result."""
    found = {p.relative_to(study).as_posix(): p.read_bytes() for p in study.rglob("*") if p.is_file()}
    return {name: data for name, data in found.items() if not name.startswith((".lock", ".cache/"))}


def start(folder: Path, model: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "recipe.toml").write_text(RECIPE.format(model=str(model)))
    return folder


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    """A study that ran without a disturbance; read-only."""
    study = start(tmp_path_factory.mktemp("story") / "study", tiny_model)
    outcomes = run(study)
    assert [o["stage"] for o in outcomes] == STAGES
    assert {o["state"] for o in outcomes} == {"done"}
    return study


def test_a_dump_goes_in_and_a_report_comes_out(finished: Path) -> None:
    train = read_jsonl(finished / "curate/train.jsonl", Example)
    dev = read_jsonl(finished / "curate/dev.jsonl", Prompt)
    test = read_jsonl(finished / "curate/test.jsonl", Prompt)
    assert (len(train), len(dev), len(test)) == (8, 2, 8)
    assert not {e.id for e in train} & {p.id for p in (*dev, *test)}
    assert all(post.licence and post.url and post.author for example in train for post in example.provenance)
    answers = {s: read_jsonl(finished / f"generate/{s}/responses.jsonl", Response) for s in ("tuned", "base")}
    for found in answers.values():
        assert [r.prompt_id for r in found] == [p.id for p in test]
    pairs = read_jsonl(finished / "compare/pairs.jsonl", Pair)
    verdicts = read_jsonl(finished / "judge/metric-rouge-l/verdicts.jsonl", Verdict)
    assert [v.pair_id for v in verdicts] == [p.id for p in pairs]
    assert {p.a.system for p in pairs} == {"tuned", "base"}, "both sides are used"
    numbers = read_json(finished / "report/report.json")
    row = numbers["comparison"]["judges"][0]["against"][0]
    assert row["win"] + row["tie"] + row["lose"] + row["missing"] == len(pairs) == 8
    page = (finished / "report/index.html").read_text()
    assert "smoke test" in page
    assert page.count("<script") == 1  # the search, allowed by its hash


def test_everything_read_is_accounted_for(finished: Path) -> None:
    total = read_json(finished / "curate/funnel.json")["total"]
    rejects = pq.read_table(finished / "curate/rejects.parquet")
    assert total["rows"] == total["questions"] + total["answers"] + total["others"] + total["quarantined"]
    assert total["answers"] == total["kept"] + total["rejected"]
    assert rejects.num_rows == total["rejected"] > 0
    assert all(rejects.column("rule").to_pylist())


def test_every_stage_says_what_it_did(finished: Path) -> None:
    for stage in STAGES:
        manifest = read_json(finished / stage / "manifest.json")
        assert manifest["versions"]["limakit"]
        assert manifest["inputs"]
        for name, output in manifest["outputs"].items():
            assert (finished / stage / name).stat().st_size == output["bytes"]


def test_the_second_run_does_nothing(finished: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in finished.rglob("*") if p.is_file() and p.name != ".lock"}
    assert {o["state"] for o in run(finished)} == {"unchanged"}
    assert before == {p: p.stat().st_mtime_ns for p in finished.rglob("*") if p.is_file() and p.name != ".lock"}


def test_a_change_reruns_what_depends_on_it_and_nothing_else(finished: Path, tmp_path: Path) -> None:
    study = tmp_path / "study"
    shutil.copytree(finished, study)
    recipe = study / "recipe.toml"
    recipe.write_text(recipe.read_text() + "\n[judge]\ntie_band = 50.0\n")
    states = {o["stage"]: o["state"] for o in run(study, limakit)}
    assert states.pop("judge/metric-rouge-l") == states.pop("report") == "done"
    assert set(states.values()) == {"unchanged"}
    train = study / "curate/train.jsonl"
    train.write_bytes(b"".join(train.read_bytes().splitlines(keepends=True)[1:]))
    states = {o["stage"]: o["state"] for o in run(study, limakit)}
    assert states["curate"] == states["generate/base"] == "unchanged", "an edit by hand is kept"
    assert states["train/tuned"] == states["generate/tuned"] == states["report"] == "done"


@pytest.mark.parametrize("damage", ["recipe", "dump", "model"])
def test_a_mistake_leaves_earlier_results_untouched(finished: Path, tmp_path: Path, damage: str) -> None:
    study = tmp_path / "study"
    shutil.copytree(finished, study)
    recipe = study / "recipe.toml"
    text = recipe.read_text()
    if damage == "recipe":
        recipe.write_text(text.replace("epochs = 2", "epochs = 'two'"))
    elif damage == "dump":
        recipe.write_text(text.replace("embedded/kitchen.example", "nowhere"))
    else:
        recipe.write_text(text.replace("model =", "model = './gone' #"))
    before = {name: data for name, data in contents(study).items() if name != "recipe.toml"}
    assert "Traceback" not in fails("run", study)
    assert {name: data for name, data in contents(study).items() if name != "recipe.toml"} == before


def test_kill_at_any_moment_and_the_same_bytes(finished: Path, tmp_path: Path, tiny_model: Path) -> None:
    """kill -9 at random moments; whenever the study is finished in spite of it, its bytes are the undisturbed ones.
    What the last kill left is finished by a process with a start and a hash seed of its own. LIMAKIT_KILLS sets how
    many kills there are."""
    kills, wanted = 0, int(os.environ.get("LIMAKIT_KILLS", "6"))
    chance, whole, rounds = random.Random(0), contents(finished), 0
    with Nursery() as nursery:
        begin = time.monotonic()
        study = start(tmp_path / "0" / "study", tiny_model)
        assert nursery.run("run", study) == 0
        length = time.monotonic() - begin
        assert contents(study) == whole
        while kills < wanted:
            study = start(tmp_path / str(rounds := rounds + 1) / "study", tiny_model)
            while kills < wanted and (ended := nursery.run("run", study, seconds=chance.uniform(0, length))):
                assert ended == -signal.SIGKILL
                kills += 1
            if kills == wanted:
                run(study)
            assert contents(study) == whole
