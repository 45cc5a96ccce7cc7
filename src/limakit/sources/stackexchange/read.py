"""Dumps in, candidates out: two maps over byte ranges and one small reduce.

Scan every answer; keep the best of each question, by (score, lowest Id); look up the questions; turn what is left into
candidates. The work folder receives `candidates.jsonl`, the reject log every answer that was read and not kept.
"""

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from pathlib import Path

import numpy as np
import orjson

from limakit.engine import Executor, Progress, silent
from limakit.sources.harvest import MOST_QUARANTINED, SiteCount
from limakit.sources.stackexchange.archive import unpacked
from limakit.sources.stackexchange.comments import Speakers, find_threads
from limakit.sources.stackexchange.dialogues import dialogues
from limakit.sources.stackexchange.find import Dump
from limakit.sources.stackexchange.merge import best_answers
from limakit.sources.stackexchange.render import Batch, post_at, render
from limakit.sources.stackexchange.scan import KEEP, UNJUDGED, Answer, Editor, Scanned, scan
from limakit.sources.stackexchange.split import splits
from limakit.store import files
from limakit.store.rejects import RejectLog
from limakit.store.spill import Place, Spill

SOURCE = "stackexchange"
SPLIT_BYTES = 32 << 20
BATCH = 64


Questions = list[tuple[Scanned, Place]]
"""What each split holds, with the place where its table of questions was put."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Harvest:
    """What `read` brought in."""

    candidates: Path
    """JSONL of Candidate."""
    dialogues: Path | None
    """JSONL of Candidate too, where dialogues are asked for."""
    sites: tuple[SiteCount, ...]
    quarantine: tuple[dict[str, str | int], ...]
    """`file`, `offset` in bytes and `reason` of the first rows that could not be read; all are counted."""
    dumps: tuple[Dump, ...]
    """The dumps as read, unpacked where they were archives."""


def read(
    dumps: Sequence[Dump],
    editor: Editor,
    *,
    executor: Executor,
    folder: Path,
    rejects: RejectLog,
    progress: Progress = silent,
    split_bytes: int = SPLIT_BYTES,
) -> Harvest:
    """Read dumps. Writes `candidates.jsonl`, `dialogues.jsonl` where a dump has comments to read, and, for archives,
    scratch under `folder/unpacked`.

    Raises InputError where a dump cannot be read at all; damage within one is quarantined and counted.
    """
    opened = _opened(dumps, folder / "unpacked", executor, progress)
    work = [
        split
        for number, dump in enumerate(opened)
        for split in splits(number, str(dump.posts), dump.posts.stat().st_size, split_bytes)
    ]
    counts = {dump.site: SiteCount(site=dump.site, group=dump.group) for dump in opened}
    quarantine: list[dict[str, str | int]] = []
    tables: Questions = []
    done, total = 0, sum(split.stop - split.start for split in work)
    with Spill(folder) as spill:
        for split, found in zip(work, executor.map(partial(scan, editor=editor), work), strict=True):
            dump = opened[split.dump]
            _count(found, dump, counts[dump.site], quarantine, rejects)
            tables.append((found, spill.put(found.places)))
            found.places = b""
            done += split.stop - split.start
            progress("reading posts", done, total, "bytes")
        best = _best(opened, tables, editor, counts, rejects)
        best = _with_questions(best, tables, spill)
    del tables
    target = folder / "candidates.jsonl"
    speakers: Speakers = {}
    files.publish(target, _rendered(best, opened, editor, executor, counts, rejects, progress, speakers))
    talks = None
    if any(dump.comments for dump in opened):
        talks = folder / "dialogues.jsonl"
        threads = find_threads(opened, speakers, counts, quarantine, executor=executor, progress=progress)
        made = dialogues(target, threads, editor, counts, rejects)
        files.publish(talks, (orjson.dumps(candidate) + b"\n" for candidate in made))
    return Harvest(
        candidates=target,
        dialogues=talks,
        sites=tuple(counts[site] for site in sorted(counts)),
        quarantine=tuple(quarantine),
        dumps=opened,
    )


def _opened(dumps: Sequence[Dump], scratch: Path, executor: Executor, progress: Progress) -> tuple[Dump, ...]:
    """The dumps with plain XML files; those that are archives are unpacked into `scratch`, several at a time."""
    opened, packed = list(dumps), [number for number, dump in enumerate(dumps) if dump.packed]
    work = [(dumps[number], scratch / str(number)) for number in packed]
    for done, (number, dump) in enumerate(zip(packed, executor.map(unpacked, work), strict=True), 1):
        opened[number] = dump
        progress("unpacking archives", done, len(packed), "archives")
    return tuple(opened)


def _count(
    found: Scanned, dump: Dump, count: SiteCount, quarantine: list[dict[str, str | int]], rejects: RejectLog
) -> None:
    """Add one split's figures to its site's, and log the answers that its scan alone could reject."""
    count.questions += found.questions
    count.answers += found.answers
    count.others += found.others
    count.quarantined += len(found.quarantine)
    for offset, reason in found.quarantine[: MOST_QUARANTINED - len(quarantine)]:
        quarantine.append({"site": dump.site, "file": dump.label, "offset": offset, "reason": reason})
    rejects.add_many(SOURCE, dump.site, "score", found.low_ids, found.low_scores)
    count.rejected["score"] += len(found.low_ids)
    for number, score in found.fabricated:
        rejects.add(SOURCE, dump.site, number, ("fabricated", ""), score)
        count.rejected["fabricated"] += 1
    found.low_ids, found.low_scores = array("q"), array("q")


def _best(
    dumps: Sequence[Dump], tables: Questions, editor: Editor, counts: dict[str, SiteCount], rejects: RejectLog
) -> list[Answer]:
    """The reduce: the answers still in the running; logs the others with the reason."""
    best: list[Answer] = []
    labels = [dump.label for dump in dumps]
    for site, count in counts.items():
        scanned: dict[int, list[Scanned]] = {}
        for found, _ in tables:
            if dumps[found.dump].site == site:
                scanned.setdefault(found.dump, []).append(found)
        for some in best_answers(scanned, labels):
            # outshone in its split by a copy of a post that another dump has elsewhere
            for at in np.flatnonzero(some.against == UNJUDGED).tolist():
                with open(dumps[some.dumps[at]].posts, "rb", buffering=0) as file:
                    reason = editor.judge(post_at(file, int(some.offsets[at])).body)
                some.against[at] = len(some.reasons) if reason else KEEP
                some.reasons.extend([reason] if reason else [])
            best += [some.answer(at) for at in np.flatnonzero(some.against == KEEP).tolist()]
            fell = np.flatnonzero(some.against >= 0)
            numbers, against, scores = some.ids[fell], some.against[fell], some.scores[fell]
            rejects.add_each(
                SOURCE, site, array("q", numbers.tobytes()), some.reasons, against, array("q", scores.tobytes())
            )
            for (rule, _), size in zip(some.reasons, np.bincount(against, minlength=len(some.reasons)), strict=True):
                if size:
                    count.rejected[rule] += int(size)
    return best


def _with_questions(best: list[Answer], tables: Questions, spill: Spill) -> list[Answer]:
    """The answers with the places of the questions that another split than theirs holds, or may hold too: of several
    questions with one Id the first counts, wherever the cuts are."""
    missing: dict[int, set[int]] = {}
    for dump in {answer.dump for answer in best}:
        parts = [found for found, _ in tables if found.dump == dump and found.highest_question >= 0]
        lowest, highest = (np.sort([getattr(part, name) for part in parts]) for name in _RANGE)
        mine = [answer for answer in best if answer.dump == dump]
        parents = np.array([answer.parent for answer in mine])
        holders = lowest.searchsorted(parents, "right") - highest.searchsorted(parents, "left")
        missing[dump] = {a.parent for a, count in zip(mine, holders.tolist(), strict=True) if a.asked < 0 or count > 1}
    wanted = {dump: np.array(sorted(numbers)) for dump, numbers in missing.items() if numbers}
    places: dict[tuple[int, int], int] = {}
    for found, place in tables:
        here = wanted.get(found.dump)
        if here is not None and np.diff(here.searchsorted([found.lowest_question, found.highest_question + 1])) > 0:
            ids, offsets = np.frombuffer(spill.get(place), np.int64).reshape(2, -1)
            near = here[np.minimum(here.searchsorted(ids), len(here) - 1)]  # np.isin imports all of numpy.ma
            for at in np.flatnonzero(near == ids):
                key, offset = (found.dump, int(ids[at])), int(offsets[at])
                places[key] = min(offset, places.get(key, offset))
    return [replace(answer, asked=places.get((answer.dump, answer.parent), answer.asked)) for answer in best]


_RANGE = ("lowest_question", "highest_question")


def _rendered(
    best: list[Answer],
    dumps: Sequence[Dump],
    editor: Editor,
    executor: Executor,
    counts: dict[str, SiteCount],
    rejects: RejectLog,
    progress: Progress,
    speakers: Speakers,
) -> Iterator[bytes]:
    """The third map: JSON lines of the candidates; logs what is found unfit only now. Fills `speakers` for sites with
    comments to read."""
    talked = {dump.site for dump in dumps if dump.comments}
    batches = [
        Batch(dumps[answers[0].dump], tuple(answers))
        for _, group in groupby(best, key=lambda answer: answer.dump)
        for answers in _batched(list(group))
    ]
    done = 0
    for batch, result in zip(batches, executor.map(partial(render, editor=editor), batches), strict=True):
        count = counts[batch.dump.site]
        for number, reason, score in result.rejected:
            rejects.add(SOURCE, batch.dump.site, number, reason, score)
            count.rejected[reason[0]] += 1
        count.candidates += result.count
        if batch.dump.site in talked:
            pairs = {number: (answerer, asker) for number, answerer, asker in result.speakers}
            speakers.setdefault(batch.dump.site, {}).update(pairs)
        done += len(batch.answers)
        progress("writing candidates", done, len(best), "answers")
        yield result.lines


def _batched(answers: list[Answer]) -> Iterator[list[Answer]]:
    yield from (answers[at : at + BATCH] for at in range(0, len(answers), BATCH))
