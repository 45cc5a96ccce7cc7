"""The checkpoint is chosen blind on the dev prompts, with its uncertainty, and a person may overrule it."""

import shutil
from pathlib import Path

import pytest

from limakit.choose import choose, wanted
from limakit.engine import silent
from limakit.errors import RecipeError, StudyError
from limakit.pipeline.modelling import generate
from limakit.pipeline.systems import find_local
from limakit.records import Pair, Verdict
from limakit.store.files import read_json, read_jsonl
from limakit.store.study import Study


def change(root: Path, old: str, new: str) -> Study:
    recipe = root / "recipe.toml"
    assert old in recipe.read_text()
    recipe.write_text(recipe.read_text().replace(old, new))
    return Study(root)


@pytest.fixture(scope="module")
def chosen(trained_study: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("chosen") / "study"
    shutil.copytree(trained_study, root)
    study = change(root, "[generate]", "[generate]\ncheckpoint = 'chosen'")
    with study.lock():
        outcomes = choose(study, silent)
    assert [o.stage for o in outcomes] == ["dev/epoch-01", "dev/epoch-02", "dev/epoch-03", "choose"]
    return root


@pytest.fixture
def study(chosen: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(chosen, tmp_path / "study"))


def test_every_two_epochs_meet_on_every_prompt_and_the_counts_add_up(chosen: Path) -> None:
    choice = read_json(chosen / "choose/choice.json")
    pairs = read_jsonl(chosen / "choose/pairs.jsonl", Pair)
    verdicts = read_jsonl(chosen / "choose/verdicts.jsonl", Verdict)
    assert len(pairs) == len(verdicts) == choice["pairs"] == 3 * 4
    assert {frozenset((p.a.system, p.b.system)) for p in pairs} == {
        frozenset((f"epoch-{a:02d}", f"epoch-{b:02d}")) for a, b in ((1, 2), (1, 3), (2, 3))
    }
    assert len({p.a.system for p in pairs}) > 1, "sides are drawn"
    rows = choice["epochs"]
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    for row in rows:
        assert row["win"] + row["tie"] + row["lose"] + row["missing"] == 2 * 4
        assert row["win_rate"] == pytest.approx((row["win"] + row["tie"] / 2) / 8)
        assert row["low"] <= row["win_rate"] <= row["high"]
        assert row["dev_loss"] > 0
    assert sum(row["best"] for row in rows) == pytest.approx(1, abs=0.001)
    best = max(row["win_rate"] for row in rows)
    assert choice["epoch"] == next(row["epoch"] for row in rows if row["win_rate"] == best)
    assert choice["sure"] == (choice["close"] == [])
    assert (chosen / "choose/choice.svg").read_text().startswith("<svg")


def test_the_second_time_there_is_nothing_to_do_and_anew_it_is_the_same(study: Path, chosen: Path) -> None:
    with Study(study).lock():
        assert {o.state for o in choose(Study(study), silent)} == {"unchanged"}
        shutil.rmtree(study / "choose")
        outcomes = choose(Study(study), silent)
    assert [o.state for o in outcomes] == ["unchanged"] * 3 + ["done"]
    for name in ("choice.json", "choice.svg", "pairs.jsonl", "verdicts.jsonl"):
        assert (study / "choose" / name).read_bytes() == (chosen / "choose" / name).read_bytes()


def test_the_chosen_epoch_answers_and_a_number_overrules_it(study: Path) -> None:
    epoch = read_json(study / "choose/choice.json")["epoch"]
    assert find_local(Study(study), "tuned").epoch == epoch
    other = epoch % 3 + 1
    with Study(study).lock():
        generate(Study(study), silent)
        before = (study / "generate/tuned/responses.jsonl").read_bytes()
        overruled = change(study, "'chosen'", str(other))
        assert find_local(overruled, "tuned").epoch == other
        assert [o.state for o in generate(overruled, silent)] == ["done", "unchanged"]
        assert (study / "generate/tuned/responses.jsonl").read_bytes() != before
    assert wanted(change(study, f"checkpoint = {other}", "checkpoint = 'chosen'").recipe)
    assert not wanted(change(study, "checkpoint = 'chosen'", "checkpoint = 'last'").recipe)
    early = change(study, "[generate]", "[systems.tuned]\nkind = 'tuned'\ncheckpoint = 'chosen'\n[generate]")
    assert wanted(early.recipe)
    assert find_local(early, "tuned").epoch == epoch


def test_without_a_choice_or_a_dev_set_the_next_step_is_named(trained_study: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(trained_study, tmp_path / "study"))
    study = change(root, "[generate]", "[generate]\ncheckpoint = 'chosen'")
    with pytest.raises(StudyError, match="limakit choose"):
        find_local(study, "tuned")
    with pytest.raises(RecipeError, match="there is no epoch 9: training has 3"):
        choose(change(root, "[1, 2, 3]", "[1, 9]"), silent)
    (root / "curate/dev.jsonl").write_bytes(b"")
    with pytest.raises(StudyError, match="hold_out_dev"):
        choose(Study(root), silent)


def test_a_judge_with_nothing_to_say_chooses_nothing(study: Path) -> None:
    dev = study / "curate/dev.jsonl"
    dev.write_text("".join(line.replace('"reference":"', '"reference":" ","note":"') for line in dev.open()))
    with Study(study).lock(), pytest.raises(StudyError, match="no pair of dev answers has a verdict"):
        choose(Study(study), silent)
