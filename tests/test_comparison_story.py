"""Two files of answers, from `limakit new` to a report of what colleagues said: through the commands and the studio."""

import csv
import json
import uuid
from pathlib import Path

from starlette.testclient import TestClient

from limakit.store import members
from limakit.store.people import People
from limakit.store.study import PEOPLE_DB, Study
from limakit.web.app import create_app
from limakit.web.studio import Studio
from tests.commands import limakit

HOME = "http://127.0.0.1:8400"
HEADERS = {"accept": "application/json", "sec-fetch-site": "same-origin", "origin": HOME}
PROMPTS = [f"How do I keep plant number {n} alive?" for n in range(12)]


def write_files(folder: Path) -> None:
    """Ours as CSV with one prompt more, theirs as AlpacaEval writes them, the same text once and nothing once."""
    with open(folder / "ours.csv", "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["prompt", "response"])
        table.writerows([[prompt, "Water it **well**." if n else "Same."] for n, prompt in enumerate(PROMPTS)])
        table.writerow(["Something else?", "Yes."])
    rows = [
        {"instruction": prompt, "output": ["Same.", ""][n] if n < 2 else "Let it <b>dry</b>.", "generator": "theirs"}
        for n, prompt in enumerate(PROMPTS)
    ]
    (folder / "theirs.json").write_text(json.dumps(rows), encoding="utf-8")


def vote(study: Study) -> list[dict]:
    """A colleague prefers ours wherever they can tell it; returns what they were shown."""
    with People.open(study.path(PEOPLE_DB)) as people:
        here = Studio(study, people)
        browser = TestClient(create_app(here), base_url=HOME, headers=HEADERS)
        with people.write() as connection:
            members.invite(connection, "a1", "annotator", here.clock())
            browser.cookies.set(here.cookie, members.start_session(connection, "a1", here.clock()))
        shown = browser.post("/queue/compare").json()["items"]
        events = [
            {
                "id": str(uuid.uuid4()),
                "assignment": item["assignment"],
                "label": next(
                    (side for side, text in zip("ab", item["answers"], strict=True) if "well" in text), "tie"
                ),
                "after": None,
            }
            for item in shown
        ]
        assert browser.post("/votes", json={"kind": "compare", "events": events}).status_code == 200
        with people.write() as connection:
            members.set_owner(connection, "no password opens this", here.clock())
            browser.cookies.set(here.cookie, members.start_session(connection, members.OWNER, here.clock()))
        html = {"accept": "text/html"}
        for path in ("/compare", "/grade", "/results", "/people", "/review", "/write"):
            page = browser.get(path, headers=html)
            assert page.status_code == 200, path
            assert '<a href="/review"' not in page.text, "there is nothing to review"
        return shown


def test_two_files_of_answers_from_the_first_command_to_the_report(tmp_path: Path) -> None:
    study = tmp_path / "mystudy"
    done = limakit("new", study, "--recipe", "compare")
    assert "put your files of answers into its folder" in done.stdout, done.stderr
    failed = limakit("run", study)
    assert failed.returncode == 2
    assert failed.stderr.strip().endswith("ours.jsonl: no such file. Put it there, or change the path in recipe.toml.")
    write_files(study)
    recipe = study / "recipe.toml"
    text = recipe.read_text().replace('"ours.jsonl"', '"ours.csv"').replace('"theirs.jsonl"', '"theirs.json"')
    recipe.write_text(text.replace("shared = 50", "shared = 50\nrepeats = 0"))
    done = limakit("run", study)
    assert done.returncode == 0, done.stderr
    assert "13 prompts to compare systems on" in done.stdout
    assert "12 answers from the 12 rows of theirs.json, 1 prompts without one, 1 of the answers empty" in done.stdout
    assert "12 blind pairs of 13 asked for, 1 of them with the same text twice" in done.stdout
    assert f"limakit people invite {study} NAME" in done.stderr + done.stdout

    shown = vote(Study(study))
    assert len(shown) == 12
    assert "ours" not in json.dumps(shown)
    assert "theirs" not in json.dumps(shown)
    assert any("empty" in answer for item in shown for answer in item["answers"]), "an empty answer says that it is"

    done = limakit("report", study)
    assert done.returncode == 0, done.stderr
    told = json.loads((study / "report" / "report.json").read_text())
    (judge,) = told["comparison"]["judges"]
    (row,) = judge["against"]
    assert (judge["judge"], row["win"], row["tie"], row["lose"]) == ("person:a1", 11, 1, 0)
    assert told["training"] is None

    ablated = study / "ablate" / "report"
    (ablated / "figures").mkdir(parents=True)
    (ablated / "figures" / "curve-1-size.svg").write_text('<svg viewBox="0 0 1 1"><title>Score by size</title></svg>')
    for name, content in (("report.json", {"said": ["The curve is flat."]}), ("manifest.json", {})):
        (ablated / name).write_text(json.dumps(content))
    assert limakit("report", study).returncode == 0
    page = (study / "report" / "index.html").read_text()
    assert "<p>The curve is flat.</p>" in page
    assert "<figcaption>Score by size</figcaption>" in page
    assert 'href="../ablate/report/index.html"' in page

    for words, says in (
        (("train", study), "nothing to train"),
        (("chat", study), "nobody can be asked as 'ours'"),
        (("plan", study), "nothing is trained"),
        (("choose", study), "this study learns nothing"),
        (("export", study, "--to", tmp_path / "out"), "this study learns nothing"),
    ):
        failed = limakit(*words)
        assert failed.returncode == 2, words
        assert len(failed.stderr.strip().splitlines()) == 1, failed.stderr
        assert says in failed.stderr
