"""One submission or comment, whatever year it is from.

Types by year, as the field schemas of the monthly files list them (https://github.com/ArthurHeitmann/arctic_shift):
`created_utc` is an integer, a float or a text; `edited` false, true or a moment; tables write booleans as "True";
`distinguished`, `over_18` and `stickied` may be missing; texts hold HTML entities.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from html import unescape
from typing import Any

MOST_VOTES = 1 << 31
_GONE = frozenset({"[deleted]", "[removed]", "[ removed by reddit ]", "[deleted by user]"})
_BLANK = re.compile(r"&(?:amp;)*(?:nbsp|#x200b|#8203|zwsp);", re.IGNORECASE)
_NAME = re.compile(r"[\w-]{3,20}")
_BOT = re.compile(r"(?i:automoderator|writingpromptsrobot)|.*(?:[-_]bot|Bot|BOT)\d*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """A row of either kind; `title` is empty in comments, `parent` and `link` in submissions."""

    id: str
    community: str
    author: str | None
    score: int
    title: str
    text: str
    url: str | None
    posted: float | None
    """Seconds since 1970."""
    changed: float | None
    """Seconds since 1970, where it was edited and the row says when."""
    flair: str
    nsfw: bool
    official: bool
    """Whether a moderator or a bot speaks, or the post is pinned."""
    removed: bool
    parent: str
    link: str

    @property
    def gone(self) -> bool:
        """Whether author or text has been deleted or removed."""
        return self.removed or (self.author or "").lower() in _GONE or self.text.lower() in _GONE

    @property
    def created(self) -> str | None:
        """When it was posted, ISO 8601."""
        return _moment(self.posted)

    @property
    def edited(self) -> str | None:
        """When it was last edited, ISO 8601."""
        return _moment(self.changed)

    @property
    def author_url(self) -> str | None:
        """The author's page, for a name that Reddit allows."""
        return f"https://www.reddit.com/user/{self.author}" if self.author and _NAME.fullmatch(self.author) else None


def post(row: Mapping[str, Any], community: str = "") -> Post:
    """The row's fields in types that do not depend on the year. Raises ValueError where it is neither kind of row.

    `community` is the subreddit of rows that do not name theirs.
    """
    name, body = row.get("id"), row.get("body", row.get("selftext"))
    if not isinstance(name, str) or not name or not isinstance(row.get("title", ""), str):
        raise ValueError("no id, or a title that is no text")
    if "title" not in row and "body" not in row:
        raise ValueError("neither a title nor a body")
    author = row.get("author")
    official = bool(row.get("distinguished")) or _true(row.get("stickied"))
    return Post(
        id=name,
        community=str(row.get("subreddit") or community),
        author=author if isinstance(author, str) and author else None,
        score=_score(row.get("score")),
        title=" ".join(text_of(row.get("title", "")).split()),
        text=text_of(body) if isinstance(body, str) else "",
        url=_url(row),
        posted=_number(row.get("created_utc")),
        changed=_number(row.get("edited")),
        flair=str(row.get("link_flair_text") or "").strip(),
        nsfw=_true(row.get("over_18")),
        official=official or (isinstance(author, str) and bool(_BOT.fullmatch(author))),
        removed=bool(row.get("removed_by_category")) or bool(row.get("banned_by")),
        parent=str(row.get("parent_id") or ""),
        link=str(row.get("link_id") or "").removeprefix("t3_"),
    )


def text_of(raw: str) -> str:
    """A text with its entities decoded once, as they were escaped, and blanks that people typed as entities."""
    text = unescape(_BLANK.sub(" ", raw)) if "&" in raw else raw
    text = text.replace("\u200b", "").replace("\xa0", " ")
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()


def _true(value: object) -> bool:
    return value is True or value in ("True", "true", 1)


def _score(value: object) -> int:
    number = _number(value)
    return 0 if number is None else int(max(-MOST_VOTES, min(MOST_VOTES, number)))


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if number == number else None


def _moment(seconds: float | None) -> str | None:
    """ISO 8601 of seconds since 1970; None for nonsense."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S") if seconds and seconds > 1 else None
    except (ValueError, OverflowError, OSError):
        return None


def _url(row: Mapping[str, Any]) -> str | None:
    """Address of the post: its permalink, else that of a submission that is a text."""
    link, url = row.get("permalink"), row.get("url")
    if _true(row.get("is_self")) and isinstance(url, str) and url.startswith(("https://", "http://")):
        return url
    if isinstance(link, str) and link:
        return link if link.startswith("http") else f"https://www.reddit.com{link}"
    return None
