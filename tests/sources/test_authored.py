"""Examples written by hand."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given as holds
from hypothesis import strategies as st

from limakit.errors import InputError
from limakit.recipe_sources import Authored
from limakit.records import Turn
from limakit.sources import given as finding
from limakit.sources.authored.read import ENDINGS, EXPECTED, read
from limakit.sources.dialogue import dialogue
from tests.sources.items import curated, given, sort

ASK = {"role": "user", "content": "Why is bread sour?\r\n"}
SAY = {"role": "assistant", "content": "Bacteria make acids."}
SETTINGS = Authored(kind="authored", path="x", licence="CC BY 4.0", author="Ada")


def test_a_line_needs_messages_alone_and_states_its_origin(tmp_path: Path) -> None:
    file = given(tmp_path / "ours.jsonl", [{"messages": [ASK, SAY]}, {"messages": [ASK, SAY], "licence": "CC0"}])
    first, second = sort(read([file], SETTINGS)).candidates
    assert (first.source, first.site, first.group) == ("authored", "ours", "authored")
    assert first.prompts == ("Why is bread sour?",)
    assert first.replies == (Turn(role="assistant", content="Bacteria make acids."),)
    assert (first.provenance[0].licence, first.provenance[0].author) == ("CC BY 4.0", "Ada")
    assert second.provenance[0].licence == "CC0"


def test_an_example_of_another_study_keeps_its_origin(tmp_path: Path) -> None:
    origin = {"source": "stackexchange", "site": "beer", "id": "7", "licence": "CC BY-SA 3.0", "author": "Bo"}
    line = {"id": "stackexchange/beer/7", "messages": [ASK, SAY], "source": "stackexchange", "group": "other",
            "site": "beer", "provenance": [origin], "score": 12}  # fmt: skip
    (kept,) = sort(read([given(tmp_path / "x.jsonl", [line])], SETTINGS)).candidates
    assert (kept.id, kept.group, kept.score) == ("stackexchange/beer/7", "other", 12)
    assert (kept.provenance[0].licence, kept.provenance[0].author) == ("CC BY-SA 3.0", "Bo")
    (moved,) = sort(read([given(tmp_path / "x.jsonl", [line])], SETTINGS.model_copy(update={"group": "g"}))).candidates
    assert moved.group == "g"


def test_every_line_is_kept_rejected_passed_or_quarantined(tmp_path: Path) -> None:
    good = b'{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}'
    bad = [b"", b"{", b"[]", b'{"messages":[]}', good.replace(b'"b"', b'""'), good.replace(b"user", b"tool"),
           good[:-1] + b',"surprise":1}', b"\xff\xfe", b'{"messages":"\\ud800"}', good]  # fmt: skip
    got = sort(read([given(tmp_path / "x.jsonl", b"\xef\xbb\xbf" + good + b"\r\n" + b"\n".join(bad))], SETTINGS))
    assert (len(got.candidates), got.rules, got.passed["other"]) == (2, {"no_dialogue": 3}, 1)
    assert [d.place for d in got.damaged] == ["line 3", "line 4", "line 8", "line 9", "line 10"]
    assert "surprise" in got.damaged[2].reason


@pytest.mark.parametrize(
    ("spoken", "says"),
    [
        ([("user", "a"), ("user", "b")], "two turns of the user in a row"),
        ([("assistant", "a")], "begins with the assistant"),
        ([("user", "a")], "no answer"),
        ([], "no answer"),
        ([("user", "a"), ("assistant", " ")], "an empty turn"),
        ([("user", "a"), ("assistant", "b"), ("system", "c")], "a system message within the dialogue"),
        ([("user", "a"), ("tool", "b")], "speaker 'tool'"),
    ],
)
def test_what_is_no_dialogue_says_why(spoken: list[tuple[str, str]], says: str) -> None:
    assert dialogue(spoken) == says


def test_a_system_message_goes_before_the_first_words_and_an_unanswered_turn_is_cut() -> None:
    spoken = [("system", "Be brief."), ("human", "Hi"), ("gpt", "Hello"), ("human", "And?")]
    assert dialogue(spoken) == (
        Turn(role="user", content="Be brief.\n\nHi"),
        Turn(role="assistant", content="Hello"),
    )


@holds(st.lists(st.tuples(st.sampled_from(["user", "gpt", "system", "x"]), st.text(max_size=3)), max_size=6))
def test_a_dialogue_alternates_and_ends_with_the_assistant(spoken: list[tuple[str, str]]) -> None:
    turns = dialogue(spoken)
    if not isinstance(turns, str):
        assert [t.role for t in turns] == ["user", "assistant"] * (len(turns) // 2)
        assert all(t.content.strip() for t in turns)


def test_files_are_found_or_named_as_missing(tmp_path: Path) -> None:
    given(tmp_path / "b" / "two.jsonl", "")
    given(tmp_path / "a.jsonl", "")
    given(tmp_path / "notes.txt", "")
    assert [f.label for f in finding.find(tmp_path, ENDINGS, EXPECTED)] == ["a.jsonl", "b/two.jsonl"]
    for path, says in (("notes.txt", "not a file of this kind"), ("none", "no such file"), ("empty", "in this folder")):
        (tmp_path / "empty").mkdir(exist_ok=True)
        with pytest.raises(InputError, match=says):
            finding.find(tmp_path / path, ENDINGS, EXPECTED)


def test_authored_examples_are_taken_whole_unless_a_quota_names_them(tmp_path: Path) -> None:
    rows = [{"messages": [ASK, {**SAY, "content": f"Answer {n}."}]} for n in range(7)]
    given(tmp_path / "ours.jsonl", [*rows, rows[0], {"messages": [ASK]}, {"messages": 3}])
    source = '[[sources]]\nkind = "authored"\npath = "ours.jsonl"\n'
    funnel, train = curated(tmp_path, source)
    assert len(train) == 7
    total = funnel["total"]
    assert (total["rows"], total["answers"], total["quarantined"], total["rejected"]) == (10, 9, 1, 2)
    assert {s["rule"]: s["taken"] for s in total["steps"] if s["taken"]} == {"no_dialogue": 1, "same_post": 1}
    assert pq.read_table(tmp_path / "curate" / "rejects.parquet").num_rows == 2
    _, train = curated(tmp_path, source + "[curate]\nquotas = { authored = 3 }\n")
    assert len(train) == 3
    _, train = curated(tmp_path, source + 'group = "stem"\n[curate]\nquotas = { stem = 2 }\n')
    assert [e["group"] for e in train] == ["stem"] * 2


def test_even_groups_pay_no_heed_to_scores(tmp_path: Path) -> None:
    rows = [{"messages": [ASK, {**SAY, "content": f"Answer {n}."}], "score": n, "id": str(n)} for n in range(40)]
    given(tmp_path / "ours.jsonl", rows)
    source = '[[sources]]\nkind = "authored"\npath = "ours.jsonl"\n[curate]\nquotas = { authored = 5 }\n'
    _, best = curated(tmp_path, source)
    assert [e["score"] for e in best] == [35, 36, 37, 38, 39]
    _, drawn = curated(tmp_path, source + 'even_groups = ["authored"]\n')
    assert [e["score"] for e in drawn] != [35, 36, 37, 38, 39]
