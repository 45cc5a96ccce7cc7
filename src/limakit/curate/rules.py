"""The paper's rules for a response (section 2.1), each a function of the response's HTML or text: None, or why not.

Code is what stands in <code> and <pre>; prose is everything else. Rules of wording look at prose only, without
formulas. The paper names three examples of references ("as mentioned", "stack exchange" and the like) and two of the
first person ("I", "my"); the lists here are ours.
"""

import html as entities
import re
from collections.abc import Mapping, Sequence
from typing import Any, AnyStr

_CODE = re.compile(r"<(pre|code)\b", re.IGNORECASE)
_CODE_ENDS = {name: re.compile(rf"</{name}\s*>", re.IGNORECASE) for name in ("pre", "code")}
_TAG = re.compile(r"</?[A-Za-z][^<>]*>")
_FORMULA = re.compile(r"\$\$.{0,4000}?\$\$|\$[^$\n]{1,200}\$|\\\(.{0,1000}?\\\)|\\\[.{0,1000}?\\\]", re.DOTALL)
"""No longer ones: in a hostile text each beginning would be sought an end for to the end of the text."""
_I = re.compile(r"I(?:(?<![\w/.$&{(^_=+-]I)(?![\w$&}^_=]|/O|\.\w|-\d|\))|(?<=\(I)(?=[ '’]))")
_MY = re.compile(r"[Mm](?:y(?<![\w/.$&-][Mm]y)(?:self)?\b(?![-/.]\w)|ine(?<![\w/.$&-][Mm]ine)(?=[.,;:!?)]))")
"""Both begin with the letters that they look for, and only then look back: so most of a text is passed over fast."""
_INTRODUCED_IMAGE = re.compile(r"(?::|\s[-–—])\s*(?:</?(?:p|em|strong|a|b|i|br|div)\b[^<>]*>\s*)*<img\b", re.IGNORECASE)
_IMAGE_SPOKEN_OF = re.compile(
    r"\b(?:image|picture|photo|screenshot|screen shot|figure|diagram|graph|plot|chart)s?\s+(?:above|below|attached)\b"
    r"|\b(?:above|below|following|attached|this|these|first|second)\s+"
    r"(?:image|picture|photo|screenshot|figure|diagram|graph|plot|chart)s?\b",
    re.IGNORECASE,
)
_NO_LETTERS = bytes(code for code in range(128) if not chr(code).isalnum())
_ASCII = bytes(range(128))
_POSTS = r"(?:answers?|answerers?|posters?|responses|replies)"
_REFERENCES = [
    (words, re.compile(pattern, re.MULTILINE))
    for words, pattern in (
        (
            ("mentioned", "noted", "pointed out", "suggested"),
            r"\bas (?:already |others? (?:have )?|was |has been |(?:\w+ ){1,3}(?:already |have |has )?)?"
            r"(?:mentioned|noted|pointed out|suggested)\b(?! (?:earlier |above )?in the (?:documentation|manual|docs))",
        ),
        (
            ("answer", "poster", "respons", "replies", "reply"),
            rf"\b(?:an)?other {_POSTS}\b|\b(?:previous|accepted|existing|earlier|above|upvoted|these|those) {_POSTS}\b"
            r"|\banswers? (?:above|below|already|posted|given (?:by|here))\b|\b(?:this|that|the) answer by\b"
            r"|\b(?!(?:it|that|here|there|let|what|who|how)['’])\w+['’]s (?:answer|response|reply)\b",
        ),
        (
            ("comment",),
            r"\bcomments? (?:above|below|section)\b|\b(?:in|from|see) (?:the|a|your|his|her|these|those) comments?\b"
            r"|\b(?!(?:it|that|here|there|let|what|who|how)['’])\w+['’]s comment\b",
        ),
        (
            ("stack", "super", "server", "ubuntu", "overflow"),
            r"\bstack ?(?:exchange|overflow)\b|\bsuper ?user\.com\b|\bserver ?fault\b|\bask ?ubuntu\b"
            r"|\bmath ?overflow\b",
        ),
        ((".se",), r"\b(?:maths?|physics|stats|tex|unix|gis|meta|english|cs|programmers|security)\.se\b"),
        (("vot",), r"\b(?:up|down)-?vot(?:e|es|ed|ing)\b"),
        (("the op", "op's", "op’s"), r"\bthe op\b|\bop['’]s\b"),
        (
            (" question on", " question at", " question has", " question was", " question here"),
            r"\b(?:this|that|similar|related|duplicate|other|another) question (?:on|at|has been|was|here)\b",
        ),
        (("topic",), r"\b(?:on|off)[- ]topic(?:ness)?\b"),
        (("@",), r"(?:^|\s)@[a-z]\w+"),
    )
]
"""Patterns on small letters, each with words of which one is in every match: looking for those is cheap."""


def text_of(html: str) -> str:
    """Text of HTML, tags out and entities decoded: for measuring and searching, never for output."""
    if "<!--" in html:
        html = _uncommented(html)
    return entities.unescape(_TAG.sub("", html) if "<" in html else html).strip()


def _uncommented(html: str) -> str:
    """The HTML without comments; one that does not end is none."""
    parts, done = [], 0
    while (begin := html.find("<!--", done)) >= 0 and (end := html.find("-->", begin + 4)) >= 0:
        parts.append(html[done:begin])
        done = end + 3
    return "".join((*parts, html[done:]))


def outside(html: AnyStr, begins: re.Pattern[AnyStr], ends: Mapping[Any, re.Pattern[AnyStr]]) -> list[AnyStr]:
    """The parts between elements of HTML, of which one pattern finds the beginning and the name, another by that name
    the end; an element that does not end is none."""
    parts: list[AnyStr] = []
    done = at = 0
    endless: set[Any] = set()
    while match := begins.search(html, at):
        at = match.end()
        name = match[1].lower()
        end = None if name in endless else ends[name].search(html, at)
        if end is None:
            endless.add(name)
            continue
        parts.append(html[done : match.start()])
        done = at = end.end()
    return [*parts, html[done:]]


def prose_of(html: str, text: str) -> str:
    """Text outside code and formulas; `text` is `text_of(html)`, which is at hand and serves where there is no code."""
    if "<code" in html or "<pre" in html:
        text = text_of(without_code(html))
    return without_formulas(text)


def without_code(html: str) -> str:
    """The HTML with a blank for each element of code."""
    return " ".join(outside(html, _CODE, _CODE_ENDS))


def without_formulas(text: str) -> str:
    """The text with a space for each formula."""
    return _FORMULA.sub(" ", text) if "$" in text or "\\" in text else text


def too_short(text: str, least: int) -> str | None:
    """Whether a response has fewer than `least` characters of text."""
    return f"fewer than {least} characters" if len(text) < least else None


def too_long(text: str, most: int) -> str | None:
    """Whether a response has more than `most` characters of text."""
    return f"more than {most} characters" if len(text) > most else None


def first_person(prose: str) -> str | None:
    """Whether the author speaks as "I" or of "my"; the detail quotes where."""
    match = _I.search(prose) or _MY.search(prose)
    return _quote(prose, match) if match else None


def references(prose: str) -> str | None:
    """Whether it leans on other answers, on comments or on the site; the detail quotes where."""
    small = prose.lower()
    for words, pattern in _REFERENCES:
        if match := search(pattern, words, small):
            return _quote(small, match)
    return None


def search(pattern: re.Pattern[str], words: Sequence[str], text: str) -> re.Match[str] | None:
    """The first match of a pattern that holds one of the words and never goes beyond a line: only lines with one of
    them are searched."""
    for word in words:
        if word in text:
            break
    else:
        return None
    start = 0
    while found := [at for word in words if (at := text.find(word, start)) >= 0]:
        at = min(found)
        begin, end = text.rfind("\n", 0, at) + 1, text.find("\n", at)
        end = len(text) if end < 0 else end
        if match := pattern.search(text, begin, end):
            return match
        start = end
    return None


def little_prose(prose: str, least: int) -> str | None:
    """Whether fewer than `least` characters, spaces not counted, stand outside code and formulas.

    Ours: code alone passes the paper's rules.
    """
    if len("".join(prose[: 2 * least].split())) >= least:
        return None
    size = len("".join(prose.split()))
    return f"{size} characters outside code" if size < least else None


def needs_image(html: str, prose: str) -> str | None:
    """Whether the text speaks of an image that will be gone, or announces one with a colon. Ours."""
    if "<img" not in html:
        return None
    if _INTRODUCED_IMAGE.search(html):
        return "announces an image"
    match = _IMAGE_SPOKEN_OF.search(prose)
    return _quote(prose, match) if match else None


def little_left(text: str, reply: str) -> str | None:
    """Whether a response as Markdown has lost more than half of its letters, as lists of links do, or swollen to four
    times its text, as markup nested hundreds deep does. Ours. `text` is `text_of` its HTML."""
    said, kept = _letters(text), _letters(reply)
    if 2 * kept < said:
        return f"{kept} of {said} letters are left"
    return f"{len(reply)} characters of {len(text)}" if len(reply) > 4 * len(text) + 1000 else None


def _letters(text: str) -> int:
    """How many letters and digits there are."""
    raw = text.encode("utf-8", "surrogatepass")
    kept = raw.translate(None, _NO_LETTERS)
    if text.isascii():
        return len(kept)
    beyond = raw.translate(None, _ASCII)
    return len(kept) - len(beyond) + sum(map(str.isalnum, beyond.decode("utf-8", "surrogatepass")))


def _quote(text: str, match: re.Match[str]) -> str:
    """The match with a little of what surrounds it, on one line."""
    return " ".join(text[max(0, match.start() - 20) : match.end() + 20].split())
