"""Hostile answers: whatever is in them stays text."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limakit.report.untrusted import MAX_CHARACTERS, TAGS, as_html, visible

from .hostile import HOSTILE, Reader


def check(text: str) -> str:
    html = as_html(text)
    seen = Reader(html)
    assert set(seen.tags) <= TAGS
    assert set(seen.attributes) <= {("class", "note")} | {a for a in seen.attributes if a[0] == "start"}
    assert not seen.open, "what an answer opens it closes"
    html.encode()
    return html


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_is_harmless(text: str) -> None:
    check(text)


@given(st.text(max_size=300))
def test_any_text_is_harmless(text: str) -> None:
    check(text)


@given(
    st.lists(st.sampled_from([*"<>[]()!`*_~|#&;\\\n \t-=+:'\"", "<a", "script", "> ", "1. ", "|-|", "x"]), max_size=60)
)
def test_any_markup_is_harmless(parts: list[str]) -> None:
    check("".join(parts))


def test_nothing_is_hidden() -> None:
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in check(HOSTILE[0])
    assert "[x](https://evil.example)" in check("[x](https://evil.example)")
    assert "⟨U+202E⟩" in check("a\u202eb")
    assert "⟨U+E0068⟩" in check(HOSTILE[57])
    assert "&amp;#x202e;" in check("&#x202e;")
    assert "(blank)" in check(" \n")
    assert "(empty)" in check("")
    assert visible("line\r\nline\rline") == "line\nline\nline"
    assert visible("Zoë, नमस्ते, مرحبا, 👩‍🔬, �") == "Zoë, नमस्ते, مرحبا, 👩‍🔬, �"


def test_markdown_is_read() -> None:
    html = check("# Title\n\n- *one*\n- `two`\n\n3. three\n\n| a |\n|---|\n| 1 |\n\n```py\nx < 1\n```\n~~no~~")
    for part in ("<h5>Title</h5>", "<em>one</em>", "<code>two</code>", '<ol start="3">', "<td>1</td>", "x &lt; 1\n"):
        assert part in html


PATHOLOGICAL = [
    "[",
    "![",
    "*a_",
    "`",
    "``a",
    "> ",
    "- ",
    "<",
    "((",
    "~~",
    "|",
    "a|\n-|\n",
    "_*",
    "\\",
    "1. ",
    "\n\n",
    "&",
    "<a ",
]


@pytest.mark.parametrize("unit", PATHOLOGICAL)
def test_huge_text_is_cut_and_quick(unit: str) -> None:
    start = time.process_time()
    html = check(unit * (100_000 // len(unit)))
    assert time.process_time() - start < 2
    assert f"{100_000 // len(unit) * len(unit) - MAX_CHARACTERS:,} more characters" in html


def test_deep_and_wide_text_is_quick() -> None:
    start = time.process_time()
    check("".join("> " * n + "x\n" for n in range(150)))
    check("".join("`" * n + " " for n in range(190)))
    assert len(check("|a" * 4000 + "|\n" + "|-" * 4000 + "|\n" + "|x|\n" * 900)) < 2_000_000
    assert time.process_time() - start < 10
