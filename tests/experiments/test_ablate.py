"""Variants of a study: what differs differs, what is common is done once, and the numbers are those of the answers."""

import json
import multiprocessing
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from limakit.cli.app import app
from limakit.engine import silent
from limakit.errors import LimakitError, ModelError, RecipeError
from limakit.experiments import ablate, cells, side
from limakit.pipeline.outcome import need
from limakit.records import Example, Grade, Prompt, Response
from limakit.store.files import read_json, read_jsonl
from limakit.store.study import Study
from tests.models.provider import serve
from tests.pipeline.test_model_judging import JUDGE, answering

RECIPE = """
[base]
model = {model!r}

[[sources]]
kind = "stackexchange"
path = "embedded/kitchen.example"

[curate]
quotas = {{ other = 8 }}
test_prompts = "embedded"
max_test_prompts = 8

[train]
epochs = 1
batch_size = 4
max_tokens = 96
learning_rate = 1e-3
final_learning_rate = 1e-4

[generate]
max_new_tokens = 12
slots = 4

[report]
resamples = 200

[ablate]
samples = 2

[[ablate.cells]]
grid = "quality"
name = "filtered"

[[ablate.cells]]
grid = "quality"
name = "unfiltered"
change.curate.min_chars = 0
change.curate.min_score = -100
change.curate.select = "random"

[[ablate.cells]]
grid = "quantity"
name = "n4"
change.curate.quotas.other = 4

[[ablate.cells]]
grid = "quantity"
name = "n8"

[[ablate.cells]]
grid = "controls"
name = "top"

[[ablate.cells]]
grid = "controls"
name = "few-shot"
system = "few_shot"
"""
CELLS = ("filtered", "unfiltered", "n4", "n8", "top", "few-shot")


def start(root: Path, model: Path, *more: str) -> Path:
    root.mkdir(parents=True)
    (root / "recipe.toml").write_text(RECIPE.format(model=str(model)) + "".join(more))
    return root


def limakit(*words: object) -> list[dict[str, Any]]:
    done = CliRunner().invoke(app, [*map(str, words), "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return [json.loads(line) for line in done.stdout.splitlines()]


def states(lines: list[dict[str, Any]]) -> dict[str, str]:
    return {line["stage"]: line["state"] for line in lines if "stage" in line}


def results(root: Path) -> dict[str, bytes]:
    """Every byte that is a result."""
    found = {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}
    return {name: data for name, data in found.items() if ".lock" not in name and ".cache/" not in name}


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """Here and in further processes: a run notes how many it had, and those of a process that forks are not there any
    more in its fork."""
    torch = pytest.importorskip("torch")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("OMP_NUM_THREADS", "1")
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        yield
        torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    """A study with its ablations done; read-only."""
    root = start(tmp_path_factory.mktemp("ablate") / "study", tiny_model)
    lines = limakit("ablate", root)
    assert states(lines)["ablate/report"] == "done"
    return root


@pytest.fixture
def study(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "study"))


def test_cells_differ_in_what_they_learn_and_in_nothing_else(finished: Path) -> None:
    learned = {
        name: [e.id for e in read_jsonl(finished / f"ablate/{name}/curate/train.jsonl", Example)]
        for name in CELLS
        if name != "few-shot"
    }
    assert {name: len(ids) for name, ids in learned.items()} == {
        "filtered": 8, "unfiltered": 8, "n4": 4, "n8": 8, "top": 8,
    }  # fmt: skip
    assert learned["filtered"] == learned["n8"] == learned["top"]
    assert set(learned["unfiltered"]) != set(learned["filtered"])
    assert not (finished / "ablate/few-shot/train").exists()
    asked = [p.id for p in read_jsonl(finished / "curate/test.jsonl", Prompt)]
    for name in CELLS:
        system = "few_shot" if name == "few-shot" else "tuned"
        answers = read_jsonl(finished / f"ablate/{name}/generate/{system}/responses.jsonl", Response)
        assert [(a.prompt_id, a.sample) for a in answers] == [(id, n) for id in asked for n in (0, 1)]
    assert {p.id for p in read_jsonl(finished / "ablate/n4/curate/test.jsonl", Prompt)} == set(asked)


def test_what_cells_have_in_common_is_done_once(finished: Path) -> None:
    one, two, other = (finished / f"ablate/{n}/train/tuned/epoch-01/model.safetensors" for n in ("n8", "top", "n4"))
    assert one.samefile(two), "the same training is borrowed, its weights linked"
    assert one.read_bytes() != other.read_bytes()
    assert not (finished / "train").exists(), "the study itself need not be trained"


def test_the_report_adds_up(finished: Path) -> None:
    numbers = read_json(finished / "ablate/report/report.json")
    prompts = read_jsonl(finished / "ablate/prompts/test.jsonl", Prompt)
    helpful = [p for p in prompts if p.sensitive is None]
    assert (numbers["prompts"], numbers["prompts"] + numbers["sensitive"]) == (len(helpful), len(prompts))
    (judge,) = numbers["judges"]
    assert judge["judge"] == "metric:rouge-l"
    assert [cell["cell"] for cell in judge["cells"]] == list(CELLS)
    for cell in judge["cells"]:
        assert cell["scored"] + cell["missing"] == 2 * len(helpful)
        assert cell["low"] <= cell["mean"] <= cell["high"]
    scores = [json.loads(line) for line in (finished / "ablate/score/metric-rouge-l/scores.jsonl").open()]
    own = [score["value"] for score in scores if score["system"] == "n4"]
    assert judge["cells"][2]["mean"] == pytest.approx(np.mean(own))
    pairs = [(row["cell"], row["against"]) for row in judge["comparisons"]]
    assert pairs == [("unfiltered", "filtered"), ("n8", "n4"), ("few-shot", "top")]
    assert all(row["holm"] >= row["p"] for row in judge["comparisons"])
    (curve,) = judge["curves"]
    assert [point["examples"] for point in curve["points"]] == [4, 8]
    assert curve["doubling"]["gain"] == pytest.approx(curve["points"][1]["mean"] - curve["points"][0]["mean"])
    page = (finished / "ablate/report/index.html").read_text()
    assert "A smoke test, not a grade" in page
    assert "<script" not in page
    assert "src=" not in page
    assert curve["advice"][0].split(",")[0] in page


def test_the_second_time_there_is_nothing_to_do(study: Path) -> None:
    before = results(study)
    assert set(states(limakit("ablate", study)).values()) == {"unchanged"}
    assert results(study) == before


def test_a_changed_cell_is_done_again_and_no_other(study: Path) -> None:
    recipe = study / "recipe.toml"
    four = "change.curate.quotas.other = 4\n"
    recipe.write_text(recipe.read_text().replace(four, f"{four}change.train.weight_decay = 0.9\n"))
    found = states(limakit("ablate", study))
    done = [stage for stage, state in found.items() if state == "done"]
    assert done == ["ablate/n4/train/tuned", "ablate/n4/generate/tuned", "ablate/score/metric-rouge-l", "ablate/report"]


def test_an_author_who_is_forgotten_is_in_no_cell(study: Path) -> None:
    own = {post.author for e in read_jsonl(study / "curate/train.jsonl", Example) for post in e.provenance}
    learned = read_jsonl(study / "ablate/unfiltered/curate/train.jsonl", Example)
    author = next(post.author for e in learned for post in e.provenance if post.author not in own)
    (done,) = limakit("forget", study, "--author", author)
    assert "ablate" in done["removed"]
    assert not (study / "ablate").exists()
    variants, _ = ablate.begin(Study(study), "quality", silent)
    for variant in variants:
        for example in read_jsonl(variant.study.path("curate", "train.jsonl"), Example):
            assert author not in {post.author for post in example.provenance}


def test_one_grid_alone(study: Path) -> None:
    found = states(limakit("ablate", study, "--grid", "quality"))
    assert {stage.split("/")[1] for stage in found if stage.count("/") > 1} == {"filtered", "unfiltered", "score"}
    assert [c["cell"] for c in read_json(study / "ablate/report/report.json")["cells"]] == ["filtered", "unfiltered"]


def test_side_by_side_comes_to_the_same_bytes(finished: Path, tmp_path: Path, tiny_model: Path) -> None:
    root = start(tmp_path / "study", tiny_model)
    found = states(limakit("ablate", root, "--side-by-side", "2", "--grid", "controls"))
    assert found["ablate/top/train/tuned"] == found["ablate/top/generate/tuned"] == "unchanged", "done by the other"
    assert results(root / "ablate/top") == results(finished / "ablate/top")


def test_as_many_run_at_once_as_there_are_places(tmp_path: Path) -> None:
    ended: list[float] = []

    def progress(what: str, done: float, total: float, unit: str, note: str = "") -> None:
        ended.append(done)

    took = side.run([(tmp_path / name, ["new"]) for name in "abc"], 2, progress)
    assert {(folder.name, command) for folder, command, _ in took} == {(name, "new") for name in "abc"}
    assert ended == [1, 2, 3]
    assert all((tmp_path / name / "recipe.toml").is_file() for name in "abc")


def test_a_cell_that_fails_beside_others_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/recipe.toml").write_text("[trian]\n")
    with pytest.raises(LimakitError, match=r"broken.*unknown key 'trian'"):
        side.run([(tmp_path / "broken", ["train", "generate"])], 2, silent)


def test_devices_are_those_this_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0, GPU-7 ")
    assert side.devices() == ["0", "GPU-7"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert side.devices() == []


def test_killed_and_run_again_it_ends_in_the_same_bytes(finished: Path, tmp_path: Path, tiny_model: Path) -> None:
    root = start(tmp_path / "study", tiny_model)
    process = multiprocessing.get_context("fork").Process(target=limakit, args=("ablate", root))  # imports nothing
    process.start()
    while not (root / "ablate/unfiltered/.work").exists() and process.is_alive():
        time.sleep(0.05)
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert not (root / "ablate/report").exists()
    limakit("ablate", root)
    assert results(root) == results(finished)


def test_a_model_grades_all_cells_from_one_ledger(study: Path) -> None:
    with serve(answering(lambda text: "3" if len(text) % 2 else "4")) as provider:
        recipe = study / "recipe.toml"
        judge = JUDGE.format(name="j", task="likert", url=provider.url)
        recipe.write_text(recipe.read_text() + judge)
        found = limakit("ablate", study)
        assert states(found)["ablate/score/j"] == "done"
        (bill,) = next(line["estimate"]["bills"] for line in found if "estimate" in line)
        grades = read_jsonl(study / "ablate/score/j/grades.jsonl", Grade)
        distinct = len({(g.prompt_id, a) for g, a in zip(grades, _texts(study, grades), strict=True)})
        assert (bill["calls"], provider.requests) == (len(grades), distinct)
        assert set(states(limakit("ablate", study)).values()) == {"unchanged"}
        assert provider.requests == distinct
    numbers = read_json(study / "ablate/report/report.json")
    (judge_numbers,) = numbers["judges"]
    assert (judge_numbers["judge"], judge_numbers["unit"]) == ("model:j", "grade")
    for cell in judge_numbers["cells"]:
        own = [int(g.value) for g in grades if g.system == cell["cell"] and g.value]
        assert cell["mean"] == pytest.approx(np.mean(own))
    sensitive = {p.id for p in read_jsonl(study / "ablate/prompts/test.jsonl", Prompt) if p.sensitive}
    assert not sensitive & {g.prompt_id for g in grades}, "a right refusal must not count as unhelpful"
    assert "A smoke test" not in (study / "ablate/report/index.html").read_text()
    assert (study / "ledger.db").exists()
    assert not list(study.glob("ablate/*/ledger.db"))


def _texts(study: Path, grades: list[Grade]) -> list[str]:
    texts = {}
    for path in study.glob("ablate/*/generate/*/responses.jsonl"):
        for one in read_jsonl(path, Response):
            texts[path.relative_to(study).parts[1], one.prompt_id, one.sample] = one.text
    return [texts[grade.system, grade.prompt_id, grade.sample] for grade in grades]


def test_a_budget_that_is_too_small_for_all_cells_stops_before_the_first_call(study: Path) -> None:
    with serve(answering(lambda _: "3")) as provider:
        recipe = study / "recipe.toml"
        judge = JUDGE.format(name="j", task="likert", url=provider.url).replace("budget = 5.0", "budget = 0.001")
        recipe.write_text(recipe.read_text() + judge)
        with pytest.raises(ModelError, match=r"Nothing was sent"):
            limakit("ablate", study)
        assert provider.requests == 0


def test_the_estimate_counts_what_is_left_and_starts_nothing(tmp_path: Path, tiny_model: Path, finished: Path) -> None:
    root = start(tmp_path / "study", tiny_model)
    found = limakit("ablate", root, "--estimate", "--tflops", "0.01", "--price", "2")[-1]["estimate"]
    assert not list(root.glob("ablate/*/train"))
    by_name = {cell["cell"]: cell for cell in found["cells"]}
    assert [name for name, cell in by_name.items() if cell["training_tokens"]] == ["filtered", "unfiltered", "n4"]
    assert by_name["n4"]["training_tokens"] == 4 * 96, "every example is longer than max_tokens"
    assert found["training_seconds"] > 0
    assert found["answering_seconds"] is None, "nothing has answered yet"
    left = limakit("ablate", finished, "--estimate", "--price", "2")[-1]["estimate"]
    assert (left["training_seconds"], left["answering_seconds"], left["cost"]) == (0, 0, 0)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("[[ablate.cells]]\ngrid='a'\nname='n4'\n", "two cells have the name 'n4'"),
        ("[[ablate.cells]]\ngrid='a'\nname='report'\n", "the name 'report' is taken"),
        ("[[ablate.cells]]\ngrid='a'\nname='x'\nchange.curate.test_prompts='y'\n", "is the same for all cells"),
        ("[[ablate.cells]]\ngrid='a'\nname='x'\nchange.judges=[]\n", "more than what they learn from"),
        ("[[ablate.cells]]\ngrid='a'\nname='x'\nchange.train.epoch=1\n", "ablate cell 'x'.*'train.epochs?'"),
        ("[[ablate.cells]]\ngrid='a'\nname='x'\nchange.sources=[{kind='authored',path='gone'}]\n", "gone"),
        ("[[ablate.cells]]\ngrid='a'\nname='../x'\n", "ablate.cells"),
    ],
)
def test_a_wrong_cell_is_one_line_before_anything_is_done(
    tmp_path: Path, tiny_model: Path, more: str, says: str
) -> None:
    root = start(tmp_path / "study", tiny_model, more)
    with pytest.raises(LimakitError, match=says):
        limakit("ablate", root)
    assert not (root / "curate").exists()


def test_what_a_cell_lacks_is_made_by_the_studys_own_command(study: Path) -> None:
    variants, _ = ablate.begin(Study(study), "quality", silent)
    variants[0].study.drop("generate/tuned")
    with pytest.raises(LimakitError, match=rf"has not answered yet. Run: limakit ablate {study}$"):
        cells.responses(variants[0])
    with pytest.raises(LimakitError, match=rf"Run: limakit ablate {study}$"):
        need(variants[0].study, "generate/tuned", "responses.jsonl")


def test_without_cells_or_with_an_unknown_grid_the_next_step_is_named(tmp_path: Path, tiny_model: Path) -> None:
    root = start(tmp_path / "study", tiny_model)
    with pytest.raises(RecipeError, match=r"no grid 'x'.*controls, quality, quantity"):
        ablate.chosen(Study(root), "x")
    (root / "recipe.toml").write_text("")
    with pytest.raises(RecipeError, match=r"limakit new FOLDER --recipe ablations"):
        ablate.chosen(Study(root), None)
