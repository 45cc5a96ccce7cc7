"""A model on this machine as judge: the same questions, parsing and ledger as a server's, and no call twice."""

import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from limakit.cli.app import app
from limakit.engine import silent
from limakit.errors import MissingExtra, ModelError
from limakit.models import local
from limakit.models.sampler import Answer, Request
from limakit.pipeline.judging import judge
from limakit.pipeline.model_judging import quote
from limakit.recipe import Generate
from limakit.records import Grade, Verdict
from limakit.store.files import read_jsonl
from limakit.store.study import Study
from tests.models.provider import serve
from tests.pipeline.test_model_judging import answering, one, study, tuned_wins

LOCAL = """
[[judges]]
name = "here"
api = "local"
model = "{model}"
task = "{task}"
"""


class Scripted:
    """A model that judges as `tuned_wins` does, and breaks down after `lasts` answers."""

    loaded = 0

    def __init__(self, lasts: int = 1000):
        self.lasts, self.asked = lasts, 0

    def answer(self, requests: Sequence[Request], settings: Generate, seed: int) -> Iterator[tuple[int, Answer]]:
        assert (settings.temperature, settings.repetition_penalty, settings.top_p) == (0, 1, 1)
        for index, request in reversed(list(enumerate(requests))):
            if self.asked == self.lasts:
                raise ModelError("the machine is gone")
            self.asked += 1
            (turn,) = request.prompt.messages
            text = answering(tuned_wins)(turn.content, 0)
            long = "Question 1?" in turn.content
            yield index, Answer(text=text, finish="eot", tokens=9, trimmed=3 if long else 0)


@pytest.fixture
def folder(tmp_path: Path, tiny_model: Path) -> Path:
    """A study with a local judge of pairs."""
    shutil.copytree(tiny_model, tmp_path / "model")
    study(tmp_path, LOCAL.format(model="model", task="pairwise"))
    return tmp_path


def use(monkeypatch: pytest.MonkeyPatch, model: Scripted) -> Scripted:
    def load(folder: Path, kind: str) -> Scripted:
        assert (folder.name, kind) == ("model", "folder")
        model.loaded += 1
        return model

    monkeypatch.setattr(local, "load_system", load)
    return model


def test_verdicts_in_both_orders_for_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = use(monkeypatch, Scripted())
    counts = judge(Study(folder), silent)[1].counts
    verdicts = read_jsonl(folder / "judge" / "here" / "verdicts.jsonl", Verdict)
    assert [verdict.winner for verdict in verdicts] == ["tuned", None, "tuned", "tuned", "tuned", None]
    assert {verdict.judge for verdict in verdicts} == {"model:here"}
    assert (counts["won"], counts["conflicts"], counts["missing"]) == ({"tuned": 4}, 1, 1)
    assert counts["failures"] == {"rejected": 2}
    assert "3 tokens of the question do not fit" in verdicts[1].detail
    assert (counts["calls"], counts["cost"], model.asked) == (12, 0, 12)


def test_a_rerun_loads_no_model(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = use(monkeypatch, Scripted())
    judge(Study(folder), silent)
    before = (folder / "judge" / "here" / "verdicts.jsonl").read_bytes()
    assert judge(Study(folder), silent)[1].state == "unchanged"
    shutil.rmtree(folder / "judge" / "here")
    assert judge(Study(folder), silent)[1].state == "done"
    assert (folder / "judge" / "here" / "verdicts.jsonl").read_bytes() == before
    assert (model.loaded, model.asked) == (1, 12)


def test_what_was_answered_before_it_broke_is_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, Scripted(lasts=5))
    assert quote(Study(folder), Study(folder).recipe.judges[0]).missing == 12
    with pytest.raises(ModelError, match="gone"):
        judge(Study(folder), silent)
    assert quote(Study(folder), Study(folder).recipe.judges[0]).missing == 7
    model = use(monkeypatch, Scripted())
    assert judge(Study(folder), silent)[1].counts["won"] == {"tuned": 4}
    assert model.asked == 7
    assert quote(Study(folder), Study(folder).recipe.judges[0]).missing == 0


def test_other_weights_are_another_judge(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = use(monkeypatch, Scripted())
    judge(Study(folder), silent)
    config = folder / "model" / "config.json"
    config.write_text(config.read_text() + "\n")
    assert judge(Study(folder), silent)[1].state == "done"
    assert model.asked == 24


@pytest.mark.parametrize("task", ["likert", "safety"])
def test_a_real_model_that_gives_no_verdict_is_missing(tmp_path: Path, tiny_model: Path, task: str) -> None:
    """The tests' model writes noise: every call ends in something known, and nothing is taken for a grade."""
    settings = LOCAL.format(model=tiny_model, task=task) + "max_tokens = 8\n"
    counts = judge(study(tmp_path, settings), silent)[1].counts
    grades = read_jsonl(tmp_path / "judge" / "here" / "grades.jsonl", Grade)
    assert {grade.value for grade in grades} == {None}
    assert counts["missing"] == len(grades) == sum(counts["failures"].values()) == (12 if task == "likert" else 4)
    assert set(counts["failures"]) <= {"truncated", "unparseable", "empty", "rejected"}


def test_a_folder_that_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="nowhere: no such model folder"):
        judge(study(tmp_path, LOCAL.format(model="./nowhere", task="pairwise")), silent)


def test_without_torch_it_says_what_to_install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "limakit.models.local", None)
    with pytest.raises(MissingExtra, match=r"judge 'here' runs here.*limakit\[train\]"):
        judge(Study(folder), silent)


def test_the_estimate_asks_nobody(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, Scripted())
    shutil.rmtree(folder / "compare")
    with serve(answering(tuned_wins)) as provider:
        with open(folder / "recipe.toml", "a") as recipe:
            recipe.write(one(provider, name="dear").replace("5.0", "0.000001"))
            recipe.write(one(provider, "likert", name="cheap"))
        done = CliRunner().invoke(app, ["judge", str(folder), "--estimate"], catch_exceptions=False)
        shown = done.output.splitlines()
        assert shown[1] == "here: 12 calls, on this machine, at no cost"
        for line, name, left in ((shown[2], "dear", "1e-06"), (shown[3], "cheap", "5.00")):
            assert line.startswith(f"{name}: 12 calls, about 0.0")
            assert f"{left} of the budget is left" in line
        assert "raise the budget" in shown[4]
        assert f"`limakit judge {folder}`" in shown[4]
        assert provider.requests == 0
        (folder / "recipe.toml").write_text(one(provider, "likert", name="cheap"))
        judge(Study(folder), silent)
        done = CliRunner().invoke(app, ["judge", str(folder), "--estimate", "--json"], catch_exceptions=False)
        last = orjson.loads(done.stdout.splitlines()[-1])["estimate"]
        assert (last["judge"], last["missing"], provider.requests) == ("cheap", 0, 12)
