"""Drafts: nothing typed is lost, and nobody accepts their own."""

import itertools
import time

import pytest

from limakit.author import drafts
from limakit.errors import InputError
from limakit.records import Turn


def told(*texts: str) -> list[Turn]:
    return [Turn(role="assistant" if at % 2 else "user", content=text) for at, text in enumerate(texts)]


def written(people, person="a1"):
    draft = drafts.start(people, person)
    return drafts.save(people, draft.id, person, told("Why is the sky blue?", "Air scatters."), "science", base=1)


def test_a_draft_begins_empty_and_says_what_is_missing(people):
    draft = drafts.start(people, "a1")
    assert (draft.state, draft.version, draft.objection()) == ("draft", 1, "the prompt is empty")
    with pytest.raises(drafts.Refused, match="prompt is empty"):
        drafts.submit(people, draft.id, "a1")
    draft = drafts.save(people, draft.id, "a1", told("Why?", ""), "", base=1)
    assert draft.objection() == "turn 2 is empty"
    assert drafts.save(people, draft.id, "a1", told("Why?"), "", base=draft.version).objection() is not None


def test_saves_in_one_sitting_are_one_version_and_later_ones_are_new(people, monkeypatch):
    draft = written(people)
    assert draft.version == 1
    later = time.time() + 100
    monkeypatch.setattr(time, "time", lambda: later)
    draft = drafts.save(people, draft.id, "a1", told("Why is the sky blue?", "Air scatters light."), "", base=1)
    assert draft.version == 2
    assert [version.turns[1].content for version in drafts.history(people, draft.id)] == [
        "Air scatters light.",
        "Air scatters.",
    ]
    assert drafts.save(people, draft.id, "a1", draft.turns, draft.category, base=2).version == 2


def test_two_tabs_keep_both_texts(people, monkeypatch):
    draft = written(people)
    clock = itertools.count(time.time() + 100, 100)
    monkeypatch.setattr(time, "time", lambda: next(clock))
    second = drafts.save(people, draft.id, "a1", told("Why?", "From the second tab."), "", base=1)
    with pytest.raises(drafts.Conflict) as conflict:
        drafts.save(people, draft.id, "a1", told("Why?", "From the first tab."), "", base=1)
    assert conflict.value.kept == second.version + 1
    assert conflict.value.draft.turns[1].content == "From the second tab."
    with pytest.raises(drafts.Conflict) as again:
        drafts.save(people, draft.id, "a1", told("Why?", "From the first tab."), "", base=1)
    assert again.value.kept == conflict.value.kept, "the page's second try stores nothing new"
    mine = drafts.save(people, draft.id, "a1", told("Why?", "From the first tab."), "", base=second.version)
    assert mine.turns[1].content == "From the first tab."
    kept = {version.turns[1].content for version in drafts.history(people, draft.id)}
    assert kept == {"Air scatters.", "From the second tab.", "From the first tab."}


def test_a_second_person_accepts_the_version_they_read(people):
    draft = drafts.submit(people, written(people).id, "a1")
    with pytest.raises(drafts.Refused, match="who wrote in it"):
        drafts.accept(people, draft.id, "a1", version=draft.version)
    with pytest.raises(drafts.Refused, match="changed since"):
        drafts.accept(people, draft.id, "a2", version=draft.version + 1)
    done = drafts.accept(people, draft.id, "a2", version=draft.version)
    assert (done.state, done.decided_by) == ("accepted", "a2")
    assert drafts.accept(people, draft.id, "a2", version=draft.version) == done
    with pytest.raises(drafts.Refused, match="accepted"):
        drafts.save(people, draft.id, "a1", told("a", "b"), "", base=draft.version)


def test_sent_back_with_a_note_changed_and_submitted_again(people):
    draft = drafts.submit(people, written(people).id, "a1")
    draft = drafts.send_back(people, draft.id, "a2", " Say why first. ")
    assert (draft.state, draft.note) == ("draft", "Say why first.")
    changed = drafts.save(people, draft.id, "a1", told("Why is the sky blue?", "Because."), "", base=draft.version)
    assert changed.version == draft.version + 1, "what somebody has read is not written over"
    with pytest.raises(drafts.Refused, match="somebody else"):
        drafts.save(people, draft.id, "a2", told("a", "b"), "", base=changed.version)
    with pytest.raises(drafts.Refused, match="somebody else"):
        drafts.submit(people, draft.id, "a2")
    drafts.drop(people, draft.id, "a1")
    assert drafts.all_drafts(people) == []
    assert drafts.pick_up(people, draft.id, "a1").state == "draft"


def test_damaged_turns_are_refused_and_hostile_characters_mended(people):
    draft = drafts.start(people, "a1")
    for turns in ([], told("x")[::-1] + told("y"), told(*["x"] * 41), told("x" * 60_001)):
        with pytest.raises(InputError):
            drafts.save(people, draft.id, "a1", turns, "", base=1)
    saved = drafts.save(people, draft.id, "a1", told("a\r\nb\0\ud800", "c"), "", base=1)
    assert saved.turns[0].content == "a\nb\ufffd?"
    with pytest.raises(InputError, match="no such draft"):
        drafts.find(people, "nobody")
