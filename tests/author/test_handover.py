"""Decisions and accepted examples, from the database to the files that curation reads."""

from pathlib import Path

import pytest

from limakit.author import decisions, drafts, handover
from limakit.engine import silent
from limakit.errors import InputError
from limakit.pipeline.curating import curate
from limakit.records import Example, Turn
from limakit.store import decisions as decision_file
from limakit.store.files import publish_text, read_jsonl
from limakit.store.study import Study

TURNS = (Turn(role="user", content="Why is the sky blue?"), Turn(role="assistant", content="Air scatters blue most."))


def test_the_newest_word_counts_and_all_are_kept(people, tmp_path: Path) -> None:
    assert decisions.decide(people, ["x/s/1", "x/s/2", "x/s/1"], "a1", "reject", note=" too  thin ") == 2
    assert decisions.decide(people, ["x/s/1"], "a1", "reject", note="too thin") == 0
    assert decisions.decide(people, ["x/s/1"], "a2", "edit", turns=TURNS) == 1
    assert decisions.decide(people, ["x/s/3"], "a2", "undo") == 0
    handover.publish_decisions(people, tmp_path)
    found = decision_file.load(tmp_path)
    assert [(one.id, one.decision, one.person, one.note) for one in found] == [
        ("x/s/1", "edit", "a2", ""),
        ("x/s/2", "reject", "a1", "too thin"),
    ]
    assert found[0].messages == TURNS
    assert [said.decision for said in decisions.history(people, "x/s/1")] == ["edit", "reject"]


def test_undo_takes_back_ones_own_newest_word(people, tmp_path: Path) -> None:
    assert decisions.undo_last(people, "a1") is None
    for name in ("x/s/1", "x/s/2"):
        decisions.decide(people, [name], "a1", "accept")
    decisions.decide(people, ["x/s/3"], "a2", "accept")
    assert decisions.undo_last(people, "a1") == "x/s/2"
    assert decisions.undo_last(people, "a1") == "x/s/1"
    assert decisions.undo_last(people, "a1") is None
    assert list(decisions.current(people)) == ["x/s/3"]
    decisions.decide(people, ["x/s/3"], "a2", "undo")
    handover.publish_decisions(people, tmp_path)
    assert not (tmp_path / decision_file.FILE).exists(), "a study where nothing was decided has no file"


def test_an_edit_must_be_a_dialogue(people) -> None:
    for turns in ((), TURNS[:1], (TURNS[0], Turn(role="assistant", content=" "))):
        with pytest.raises(InputError):
            decisions.decide(people, ["x/s/1"], "a1", "edit", turns=turns)
    assert decisions.history(people, "x/s/1") == []


def test_accepted_examples_are_read_by_the_source_authored(people, tmp_path: Path) -> None:
    handover.publish_authored(people, tmp_path)
    assert not (tmp_path / handover.AUTHORED).exists()
    draft = drafts.start(people, "a1", TURNS, "science", origin="chat with tuned")
    other = drafts.start(people, "a1", TURNS)
    drafts.submit(people, draft.id, "a1")
    drafts.submit(people, other.id, "a1")
    drafts.accept(people, draft.id, "a2", version=1)
    assert handover.publish_authored(people, tmp_path) == 1
    publish_text(
        tmp_path / "recipe.toml",
        f'[[sources]]\nkind = "authored"\npath = "{handover.AUTHORED}"\nlicence = "CC BY 4.0"\n',
    )
    curate(Study(tmp_path), silent)
    [example] = read_jsonl(tmp_path / "curate/train.jsonl", Example)
    assert example.messages == TURNS
    assert example.id == f"authored/studio/{draft.id}"
    [post] = example.provenance
    assert (post.author, post.licence, post.title) == ("a1", "CC BY 4.0", "chat with tuned")
    drafts.send_back(people, draft.id, "a1", "one more thought")
    assert handover.publish_authored(people, tmp_path) == 0
    assert (tmp_path / handover.AUTHORED).read_bytes() == b""
