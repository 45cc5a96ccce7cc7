"""What one row of a Reddit file comes to, as far as the row alone says: the part of the reading that runs anywhere."""

from collections.abc import Iterator
from dataclasses import dataclass

from limakit.recipe_sources import Reddit
from limakit.records import Reject
from limakit.sources.given import Given
from limakit.sources.harvest import Damaged, Item, Passed
from limakit.sources.reddit import rules
from limakit.sources.reddit.find import Rows, table
from limakit.sources.reddit.rows import Post, post

SOURCE = "reddit"
STORIES, QUESTIONS, OTHERS = "WritingPrompts", "AskReddit", "other communities"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A file, or the lines of one that begin between two bytes."""

    file: Given
    comments: bool
    begin: int = 0
    stop: int | None = None


@dataclass(frozen=True, slots=True)
class Story:
    """A reply that passes every rule about itself, and its text without asides."""

    post: Post
    text: str


def sift(part: Part, settings: Reddit) -> list[Item | Post | Story]:
    """`sifted`, for a part small enough to be kept."""
    return list(sifted(part, settings))


def sifted(part: Part, settings: Reddit) -> Iterator[Item | Post | Story]:
    """Submissions of the two communities, stories, and items for what is passed over, refused or damaged."""
    file = part.file
    is_table = file.path.suffix.lower() == ".csv"
    community = file.path.stem if is_table else ""
    wanted = (STORIES,) if part.comments else (STORIES, QUESTIONS)
    large = settings.large_windows
    rows = table(file) if is_table else Rows(file, wanted, large_windows=large, begin=part.begin, stop=part.stop)
    for place, row in rows:
        try:
            if isinstance(row, str):
                raise ValueError(row)
            found = post(row, community)
        except ValueError as error:
            yield Damaged(site=OTHERS, file=file.label, place=place, reason=str(error))
        else:
            if found.title and found.community in (STORIES, QUESTIONS):
                yield found
            elif found.community == STORIES:
                yield _story(found, settings)
            else:
                yield Passed(site=OTHERS, kind="other")
    if isinstance(rows, Rows) and rows.passed:
        yield Passed(site=OTHERS, kind="other", count=rows.passed)


def _story(found: Post, settings: Reddit) -> Story | Reject:
    """A reply, unless a rule is against it whatever it replies to."""
    if found.parent != f"t3_{found.link}":
        return reject(found, ("further_down", ""))
    if reason := refused(found, settings):
        return reject(found, reason)
    text = rules.story(found.text)
    if len(text) < settings.min_chars:
        return reject(found, ("short_reply", f"{len(text)} characters"))
    if len(text) > settings.max_chars:
        return reject(found, ("long_reply", f"{len(text)} characters"))
    if detail := rules.points_elsewhere(text):
        return reject(found, ("points_elsewhere", detail))
    return Story(found, text)


def refused(found: Post, settings: Reddit) -> tuple[str, str] | None:
    """The first rule against a post of either kind."""
    if found.gone:
        return "deleted", ""
    if found.nsfw:
        return "nsfw", ""
    if found.official:
        return "moderator", found.author or ""
    if found.score < settings.min_score:
        return "low_score", f"score below {settings.min_score}"
    return None


def site_of(found: Post) -> str:
    """The community as a site's name."""
    return f"r/{found.community}"


def reject(found: Post, reason: tuple[str, str]) -> Reject:
    """The post, and which rule is against it."""
    site = site_of(found)
    name = f"{SOURCE}/{site}/{found.id}"
    return Reject(
        id=name,
        source=SOURCE,
        site=site,
        rule=reason[0],
        detail=reason[1],
        score=found.score,
        author=found.author,
        author_url=found.author_url,
    )
