"""Conversations: each system hears itself, turns are graded by models and by people who do not see whose."""

import csv
import json
import re
import shutil
import uuid
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

from limakit.cli.app import app
from limakit.errors import InputError, LimakitError, RecipeError
from limakit.experiments import talks
from limakit.experiments.dialogue_numbers import facts, reckon
from limakit.records import Example, Grade, Prompt, Response, Turn
from limakit.store import members
from limakit.store.files import read_json, read_jsonl
from limakit.store.people import People
from limakit.store.study import PEOPLE_DB, Study
from limakit.web.app import create_app
from limakit.web.studio import Studio
from tests.models.provider import serve
from tests.pipeline.test_model_judging import JUDGE, answering
from tests.web.conftest import HOME, PAGE, SCRIPT

RECIPE = """
[base]
model = {model!r}

[[sources]]
kind = "authored"
path = "own.jsonl"
licence = "CC BY 4.0"

[curate]
test_prompts = "prompts.jsonl"

[train]
epochs = 1
batch_size = 2
max_tokens = 160
learning_rate = 1e-3
final_learning_rate = 1e-4

[generate]
max_new_tokens = 8
slots = 4

[report]
resamples = 200

[dialogue]
scripts = "scripts.jsonl"
chains = "chains.jsonl"
licence = "CC BY 4.0"
"""
TOPICS = ["bread", "rivers", "clocks", "knots"]


def lines(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def said(*texts: str) -> list[dict[str, str]]:
    return [{"role": ("user", "assistant")[n % 2], "content": text} for n, text in enumerate(texts)]


def start(root: Path, model: Path, *more: str) -> Path:
    root.mkdir(parents=True)
    (root / "recipe.toml").write_text(RECIPE.format(model=str(model)) + "".join(more))
    lines(
        root / "own.jsonl", [{"messages": said(f"Tell me of {t}.", f"Of {t} much is known to bakers.")} for t in TOPICS]
    )
    lines(root / "prompts.jsonl", [{"id": "t1", "messages": said("Is the sea deep?"), "reference": "Very."}])
    chains = [said(f"Why {t}?", f"For {t} are old.", "How old?", f"Older than most {t}.") for t in ("songs", "walls")]
    lines(root / "chains.jsonl", [{"messages": chain} for chain in chains])
    scripts = [
        {"id": "one", "title": "First", "turns": ["How do I begin?", "And then?", "Shorter, please."]},
        {"id": "two", "turns": ["Name a colour.", "=Another?"]},
    ]
    lines(root / "scripts.jsonl", scripts)
    return root


def limakit(*words: object) -> list[dict[str, Any]]:
    done = CliRunner().invoke(app, [*map(str, words), "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    root = start(tmp_path_factory.mktemp("dialogue") / "study", tiny_model)
    outcomes = limakit("dialogue", root)
    assert outcomes[-1]["stage"] == "dialogue/report"
    return root


@pytest.fixture
def study(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "study"))


def test_the_larger_training_set_is_the_studys_own_and_the_dialogues(finished: Path) -> None:
    own = read_jsonl(finished / "curate/train.jsonl", Example)
    both = read_jsonl(finished / "dialogue/with/curate/train.jsonl", Example)
    assert both[: len(own)] == own
    assert [len(example.messages) for example in both[len(own) :]] == [4, 4]
    assert {line["stage"]: line["state"] for line in limakit("dialogue", finished)}["dialogue/report"] == "unchanged"


def test_each_turn_follows_what_was_said(finished: Path) -> None:
    for name in ("without", "with"):
        found = talks.items(finished / "dialogue/talk" / name)
        assert [p.id for p, _ in found] == ["one/1/1", "two/1/1", "one/1/2", "two/1/2", "one/1/3"]
        answers = {answer.prompt_id: answer.text for _, answer in found}
        third = next(prompt for prompt, _ in found if prompt.id == "one/1/3")
        assert [turn.content for turn in third.messages] == [
            "How do I begin?", answers["one/1/1"], "And then?", answers["one/1/2"], "Shorter, please.",
        ]  # fmt: skip
    texts = [[a.text for _, a in talks.items(finished / "dialogue/talk" / n)] for n in ("without", "with")]
    assert texts[0] != texts[1]


def test_ungraded_it_says_so_and_counts_what_it_can(finished: Path) -> None:
    page = (finished / "dialogue/report/index.html").read_text()
    assert "Not graded yet" in page
    assert "<script" not in page
    numbers = read_json(finished / "dialogue/report/report.json")
    assert (numbers["examples"], numbers["dialogues"], numbers["scripts"], numbers["turns"]) == (4, 2, 2, 10)
    assert sum(row["answers"] for row in numbers["facts"]) == 10


def test_people_grade_blind_and_a_model_grades_beside_them(study: Path) -> None:
    rows = list(csv.DictReader((study / "dialogue/sheet/sheet.csv").open(newline="")))
    assert len(rows) == 10
    assert not any("without" in " ".join(row.values()) for row in rows)
    for number, row in enumerate(rows):
        row["grade"] = ("Excellent", "fail", "pass", "")[number % 4]
    with (study / "ann.csv").open("w", newline="") as out:
        writer = csv.DictWriter(out, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    with serve(answering(lambda _: "PASS")) as provider:
        judge = JUDGE.format(name="j", task="absolute", url=provider.url)
        recipe = study / "recipe.toml"
        recipe.write_text(recipe.read_text() + "grades = ['ann.csv']\n" + judge)
        limakit("dialogue", study)
        held = [item for n in ("without", "with") for item in talks.items(study / "dialogue/talk" / n)]
        assert provider.requests == len({(prompt.messages, answer.text) for prompt, answer in held})
        assert "Shorter, please." in json.dumps(provider.bodies)
    person, model = (
        next(j for j in read_json(study / "dialogue/report/report.json")["judges"] if j["judge"] == name)
        for name in ("person:ann", "model:j")
    )
    assert [row["counts"] for row in model["systems"]] == [{"excellent": 0, "pass": 5, "fail": 0}] * 2
    assert sum(sum(row["counts"].values()) + row["missing"] for row in person["systems"]) == 10
    assert sum(row["missing"] for row in person["systems"]) == 2
    for row in person["systems"]:
        assert sum(turn["excellent"] for turn in row["by_turn"]) == row["counts"]["excellent"]


def vote(study: Path, name: str, label: str) -> list[dict[str, Any]]:
    """Somebody grades every turn in the studio; returns what they saw."""
    with People.open(study / PEOPLE_DB) as people:
        here = Studio(Study(study), people)
        browser = TestClient(create_app(here), base_url=HOME, headers=SCRIPT)
        with people.write() as connection:
            members.invite(connection, name, "annotator", here.clock())
            browser.cookies.set(here.cookie, members.start_session(connection, name, here.clock()))
        shown = browser.post("/queue/dialogue").json()["items"]
        events = [
            {"id": str(uuid.uuid4()), "assignment": item["assignment"], "label": label, "after": None} for item in shown
        ]
        assert browser.post("/votes", json={"kind": "dialogue", "events": events}).status_code == 200
        assert "Conversations" in browser.get("/grade?kind=dialogue", headers=PAGE).text
        return shown


def test_people_grade_turns_in_the_studio_blind(study: Path) -> None:
    recipe = study / "recipe.toml"
    recipe.write_text(recipe.read_text() + "[annotate]\nrepeats = 0\n")
    shown = vote(study, "ann", "pass")
    vote(study, "bo", "excellent")
    assert len(shown) == 10
    assert not {"with", "without", "system"} & set(re.findall(r"\w+", json.dumps(shown)))
    longest = max(shown, key=lambda item: len(item["turns"]))
    assert [turn["role"] for turn in longest["turns"]] == ["user", "assistant"] * 2 + ["user"]
    limakit("dialogue", study)
    judges = {judge["judge"]: judge for judge in read_json(study / "dialogue/report/report.json")["judges"]}
    assert list(judges) == ["people", "person:ann", "person:bo"]
    assert [row["counts"] for row in judges["people"]["systems"]] == [{"excellent": 5, "pass": 5, "fail": 0}] * 2
    assert [row["counts"]["pass"] for row in judges["person:ann"]["systems"]] == [5, 5]
    assert [row["shares"]["excellent"]["value"] for row in judges["people"]["systems"]] == [0.5, 0.5]
    assert read_jsonl(study / "annotate/people/grades.jsonl", Grade) == [], "no grades of single answers"
    sheet = (study / "dialogue/sheet/sheet.csv").read_text()
    (study / "ann.csv").write_text(sheet)
    recipe.write_text(recipe.read_text().replace("[dialogue]", "[dialogue]\ngrades = ['ann.csv']"))
    with pytest.raises(InputError, match=r"'ann' is graded by already.*studio"):
        limakit("dialogue", study)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda rows: rows[0].update(grade="good"), "'good' is no grade.*excellent, pass, fail"),
        (lambda rows: rows[0].update(item="zzz"), "item 1: no item 'zzz'"),
        (lambda rows: rows.append(rows[0]), "is there twice"),
    ],
)
def test_a_wrong_sheet_is_one_line(study: Path, change: Any, says: str) -> None:
    held = [study / "dialogue/talk" / name for name in ("without", "with")]
    rows = list(csv.DictReader((study / "dialogue/sheet/sheet.csv").open(newline="")))
    change(rows)
    path = study / "ann.csv"
    with path.open("w", newline="") as out:
        writer = csv.DictWriter(out, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    with pytest.raises(InputError, match=says):
        talks.read_sheet(path, held, 0)


def test_no_answer_becomes_a_formula_in_the_sheet(tmp_path: Path) -> None:
    from limakit.store.files import write_jsonl

    prompt = Prompt(id="s/1/1", messages=(Turn(role="user", content="=1+1"),))
    answer = Response(prompt_id="s/1/1", system="with", text="=HYPERLINK(1)", finish="eot", tokens=3)
    write_jsonl(tmp_path / "prompts.jsonl", [prompt])
    write_jsonl(tmp_path / "responses.jsonl", [answer])
    (row,) = csv.DictReader(talks.sheet([tmp_path], 0).splitlines())
    assert row["answer"] == "'=HYPERLINK(1)"
    assert row["conversation so far"].startswith("USER: ")


def test_numbers_know_that_turns_hang_together() -> None:
    values = {"without": ["fail"] * 4, "with": ["excellent", "excellent", "pass", None]}
    grades = [
        Grade(prompt_id=f"s{n // 2}/1/{n % 2 + 1}", system=system, judge="person:a", scale="absolute", value=value)
        for system, own in values.items()
        for n, value in enumerate(own)
    ]
    (judge,) = reckon(grades, ("without", "with"), resamples=200, seed=0, confidence=0.95)
    first, second = judge["systems"]
    assert (first["prompts"], second["prompts"], second["missing"]) == (2, 2, 1)
    assert second["by_turn"][1] == {"turn": 2, "excellent": 1, "pass": 0, "fail": 0, "missing": 1}
    rise = judge["differences"][0]
    assert (rise["grade"], rise["scripts"], rise["difference"]) == ("excellent", 2, pytest.approx(2 / 3))
    assert rise["low"] <= rise["difference"] <= rise["high"]


def test_an_answer_that_repeats_an_earlier_one_is_counted() -> None:
    heard = Prompt(id="s/1/2", messages=(Turn(role="assistant", content="Yes."), Turn(role="user", content="Why?")))
    again = Response(prompt_id="s/1/2", system="with", text="Yes.", finish="eot", tokens=2)
    (row,) = facts([(heard, again)], ("without", "with"))
    assert (row["turn"], row["repeated"], row["ended"], row["empty"]) == (2, 1, 1, 0)


@pytest.mark.parametrize(
    ("scripts", "says"),
    [
        ("", "holds no scripts"),
        ('{"id":"a","turns":[]}', "line 1: a turn is empty"),
        ('{"id":"a","turns":["x"]}\n{"id":"a","turns":["y"]}', "line 2: a second script 'a'"),
        ('{"id":"a","trns":["x"]}', "line 1.*trns|line 1.*turns"),
    ],
)
def test_wrong_scripts_are_one_line_before_anything_is_done(
    tmp_path: Path, tiny_model: Path, scripts: str, says: str
) -> None:
    root = start(tmp_path / "study", tiny_model)
    (root / "scripts.jsonl").write_text(scripts)
    with pytest.raises(LimakitError, match=says):
        limakit("dialogue", root)
    assert not (root / "curate").exists()


def test_dialogues_that_add_nothing_are_refused(study: Path) -> None:
    (study / "scripts.jsonl").write_text('{"id":"a","turns":["Why songs?", "Why walls?"]}')
    with pytest.raises(RecipeError, match=r"none of the dialogues can be added.*dialogue.chains"):
        limakit("dialogue", study)


def test_the_embedded_scripts_and_dialogues_are_read() -> None:
    found = talks.read_scripts(talks.STARTER / "scripts.jsonl", None)
    assert len(found) == 10
    assert len(talks.read_scripts(talks.STARTER / "scripts.jsonl", 3)) == 3
