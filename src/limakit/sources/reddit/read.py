"""Reddit files → candidates and test prompts.

r/WritingPrompts: a submission is a question, a reply to it an answer; the best reply that passes the rules becomes a
candidate. r/AskReddit: the title of a submission may become a prompt for testing; its replies are not read. Memory
grows with the number of stories that pass, not with the size of the files.
"""

from collections.abc import Iterator, Sequence

from limakit.engine import Progress
from limakit.recipe_sources import Reddit
from limakit.records import Candidate, Prompt, Provenance, Reject, Turn
from limakit.sources.given import Given
from limakit.sources.harvest import Asked, Damaged, Item, Passed
from limakit.sources.reddit import rules
from limakit.sources.reddit.find import Rows, holds_comments, table
from limakit.sources.reddit.rows import Post, post

ENDINGS = (".ndjson", ".jsonl", ".zst", ".csv")
EXPECTED = "Pushshift files of submissions and comments (.ndjson, .jsonl, .zst), a table (.csv), or a folder of them"
STORIES, QUESTIONS, OTHERS = "WritingPrompts", "AskReddit", "other communities"
_SOURCE = "reddit"


def read(files: Sequence[Given], settings: Reddit, progress: Progress) -> Iterator[Item]:
    """Items of all files: submissions first, then the replies to them, then the best of those by Id."""
    comments = [
        file
        for file in files
        if file.path.suffix.lower() != ".csv" and holds_comments(file, large_windows=settings.large_windows)
    ]
    prompts: dict[str, Post] = {}
    best: dict[str, tuple[Post, str]] = {}
    order = [file for file in files if file not in comments] + comments
    for done, file in enumerate(order):
        progress("reading reddit", done, len(files), "files")
        wanted = (STORIES,) if file in comments else (STORIES, QUESTIONS)
        for found in _posts(file, wanted, settings):
            if not isinstance(found, Post):
                yield found
            elif found.title:
                yield _submission(found, prompts, settings)
            else:
                yield from _reply(found, prompts, best, settings)
    progress("reading reddit", len(files), len(files), "files")
    for name in sorted(best):
        yield _candidate(prompts[name], *best[name], settings)


def _posts(file: Given, wanted: Sequence[str], settings: Reddit) -> Iterator[Post | Item]:
    """Posts of the wanted communities in one file; items for what is not read, or cannot be."""
    is_table = file.path.suffix.lower() == ".csv"
    community = file.path.stem if is_table else ""
    rows = table(file) if is_table else Rows(file, wanted, large_windows=settings.large_windows)
    for place, row in rows:
        try:
            if isinstance(row, str):
                raise ValueError(row)
            found = post(row, community)
        except ValueError as error:
            yield Damaged(site=OTHERS, file=file.label, place=place, reason=str(error))
        else:
            mine = found.community == STORIES or (found.community == QUESTIONS and found.title)
            yield found if mine else Passed(site=OTHERS, kind="other")
    if isinstance(rows, Rows) and rows.passed:
        yield Passed(site=OTHERS, kind="other", count=rows.passed)


def _submission(found: Post, prompts: dict[str, Post], settings: Reddit) -> Item:
    if found.community == STORIES:
        prompts[found.id] = found
        return Passed(site=_site(found), kind="question")
    title = rules.question(found)
    reason = _refused(found, settings)
    if reason is None and (detail := rules.not_alone(title)):
        reason = ("not_alone", detail)
    if reason is not None:
        return _reject(found, reason)
    name = f"{_SOURCE}/{_site(found)}/{found.id}"
    prompt = Prompt(
        id=name,
        messages=(Turn(role="user", content=title),),
        category=_site(found),
        group="ask_reddit",
        provenance=(_provenance(found, found.title, settings),),
    )
    return Asked(site=_site(found), score=found.score, prompt=prompt)


def _reply(
    found: Post, prompts: dict[str, Post], best: dict[str, tuple[Post, str]], settings: Reddit
) -> Iterator[Item]:
    """A reply becomes the best so far or a reject; the one that it beats becomes a reject."""
    reason = ("further_down", "") if found.parent != f"t3_{found.link}" else _refused(found, settings)
    text = "" if reason else rules.story(found.text)
    reason = reason or _unkept(found, text, prompts, settings)
    if reason is not None:
        yield _reject(found, reason)
        return
    rival = best.get(found.link)
    if rival is None:
        best[found.link] = found, text
    elif (-found.score, found.id) < (-rival[0].score, rival[0].id):
        best[found.link] = found, text
        yield _reject(rival[0], ("not_best", ""))
    else:
        yield _reject(found, ("not_best", ""))


def _unkept(found: Post, text: str, prompts: dict[str, Post], settings: Reddit) -> tuple[str, str] | None:
    """The first rule against the text of a reply and what it replies to."""
    if len(text) < settings.min_chars:
        return "short_reply", f"{len(text)} characters"
    if len(text) > settings.max_chars:
        return "long_reply", f"{len(text)} characters"
    if detail := rules.points_elsewhere(text):
        return "points_elsewhere", detail
    if found.link not in prompts:
        return "no_question", f"submission {found.link} is not in the files"
    if detail := rules.unfit(prompts[found.link], settings.min_score):
        return "unfit_question", detail
    return None


def _refused(found: Post, settings: Reddit) -> tuple[str, str] | None:
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


def _candidate(prompt: Post, reply: Post, text: str, settings: Reddit) -> Candidate:
    return Candidate(
        id=f"{_SOURCE}/{_site(reply)}/{reply.id}",
        source=_SOURCE,
        group="writing_prompts",
        site=_site(reply),
        prompts=(rules.asked(prompt),),
        replies=(Turn(role="assistant", content=text),),
        score=reply.score,
        provenance=(
            _provenance(reply, prompt.title, settings, prompt),
            _provenance(prompt, prompt.title, settings),
        ),
    )


def _site(found: Post) -> str:
    return f"r/{found.community}"


def _reject(found: Post, reason: tuple[str, str]) -> Reject:
    site = _site(found)
    name = f"{_SOURCE}/{site}/{found.id}"
    return Reject(id=name, source=_SOURCE, site=site, rule=reason[0], detail=reason[1], score=found.score)


def _provenance(found: Post, title: str, settings: Reddit, prompt: Post | None = None) -> Provenance:
    """Origin of a post; the address of a reply without one of its own leads from its `prompt`'s."""
    url = found.url or (f"{prompt.url.rstrip('/')}/{found.id}/" if prompt and prompt.url else None)
    return Provenance(
        source=_SOURCE,
        site=_site(found),
        id=found.id,
        url=url,
        title=title or None,
        author=found.author,
        author_url=found.author_url,
        licence=settings.licence,
        created=found.created,
        edited=found.edited,
    )
