"""What the card says of lengths, and the topic map."""

import random
import re
from pathlib import Path
from xml.etree import ElementTree

from limakit.curate import topics
from limakit.curate.attribution import card
from limakit.curate.lengths import PAPER, lengths
from limakit.curate.select import Splits
from limakit.curate.topics import topic_map
from limakit.curate.write import write_topics
from limakit.records import Example, Prompt, Turn
from limakit.store.files import read_json
from tests.curate.test_diversity import TOPICS


def example(number: int, asked: str, said: str, source: str = "stackexchange", group: str = "stem") -> Example:
    turns = (Turn(role="user", content=asked), Turn(role="assistant", content=said))
    return Example(id=f"{number}", messages=turns, source=source, group=group, site="s")


def prompt(number: int, asked: str, reference: str | None = None) -> Prompt:
    return Prompt(id=f"p{number}", messages=(Turn(role="user", content=asked),), reference=reference)


def made(count: int = 40) -> Splits:
    draw = random.Random(1)
    texts = [" ".join(draw.choices(TOPICS[kind], k=30)) for kind in list(TOPICS) * count]
    return Splits(
        train=tuple(example(n, t[:20], t, group=("stem", "other")[n % 2]) for n, t in enumerate(texts[:count])),
        dev=tuple(prompt(n, t) for n, t in enumerate(texts[:5])),
        test=tuple(prompt(10 + n, "Why < & >?", t) for n, t in enumerate(texts[:7])),
    )


def test_lengths_stand_beside_the_papers_in_its_order() -> None:
    splits = Splits(
        train=(
            example(1, "a b", "c d e", group="other"),
            example(2, "a b c d", "c"),
            example(3, "a", "b", source="wikihow", group="howto"),
            example(4, "a", "b", source="jokes", group="fun"),
        ),
        dev=(),
        test=(prompt(5, "a b c"),),
    )
    assert lengths(splits) == [
        ("jokes, fun", "1", "1", "1", "–", "–", "–"),
        ("stackexchange, stem", "1", "4", "1", "200", "117", "523"),
        ("stackexchange, other", "1", "2", "3", "200", "119", "530"),
        ("wikihow", "1", "1", "1", "200", "12", "1,811"),
        ("test", "1", "3", "–", "300", "31", "–"),
    ]
    assert sum(n for name, (n, _, _) in PAPER.items() if name not in ("dev", "test")) == 1000


def test_the_card_says_what_was_counted() -> None:
    told = {"total": {"steps": [], "rows": 0, "answers": 0, "questions": 0, "others": 0, "quarantined": 0}}
    assert "response words, mean" in card(made(), told)


def test_the_map_is_the_same_each_time_and_names_what_is_there(tmp_path: Path) -> None:
    splits = made()
    found = topic_map(splits)
    assert found == topic_map(splits)
    assert found
    drawing = found.svg
    root = ElementTree.fromstring(drawing.encode())
    texts = ["".join(node.itertext()) for node in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"train, other (20)", "train, stem (20)", "dev (5)", "test (7)"} <= set(texts)
    named = {word for text in texts if ", " in text and "(" not in text for word in text.split(", ")}
    for words in TOPICS.values():
        assert named & set(words)
    assert not re.search(r"20\d\d-\d\d-\d\dT|<script|matplotlib v", drawing)
    write_topics(tmp_path, splits, (), ())
    assert (tmp_path / "topics.svg").read_text() == drawing
    told = read_json(tmp_path / "topics.json")
    assert [point["id"] for point in told["points"]] == [item.id for kind in _in_order(splits) for item in kind]
    assert {point["kind"] for point in told["points"]} == {"train", "dev", "test"}
    assert {point["region"] for point in told["points"]} == set(range(len(told["regions"])))
    assert [region["words"] for region in told["regions"] if region["words"]] == sorted(
        (text for text in texts if ", " in text and "(" not in text), key=[r["words"] for r in told["regions"]].index
    )


def _in_order(splits: Splits):
    """Examples by group, dev, test."""
    for group in ("other", "stem"):
        yield [example for example in splits.train if example.group == group]
    yield splits.dev
    yield splits.test


def test_too_little_for_a_map_is_no_map(tmp_path: Path) -> None:
    write_topics(tmp_path, Splits(train=(example(1, "a", "b"),), dev=(), test=()), (), ())
    assert not list(tmp_path.iterdir())


def test_hostile_and_foreign_words_do_no_harm() -> None:
    texts = ["</svg><script>x</script> $\\frac{1}$", "東京 は \u202e \x00 \ud7ff", "", "мороз мороз снег"] * 6
    splits = Splits(train=tuple(example(n, t, t) for n, t in enumerate(texts)), dev=(), test=())
    found = topic_map(splits)
    assert found
    drawing = found.svg
    ElementTree.fromstring(drawing.encode())
    assert "<script" not in drawing


def test_a_large_split_is_thinned_evenly(monkeypatch) -> None:
    monkeypatch.setattr(topics, "MOST", 8)
    found = topic_map(made())
    assert found
    assert "train, stem (7)" in found.svg
