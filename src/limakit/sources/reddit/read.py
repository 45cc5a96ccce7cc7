"""Reddit files → candidates and test prompts.

r/WritingPrompts: a submission is a question, a reply to it an answer; the best reply that passes the rules becomes a
candidate. r/AskReddit: the title of a submission may become a prompt for testing; its replies are not read. Memory
grows with the number of stories that pass, not with the size of the files.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import groupby

from limakit.engine import Executor, Progress
from limakit.recipe_sources import Reddit
from limakit.records import Candidate, Prompt, Provenance, Reject, Turn
from limakit.sources.given import Given
from limakit.sources.harvest import Asked, Item, Passed
from limakit.sources.reddit import rules
from limakit.sources.reddit.find import holds_comments
from limakit.sources.reddit.rows import Post
from limakit.sources.reddit.sift import SOURCE, STORIES, Part, Story, refused, reject, sift, sifted, site_of

ENDINGS = (".ndjson", ".jsonl", ".zst", ".csv")
EXPECTED = "Pushshift files of submissions and comments (.ndjson, .jsonl, .zst), a table (.csv), or a folder of them"
SPLIT_BYTES = 32 << 20


def read(
    files: Sequence[Given],
    settings: Reddit,
    progress: Progress,
    *,
    executor: Executor,
    split_bytes: int = SPLIT_BYTES,
) -> Iterator[Item]:
    """Items of all files: submissions first, then the replies to them, then the best of those by Id.

    Plain ndjson is read in parts by the `executor`; tables and packed files are read here, one after the other.
    """
    parts = _parts(files, settings, split_bytes)
    prompts: dict[str, Post] = {}
    best: dict[str, Story] = {}
    done = 0
    for cut, group in groupby(parts, key=lambda part: part.stop is not None):
        some = list(group)
        found = executor.map(partial(sift, settings=settings), some) if cut else (sifted(p, settings) for p in some)
        for one in found:
            progress("reading reddit", done, len(parts), "parts")
            for item in one:
                if isinstance(item, Story):
                    yield from _reply(item, prompts, best, settings)
                elif isinstance(item, Post):
                    yield _submission(item, prompts, settings)
                else:
                    yield item
            done += 1
    progress("reading reddit", len(parts), len(parts), "parts")
    for name in sorted(best):
        yield _candidate(prompts[name], best[name], settings)


def _parts(files: Sequence[Given], settings: Reddit, split_bytes: int) -> list[Part]:
    """The files in parts, those of submissions first; a table, and what is packed, is a part of its own."""
    told = [
        Part(
            file=file,
            comments=file.path.suffix.lower() != ".csv" and holds_comments(file, large_windows=settings.large_windows),
        )
        for file in files
    ]
    parts: list[Part] = []
    for part in sorted(told, key=lambda part: part.comments):
        if part.file.path.suffix.lower() in (".csv", ".zst"):
            parts.append(part)
            continue
        size = part.file.path.stat().st_size
        parts += [
            Part(file=part.file, comments=part.comments, begin=at, stop=min(size, at + split_bytes))
            for at in range(0, size, split_bytes)
        ]
    return parts


def _submission(found: Post, prompts: dict[str, Post], settings: Reddit) -> Item:
    if found.community == STORIES:
        prompts[found.id] = found
        return Passed(site=site_of(found), kind="question")
    title = rules.question(found)
    reason = refused(found, settings)
    if reason is None and (detail := rules.not_alone(title)):
        reason = ("not_alone", detail)
    if reason is not None:
        return reject(found, reason)
    name = f"{SOURCE}/{site_of(found)}/{found.id}"
    prompt = Prompt(
        id=name,
        messages=(Turn(role="user", content=title),),
        category=site_of(found),
        group="ask_reddit",
        provenance=(_provenance(found, found.title, settings),),
    )
    return Asked(site=site_of(found), score=found.score, prompt=prompt)


def _reply(story: Story, prompts: dict[str, Post], best: dict[str, Story], settings: Reddit) -> Iterator[Reject]:
    """A story becomes the best so far or a reject; the one that it beats becomes a reject."""
    found = story.post
    if found.link not in prompts:
        yield reject(found, ("no_question", f"submission {found.link} is not in the files"))
        return
    if detail := rules.unfit(prompts[found.link], settings.min_score):
        yield reject(found, ("unfit_question", detail))
        return
    rival = best.get(found.link)
    if rival is None:
        best[found.link] = story
    elif (-found.score, found.id) < (-rival.post.score, rival.post.id):
        best[found.link] = story
        yield reject(rival.post, ("not_best", ""))
    else:
        yield reject(found, ("not_best", ""))


def _candidate(prompt: Post, story: Story, settings: Reddit) -> Candidate:
    reply = story.post
    return Candidate(
        id=f"{SOURCE}/{site_of(reply)}/{reply.id}",
        source=SOURCE,
        group="writing_prompts",
        site=site_of(reply),
        prompts=(rules.asked(prompt),),
        replies=(Turn(role="assistant", content=story.text),),
        score=reply.score,
        provenance=(
            _provenance(reply, prompt.title, settings, prompt),
            _provenance(prompt, prompt.title, settings),
        ),
    )


def _provenance(found: Post, title: str, settings: Reddit, prompt: Post | None = None) -> Provenance:
    """Origin of a post; the address of a reply without one of its own leads from its `prompt`'s."""
    url = found.url or (f"{prompt.url.rstrip('/')}/{found.id}/" if prompt and prompt.url else None)
    return Provenance(
        source=SOURCE,
        site=site_of(found),
        id=found.id,
        url=url,
        title=title or None,
        author=found.author,
        author_url=found.author_url,
        licence=settings.licence,
        created=found.created,
        edited=found.edited,
    )
