"""A question → the prompts it may become: its title, its description, whichever can stand alone."""

import re

from limakit.curate import clean, rules

_STATUS = re.compile(r" ?\[(?:closed|duplicate|on hold|migrated|locked)\]$", re.IGNORECASE)
_IMAGE = re.compile(r"<img\b", re.IGNORECASE)
_ELSEWHERE = re.compile(
    r"\b(?:title|screenshot|picture|image|photo|diagram)s?\b|\b(?:see|as) (?:above|below)\b|\bjsfiddle\b"
    r"|\b(?:previous|other|another|my last) question\b|\bon[- ]topic\b|\bthis (?:site|forum|community)\b",
    re.IGNORECASE,
)
_ELSEWHERE_WORDS = ("title", "screenshot", "picture", "image", "photo", "diagram", "see above", "as above", "see below",
                    "as below", "jsfiddle", "previous question", "other question", "last question", "on topic",
                    "on-topic", "this site", "this forum", "this community")  # fmt: skip
"""One of them is in every match."""
MIN_TITLE = 10
MIN_DESCRIPTION = 60
"""Fewest characters; ours."""


def alternatives(title: str, html: str, most: int) -> tuple[str, ...]:
    """Prompts of a question: title first, then description; empty where neither can stand alone.

    The paper draws "the title or the description" and wants questions that are self-contained in the title.
    """
    found = (title_prompt(title), description_prompt(html, most))
    return tuple(dict.fromkeys(prompt for prompt in found if prompt))


def title_prompt(title: str) -> str | None:
    """The title without the marks of moderation, or None where it is next to nothing."""
    title = " ".join(title.split())
    title = _STATUS.sub("", title) if title.endswith("]") else title
    return title if len(title) >= MIN_TITLE else None


def description_prompt(html: str, most: int) -> str | None:
    """The question's text, or None where it shows an image, asks nothing, leans on what is elsewhere, or is no length
    for a prompt."""
    if _IMAGE.search(html):
        return None
    prose = rules.prose_of(html, rules.text_of(html))
    if (
        "?" not in prose
        or len(prose) < MIN_DESCRIPTION
        or rules.search(_ELSEWHERE, _ELSEWHERE_WORDS, prose.lower())
        or rules.references(prose)
    ):
        return None
    text = clean.markdown(html)
    return text if len(text) <= most else None
