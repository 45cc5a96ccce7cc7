r"""HTML of a post → Markdown that reads well as plain text: parsed by html-to-markdown, never stripped by pattern.

Links lose their address and keep their words, images go, code, lists, tables and quotations stay. A pattern that strips
tags takes everything between a bare `<` and the next `>` with it; a parser does not.

The converter escapes backslashes in text (`\(a\)` becomes `\\(a\\)`) and the beginnings of lines that look like
Markdown (`1\.`). Backslashes travel as a private character and so come back as they were, formulas intact; after that
every backslash in the result is an escape of the converter's, and those that hurt reading more than they help go.
"""

import re
from dataclasses import replace
from typing import cast

from html_to_markdown import ConversionOptions
from html_to_markdown._html_to_markdown import HtmlVisitor, convert
from html_to_markdown.api import _to_rust_conversion_options

from limakit.curate.tidy import POINTER, short, tidy

_BACKSLASH = "\ue000"
_LINK_BEGINS, _LINK_ENDS = "\ue002", "\ue003"
_PRIVATE = (_BACKSLASH, POINTER, _LINK_BEGINS, _LINK_ENDS)
_NO_PRIVATE = str.maketrans("", "", "".join(_PRIVATE))
_ESCAPE = re.compile(r"\\([.)+*-])")
_URL = re.compile(r"(?:https?|ftp)://\S+|www\.[^\s/<>]+\.\S*", re.IGNORECASE)
_POINTING = re.compile(
    r"(?:(?:click|see|look|read)\s+)?"
    r"(?:here|this|this (?:link|page|article|post|site|one|video)|link|source|more|\[?\d+\]?)[.:]?",
    re.IGNORECASE,
)
_POINTING_END = re.compile(r"(?<= )(?:here|this link)[.:]?\s*$", re.IGNORECASE)
_SUPERSCRIPT = str.maketrans("0123456789+-−=()ni", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ⁿⁱ")
_SUBSCRIPT = str.maketrans("0123456789+-−=()aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ")


class _Visitor:
    """What the converter asks about single elements."""

    def visit_link(self, _context: object, _address: str, text: str, _title: str) -> dict[str, str]:
        return {"custom": link(text)}

    def visit_superscript(self, _context: object, text: str) -> dict[str, str]:
        return {"custom": raised(text)}

    def visit_subscript(self, _context: object, text: str) -> dict[str, str]:
        return {"custom": lowered(text)}


_VISITOR = cast(HtmlVisitor, _Visitor())
"""Asked only for what it has; the library's protocol lists every element."""
_VISITED = re.compile(r"<(?:a|su[bp])\b", re.IGNORECASE)
_WANTED = ConversionOptions(skip_images=True, autolinks=False, extract_metadata=False, compact_tables=True)
_OPTIONS = _to_rust_conversion_options(_WANTED, _VISITOR)
"""Prepared once: the library's own `convert` prepares them for every text, a third of its time."""
_FASTER = _to_rust_conversion_options(replace(_WANTED, tier_strategy="TIER1"))
"""The converter's faster way, which writes the same for plain posts."""
_STYLED = "(?:em|strong|b|i|code)"
_LINK = re.compile(
    rf"<a [^<>]*>((?:[^<>\s]|<{_STYLED}>)(?:(?:[^<>]|</?{_STYLED}>){{0,1000}}(?:[^<>\s]|</{_STYLED}>))?)</a>(\n?)"
)
_LINKED = re.compile(f"{_LINK_BEGINS}([^{_LINK_ENDS}]*){_LINK_ENDS}")
_OTHER_TAG = re.compile(rf"<(?!/?(?:p|{_STYLED}|pre|[ou]l|li|h[1-3]|blockquote)>|[bh]r ?/?>)")
"""A `<` with which none of the tags begins that most posts have."""
_PLAIN_QUOTATION = re.compile(
    rf"<blockquote>\s*(?:<p>[^<]*(?:<(?:/?{_STYLED}|br ?/?)>[^<]*)*</p>\s*)+</blockquote>(?!\s*<hr)"
)


def markdown(html: str) -> str:
    """One post's HTML as Markdown, without a final newline."""
    if not html.isascii() and any(character in html for character in _PRIVATE):
        html = html.translate(_NO_PRIVATE)
    text = _converted(html.replace("\\", _BACKSLASH))
    text = _ESCAPE.sub(r"\1", text) if "\\" in text else text
    return tidy(text.replace(_BACKSLASH, "\\"))


def _converted(html: str) -> str:
    """The converter's Markdown. Links travel between two private characters, because asking the visitor takes longer
    than converting; it is asked where that would not do."""
    marked = _LINK.sub(_marked, html) if "<a " in html else html
    plain = _is_plain(marked)
    if not plain and _VISITED.search(marked):
        return convert(html=html, options=_OPTIONS, visitor=_VISITOR).content or ""
    text = convert(html=marked, options=_FASTER if plain else _OPTIONS, visitor=None).content or ""
    return text if marked is html else _LINKED.sub(lambda match: link(match[1]), text)


def _marked(match: re.Match[str]) -> str:
    return f"{_LINK_BEGINS}{match[1]}{_LINK_ENDS}{' ' if match[2] else ''}"


def _is_plain(html: str) -> bool:
    """Whether a post has no other tags than most have, lists of one kind of items, and quotations of paragraphs alone:
    of others the converter's two ways may make a different number of spaces and blank lines."""
    return (
        not _OTHER_TAG.search(html)
        and not ("&nbsp;" in html or "\xa0" in html)
        and not 0 < html.count("<li><p>") < html.count("<li>")
        and ("<blockquote>" not in html or html.count("<blockquote>") == len(_PLAIN_QUOTATION.findall(html)))
    )


def link(text: str) -> str:
    """What stays of a link: its words; of a bare address its host; words that only point are marked for `tidy`."""
    words = text.strip()
    if _URL.fullmatch(words):
        host = short(words if "://" in words else f"http://{words}")
        return POINTER + host if host else ""
    if _POINTING.fullmatch(words):
        return POINTER + text
    end = _POINTING_END.search(text)  # "a full guide can be found here", all of it the link
    return f"{text[: end.start()]}{POINTER}{text[end.start() :]}" if end else text


def raised(text: str) -> str:
    """A superscript: x² where Unicode has the characters, else ^(…) for short ones; notes and "th" as plain text."""
    return _shifted(text, _SUPERSCRIPT, "^")


def lowered(text: str) -> str:
    """A subscript: H₂O where Unicode has the characters, else _(…) for short ones."""
    return _shifted(text, _SUBSCRIPT, "_")


def _shifted(text: str, table: dict[int, int], mark: str) -> str:
    words = text.strip()
    if (
        not words
        or words in ("st", "nd", "rd", "th", "TM", "®", "™")
        or len(words) > 12
        or " " in words
        or "[" in words
    ):
        return text
    if all(ord(character) in table for character in words):
        return words.translate(table)
    return f"{mark}{words}" if len(words) == 1 else f"{mark}({words})"
