"""The authored examples: what the card promises is in the file, and the voice has no tics."""

import re
from collections import Counter

from limakit.author.sameness import sameness
from limakit.author.style import check
from limakit.recipe_sources import Authored
from limakit.records import Candidate, Turn
from limakit.sources.authored.read import read
from limakit.sources.given import Given
from tests.starter.texts import STARTER, of, rows, table

SENTENCE = re.compile(r"(?<=[.!?:])\s")
REFUSES = re.compile(r"\b(won't|not going to|rather not|where I stop|can't)\b")
EMPTY_PHRASES = re.compile(
    r"great question|good question|^certainly|^sure[,!]|^of course|as an ai|i hope this helps|feel free to|\bdelve\b"
    r"|it's important to note|it is important to note|in conclusion|—",
    re.IGNORECASE | re.MULTILINE,
)


def test_every_line_is_an_example_that_curation_takes() -> None:
    file = Given(label="embedded/train.jsonl", path=STARTER / "authored/train.jsonl")
    items = list(read([file], Authored(kind="authored", path="embedded")))
    assert len(items) == 200
    assert all(isinstance(item, Candidate) for item in items)
    assert len({row["id"] for row in rows("authored/train.jsonl")}) == 200
    assert all([m["role"] for m in row["messages"]] == ["user", "assistant"] for row in rows("authored/train.jsonl"))


def test_topics_shapes_and_harmful_requests_are_as_many_as_promised() -> None:
    index = table("authored/index.csv")
    assert [row["id"] for row in index] == [text.id for text in of("train")]
    topics, shapes = Counter(r["topic"] for r in index), Counter(r["category"] for r in rows("authored/train.jsonl"))
    assert len(topics) >= 40
    assert max(topics.values()) <= 12, "no topic is more than 6 in 100"
    assert len(shapes) == 20
    assert min(shapes.values()) >= 5
    assert shapes["structured-output"] >= 6
    assert sum(row["harmful"] == "yes" for row in index) == 13
    card = (STARTER / "authored/README.md").read_text(encoding="utf-8")
    named = dict(re.findall(r"\| ([A-Za-z][\w ,-]+?) \| (\d+)(?= \|)", card))
    assert {**topics, **shapes} == {
        name: int(number) for name, number in named.items() if name not in ("prompt", "response")
    }


def test_harmful_requests_are_declined_with_a_way_out() -> None:
    harmful = {row["id"] for row in table("authored/index.csv") if row["harmful"] == "yes"}
    for text in of("train"):
        if text.id in harmful:
            assert REFUSES.search(text.answer[:700]), f"{text.id} does not say what it will not do"
            assert re.search(r"^(\d\.|-|\*\*|>)", text.answer, re.MULTILINE), f"{text.id} offers nothing instead"


def test_lengths_are_spread_like_the_papers() -> None:
    """In tokens at four letters a token: about 330 on average, a tenth of a line or two, some of 1,000."""
    tokens = sorted(len(text.answer) / 4 for text in of("train"))
    assert 310 <= sum(tokens) / 200 <= 380
    assert tokens[20] <= 80
    assert 280 <= tokens[100] <= 420
    assert tokens[-10] >= 1000
    assert tokens[-1] <= 1600


def test_no_opening_or_closing_is_a_formula() -> None:
    firsts = Counter(" ".join(SENTENCE.split(text.answer)[0].lower().split()[:3]) for text in of("train"))
    lasts = Counter(" ".join(re.split(r"(?<=[.!?])\s+", text.answer)[-1].lower().split()[:3]) for text in of("train"))
    assert firsts.most_common(1)[0][1] <= 3, firsts.most_common(3)
    assert lasts.most_common(1)[0][1] <= 3, lasts.most_common(3)
    assert sum(text.answer.endswith("?") for text in of("train")) <= 30


def test_the_voice_has_no_empty_phrases() -> None:
    for text in (*of("train"), *of("dialogue"), *of("dev"), *of("test")):
        found = EMPTY_PHRASES.search(text.answer)
        assert found is None, f"{text.id}: {found[0] if found else ''}"


MEANT = {
    ("authored-031", "repeats_prompt"): "the columns are named in the request",
    ("authored-054", "shouts"): "a radio commentator",
    ("authored-088", "no_acknowledgement"): "a poem",
    ("authored-092", "wall_of_text"): "a letter",
    ("authored-117", "wall_of_text"): "one paragraph was asked for",
    ("authored-150", "repeats_prompt"): "the first sentence was given",
    ("authored-184", "claims_experience"): "words for the asker to say",
    ("authored/starter/dialogue-03", "claims_experience"): "an inscription",
    ("authored/starter/dialogue-16", "no_acknowledgement"): "it goes straight to the doubt",
    ("authored/starter/dialogue-21", "all_list"): "a checklist at the telescope",
}
"""What the voice checks point at, and why it stays."""


def test_voice_checks_find_nothing_that_is_not_meant() -> None:
    rows_of = [*rows("authored/train.jsonl"), *rows("dialogues/chains.jsonl")]
    examples = [(row["id"], tuple(Turn(**message) for message in row["messages"])) for row in rows_of]
    assert {(name, finding.check) for name, turns in examples for finding in check(turns)} == set(MEANT)
    assert sameness(examples) == []
