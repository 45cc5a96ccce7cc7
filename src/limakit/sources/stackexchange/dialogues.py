"""An answer and what was said beneath it → a dialogue: the paper took 20 of its 30 chains from comments (section 3.2).

The asker's remarks become the user's turns, the answerer's the assistant's. A remark of the answerer counts only where
nobody else spoke since the asker last did, as it may be meant for them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from limakit.records import Candidate, Provenance, Turn
from limakit.sources.harvest import SiteCount
from limakit.sources.stackexchange.comments import Comment, Thread
from limakit.sources.stackexchange.names import licence_of
from limakit.sources.stackexchange.scan import Editor
from limakit.store import files
from limakit.store.rejects import RejectLog

GROUP = "dialogues"
ENDING = "/dialogue"
"""Of a dialogue's Id; what precedes it is the Id of the answer that it begins with."""
Exchange = tuple[list[Comment], list[Comment]]
"""What the asker wrote, and what the answerer wrote in reply; each may be several comments in a row."""


def dialogues(
    answers: Path,
    threads: Iterable[Thread],
    editor: Editor,
    counts: Mapping[str, SiteCount],
    rejects: RejectLog,
) -> Iterator[Candidate]:
    """Dialogues that begin with the candidates of the JSONL file `answers`, in its order.

    A thread in which the asker asks and the answerer replies counts as an answer read, in place of one of its rows:
    a candidate or a reject. `answers` has its answer's author and question's author first in the provenance.
    """
    known = {(thread.site, thread.answer): exchanges(thread) for thread in threads}
    for answer in files.iter_jsonl(answers, Candidate):
        said = known.get((answer.site, int(answer.provenance[0].id)))
        if not said:
            continue
        count = counts[answer.site]
        count.others -= 1
        count.answers += 1
        turns, used, objection = _turns(said, editor)
        if not turns:
            number = f"{answer.provenance[0].id}{ENDING}"
            rejects.add(answer.source, answer.site, number, ("poor_exchange", objection), answer.score)
            count.rejected["poor_exchange"] += 1
            continue
        count.candidates += 1
        posts = tuple(_provenance(comment, answer.provenance[at], answer.provenance[0]) for comment, at in used)
        yield replace(
            answer,
            id=f"{answer.id}{ENDING}",
            group=GROUP,
            replies=(*answer.replies, *turns),
            provenance=(*answer.provenance, *posts),
        )


def exchanges(thread: Thread) -> list[Exchange]:
    """Pairs of remark and reply, from the asker's first question on."""
    pairs: list[Exchange] = []
    asked: list[Comment] = []
    said: list[Comment] = []
    meant, stranger = True, False
    for comment in thread.comments:
        if comment.user == thread.asker and not (stranger and comment.text.startswith("@")):
            if said:
                pairs.append((asked, said))
                asked, said = [], []
            asked.append(comment)
            meant = True
        elif comment.user == thread.answerer:
            stranger = False
            if asked and meant:
                said.append(comment)
        else:
            meant, stranger = False, True
    if said:
        pairs.append((asked, said))
    first = next((at for at, (asked, _) in enumerate(pairs) if any("?" in c.text for c in asked)), len(pairs))
    return pairs[first:]


def _turns(pairs: Sequence[Exchange], editor: Editor) -> tuple[tuple[Turn, ...], list[tuple[Comment, int]], str]:
    """Turns up to the first exchange that the editor refuses, the comments in them, each with the number of its
    author's post (0 for the answer, 1 for the question), and what is against that exchange."""
    turns: list[Turn] = []
    used: list[tuple[Comment, int]] = []
    for asked, said in pairs:
        remark, reply = (" ".join(filter(None, (editor.remark(c.text) for c in part))) for part in (asked, said))
        if objection := editor.exchange(remark, reply):
            return tuple(turns), used, objection
        turns += [Turn(role="user", content=remark), Turn(role="assistant", content=reply)]
        used += [*((comment, 1) for comment in asked), *((comment, 0) for comment in said)]
    return tuple(turns), used, ""


def _provenance(comment: Comment, author: Provenance, answer: Provenance) -> Provenance:
    """Origin of a comment on `answer`; `author` is a post by the same person."""
    return Provenance(
        source=answer.source,
        site=answer.site,
        id=f"{answer.id}#comment{comment.id}",
        url=f"{answer.url}#comment{comment.id}_{answer.id}" if answer.url else None,
        title=answer.title,
        author=author.author,
        author_url=author.author_url,
        licence=comment.licence or licence_of(comment.created, None),
        created=comment.created or None,
    )
