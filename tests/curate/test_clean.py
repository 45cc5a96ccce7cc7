"""HTML → Markdown, by worked examples of what real answers hold."""

from importlib import resources
from pathlib import Path

import pytest
from html_to_markdown import convert
from hypothesis import given
from hypothesis import strategies as st

from limakit.curate import clean
from limakit.curate.clean import markdown
from limakit.curate.prompts import alternatives, description_prompt, title_prompt
from limakit.curate.tidy import tidy
from limakit.sources.stackexchange import rows
from limakit.sources.stackexchange.split import Split, units


def test_the_converter_still_does_what_we_work_round() -> None:
    """Golden: html-to-markdown doubles a backslash before punctuation and escapes what looks like a list."""
    assert convert(r"<p>\(a\)</p>").content == "\\\\(a\\\\)\n"
    assert convert("<p>1. x</p>").content == "1\\. x\n"


@pytest.mark.parametrize(
    "formula",
    [
        r"\(a_1 \le b\)",
        r"\\(a\\)",
        r"\[x^2\]",
        r"$\{x\} \,\; a\_b$",
        r"$$\begin{pmatrix} a & b \\ c & d \\\hline \end{pmatrix}$$",
        "$a < b$ and $c > d$",
        r"in the case of $\mu < l_i$ should be 1. Ideally, it is",
        r"C:\dir\_x costs \$5 and a_b_c * d",
    ],
)
def test_formulas_and_backslashes_come_out_as_they_went_in(formula: str) -> None:
    escaped = formula.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert markdown(f"<p>{escaped}</p>\n") == formula


def test_a_bare_less_than_loses_nothing() -> None:
    assert markdown(r"<p>in the case of $\mu < l_i$ should be 1. Ideally, <b>more</b></p>") == (
        r"in the case of $\mu < l_i$ should be 1. Ideally, **more**"
    )


def test_display_formulas_keep_their_lines() -> None:
    html = "<p>So\n$$\n1,\\quad 2\n$$\nand\nmore\n\\begin{align}\na &amp;= b \\\\\nc &amp;= d\n\\end{align}\ndone</p>"
    assert markdown(html) == (
        "So\n$$\n1,\\quad 2\n$$\nand more\n\\begin{align}\na &= b \\\\\nc &= d\n\\end{align}\ndone"
    )


def test_code_is_kept_to_the_letter_in_fences_without_language() -> None:
    code = "def f(a):\n    return a &lt; b  # x_y *z* \\n `t`\n\n\n    # Edit: 1. x\n"
    html = f'<p>So:</p>\n\n<pre class="lang-py prettyprint-override"><code>{code}</code></pre>\n\n<p>Done.</p>'
    expected = code.replace("&lt;", "<").rstrip("\n")
    assert markdown(html) == f"So:\n\n```\n{expected}\n```\n\nDone."


def test_inline_code_keeps_its_characters() -> None:
    assert markdown(r"<p>Use <code>a_b*c\d`e</code> or <kbd>Ctrl</kbd>+<kbd>C</kbd>.</p>") == (
        r"Use ``a_b*c\d`e`` or `Ctrl`+`C`."
    )


def test_fences_inside_code_do_not_end_it() -> None:
    html = "<pre><code>```\nEdit: x\n```\n</code></pre>\n<p>Edit: y</p>"
    assert "Edit: x" in markdown(html)
    assert markdown(html).endswith("\n\ny")


def test_lists_nest_and_hold_code() -> None:
    html = (
        "<ol>\n<li><p>one\n  wrapped</p>\n\n<ul>\n<li>sub a</li>\n<li>sub b\n<ol><li>deep</li></ol></li>\n</ul></li>\n"
        "<li><p>two</p>\n\n<pre><code>code\n  in list\n</code></pre></li>\n</ol>"
    )
    assert markdown(html) == (
        "1. one wrapped\n\n   - sub a\n   - sub b\n     1. deep\n\n2. two\n\n   ```\n   code\n     in list\n   ```"
    )


def test_a_list_may_begin_anywhere() -> None:
    assert markdown('<ol start="5"><li>five</li><li>six</li></ol>') == "5. five\n6. six"


def test_tables_quotations_and_rules() -> None:
    html = (
        "<p>Intro</p>\n<blockquote>\n  <p>quoted\n  on</p>\n  \n  <p>more</p>\n</blockquote>\n\n<p>reply</p>\n<hr>\n"
        "<table><thead><tr><th>a</th><th>b|c</th></tr></thead><tbody><tr><td>1</td><td>2</td></tr></tbody></table>"
    )
    assert markdown(html) == (
        "Intro\n\n> quoted on\n>\n> more\n\nreply\n\n---\n\n| a | b\\|c |\n| --- | --- |\n| 1 | 2 |"
    )


def test_line_breaks_of_the_author_stay() -> None:
    assert markdown("<p>roses<br>\nviolets</p><p>x<br></p>") == "roses  \nviolets\n\nx"


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("x<sup>2</sup> and 10<sup>-3</sup>", "x² and 10⁻³"),
        ("H<sub>2</sub>O", "H₂O"),
        ("19<sup>th</sup> century", "19th century"),
        ("e<sup>kT</sup>", "e^(kT)"),
        ("a<sub>max</sub>", "aₘₐₓ"),
        ("note<sup>[1]</sup>", "note[1]"),
        ("<sup>small print that goes on</sup>", "small print that goes on"),
    ],
)
def test_raised_and_lowered(html: str, text: str) -> None:
    assert markdown(f"<p>{html}</p>") == text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ('See <a href="http://x.y/z">the <b>doc</b></a> first.', "See the **doc** first."),
        ('It is so (see <a href="u">here</a>).', "It is so."),
        ('It is so. See <a href="u">here</a>. And on.', "It is so. And on."),
        ('It is so. You can find more <a href="u">here</a>', "It is so."),
        ('Heat it <a href="u">here</a> and there.', "Heat it here and there."),
        ('From <a href="http://www.a.org/b">http://www.a.org/b</a> it came.', "From a.org it came."),
        ('It is [<a href="u">1</a>] so.', "It is so."),
        ('<a href="u">a paper</a>, <a href="v">a book</a>', "a paper, a book"),
        ('<img src="i.png" alt="enter image description here">Look.', "Look."),
        ("Old (http://bare.url/x), `http://in.code/y`; text.", "Old (bare.url), `http://in.code/y`; text."),
        ('A <a href="u">https://i.stack.imgur.com/x.png</a>', "A"),
    ],
)
def test_links_leave_their_words(html: str, text: str) -> None:
    assert markdown(f"<p>{html}</p>") == text


def test_what_lost_links_announce_goes_too() -> None:
    html = '<p>Text.</p><p><strong>Sources:</strong></p><ul><li><a href="http://a.b/c">http://a.b/c</a></li></ul>'
    assert markdown(html) == "Text."
    assert markdown("<p>Text.</p><h2>More</h2><p><img src='x'></p>") == "Text."
    assert markdown("<p>Remember:</p>") == "Remember:"


def test_marks_of_editing_go_and_the_text_stays() -> None:
    assert markdown("<p>One.</p><p><strong>EDIT</strong></p><p>Two.</p>") == "One.\n\nTwo."
    assert markdown("<p><strong>Edit</strong>: also hot.</p><p>UPDATE 2: cold.</p><p>Edit the file.</p>") == (
        "also hot.\n\ncold.\n\nEdit the file."
    )


def test_lines_that_look_like_lists_read_well() -> None:
    assert markdown("<p>1. first</p><p>2) second</p><p>* note</p><p># not a heading</p>") == (
        "1. first\n\n2) second\n\n* note\n\n\\# not a heading"
    )


WORDS = st.lists(
    st.sampled_from(["alpha", "beta", "<b>gamma</b>", "$x&lt;y$", "<em>delta</em>", "3&lt;4", "<a href='u'>eps</a>"])
)


@given(WORDS)
def test_no_word_is_lost(words: list[str]) -> None:
    text = markdown("<p>" + " ".join(words) + "</p>")
    for word in ("alpha", "beta", "gamma", "$x<y$", "delta", "3<4"):
        assert text.count(word) >= sum(word.replace("<", "&lt;") in w for w in words)


@given(st.text(st.sampled_from("<>&;/abip \n`$\\*_#[]()!-1.\ue000\ue001"), max_size=60))
def test_no_html_makes_it_fail_or_leaves_private_characters(html: str) -> None:
    assert not set(markdown(html)) & {"\ue000", "\ue001"}


def test_prompts_are_title_and_description_where_each_stands_alone() -> None:
    body = "<p>The stove is hot and the pan is dry. Why does a wet hand burn sooner than a dry one?</p>"
    assert alternatives("Why does a wet hand burn? [closed]", body, 4096) == (
        "Why does a wet hand burn?",
        "The stove is hot and the pan is dry. Why does a wet hand burn sooner than a dry one?",
    )
    assert title_prompt("Why?") is None
    assert alternatives("Why?", "", 4096) == ()


@pytest.mark.parametrize(
    "html",
    [
        "",
        "<p>?</p>",
        "<p>The stove is hot and the pan is dry and a wet hand burns sooner than a dry one.</p>",
        "<p>The stove is hot and the pan is dry, see <img src='x'> why does a wet hand burn sooner?</p>",
        "<p>What does the title say about the stove that is hot and the pan that is dry?</p>",
        "<p>In another answer it says the stove is hot, why does a wet hand burn sooner than that?</p>",
    ],
)
def test_descriptions_that_lean_on_something_else_are_left_out(html: str) -> None:
    assert description_prompt(html, 4096) is None
    assert description_prompt("<p>Why does a wet hand burn sooner than a dry one on a hot pan?</p>", 10) is None


LEANS_ON_WORDS = ["The title", "Screenshots", "a picture", "an image", "photos", "diagrams", "jsfiddle"]
LEANS_ON_PLACES = ["See above", "as below", "AS ABOVE", "see below", "on topic", "on-topic"]
LEANS_ON_POSTS = ["previous question", "the other question", "another question", "my last question"]
LEANS_ON_US = ["this site", "this forum", "this community"]


@pytest.mark.parametrize("words", [*LEANS_ON_WORDS, *LEANS_ON_PLACES, *LEANS_ON_POSTS, *LEANS_ON_US])
def test_whatever_a_description_leans_on_is_seen(words: str) -> None:
    question = "Why does a wet hand burn sooner than a dry one on a hot pan?"
    assert description_prompt(f"<p>{question}</p>", 4096)
    assert description_prompt(f"<p>{question}\n{words}, tell.</p>", 4096) is None


def test_what_only_pointed_at_a_link_or_an_image_leaves_nothing_behind() -> None:
    here = '<a href="http://x.org">here</a>'
    assert markdown(f"<p>It is so.</p><p>The whole list is available {here}.</p>") == "It is so."
    assert markdown('<p>It is so.</p><p>see <img src="a.png"></p>') == "It is so."
    assert markdown(f"<p>It is so. A longer sentence about a list with many things worth knowing "
                    f"in it, all of which are available {here}.</p>").endswith("available here.")  # fmt: skip


@pytest.mark.parametrize(
    "end",
    [
        '<p><a href="u">A full guide can be found here.</a></p>',
        '<p><a href="u">Full article here</a></p>',
        '<p>For more you can always visit the <a href="u">brewers\' website here</a>.</p>',
        '<p>see</p><ul><li><a href="u">here</a></li></ul>',
    ],
)
def test_a_last_sentence_that_only_points_at_a_link_goes(end: str) -> None:
    assert markdown(f"<p>It is so.</p>\n{end}") == "It is so."


def test_a_link_that_says_something_and_ends_in_here_stays() -> None:
    said = "The yeast of the monks is older than every other brewery's, as you can read in the archive here"
    assert markdown(f'<p><a href="u">{said}</a></p>') == said


def test_a_colon_before_links_that_are_gone() -> None:
    gone = '<ul><li><a href="u">here</a></li></ul>'
    assert markdown(f"<p>Can it be? If so, look at:</p>{gone}") == "Can it be?"
    said = (
        "Fifteen years ago a group used the rule-based architecture to play several games effectively (the first two)"
    )
    assert markdown(f"<p>{said}:</p>{gone}") == f"{said}."
    assert markdown("<p>Can it be? If so:</p><pre><code>x</code></pre>").startswith("Can it be? If so:")


def test_the_faster_ways_of_converting_write_the_same() -> None:
    posts = sorted(Path(str(resources.files("limakit"))).joinpath("starter/dump").rglob("Posts.xml"))
    bodies = [
        rows.post(data[start:end]).body
        for path in posts
        for _, data, start, end, _ in units(Split(0, str(path), 0, path.stat().st_size))
        if rows.is_row(data[start:end])
    ]
    bodies += [
        '<p>See <a href="u"><em>this</em> one</a>\nand <a href="v"> that</a>.</p>',
        "<blockquote>\n  <p>a</p>\n  \n  <p>b<br>\n  c</p>\n</blockquote>\n\n<p>d</p>\n\n<hr>\n\n<p>e</p>",
        "<blockquote>\n<ul>\n<li>a</li>\n</ul>\n<p>b</p>\n</blockquote>",
        "<ul>\n<li>a</li>\n<li><p>b</p></li>\n</ul>",
        "<ul>\n<li>a\n<ol>\n<li>b</li>\n</ol></li>\n</ul>\n\n<pre><code>x &lt; y\n</code></pre>",
        "<p>&nbsp;<strong>a</strong></p>",
        '<p><a href="u"><img src="i"></a> x<sup>2</sup></p>',
    ]
    for html in bodies:
        text = clean.convert(
            html=html.replace("\\", clean._BACKSLASH), options=clean._OPTIONS, visitor=clean._VISITOR
        ).content
        assert clean.markdown(html) == tidy(clean._ESCAPE.sub(r"\1", text or "").replace(clean._BACKSLASH, "\\"))
