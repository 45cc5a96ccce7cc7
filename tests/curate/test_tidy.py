"""Lines of Markdown, joined and mended: whatever shortcuts are taken, these come out."""

import pytest

from limakit.curate.tidy import POINTER, joined, tidy


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("one\ntwo\n\nthree", "one two\n\nthree"),
        ("one  \ntwo", "one  \ntwo"),
        ("> one\n> two\n> > three\n> - four", "> one two\n> > three\n> - four"),
        (">one\n>two\n>\n> 1. three\n> four", ">one two\n>\n> 1. three four"),
        ("one\n> two\nthree", "one\n> two\nthree"),
        ("- one\n  two\n- three\nfour", "- one two\n- three four"),
        ("1. one\n2. two\n3) three\n4 four", "1. one\n2. two\n3) three 4 four"),
        ("# one\ntwo", "# one\ntwo"),
        ("#\none\ntwo", "# one\ntwo"),
        ("> ## one\n> two", "> ## one\n> two"),
        ("one\n---\ntwo", "one\n---\ntwo"),
        ("| a | b |\n| --- | --- |\n| c | d |\ne", "| a | b |\n| --- | --- |\n| c | d |\ne"),
        ("one\n(two)\n“three”", "one (two) “three”"),
        ("one\n$$\nx\ny\n$$\ntwo\nthree", "one\n$$\nx\ny\n$$\ntwo three"),
        ("\\begin{a}\nx\n\\end{a}\ntwo", "\\begin{a}\nx\n\\end{a}\ntwo"),
        ("{a}\ntwo \\\\\nthree\\]\nfour", "{a} two \\\\\nthree\\]\nfour"),
        ("one\n  \ntwo", "one\n  \ntwo"),
    ],
)
def test_paragraphs_are_joined(text: str, result: str) -> None:
    assert "\n".join(joined(text.split("\n"))) == result


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("one\n> two", "one\n\n> two"),
        ("one\n\n\n\ntwo", "one\n\ntwo"),
        ("one \n\ntwo\t\n\nthree \t", "one\n\ntwo\n\nthree"),
        ("```python\na\nb \n\n\nc\n```\none\ntwo", "```\na\nb\n\n\nc\n```\none two"),
        ("~~~\na\nb\n~~~", "~~~\na\nb\n~~~"),
        ("``` and ``` in\nline", "``` and ``` in line"),
        ("one\n\n**Edit 2:** two", "one\n\ntwo"),
        ("> EDIT: one\n> two", "> one two"),
        ("one\n\nUpdated", "one\n\nUpdated"),
        ("one\n\nUpdate:\n\ntwo", "one\n\ntwo"),
        ("see https://www.example.org/a/b. Good", "see example.org. Good"),
        (f"one\n\n{POINTER}here\n\ntwo", "one\n\ntwo"),
        (f"one. More is found {POINTER}here.\n\ntwo", "one.\n\ntwo"),
        (f"one\n\n- {POINTER}here, {POINTER}there", "one"),
        ("one\n\n## Sources:", "one"),
        ("", ""),
    ],
)
def test_texts_are_mended(text: str, result: str) -> None:
    assert tidy(text) == result
