"""What a source brings in, and the one place that counts it.

A reader of a source other than a Stack Exchange dump is a generator of items: candidates, prompts for testing, rejects,
rows that are neither, and damage. `gather` writes, logs and counts them, so that every source adds up in the same way.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import orjson

from limakit.records import Candidate, Prompt, Provenance, Reject
from limakit.store import files
from limakit.store.forgotten import Forgotten
from limakit.store.rejects import HIDDEN, RejectLog

MOST_QUARANTINED = 1000


@dataclass(slots=True, kw_only=True)
class SiteCount:
    """What a site held. rows = questions + answers + others + quarantined; answers = rejected + candidates."""

    site: str
    group: str
    questions: int = 0
    answers: int = 0
    others: int = 0
    quarantined: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    candidates: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A prompt for testing that its source offers, with its votes; it counts as a candidate of its site."""

    site: str
    score: int
    prompt: Prompt


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """Rows that hold no answer: a question that was looked at, or something else."""

    site: str
    kind: Literal["question", "other"]
    count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Damaged:
    """A row that could not be read, and where."""

    site: str
    file: str
    place: str
    """For example `line 12`."""
    reason: str


Item = Candidate | Asked | Reject | Passed | Damaged


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """What one source brought in."""

    candidates: Path
    """JSONL of Candidate."""
    asked: tuple[Asked, ...]
    groups: Counter[str]
    """Candidates by group."""
    sites: tuple[SiteCount, ...]
    quarantine: tuple[dict[str, str | int], ...]
    """Of the first rows that could not be read; all are counted."""


def gather(
    items: Iterable[Item],
    *,
    to: Path,
    group: str,
    rejects: RejectLog,
    seen: set[str],
    forgotten: Forgotten = Forgotten(),  # noqa: B008 (frozen)
) -> Gathered:
    """Write the candidates to the JSONL file `to`, log the rejects and count everything by site.

    `group` names the stratum of sites without a candidate; `seen` holds the Ids of other sources, and a candidate or
    prompt whose Id is in it is rejected as the same post. Of posts by somebody `forgotten` the log has the rule.
    """
    book = _Book(group=group, rejects=rejects, seen=seen, forgotten=forgotten)
    files.publish(to, book.lines(items))
    return Gathered(
        candidates=to,
        asked=tuple(book.asked),
        groups=book.groups,
        sites=tuple(book.counts[site] for site in sorted(book.counts)),
        quarantine=tuple(book.quarantine),
    )


class _Book:
    """The running account of one source."""

    def __init__(self, *, group: str, rejects: RejectLog, seen: set[str], forgotten: Forgotten):
        self._group, self._rejects, self._seen, self._forgotten = group, rejects, seen, forgotten
        self.counts: dict[str, SiteCount] = {}
        self.groups: Counter[str] = Counter()
        self.asked: list[Asked] = []
        self.quarantine: list[dict[str, str | int]] = []

    def lines(self, items: Iterable[Item]) -> Iterator[bytes]:
        """JSON lines of the candidates among the items; the others are entered as they pass."""
        for item in items:
            count = self.counts.setdefault(item.site, SiteCount(site=item.site, group=self._group))
            match item:
                case Candidate():
                    if self._is_new(item.id, item.source, count, item.score, item.provenance):
                        count.group = item.group
                        self.groups[item.group] += 1
                        yield orjson.dumps(item) + b"\n"
                case Asked():
                    if self._is_new(
                        item.prompt.id, item.prompt.id.split("/")[0], count, item.score, item.prompt.provenance
                    ):
                        count.group = item.prompt.group
                        self.asked.append(item)
                case Reject():
                    by = Provenance(source="", site="", id="", author=item.author, author_url=item.author_url)
                    self._refuse(item.id, item.source, count, (item.rule, item.detail), item.score or 0, (by,))
                case Passed(kind="question"):
                    count.questions += item.count
                case Passed():
                    count.others += item.count
                case Damaged():
                    count.quarantined += 1
                    if len(self.quarantine) < MOST_QUARANTINED:
                        self.quarantine.append(
                            {"site": item.site, "file": item.file, "place": item.place, "reason": item.reason}
                        )

    def _is_new(self, name: str, source: str, count: SiteCount, score: int, posts: tuple[Provenance, ...]) -> bool:
        if name in self._seen:
            self._refuse(name, source, count, ("same_post", ""), score, posts)
            return False
        self._seen.add(name)
        count.answers += 1
        count.candidates += 1
        return True

    def _refuse(
        self,
        name: str,
        source: str,
        count: SiteCount,
        reason: tuple[str, str],
        score: int,
        posts: tuple[Provenance, ...],
    ) -> None:
        number = name.removeprefix(f"{source}/{count.site}/")
        if self._forgotten and self._forgotten.covers(posts):
            number, reason = HIDDEN, (reason[0], "")
        self._rejects.add(source, count.site, number, reason, score)
        count.answers += 1
        count.rejected[reason[0]] += 1


def merged(counts: Iterable[SiteCount]) -> tuple[SiteCount, ...]:
    """The counts with those of one site added up, by the site's name."""
    whole: dict[str, SiteCount] = {}
    for count in counts:
        into = whole.setdefault(count.site, SiteCount(site=count.site, group=count.group))
        into.questions += count.questions
        into.answers += count.answers
        into.others += count.others
        into.quarantined += count.quarantined
        into.rejected += count.rejected
        into.candidates += count.candidates
    return tuple(whole[site] for site in sorted(whole))
