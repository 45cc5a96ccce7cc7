"""Titles that serve as prompts, and articles that speak of themselves as answers."""

import re

_SUFFIX = re.compile(r"\s*(?::\s*\d[^:]{0,40}|\(with [^()]*\)|[-–|]\s*wikiHow)\s*$", re.IGNORECASE)
_WAYS = re.compile(
    r"^(?:the )?(?:\d+\+? )?(?:(?:simple|easy|quick|best|different|effective) )*(?:ways?|methods?|tips) (?:to|for) ",
    re.IGNORECASE,
)
_THIS = re.compile(r"\b([Tt])his (?:wikiHow(?: article)?|article)\b")


def prompt(title: str) -> str:
    """The title as a question of one line: `3 Ways to Grill: 5 Steps (with Pictures)` → `How to Grill`."""
    title = " ".join(title.split())
    while title != (shorter := _SUFFIX.sub("", title)):
        title = shorter
    title = _WAYS.sub("", title)
    return title if not title or title.lower().startswith("how to ") else f"How to {title}"


def answer(text: str) -> str:
    """The paper's edit: "This article …" becomes "The following answer …"."""
    return _THIS.sub(lambda match: ("The" if match[1] == "T" else "the") + " following answer", text)


_SOURCE = re.compile(
    r"\s*\[\d{1,3}\]\s*X\s+(?:Research [Ss]ource|Trustworthy Source\b.{0,400}?\bGo to source"
    r"|Expert Source\b.{0,300}?\bExpert Interview\.\s+\d{1,2} \w+ \d{4}\.?|(?:Trustworthy|Expert) Source\b)"
    r"(?:\s+(?=[.,;:)]))?"
)


def unreferenced(text: str) -> str:
    """The text without reference marks, which tables carry as words: `[1] X Research source`."""
    return _SOURCE.sub("", text) if "] X" in text else text


def slug(title: str) -> str:
    """A name for an article without regard to case and punctuation: `How to Grill Zucchini` → `grill-zucchini`."""
    words = re.findall(r"\w+", title.lower())
    return "-".join(words[2:] if words[:2] == ["how", "to"] else words)
