"""Text that models and strangers wrote, made harmless: to be read in a page, never to act in it.

Markdown is parsed with HTML, links, images and entities switched off, so their source stays visible as text; what
comes out is cleaned once more against a short list of tags. Hidden characters are shown by name.
"""

import re

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token

MAX_CHARACTERS = 20_000
"""Longest text shown; the rest is in the study's files."""

TAGS = {
    *("p", "br", "hr", "h5", "h6", "em", "strong", "s", "blockquote", "pre", "code"),
    *("ul", "ol", "li", "table", "thead", "tbody", "tr", "th", "td"),
}

_parser = MarkdownIt("commonmark", {"html": False, "linkify": False}).enable(["table", "strikethrough"])
_parser.disable(["link", "image", "autolink", "reference", "html_block", "html_inline", "entity"])

# Controls (but tab and newline), bidi marks, embeddings and isolates, zero-width and tag characters, surrogates,
# interlinear anchors, non-characters.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff"
    "\ud800-\udfff\U000e0000-\U000e0fff]"
)
_STACKED = re.compile(
    "([\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]{4})[\u0300-\u036f"
    "\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+"
)


def visible(text: str) -> str:
    """The text with hidden characters shown as their code point, such as ⟨U+202E⟩, and towers of accents cut."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = _HIDDEN.sub(lambda found: f"⟨U+{ord(found.group()):04X}⟩", text)
    return _STACKED.sub(r"\1", text)


def as_html(text: str) -> str:
    """Markdown as safe HTML: no links, no images, no attributes but `start` of a list; headings become small ones."""
    left_out = len(text) - MAX_CHARACTERS
    text = visible(text[:MAX_CHARACTERS])
    if text.strip():
        tokens = _parser.parse(text)
        for token in tokens:
            _lower(token)
        body = _parser.renderer.render(tokens, _parser.options, {})
        body = nh3.clean(body, tags=TAGS, attributes={"ol": {"start"}}, url_schemes=set(), link_rel=None)
    else:
        body = f'<p class="note">({"blank" if text else "empty"})</p>'
    if left_out > 0:
        body += f'<p class="note">({left_out:,} more characters are in the study’s files)</p>'
    return body


def _lower(token: Token) -> None:
    """Headings inside an answer must not look like the page's own."""
    if token.type in ("heading_open", "heading_close"):
        token.tag = "h5" if token.tag in ("h1", "h2") else "h6"
