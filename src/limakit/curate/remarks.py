"""Comments as turns of a dialogue: names and links taken out, and what is too little for a turn. Ours: the paper edited
its chains by hand."""

import re

from limakit.curate.tidy import short

_NAME = re.compile(r"^\s*@[\w.'’-]+(?: [A-Z][\w.'’-]*(?=[,:]))?[,:;.!]*\s*")
_LINK = re.compile(r"\[([^\[\]\n]{1,300})\]\((?:https?:)?/[^\s()]*(?:\([^\s()]*\)[^\s()]*)*(?: [\"'][^\n]*?[\"'])?\)")
_URL = re.compile(r"(?:https?|ftp)://[^\s<>()\[\]`]*[^\s<>()\[\]`.,;:!?'\"*]", re.IGNORECASE)
_SITE = re.compile(
    r"\b(?:accept(?:ed|ing)? (?:this|your|my|the|an)|(?:my|the|your|this) (?:answer|question|post|edit|comment)s?\b"
    r"|(?:up|down)-?vot|\bedited\b|\bedit(?:ing)? (?:it|my|the|your)|migrat|\bmoderat|\bchat\b|\bflag(?:ged)?\b"
    r"|new question|separate question|\b(?:on|off)-topic\b|\bsite\b)",
    re.IGNORECASE,
)
MIN_REMARK, MIN_REPLY = 20, 60
"""Fewest characters."""


def plain(text: str) -> str:
    """A comment without the name of whom it addresses and without the addresses of links."""
    text = _LINK.sub(r"\1", " ".join(text.split()))
    while text != (shorter := _NAME.sub("", text)):
        text = shorter
    text = _URL.sub(lambda match: short(match[0]), text).strip()
    return text[:1].upper() + text[1:]


def too_little(asked: str, said: str) -> str | None:
    """Why a remark and the reply to it make no turns that stand alone, or None."""
    if len(asked) < MIN_REMARK:
        return f"a remark of {len(asked)} characters"
    if len(said) < MIN_REPLY:
        return f"a reply of {len(said)} characters"
    if match := _SITE.search(said) or _SITE.search(asked):
        return f"speaks of the site: {match[0]}"
    return None
