"""Comments beneath an answer → dialogues: who speaks to whom, what is refused, and that every row is counted."""

import random
from pathlib import Path

import orjson
import pyarrow.parquet as pq
import pytest

from limakit.errors import InputError
from limakit.pipeline.exporting import export
from limakit.sources.stackexchange.comments import Comment, Thread
from limakit.sources.stackexchange.dialogues import exchanges
from limakit.sources.stackexchange.find import find_dumps
from limakit.store.study import Study
from tests.sources.dumps import answer, dump, question, row
from tests.sources.items import curated
from tests.sources.test_fuzz_dumps import FEWER, mutated

ASKER, ANSWERER, OTHER = 4, 5, 6
ASKED = "Does the same hold for a pan that is only lukewarm, or does it need more heat?"
SAID = "It holds for every pan that is hotter than the hand; a lukewarm one merely takes longer to hurt."
RECIPE = '[[sources]]\nkind = "stackexchange"\npath = "dumps"\ndialogues = true\n[curate]\nnear_duplicates = 0.0\n'


def comment(number: int, post: int, user: int | None, text: str, **more: object) -> str:
    """The row of a comment."""
    moment = f"2015-02-01T10:{number % 60:02d}:00.000"
    return row({"Id": number, "PostId": post, "Score": 0, "Text": text, "CreationDate": moment, "UserId": user, **more})


def study(folder: Path, comments: list[str], questions: int = 2) -> Path:
    """A community of questions 1, 3, … with answers 2, 4, …, and these comments."""
    rows = [line for n in range(1, 2 * questions, 2) for line in (question(n), answer(n + 1, n))]
    site = folder / "dumps" / "kitchen.example"
    dump(site, rows)
    body = "\n".join(comments)
    (site / "Comments.xml").write_text(f'<?xml version="1.0" encoding="utf-8"?>\n<comments>\n{body}\n</comments>')
    users = "\n".join(f'  <row Id="{n}" DisplayName="{name}" />' for n, name in ((4, "Asa"), (5, "Bea"), (6, "Cy")))
    (site / "Users.xml").write_text(f"<users>\n{users}\n</users>")
    return folder


def said(*spoken: tuple[int, str]) -> list[list[str]]:
    """The exchanges of a thread, as texts."""
    thread = tuple(Comment("2015", n, 2, user, text, None) for n, (user, text) in enumerate(spoken))
    pairs = exchanges(Thread("x", 2, ANSWERER, ASKER, thread))
    return [[" ".join(c.text for c in part) for part in pair] for pair in pairs]


def test_speakers_alternate_and_comments_in_a_row_are_one_turn() -> None:
    talk = [(ASKER, "a?"), (ASKER, "b"), (ANSWERER, "c"), (ANSWERER, "d"), (ASKER, "e"), (ANSWERER, "f"), (ASKER, "g")]
    assert said(*talk) == [["a? b", "c d"], ["e", "f"]]


def test_a_dialogue_begins_with_a_question() -> None:
    assert said((ANSWERER, "note"), (ASKER, "nice"), (ANSWERER, "yes"), (ASKER, "why?"), (ANSWERER, "so")) == [
        ["why?", "so"]
    ]
    assert said((ASKER, "nice"), (ANSWERER, "yes")) == []


def test_a_reply_after_a_stranger_is_not_taken_for_one_to_the_asker() -> None:
    assert said((ASKER, "a?"), (OTHER, "b?"), (ANSWERER, "to whom")) == []
    assert said((ASKER, "a?"), (ANSWERER, "b"), (OTHER, "c?"), (ANSWERER, "d"), (ASKER, "e?"), (ANSWERER, "f")) == [
        ["a?", "b"],
        ["e?", "f"],
    ]
    assert said((OTHER, "x?"), (ASKER, "@Cy no?"), (ANSWERER, "c")) == []


def test_a_thread_becomes_a_dialogue_with_its_origins(tmp_path: Path) -> None:
    more = ("@Bea: Thanks. See [this page](http://x.org/y_(z)), is it right?", SAID.replace("merely", "just"))
    told = [(ASKER, f"@Bea, {ASKED}"), (ANSWERER, f"@Asa {SAID}"), (ASKER, more[0]), (ANSWERER, more[1])]
    rows = [comment(n, 2, user, text) for n, (user, text) in enumerate(told, 10)]
    study(tmp_path, [*rows, comment(30, 4, OTHER, "Nothing to do with it.", ContentLicense="CC BY-SA 4.0")])
    funnel, train = curated(tmp_path, RECIPE)
    talk, other = sorted(train, key=lambda e: -len(e["messages"]))
    assert talk["id"] == "stackexchange/kitchen.example/2/dialogue"
    assert talk["group"] == "dialogues"
    assert [turn["role"] for turn in talk["messages"]] == ["user", "assistant"] * 3
    assert [turn["content"] for turn in talk["messages"][2:]] == [
        ASKED, SAID, "Thanks. See this page, is it right?", more[1],
    ]  # fmt: skip
    assert [(o["id"], o["author"]) for o in talk["provenance"]] == [
        ("2", "Bea"), ("1", "Asa"), ("2#comment10", "Asa"), ("2#comment11", "Bea"), ("2#comment12", "Asa"),
        ("2#comment13", "Bea"),
    ]  # fmt: skip
    assert talk["provenance"][2]["url"] == "https://kitchen.example/a/2#comment10_2"
    assert talk["provenance"][2]["licence"] == "CC BY-SA 3.0"
    assert other["id"] == "stackexchange/kitchen.example/4"
    total = funnel["total"]
    assert (total["rows"], total["answers"], total["others"], total["kept"]) == (9, 3, 4, 2)
    assert {s["rule"]: s["taken"] for s in total["steps"] if s["taken"]} == {"in_dialogue": 1}
    credits = (tmp_path / "curate" / "ATTRIBUTION.md").read_text()
    assert "comment [2\\#comment11](<https://kitchen.example/a/2#comment11_2>) by [Bea]" in credits
    done = export(Study(tmp_path), tmp_path / "out", "alpaca", accept_findings=False)
    assert done["exported"] == 2
    first = orjson.loads((tmp_path / "out" / "train.jsonl").read_bytes().splitlines()[0])
    assert len(first["history"]) in (0, 2)


@pytest.mark.parametrize(
    ("asked", "reply", "why"),
    [
        ("Why?", SAID, "a remark of 4 characters"),
        (ASKED, "Yes, it does.", "a reply of 13 characters"),
        (ASKED, f"I think so. {SAID}", "first person"),
        (ASKED, f"As others mentioned, yes. {SAID}", "references"),
        (ASKED, f"Please ask that as a new question. {SAID}", "speaks of the site"),
    ],
)
def test_what_makes_no_dialogue_is_refused_and_its_answer_kept(
    asked: str, reply: str, why: str, tmp_path: Path
) -> None:
    study(tmp_path, [comment(1, 2, ASKER, asked), comment(2, 2, ANSWERER, reply)])
    funnel, train = curated(tmp_path, RECIPE)
    assert {e["id"].rpartition("/")[2] for e in train} == {"2", "4"}
    (refused,) = pq.read_table(tmp_path / "curate" / "rejects.parquet").to_pylist()
    assert (refused["id"], refused["rule"]) == ("stackexchange/kitchen.example/2/dialogue", "poor_exchange")
    assert why in refused["detail"]
    assert funnel["total"]["others"] == 1


def test_a_bad_exchange_ends_a_dialogue_that_began_well(tmp_path: Path) -> None:
    told = [(ASKER, ASKED), (ANSWERER, SAID), (ASKER, "Thanks a lot for your patience."), (ANSWERER, "Welcome!")]
    study(tmp_path, [comment(n, 2, user, text) for n, (user, text) in enumerate(told)])
    _, train = curated(tmp_path, RECIPE)
    assert max(len(e["messages"]) for e in train) == 4


@pytest.mark.parametrize("quota", [0, 1])
def test_a_dialogue_and_its_answer_are_no_near_duplicates_and_never_taken_together(quota: int, tmp_path: Path) -> None:
    study(tmp_path, [comment(1, 2, ASKER, ASKED), comment(2, 2, ANSWERER, SAID)], questions=1)
    settings = f"near_duplicates = 0.1\nquotas = {{ dialogues = {quota}, other = 9 }}\n"
    funnel, train = curated(tmp_path, RECIPE.replace("near_duplicates = 0.0\n", settings))
    assert [len(e["messages"]) for e in train] == [4 if quota else 2]
    fell = {s["rule"] for s in funnel["total"]["steps"] if s["taken"]}
    assert fell == ({"in_dialogue"} if quota else {"no_quota"})


def test_the_quota_decides_and_what_is_left_over_is_a_single_answer(tmp_path: Path) -> None:
    rows = [comment(10 * n + k, 2 * n, (ASKER, ANSWERER)[k], (ASKED, SAID)[k]) for n in (1, 2, 3) for k in (0, 1)]
    study(tmp_path, rows, questions=3)
    _, train = curated(tmp_path, RECIPE + "quotas = { dialogues = 1, other = 9 }\n")
    assert sorted(len(e["messages"]) for e in train) == [2, 2, 4]
    assert len({e["provenance"][1]["id"] for e in train}) == 3


def test_dialogues_without_comments_are_one_clear_line(tmp_path: Path) -> None:
    dump(tmp_path / "coffee", [question(1), answer(2, 1)])
    with pytest.raises(InputError, match=r"has no comments to make dialogues of\. Put Comments\.xml beside"):
        find_dumps(tmp_path / "coffee", comments=True)


def test_mutated_comments_lose_no_row_of_the_count(tmp_path: Path) -> None:
    rows = [comment(10 * n + k, 2 * n, (ASKER, ANSWERER)[k], (ASKED, SAID)[k]) for n in (1, 2, 3) for k in (0, 1)]
    study(tmp_path, rows, questions=3)
    path = tmp_path / "dumps" / "kitchen.example" / "Comments.xml"
    whole = path.read_bytes()
    for seed in range(FEWER):
        path.write_bytes(mutated(whole, random.Random(3_000_000 + seed)))
        funnel, train = curated(tmp_path, RECIPE)  # raises where the counts do not add up
        assert funnel["total"]["answers"] >= 3, seed
        assert all(e["messages"][-1]["role"] == "assistant" for e in train)
