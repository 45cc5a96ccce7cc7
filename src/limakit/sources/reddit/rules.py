"""What makes a prompt, a story and a question; ours, since the paper chose by hand (section 2.1)."""

import re

from limakit.sources.reddit.rows import Post

_TAG = re.compile(r"^\s*[\[({]\s*([A-Za-z]{2,8})\s*[\])}]\s*:?\s*")
_PROMPTS = frozenset({"wp", "sp", "cw", "rf"})
_SERIOUS = re.compile(r"^\s*[\[({]\s*serious\s*[\])}]\s*|\s*[\[({]\s*serious\s*[\])}]\s*$", re.IGNORECASE)
_LINK = re.compile(r"\[([^\[\]\n]{1,200})\]\((?:https?:|/)[^()\s]*(?: \"[^\"]*\")?\)")
_SITE = re.compile(
    r"(?:^|[\s(/])/?[ru]/\w+|reddit|https?://|www\.|\bupvote|\bsubscrib|\bpatreon\b|\bgild|\bgold(?:en)? award",
    re.IGNORECASE,
)
_SITE_WORDS = ("r/", "u/", "reddit", "://", "www.", "upvote", "subscrib", "patreon", "gild", "award")
"""One of these is in every match of `_SITE`; looking for them takes a hundredth of the time."""
_ASIDE = re.compile(
    r"^\W*(?:edit(?:ed|s)?\b|update\b|p\.?s\b|thanks? (?:you )?(?:for|to|so much)|first (?:time|prompt|attempt|post)|"
    r"feedback\b|constructive|c&c\b|hope you|(?:if )?you (?:liked?|enjoy)|if you|my first|sorry for|on mobile|"
    r"wrote this|part (?:2|two|ii)\b|\(?to be continued|\(?tbc\b)",
    re.IGNORECASE,
)
_RULE = re.compile(r"[\s*_~=#-]*")
_ELSEWHERE = re.compile(
    r"^\W*update\b|\b(?:my|the|this|last|previous|yesterday's) (?:last |previous |other )?(?:post|thread|question)\b"
    r"|\b(?:pic|photo|picture|link|details|story|text|more) (?:inside|below|in (?:the )?(?:text|comments?|post))\b"
    r"|\bnsfw\b",
    re.IGNORECASE,
)
LONGEST_ASIDE = 400
LONGEST_DETAIL = 500
SHORTEST_TITLE = 20


def unfit(prompt: Post, min_score: int) -> str | None:
    """Why a submission is no prompt to take replies from."""
    if prompt.gone:
        return "deleted"
    if prompt.nsfw:
        return "over 18"
    if prompt.official:
        return "by a moderator"
    tag = _TAG.match(prompt.title)
    if (tag[1].lower() if tag else "") not in _PROMPTS and (tag or prompt.flair.lower() != "writing prompt"):
        return f"tagged {tag[1].upper()}" if tag else "not tagged as a prompt"
    if prompt.score < min_score:
        return f"score {prompt.score}"
    return None if asked(prompt) else "no text"


def asked(prompt: Post) -> str:
    """The prompt: the title without its tag, and what a short text adds unless it leads elsewhere."""
    title = _TAG.sub("", prompt.title).strip()
    detail = prompt.text
    if not detail or len(detail) > LONGEST_DETAIL or _site(detail) or _ASIDE.match(detail):
        return title
    return f"{title}\n\n{detail}"


def _site(text: str) -> re.Match[str] | None:
    """Where a text speaks of the site or leads away from it."""
    small = text.lower()
    for word in _SITE_WORDS:
        if word in small:
            return _SITE.search(text)
    return None


def story(text: str) -> str:
    """A reply without links' addresses, and without the asides to readers before and after it."""
    parts = [part for part in re.split(r"\n\s*\n", _LINK.sub(r"\1", text)) if part.strip()]
    while parts and (_RULE.fullmatch(parts[-1]) or _is_aside(parts[-1])):
        parts.pop()
    while parts and (_RULE.fullmatch(parts[0]) or _is_aside(parts[0])):
        parts.pop(0)
    return "\n\n".join(part.strip("\n") for part in parts).strip()


def _is_aside(part: str) -> bool:
    return len(part) <= LONGEST_ASIDE and bool(_ASIDE.match(part) or _site(part))


def points_elsewhere(text: str) -> str | None:
    """Whether a story still speaks of the site or leads away; the detail quotes where."""
    found = _site(text)
    return " ".join(text[max(0, found.start() - 20) : found.end() + 20].split()) if found else None


def question(post: Post) -> str:
    """A title as a question, without the mark that asks for serious replies."""
    return _SERIOUS.sub("", post.title).strip()


def not_alone(title: str) -> str | None:
    """Why a title is no question that stands alone."""
    if not title.rstrip("\"')*.! ").endswith("?"):
        return "asks nothing"
    if len(title) < SHORTEST_TITLE:
        return f"{len(title)} characters"
    if found := _ELSEWHERE.search(title) or _site(title):
        return found[0].strip()
    return None
