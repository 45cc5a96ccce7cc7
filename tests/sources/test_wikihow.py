"""How-to articles: pages and tables."""

from pathlib import Path

import pytest
from hypothesis import given as holds
from hypothesis import strategies as st

from limakit.curate.clean import markdown
from limakit.engine import silent
from limakit.errors import InputError
from limakit.recipe_sources import WikiHow
from limakit.sources.given import Given, find
from limakit.sources.wikihow import text
from limakit.sources.wikihow.page import parse
from limakit.sources.wikihow.read import ENDINGS, EXPECTED, check, read
from tests.sources.items import Sorted, curated, given, sort

SETTINGS = WikiHow(kind="wikihow", path="x", min_chars=0)
STEP = '<li><div class="mwimg"><img alt="x"><noscript><img></noscript></div><div class="step_num">1</div>'
PAGE = f"""<html><head><link rel="canonical" href="https://example.org/Fold-a-Map"></head><body>
<ul id="breadcrumb"><li><a href="/c">Categories</a></li><li><a>Travel &amp; Maps</a></li><li>Paper</li></ul>
<h1 id="section_0"><a href="/f">How to Fold a Map</a></h1>
<div id="intro" class="section"><div id="coauthor_byline" class="article_byline"><p>By Ada</p></div>
<p>This article shows it, if 3 &lt; 4. This wikiHow <b>works</b>.<sup class="reference">[1]</sup></p></div>
<div class="section steps"><h3><div class="altblock">Part 1</div><span class="mw-headline">Flat</span></h3>
<ol>{STEP}<div class="step"><b>Lay it out.</b> On a <a href="/t">table</a>.<ul><li>Or a floor.</li></ul></div></li>
{STEP}<div class="step"><b>Fold.</b><script>x < y</script></div></li></ol></div>
<div class="section tips"><p>Prune me.</p></div><p>And me.</p>
<script>{{"datePublished": "2014-04-09", "dateModified": "2020-08-06"}}</script>
<a rel="license" href="https://creativecommons.org/licenses/by-nc-sa/3.0/">CC</a></body></html>"""


def run(*files: Given, settings: WikiHow = SETTINGS) -> Sorted:
    return sort(read(files, settings, markdown, silent))


def test_a_page_becomes_title_and_article(tmp_path: Path) -> None:
    (kept,) = run(given(tmp_path / "a.html", PAGE)).candidates
    assert (kept.site, kept.group, kept.prompts) == ("Travel & Maps", "wikihow", ("How to Fold a Map",))
    assert kept.replies[0].content == (
        "The following answer shows it, if 3 < 4. The following answer **works**.\n\n### Flat\n\n"
        "1. **Lay it out.** On a table.\n   - Or a floor.\n2. **Fold.**"
    )
    (origin,) = kept.provenance
    assert (origin.id, origin.url) == ("fold-a-map", "https://example.org/Fold-a-Map")
    assert (origin.licence, origin.created, origin.edited) == ("CC BY-NC-SA 3.0", "2014-04-09", "2020-08-06")


def test_the_recipes_licence_serves_where_the_page_states_none(tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"licence": "mine"})
    stated = run(given(tmp_path / "a.html", PAGE), settings=settings).candidates[0]
    silent_page = run(given(tmp_path / "b.html", PAGE.split("<a rel=")[0]), settings=settings).candidates[0]
    assert (stated.provenance[0].licence, silent_page.provenance[0].licence) == ("CC BY-NC-SA 3.0", "mine")


@pytest.mark.parametrize(
    ("title", "prompt"),
    [
        ("3 Ways to Grill Zucchini - wikiHow", "How to Grill Zucchini"),
        ("How to Marinate Pork: 13 Steps (with Pictures) - wikiHow", "How to Marinate Pork"),
        ("How to Remove Lint from Clothes: 14+ Easy Methods", "How to Remove Lint from Clothes"),
        ("3 Simple Ways to Pass a Coding Interview", "How to Pass a Coding Interview"),
        ("The Best Way to Rest", "How to Rest"),
        ("Zoom on a Phone", "How to Zoom on a Phone"),
        ("How to Read Dune: Part Two", "How to Read Dune: Part Two"),
        (" ", ""),
    ],
)
def test_titles_become_prompts(title: str, prompt: str) -> None:
    assert text.prompt(title) == prompt


TABLE = """title,heading,paragraph
How to Nap: 2 Steps,,This article is short.
How to Nap: 2 Steps,Lie down.,"Lie down. On a sofa,
or a bed."
How to Nap: 2 Steps,Sleep.,Sleep.
3 Ways to Rest,Stop.,Stop. Now.
one,two
"broken" quote,x,y
"""


def test_a_table_of_steps_and_one_of_categories(tmp_path: Path) -> None:
    known = given(tmp_path / "cat.csv", "title,category\nHow to Nap: 2 Steps,Health\n")
    got = run(known, given(tmp_path / "x.csv", b"\xef\xbb\xbf" + TABLE.replace("\n", "\r\n").encode()))
    nap, rest = got.candidates
    assert (nap.id, nap.prompts) == ("wikihow/Health/nap", ("How to Nap",))
    assert nap.replies[0].content == (
        "The following answer is short.\n\n1. **Lie down.** On a sofa,\n   or a bed.\n\n2. **Sleep.**"
    )
    assert (rest.site, rest.replies[0].content) == ("uncategorised", "1. **Stop.** Now.")
    assert [(d.place, d.reason) for d in got.damaged] == [
        ("line 7", "2 fields, not 3"),
        ("line 8", "',' expected after '\"'"),
    ]
    assert got.passed == {"other": 1}


@pytest.mark.parametrize(
    ("raw", "read"),
    [
        ("Rest.[1] X Research source Then go.", "Rest. Then go."),
        (
            "Rest[2] X Trustworthy Source Some Clinic Site of a hospital. Go to source [10] X Research source . Go.",
            "Rest. Go.",
        ),
        ("Rest.[3] X Expert Source Ada Lovelace, DPMSmith Expert Interview. 21 April 2020. Go.", "Rest. Go."),
        ("Rest.[4] X Expert Source cut", "Rest. cut"),
        ("Let [1] X be. Mark [2] X or O.", "Let [1] X be. Mark [2] X or O."),
    ],
)
def test_reference_marks_that_tables_carry_go(raw: str, read: str) -> None:
    assert text.unreferenced(raw) == read


def test_a_table_of_whole_articles_and_the_shortest_that_is_kept(tmp_path: Path) -> None:
    file = given(
        tmp_path / "x.csv",
        'title,result\nZoom,"1. Pinch.\n2. Wait. "\nNap,1. Nap.\nNothing,\nFry,"• a pan\n• an egg"\n',
    )
    got = run(file, settings=SETTINGS.model_copy(update={"min_chars": 10}))
    assert [c.replies[0].content for c in got.candidates] == ["1. Pinch.\n2. Wait."]
    assert got.rules == {"short_article": 2, "no_article": 1}
    assert [r.detail for r in got.rejects if r.rule == "no_article"] == ["a list of things, not of steps"]


ALL = """headline,title,text
"
Clear the desk.,
Sort the pens!","How to Tidy a Desk1","Take all of it off.;
, Keep two. Bin the others:


One blue.
One red."
"
Wipe it.",How to Tidy a Desk2,With a wet cloth.
"
Boil.,
Cool.",How to Cook an Egg,"Ten minutes."
"",How to Play an MP3,
"""


def test_a_table_with_a_row_a_method_joins_the_methods_of_an_article(tmp_path: Path) -> None:
    """The layout of wikihowAll.csv: headings and paragraphs in a field each, with commas where they were parted."""
    got = run(given(tmp_path / "wikihowAll.csv", ALL))
    (desk,) = got.candidates
    assert (desk.id, desk.prompts) == ("wikihow/uncategorised/tidy-a-desk", ("How to Tidy a Desk",))
    assert desk.replies[0].content == (
        "### Method 1\n\n1. **Clear the desk.** Take all of it off.\n\n"
        "2. **Sort the pens!** Keep two. Bin the others:\n   \n   \n   One blue.\n   One red.\n\n"
        "### Method 2\n\n1. **Wipe it.** With a wet cloth."
    )
    assert [(r.id.rpartition("/")[2], r.rule, r.detail) for r in got.rejects] == [
        ("cook-an-egg", "no_article", "2 headings for 1 paragraphs"),
        ("play-an-mp3", "no_article", "0 headings for 1 paragraphs"),
    ]


SEP = """overview,headline,text,sectionLabel,title
This article is on desks.,Clear it.,Take all off.,Emptying,How to Tidy a Desk
This article is on desks.,Sort.,Keep two.,Emptying,How to Tidy a Desk
This article is on desks.,Wipe.,With a cloth.,Cleaning,How to Tidy a Desk
An egg is soon done.,Boil it.,Ten minutes.,Steps,How to Cook an Egg
"""


def test_a_table_with_a_row_a_step_keeps_overview_and_parts(tmp_path: Path) -> None:
    """The layout of wikihowSep.csv."""
    desk, egg = run(given(tmp_path / "wikihowSep.csv", SEP)).candidates
    assert desk.replies[0].content == (
        "The following answer is on desks.\n\n### Emptying\n\n1. **Clear it.** Take all off.\n\n"
        "2. **Sort.** Keep two.\n\n### Cleaning\n\n1. **Wipe.** With a cloth."
    )
    assert egg.replies[0].content == "An egg is soon done.\n\n1. **Boil it.** Ten minutes."


@pytest.mark.parametrize("head", ["goal,steps,ordered?", "title,heading", "", "\x00"])
def test_unknown_columns_are_one_clear_error(tmp_path: Path, head: str) -> None:
    with pytest.raises(InputError, match="no known table of articles"):
        run(given(tmp_path / "x.csv", f"{head}\n1,2,3\n"))
    with pytest.raises(InputError, match="no known table of articles"):
        check([given(tmp_path / "x.csv", f"{head}\n1,2,3\n")])


def test_known_columns_pass_the_check_before_work_begins(tmp_path: Path) -> None:
    tables = [TABLE, ALL, SEP, "title,result\n", "title,category\n"]
    check([given(tmp_path / f"{n}.csv", table) for n, table in enumerate(tables)] + [given(tmp_path / "a.html", "")])


def test_what_is_no_article_is_rejected(tmp_path: Path) -> None:
    pages = [
        given(tmp_path / f"{n}.html", data) for n, data in enumerate([b"", b"\xff\x00<html", PAGE.split("<ol>")[0]])
    ]
    assert run(*pages).rules == {"no_article": 3}


@holds(st.integers(0, len(PAGE)), st.integers(0, len(PAGE)), st.text(max_size=5))
def test_no_page_makes_it_fail(start: int, stop: int, more: str) -> None:
    begun = PAGE[:start] + more
    page = parse(begun + PAGE[stop:])
    markdown(page.html)
    if begun.count("<") == begun.count(">"):  # else what follows may be within a tag
        assert "Prune me" not in page.html or '<div class="section tips">' not in PAGE[stop:]


def test_public_pages_and_tables(tmp_path: Path, real_data: Path) -> None:
    got = run(*find(real_data / "wikihow" / "html", ENDINGS, EXPECTED))
    assert {c.site for c in got.candidates} >= {"Food and Entertaining", "Health", "Sports and Fitness"}
    assert len(got.candidates) == 7
    for kept in got.candidates:
        said = kept.replies[0].content
        assert len(said) > 3000
        assert kept.prompts[0].startswith("How to ")
        for word in ("Advertisement", "Image titled", "Co-authored", "Helpful", "References", "![", "http", "<div"):
            assert word not in said, (kept.id, word)
    for name, size in (("wikihowSep_sample.csv", 223), ("lists.csv", 11461)):
        table = run(Given(path=real_data / "wikihow" / name, label=name))
        assert (len(table.candidates) + len(table.rejects), table.damaged) == (size, [])
        assert not [c.id for c in table.candidates if " X Research " in c.replies[0].content]
    funnel, train = curated(
        tmp_path,
        f'[[sources]]\nkind = "wikihow"\npath = "{real_data}/wikihow/html"\nlicence = "CC BY-NC-SA 3.0"\n'
        "[curate]\nquotas = { wikihow = 5 }\n",
    )
    assert len(train) == 5
    assert len({e["site"] for e in train}) == 4  # of five, a category is drawn before an article
    assert funnel["total"]["kept"] == 5
