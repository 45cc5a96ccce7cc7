"""Texts made to hang what reads them: time grows with their length, and nothing of them becomes an example."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from limakit.curate import prompts, quality, remarks, rules
from limakit.curate.clean import markdown
from limakit.sources.reddit.rules import not_alone, story
from limakit.sources.wikihow.page import parse
from limakit.sources.wikihow.table import _paragraphs
from tests.sources.dumps import PROSE, answer, dump, harvest, question

SIZE = 60_000
"""Characters; what is quadratic takes ten seconds and more for them."""
BEGUN = ["<!--", "<pre", "<code>", "<a ", "<a b='", "<", "</", "<div>", "<li>"]
MARKS = ["`", "~~~", "```\n", "$", "\\(", "[a](", "> ", "* ", " ", "\n", "\t", "http://a ", "I/", "as ", "@a "]
READERS: dict[str, Callable[[str], Any]] = {
    "rules": lambda text: (rules.prose_of(text, rules.text_of(text)), rules.references(text), rules.first_person(text)),
    "image": lambda text: rules.needs_image(f"<img>{text}", text),
    "markdown": markdown,
    "prompts": lambda text: prompts.alternatives(text, text, 4096),
    "remark": remarks.plain,
    "story": lambda text: (story(text), not_alone(text)),
    "page": lambda text: parse(text).html,
    "table": _paragraphs,
    "grade": quality.grade,
}


@pytest.mark.parametrize("reader", READERS)
def test_no_text_makes_a_reader_slow(reader: str) -> None:
    for unit in BEGUN + MARKS:
        READERS[reader](unit * (SIZE // len(unit)))


LINKS = "".join(f'<li><a href="u">http://a{n}.org/{"x" * 60}</a></li>' for n in range(30))


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ("<blockquote>" * 2000 + f"<p>{PROSE * 16}</p>", "0 of"),
        (PROSE * 16 + "<ol><li>x" * 1000, "characters of"),
        (f"<p>{PROSE * 4}</p><ul>{LINKS}</ul>", "letters are left"),
    ],
    ids=["lost", "swollen", "links"],
)
def test_what_the_converter_cannot_carry_is_rejected_with_the_reason(body: str, detail: str, tmp_path: Path) -> None:
    path = dump(tmp_path / "coffee", [question(1), answer(2, 1, 12, body), question(3), answer(4, 3)])
    _, candidates, found = harvest(path, tmp_path / "out")
    assert [candidate.id for candidate in candidates] == ["stackexchange/coffee/4"]
    assert dict(found) == {"little_left": 1}
    (row,) = pq.read_table(tmp_path / "out" / "rejects.parquet").to_pylist()
    assert detail in row["detail"]
