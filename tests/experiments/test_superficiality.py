"""What tuning changed: ranks as the model gives them, pieces that are the text, nothing in the page that acts."""

import shutil
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from limakit.cli.app import app
from limakit.engine import silent
from limakit.errors import RecipeError, StudyError
from limakit.experiments.shift_numbers import Traced, kind, reckon
from limakit.experiments.superficiality import superficiality
from limakit.models.local_ranks import load_ranker
from limakit.pipeline.modelling import generate
from limakit.records import Response, Turn
from limakit.store.files import read_json, read_jsonl, write_jsonl
from limakit.store.study import Study

HOSTILE = "<script>alert(1)</script> & \u202e ünï 日本語 🙂 <|eot|>"


@pytest.fixture(scope="module")
def answered(trained_study: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = Path(shutil.copytree(trained_study, tmp_path_factory.mktemp("shift") / "study"))
    with Study(root).lock():
        generate(Study(root), silent)
    return root


@pytest.fixture
def study(answered: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(answered, tmp_path / "study"))


def test_ranks_and_chances_are_those_of_the_plain_forward_pass(tiny_model: Path) -> None:
    ranker = load_ranker(tiny_model, "base")
    messages = (Turn(role="user", content="How do I keep basil alive?"),)
    ids, pieces = ranker.tokens("Give it light, ünd water.")
    assert "".join(pieces) == "Give it light, ünd water."
    found = ranker.along(messages, ids, [ids, list(reversed(ids))])
    prompt = ranker._layout.prompt(messages)
    with torch.no_grad():
        logits = ranker._model(torch.tensor([[*prompt, *ids]])).logits[0, len(prompt) - 1 : -1]
    chances = logits.softmax(-1)
    assert found.first == logits.argmax(-1).tolist()
    for asked, ranks, told in zip((ids, ids[::-1]), found.ranks, found.chances, strict=True):
        for place, token in enumerate(asked):
            assert told[place] == pytest.approx(chances[place, token].item(), rel=1e-4)
            order = logits[place].argsort(descending=True).tolist()
            assert logits[place, order[ranks[place] - 1]] == logits[place, token]


def test_the_models_own_first_choices_have_rank_one(tiny_model: Path) -> None:
    ranker = load_ranker(tiny_model, "base")
    ids, _ = ranker.tokens("water it from below")
    first = ranker.along((Turn(role="user", content="Hm?"),), ids, []).first
    assert ranker.along((Turn(role="user", content="Hm?"),), ids, [first]).ranks == [[1] * len(ids)]


@pytest.mark.parametrize("text", [HOSTILE, "🙂🙂", " ", "\n\n- a\n", "e\u0301" * 3])
def test_pieces_together_are_the_text(tiny_model: Path, text: str) -> None:
    ids, pieces = load_ranker(tiny_model, "base").tokens(text)
    assert "".join(pieces) == text
    assert len(ids) == len(pieces)


def test_kinds_and_shares() -> None:
    assert [kind(rank) for rank in (1, 2, 3, 4, 900)] == ["unshifted", "marginal", "marginal", "shifted", "shifted"]
    one = Traced(
        prompt_id="p",
        pieces=["a", "b", "c", "d"],
        ids=[1, 2, 3, 2],
        ranks=[9, 1, 2, 9],
        chances=[0.1, 0.5, 0.2, 0.1],
        own_ranks=[1, 1, 2, 1],
        first=[1, 2, 4, 5],
        first_ranks=[9, 1, 1, 0],
    )
    found = reckon([one, one], {1: "a", 2: "b", 3: "c", 4: "x", 5: "end"}, resamples=100, seed=0, confidence=0.95)
    assert found["written"]["counts"] == {"unshifted": 2, "marginal": 2, "shifted": 4}
    assert found["first_choices"]["counts"] == {"unshifted": 4, "marginal": 0, "shifted": 2}
    assert (found["ends"], found["own_first"]) == (2, 0.75)
    assert [(row["from"], row["to"], row["tokens"]) for row in found["by_place"]] == [(1, 1, 2), (2, 4, 4)]
    assert found["most_shifted"] == [{"token": "a", "shifted": 2, "of": 2}]


def test_a_study_is_traced_and_the_second_time_unchanged(study: Path) -> None:
    with Study(study).lock():
        done = superficiality(Study(study), 100, silent)
        assert superficiality(Study(study), 100, silent).state == "unchanged"
        assert superficiality(Study(study), 1, silent).counts["answers"] == 1
    assert done.counts["unshifted"] + done.counts["marginal"] + done.counts["shifted"] == pytest.approx(1)
    answers = {r.prompt_id: r.text for r in read_jsonl(study / "generate/tuned/responses.jsonl", Response)}
    traced = read_jsonl(study / "superficiality/tokens.jsonl", Traced)
    assert all("".join(one.pieces) == answers[one.prompt_id] for one in traced)
    numbers = read_json(study / "superficiality/report.json")
    assert sum(numbers["written"]["counts"].values()) == numbers["tokens"] == sum(len(one.ids) for one in traced)
    assert sum(row["tokens"] for row in numbers["by_place"]) + numbers["ends"] == numbers["tokens"]
    for low, high in numbers["written"]["intervals"].values():
        assert 0 <= low <= high <= 1


def test_hostile_answers_are_shown_and_do_nothing(study: Path) -> None:
    path = study / "generate/tuned/responses.jsonl"
    write_jsonl(path, [Response(prompt_id="d0", system="tuned", text=HOSTILE, finish="eot", tokens=9)])
    with Study(study).lock():
        superficiality(Study(study), 100, silent)
    page = (study / "superficiality/index.html").read_text()
    assert "<script" not in page
    assert "\u202e" not in page
    assert "U+202E" in page


def test_the_next_step_is_named_where_something_is_missing(study: Path, trained_study: Path, tmp_path: Path) -> None:
    write_jsonl(study / "generate/tuned/responses.jsonl", [])
    with Study(study).lock(), pytest.raises(StudyError, match="limakit generate"):
        superficiality(Study(study), 5, silent)
    recipe = study / "recipe.toml"
    recipe.write_text(recipe.read_text() + "\n[compare]\ncandidate = 'base'\nbaselines = ['tuned']\n")
    with pytest.raises(RecipeError, match='kind "tuned"'):
        superficiality(Study(study), 5, silent)
    with pytest.raises(StudyError, match="limakit generate"):
        superficiality(Study(trained_study), 5, silent)


def test_the_command_says_the_shares(study: Path) -> None:
    done = CliRunner().invoke(app, ["superficiality", str(study)], catch_exceptions=False)
    assert "unshifted" in done.stdout
    assert "superficiality/index.html" in done.stdout
