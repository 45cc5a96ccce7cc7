"""Each rule by worked examples."""

import pytest

from limakit.curate import rules
from limakit.curate.editor import Editor
from limakit.recipe import Curate
from tests.sources.dumps import GOOD, PROSE, value


@pytest.mark.parametrize(
    "prose",
    [
        "I would use a whisk.",
        "If so, I'd stop.",
        'He said "I know".',
        "(I think)",
        "What am I?",
        "In my view it works.",
        "My view is that it works.",
        "Do it for myself",
        "That one is mine.",
        "So do I",
    ],
)
def test_first_person_is_seen(prose: str) -> None:
    assert rules.first_person(prose)


@pytest.mark.parametrize(
    "prose",
    [
        "Disk I/O is slow.",
        "the set $I$ is an ideal",
        "a matrix I_n",
        "World War II and Type II errors",
        "Use pin I-2 of the chip.",
        "MySQL and myopia",
        "a coal mine in Wales",
        "You and your friends",
        "IIS, IV and AI",
        "see /my/path or my.cnf",
        "$my",
    ],
)
def test_what_only_looks_like_the_first_person_passes(prose: str) -> None:
    assert rules.first_person(prose) is None


@pytest.mark.parametrize(
    "prose",
    [
        "As mentioned before, heat it.",
        "As others have mentioned, heat it.",
        "as John Smith pointed out, it is so",
        "Another answer says so.",
        "The other answers are right.",
        "the accepted answer is wrong",
        "As the answer above says",
        "As in Peter's answer, stir",
        "This was asked on Stack Exchange.",
        "See StackOverflow for that.",
        "the comments above",
        "as he says in the comments",
        "please upvote it",
        "what the OP wants",
        "@peter: yes",
        "In this question on physics",
        "On math.SE there was more.",
    ],
)
def test_references_are_seen(prose: str) -> None:
    assert rules.references(prose)


@pytest.mark.parametrize(
    "prose",
    [
        "The answer to this is no.",
        "Short answer: it depends.",
        "Write a comment in the code with a leading #.",
        "The stack grows downwards; operations pop from it.",
        "Mail it to ann@example.org.",
        "A noted author suggested it in 1922.",
        "The server is at fault, exchange it.",
        "It's answer enough",
        "The above question is hard",
        "Buy it at ikea.se if you must.",
    ],
)
def test_what_only_looks_like_a_reference_passes(prose: str) -> None:
    assert rules.references(prose) is None


def test_code_and_formulas_are_not_prose() -> None:
    html = "<p>Call <code>my_function(I)</code> where $I my$ is:</p><pre class='x'><code>I = my\n</code></pre>"
    assert rules.prose_of(html, rules.text_of(html)).split() == ["Call", "where", "is:"]


def test_a_bare_less_than_takes_nothing_with_it() -> None:
    html = "<p>when $a &lt; b$ then stop, and 3 &lt; 4 but <b>not</b> 5 > 4</p>"
    assert rules.text_of(html) == "when $a < b$ then stop, and 3 < 4 but not 5 > 4"
    assert rules.text_of("<p>when $a < b$ then <i>stop</i></p>") == "when $a < b$ then stop"


def test_lengths_are_of_the_text_and_both_bounds_are_allowed() -> None:
    assert rules.too_short("x" * 1200, 1200) is None
    assert rules.too_short("x" * 1199, 1200)
    assert rules.too_long("x" * 4096, 4096) is None
    assert rules.too_long("x" * 4097, 4096)


@pytest.mark.parametrize(
    ("html", "needed"),
    [
        ("<p>It looks like this:</p>\n\n<p><a href='u'><img src='x'></a></p>", True),
        ("<p>It looks so:<br><img src='x'></p>", True),
        ("<p>As the image above shows</p><img src='x'>", True),
        ("<p><img src='x'></p><p>One reason: heat.</p>", False),
        ("<p>Write code for image processing as in the image above.</p>", False),
    ],
)
def test_needs_image(html: str, needed: bool) -> None:
    assert bool(rules.needs_image(html, rules.prose_of(html, rules.text_of(html)))) == needed


def test_comments_and_code_are_taken_out_as_a_browser_would() -> None:
    assert rules.text_of("a<!-- <b>I</b> -->b<!---->c <!-- d") == "abc <!-- d"
    html = "a <PRE class=x><code>I</code> my</pre > b <code>my</code> c <code>d <pre>e"
    assert rules.prose_of(html, rules.text_of(html)) == "a   b   c d e"
    assert rules.prose_of(r"\(I\) a $$I$$ b \[my\] c \(d", r"\(I\) a $$I$$ b \[my\] c \(d").split() == [
        "a",
        "b",
        "c",
        r"\(d",
    ]


def test_little_left() -> None:
    assert rules.little_left("many words of text", "words") == "5 of 15 letters are left"
    assert rules.little_left("x" * 400, "x" * 400 + " " * 3000) == "3400 characters of 400"
    assert rules.little_left(PROSE, PROSE) is None
    assert rules.little_left("naïve 日本語, déjà-vu ½ “x” 42", "日本") == "2 of 18 letters are left"


def test_little_prose() -> None:
    assert rules.little_prose("a few words", 200) == "9 characters outside code"
    assert rules.little_prose(PROSE * 3, 200) is None


@pytest.mark.parametrize(
    ("html", "settings", "rule"),
    [
        (GOOD, {}, None),
        (GOOD, {"min_chars": 2000}, "too_short"),
        (GOOD, {"max_chars": 100, "min_chars": 1}, "too_long"),
        (GOOD + "<p>I say.</p>", {}, "first_person"),
        (GOOD + "<p>I say.</p>", {"drop_first_person": False}, None),
        (GOOD + "<p>As mentioned.</p>", {}, "references"),
        (GOOD + "<p>As mentioned.</p>", {"drop_references": False}, None),
        (f"<p>See:</p><pre><code>{'x' * 1500}</code></pre>", {}, "little_prose"),
        (f"<p>See:</p><pre><code>{'x' * 1500}</code></pre>", {"min_prose_chars": 0}, None),
        (GOOD + "<p>Look: <img src='a.png'></p>", {}, "needs_image"),
        (GOOD + "<p>Look: <img src='a.png'></p>", {"drop_missing_images": False}, None),
    ],
)
def test_the_editor_names_the_first_rule_and_every_setting_counts(html: str, settings: dict, rule: str | None) -> None:
    editor = Editor.of(Curate(**settings))
    reason = editor.judge(html)
    assert (reason[0] if reason else None) == rule
    assert editor.judge_escaped([b"", value(html).encode(), value(html).encode()]) == [editor.judge(""), reason, reason]
