"""The stories of the sample forum: as many as its card says, and as unlike one another as real replies."""

import re
from collections import Counter, defaultdict
from functools import cache

from limakit.engine import LocalExecutor, silent
from limakit.recipe_sources import Reddit
from limakit.sources.given import find
from limakit.sources.reddit.read import ENDINGS, EXPECTED, read
from tests.sources.items import sort
from tests.starter.texts import STARTER

NAME = re.compile(r"(?:(?<=[a-z,;:] )|(?<=\bMrs )|(?<=\bMr ))([A-Z][a-z]{2,})\b")
"""A capitalised word within a sentence."""
NO_NAMES = {"Two", "English", "Miss", "Mrs", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Fridays"}
NO_NAMES |= {"Saturday", "Sunday", "February", "March", "May", "June"}


@cache
def stories() -> list[str]:
    """What the source makes of the sample, as any study would get it."""
    files = find(STARTER / "stories", ENDINGS, EXPECTED)
    found = sort(read(files, Reddit(kind="reddit", path="x"), silent, executor=LocalExecutor(1))).candidates
    assert len({story.prompts for story in found}) == len(found)
    return [story.replies[0].content for story in found]


def test_thirty_prompts_have_a_story_each() -> None:
    assert len(stories()) == 30


def test_lengths_are_spread_as_replies_are() -> None:
    lengths = sorted(len(story.split()) for story in stories())
    assert lengths[5] <= 300 < lengths[12] < 500 < lengths[-7] < 700 < lengths[-6]
    assert lengths[-1] <= 1100
    card = (STARTER / "stories/README.md").read_text(encoding="utf-8")
    short, long = sum(n < 350 for n in lengths), sum(n >= 700 for n in lengths)
    said = f"{lengths[0]} to {lengths[-1]} words: {short} under 350, {30 - short - long} between, {long} from 700 up"
    assert said in " ".join(card.split())


def test_no_opening_closing_or_name_serves_twice() -> None:
    firsts = Counter(" ".join(re.findall(r"[\w']+", story)[:3]).lower() for story in stories())
    lasts = Counter(" ".join(re.findall(r"[\w']+", story)[-3:]).lower() for story in stories())
    assert [words for words, count in (firsts + lasts).items() if count > 1] == []
    named = defaultdict(set)
    for number, story in enumerate(stories()):
        for name in NAME.findall(story):
            named[name].add(number)
    assert len(named) > 60
    assert {name for name, owners in named.items() if len(owners) > 1} - NO_NAMES == set()


def test_forms_differ() -> None:
    """Talk without a narrator, numbered points, headed parts, verse and long dialogues."""
    assert sum(all(part.startswith(('"', "...")) for part in text.split("\n\n")) for text in stories()) == 1
    assert sum(bool(re.search(r"^\d\. ", text, re.MULTILINE)) for text in stories()) == 2
    assert sum(text.startswith("**") for text in stories()) >= 5
    assert sum(len(text.splitlines()) > 50 for text in stories()) >= 3
