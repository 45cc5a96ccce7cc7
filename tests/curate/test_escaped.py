"""What is read of many escaped bodies at once is what is read of each one's HTML."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limakit.curate import escaped, rules
from limakit.curate.editor import Editor
from tests.sources.dumps import PROSE, value

PARTS = st.sampled_from([
    "<p>", "</p>", "<pre>", "</pre>", "<code class='a'>", "</code >", "</CODE\n>", "<pre", '<a href="x>y">', "<", ">",
    "<!-- <b> -->", "<!", "</", "/", "&", "&amp;", "&lt;b&gt;", "&nbsp;", "&#39;", "apos;", "\n", "\r", "\t", " ", "'",
    '"', "I ", "x", "é", "\u3000", "</pre\u3000>", "<codeé>", "𝛑", "$a$", "<img src='x'>", "image above: ",
])  # fmt: skip
BODIES = st.lists(st.lists(PARTS, max_size=25).map("".join), max_size=4)
LOOSE = Editor(
    min_score=1, min_chars=3, max_chars=40, drop_first_person=True, drop_references=True, min_prose_chars=2,
    drop_missing_images=True,
)  # fmt: skip


def raw(html: str) -> bytes:
    """The value of an attribute as the dump writes it, or might."""
    return value(html).replace("\t", "&#x9;").replace("x'", "x&apos;").replace("x&gt;", "x>").encode()


def whole(bodies: list[str]) -> list[tuple[str, bool]]:
    """What is expected of each body by itself."""
    return [(rules.text_of(html), "<code" in html or "<pre" in html) for html in bodies]


@given(BODIES)
def test_the_texts_of_many(bodies: list[str]) -> None:
    assert [escaped.html_of(raw(html)) for html in bodies] == bodies
    assert escaped.texts([raw(html) for html in bodies]) == whole(bodies)


@given(BODIES)
def test_the_texts_of_many_without_code(bodies: list[str]) -> None:
    found = escaped.texts_without_code({at: raw(html) for at, html in enumerate(bodies)})
    assert found == {at: rules.text_of(rules.without_code(html)) for at, html in enumerate(bodies)}


@given(BODIES)
def test_many_are_judged_as_each_is(bodies: list[str]) -> None:
    assert LOOSE.judge_escaped([raw(html) for html in bodies]) == [LOOSE.judge(html) for html in bodies]


@pytest.mark.parametrize("size", [1, 300, 1 << 18])
def test_how_many_are_worked_on_together_plays_no_part(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(escaped, "_AT_ONCE", size)
    bodies = [f"<p>{PROSE * (n % 5)}</p>\n<pre><code>if a &lt; {n}:\n  b</code></pre>" for n in range(40)]
    assert escaped.texts([raw(html) for html in bodies]) == whole(bodies)


def test_a_tag_does_not_reach_into_the_next_body() -> None:
    assert escaped.texts([raw("a <b"), raw("c> d")]) == [("a <b", False), ("c> d", False)]
