"""An answer as a reader sees it: its words, sentences, paragraphs, and what is quoted or code in it."""

import re

ITEM = re.compile(r"\s*(?:[-*+]|\d{1,3}[.)])\s+\S")
"""A line that begins a list item."""
_FENCED = re.compile(r"^ *(```|~~~).*?^ *\1[^\S\n]*$", re.DOTALL | re.MULTILINE)
_INLINE = re.compile(r"`[^`\n]+`")
_QUOTED_LINES = re.compile(r"^ *>.*$", re.MULTILINE)
_SPOKEN = re.compile(r"“[^”]{1,2000}”|\"[^\"\n]{1,2000}\"")
_WORD = re.compile(r"\w+(?:['’]\w+)*")
_END = re.compile(r"(?<=[.!?:])[\"”’)]*\s+")
_COMMON = frozenset(re.findall(r"\w+", """
    a about after again all also am an and any are as at be because been before being but by can cannot could did do
    does doing don down each few for from get give go had has have having he her here him his how i if in into is it its
    just like make many me more most much my need no not now of off on once one only or other our out over own people
    please same she should so some such tell than that the their them then there these they thing this those through
    time to too two under up us use very want was way we were what when where which while who why will with without work
    would write you your
"""))  # fmt: skip


def prose(text: str) -> str:
    """The text without code, block quotes and direct speech: what the answer says in its own voice."""
    return _SPOKEN.sub(" ", _QUOTED_LINES.sub(" ", _INLINE.sub(" ", _FENCED.sub(" ", text))))


def words(text: str) -> list[str]:
    """Its words in small letters."""
    return _WORD.findall(text.lower())


def content_words(text: str) -> frozenset[str]:
    """Stems, roughly: the first five letters of every word that carries meaning."""
    return frozenset(word[:5] for word in words(text) if word not in _COMMON and len(word) > 2)


def paragraphs(text: str) -> list[str]:
    """Blocks between blank lines, code left out."""
    return [part.strip() for part in re.split(r"\n\s*\n", _FENCED.sub(" ", text)) if part.strip()]


def sentences(text: str) -> list[str]:
    """Roughly: cut after full stops, question and exclamation marks and colons."""
    return [part for part in _END.split(text.strip()) if part]


def opening(text: str) -> str:
    """The answer from its first letter on, without signs of emphasis or headings before it."""
    return text.lstrip(" \n\t*_#")


def quoted(match: re.Match[str]) -> str:
    """What was found, in quotation marks."""
    return f"“{' '.join(match[0].split())}”"
