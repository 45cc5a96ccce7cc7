"""Forgetting an author: nothing of theirs is left in the study, and nothing comes back."""

from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq
import pytest
from sqlalchemy import insert

from limakit.author import decisions
from limakit.author.handover import publish_decisions
from limakit.engine import silent
from limakit.errors import InputError, StudyError
from limakit.pipeline import forgetting
from limakit.pipeline.curating import curate
from limakit.pipeline.forgetting import forget
from limakit.records import Example, Turn
from limakit.store import files
from limakit.store.people import People
from limakit.store.people_schema import people as persons
from limakit.store.study import Study
from tests.sources.dumps import GOOD, answer, dump, question
from tests.sources.items import curated, given

ASK, SAY = {"role": "user", "content": "Why?"}, {"role": "assistant", "content": "Because."}
RECIPE = """[[sources]]
kind = "stackexchange"
path = "dumps"
[[sources]]
kind = "authored"
path = "ours.jsonl"
[curate]
near_duplicates = 0.0
contamination_cosine = 0.0
quotas = { other = 3 }
test_prompts = "test.jsonl"
"""


def study(folder: Path) -> Study:
    """Answers by users 5 (Zoe Quill) and 6; lines by Ada and Zoe Quill; a test prompt by each."""
    rows = []
    for n in range(1, 9, 2):
        body = f"<p>Case {n}.</p>{GOOD}"
        rows += [question(n), answer(n + 1, n, 20 + n, body, OwnerUserId=5 if n in (1, 7) else 6)]
    dump(folder / "dumps" / "kitchen.example", rows)
    users = [f'<row Id="{n}" DisplayName="{name}" />' for n, name in ((4, "Asker"), (5, "Zoe Quill"), (6, "Bo"))]
    (folder / "dumps" / "kitchen.example" / "Users.xml").write_text("<users>\n" + "\n".join(users) + "\n</users>")
    lines = [{"messages": [ASK, {**SAY, "content": f"By {name}."}], "author": name} for name in ("Ada", "Zoe Quill")]
    given(folder / "ours.jsonl", lines)
    prompts = [
        {
            "id": f"t{n}",
            "messages": [{**ASK, "content": "And then?"}],
            "provenance": [{"source": "x", "site": "y", "id": "1", "author": name}],
        }
        for n, name in enumerate(("Ada", " zoe  quill "))
    ]
    given(folder / "test.jsonl", prompts)
    curated(folder, RECIPE)
    for stage in ("train/tuned", "generate/tuned", "compare", "judge/metric-rouge-l", "choose", "report"):
        files.publish_json(folder / stage / "manifest.json", {})
    files.publish_text(folder / "train/tuned/preflight.txt", "Zoe Quill")
    return Study(folder)


def texts(folder: Path) -> str:
    found = [path.read_bytes() for path in (folder / "curate").iterdir() if path.suffix != ".parquet"]
    return b"\n".join(found).decode()


def test_nothing_of_theirs_is_left_and_nothing_comes_back(tmp_path: Path) -> None:
    made = study(tmp_path)
    assert "Zoe Quill" in texts(tmp_path)
    assert "kitchen.example/users/5" in texts(tmp_path)
    done = forget(made, "zoe quill", models=False, progress=silent)
    assert done["gone"] == {"train": 2, "test": 1}
    assert done["removed"] == [
        "report",
        "choose",
        "compare",
        "generate/tuned",
        "judge/metric-rouge-l",
        "train/tuned/preflight.txt",
    ]
    assert done["checkpoints_kept"] == ["train/tuned"]
    left = texts(tmp_path)
    for trace in ("Zoe", "zoe  quill", "kitchen.example/users/5", "Case 7", "Case 1."):
        assert trace not in left
    assert "By Ada." in left
    assert "zoe" not in (tmp_path / "forgotten.json").read_text().lower()
    train = files.read_jsonl(tmp_path / "curate" / "train.jsonl", dict)
    assert len(train) == 3  # the two answers by Bo, who take the places, and Ada's line
    rejected = pq.read_table(tmp_path / "curate" / "rejects.parquet").to_pylist()
    assert [r["id"] for r in rejected if r["rule"] == "forgotten"] == [
        "stackexchange/kitchen.example/forgotten",
        "stackexchange/kitchen.example/forgotten",
        "authored/ours/forgotten",
    ]
    again = Study(tmp_path)
    assert curate(again, silent)[0].state == "unchanged"
    (tmp_path / "recipe.toml").write_text(RECIPE.replace("other = 3", "other = 30"))
    assert curate(Study(tmp_path), silent)[0].state == "done"
    assert "Zoe" not in texts(tmp_path)
    assert not list((tmp_path / ".work").glob("*"))


def test_by_page_only_that_page_goes(tmp_path: Path) -> None:
    made = study(tmp_path)
    done = forget(made, "https://kitchen.example/users/5/", models=True, progress=silent)
    assert done["gone"] == {"train": 1}
    assert done["removed"] == ["report", "train/tuned"]
    assert "By Zoe Quill." in texts(tmp_path)
    assert "kitchen.example/users/5" not in texts(tmp_path)
    assert (tmp_path / "generate" / "tuned").is_dir()
    assert not (tmp_path / "train" / "tuned").exists()


def test_somebody_unknown_is_remembered_all_the_same(tmp_path: Path) -> None:
    made = study(tmp_path)
    before = (tmp_path / "curate" / "train.jsonl").read_bytes()
    done = forget(made, "Nobody", models=False, progress=silent)
    assert (done["gone"], done["removed"]) == ({}, [])
    assert (tmp_path / "curate" / "train.jsonl").read_bytes() == before
    assert (tmp_path / "report").is_dir()
    assert len(orjson.loads((tmp_path / "forgotten.json").read_bytes())["authors"]) == 1
    with pytest.raises(StudyError, match="no author named"):
        forget(made, " ", models=False, progress=silent)


def test_a_study_not_yet_curated_remembers(tmp_path: Path) -> None:
    study(tmp_path / "a")
    for name in ("dumps", "ours.jsonl", "test.jsonl", "recipe.toml"):
        (tmp_path / "a" / name).rename(tmp_path / name)
    forget(Study(tmp_path), "Zoe Quill", models=False, progress=silent)
    assert not (tmp_path / "curate").exists()
    curate(Study(tmp_path), silent)
    assert "Zoe" not in texts(tmp_path)


@pytest.mark.parametrize("damage", ["[]", "{}", '{"authors": [1]}', "{"])
def test_a_damaged_memory_is_never_ignored(tmp_path: Path, damage: str) -> None:
    made = study(tmp_path)
    (tmp_path / "forgotten.json").write_text(damage)
    with pytest.raises((StudyError, InputError), match=r"forgotten\.json"):
        curate(made, silent)


def rejected(folder: Path) -> list[dict[str, Any]]:
    return pq.read_table(folder / "curate" / "rejects.parquet").to_pylist()


def test_the_reject_log_keeps_no_word_and_no_id_of_theirs(tmp_path: Path) -> None:
    """By account and name in Users.xml, by name in the row, by a post in a file; whichever rule took the post."""
    said = f"<p>I, of all people, say so.</p>{GOOD}"
    rows = [question(1), answer(2, 1, 20, said, OwnerUserId=5), answer(3, 1, 2, OwnerUserId=5), question(5)]
    rows += [answer(6, 5, 20, said, OwnerUserId=None, OwnerDisplayName="Zoe  quill"), answer(7, 5, 19, OwnerUserId=6)]
    rows += [question(8), answer(9, 8, 20, said, OwnerUserId=6)]
    dump(tmp_path / "dumps" / "kitchen.example", rows)
    users = [f'<row Id="{n}" DisplayName="{name}" />' for n, name in ((4, "Asker"), (5, "Zoe Quill"), (6, "Bo"))]
    (tmp_path / "dumps" / "kitchen.example" / "Users.xml").write_text("<users>\n" + "\n".join(users) + "\n</users>")
    given(tmp_path / "ours.jsonl", [{"messages": [ASK], "author": name, "id": name} for name in ("Ada", "Zoe Quill")])
    given(tmp_path / "test.jsonl", [])
    curated(tmp_path, RECIPE)
    before = rejected(tmp_path)
    assert sum("of all people" in row["detail"] for row in before) == 3
    done = forget(Study(tmp_path), "zoe quill", models=False, progress=silent)
    assert done["gone"] == {}
    after = rejected(tmp_path)
    assert [(row["rule"], row["score"]) for row in after] == [(row["rule"], row["score"]) for row in before]
    site = "stackexchange/kitchen.example"
    assert sorted(row["id"] for row in after) == [
        "authored/ours/Ada",
        "authored/ours/forgotten",
        f"{site}/7",
        f"{site}/9",
        *[f"{site}/forgotten"] * 3,
    ]
    assert [row["id"] for row in after if "of all people" in row["detail"]] == [f"{site}/9"]
    forget(Study(tmp_path), "https://kitchen.example/users/6", models=False, progress=silent)
    assert not [row for row in rejected(tmp_path) if "of all people" in row["detail"] or row["id"] == f"{site}/9"]


def test_what_was_decided_on_posts_that_no_split_holds_goes_too(tmp_path: Path) -> None:
    """Somebody edited an answer of theirs and took it out again: neither text nor word on it is left."""
    made = study(tmp_path)
    name = "stackexchange/kitchen.example/2"
    with People.open(tmp_path / "people.db") as people:
        with people.write() as connection:
            connection.execute(insert(persons).values(id="a1", role="author", created=0.0))
        turns = [Turn(role="user", content="Why?"), Turn(role="assistant", content="As Zoe put it.")]
        decisions.decide(people, [name], "a1", "edit", turns=turns)
        decisions.decide(people, [name, "stackexchange/kitchen.example/4"], "a1", "reject", note="dull")
        publish_decisions(people, tmp_path)
    curate(made, silent)
    assert name not in texts(tmp_path)
    forget(made, "https://kitchen.example/users/5", models=False, progress=silent)
    kept = (tmp_path / "studio" / "decisions.jsonl").read_text()
    assert (name in kept, "kitchen.example/4" in kept) == (False, True)
    with People.open(tmp_path / "people.db") as people:
        assert decisions.history(people, name) == []
    assert curate(Study(tmp_path), silent)[0].state == "unchanged"


def test_a_run_that_broke_off_is_finished_by_the_same_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = study(tmp_path)
    with monkeypatch.context() as broken:
        broken.setattr(forgetting, "_remove", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            forget(made, "zoe quill", models=False, progress=silent)
    assert "Zoe Quill" in texts(tmp_path)
    done = forget(Study(tmp_path), "zoe quill", models=False, progress=silent)
    assert done["gone"] == {"train": 2, "test": 1}
    assert "generate/tuned" in done["removed"]
    assert "Zoe" not in texts(tmp_path)


def test_what_people_made_of_their_posts_goes_too(tmp_path: Path) -> None:
    made = study(tmp_path)
    posts = {"By Zoe Quill.": "", "By Ada.": ""}
    for example in files.read_jsonl(tmp_path / "curate" / "train.jsonl", Example):
        if example.messages[1].content in posts:
            posts[example.messages[1].content] = example.id
    with People.open(tmp_path / "people.db") as people:
        with people.write() as connection:
            connection.execute(insert(persons).values(id="a1", role="author", created=0.0))
        for text, name in posts.items():
            turns = [Turn(role="user", content="Why?"), Turn(role="assistant", content=f"Edited. {text}")]
            decisions.decide(people, [name], "a1", "edit", turns=turns)
        publish_decisions(people, tmp_path)
    curate(made, silent)
    assert "Edited. By Zoe Quill." in texts(tmp_path)
    forget(made, "Zoe Quill", models=False, progress=silent)
    assert "Zoe" not in texts(tmp_path)
    assert "Edited. By Ada." in texts(tmp_path)
    assert "Zoe" not in (tmp_path / "studio" / "decisions.jsonl").read_text()
    with People.open(tmp_path / "people.db") as people:
        assert list(decisions.current(people)) == [posts["By Ada."]]
        publish_decisions(people, tmp_path)
    assert curate(Study(tmp_path), silent)[0].state == "unchanged"
