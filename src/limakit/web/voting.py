"""What stands behind the pages Compare and Grade: a person's queue as the browser gets it, and votes on their way in.

No system's name, and nothing that one could be told by, is in what is sent: an item is a number of the person's own.
"""

import asyncio
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from limakit.annotate.items import LABELS, SKIP, Answer, Item, Kind, of_answers, of_pairs
from limakit.annotate.queue import CHUNK, left, next_slots
from limakit.errors import LimakitError
from limakit.pipeline.annotating import Material, inputs, material
from limakit.records import Pair, Turn
from limakit.report.untrusted import as_html
from limakit.store import votes
from limakit.store.people import People
from limakit.store.study import Study
from limakit.store.votes import Assigned, Ballot, Receipt

SEEN = 10
"""Items already voted on that the page gets too, so that a vote can be taken back after a reload."""


class Booth:
    """Hands out items and takes votes, for one studio."""

    def __init__(self, study: Study, people: People):
        self._study, self._people = study, people
        self._loading = threading.Lock()
        self._stamp: Any = None
        self._material = _Ready({}, {}, {})

    def hand_out(self, person: str, kind: Kind, after: int, now: float) -> dict[str, Any]:
        """Up to `CHUNK` items of the person's queue behind position `after` that wait for a vote, handed out now where
        there are fewer; the last ones with a vote, for taking it back; and how far the person has come."""
        ready, recipe = self._fresh(), self._study.recipe
        items, seed = ready.items.get(kind, []), recipe.seed
        with self._people.read() as connection:
            mine = _shown(votes.queue(connection, person, kind), ready)
            taken = votes.coverage(connection, kind, now)
            troubles = [row for row in votes.conflicts(connection, person) if row["kind"] == kind]
        waiting = [slot for slot in mine if slot.label is None and slot.position > after]
        if len(waiting) < CHUNK and left(mine, items, taken, recipe.annotate, seed):
            with self._people.write() as connection:
                every = votes.queue(connection, person, kind)
                taken = votes.coverage(connection, kind, now)
                slots = next_slots(person, every, items, taken, recipe.annotate, seed)
                votes.assign(connection, person, kind, len(every), slots, now)
                mine = _shown(votes.queue(connection, person, kind), ready)
            waiting = [slot for slot in mine if slot.label is None and slot.position > after]
        done = [slot for slot in mine if slot.label is not None]
        ahead = left(mine, items, taken, recipe.annotate, seed)
        return {
            "items": [ready.show(slot) for slot in waiting[:CHUNK]],
            "seen": [ready.show(slot) for slot in done[-SEEN:]] if after < 0 else [],
            "done": len(done),
            "total": len(mine) + ahead,
            "break_every": recipe.annotate.break_every,
            "conflicts": [
                {"assignment": row["assignment"], "label": row["label"], "kept": row["kept"], "head": row["head"]}
                | {"item": next((ready.show(slot) for slot in mine if slot.id == row["assignment"]), None)}
                for row in troubles
            ],
        }

    def store(self, ballots: Sequence[tuple[str, Ballot]], now: float) -> list[Receipt]:
        """Votes to the disk, in one transaction."""
        with self._people.write() as connection:
            return votes.append(connection, ballots, now)

    def _fresh(self) -> "_Ready":
        """What can be asked, read again when a stage has published."""
        with self._loading:
            stamp = [(name, path.stat().st_mtime_ns, path.stat().st_size) for name, path in inputs(self._study).items()]
            if stamp != self._stamp:
                self._material = _ready(material(self._study), self._study.recipe.compare.candidate)
                self._stamp = stamp
            return self._material


@dataclass(frozen=True, slots=True)
class _Ready:
    """The material by the ids of items."""

    pairs: Mapping[str, Pair]
    answers: Mapping[str, Answer]
    items: Mapping[Kind, list[Item]]

    def show(self, slot: Assigned) -> dict[str, Any]:
        """One item as the browser gets it: cleaned HTML, and nothing that names a system."""
        shown: dict[str, Any] = {
            "assignment": slot.id,
            "position": slot.position,
            "head": slot.head,
            "label": slot.label,
        }
        pair = self.pairs.get(slot.item)
        if pair is not None:
            both = pair.swap() if slot.flipped else pair
            return shown | {"turns": _turns(pair.messages), "answers": [_html(both.a.text), _html(both.b.text)]}
        answer = self.answers[slot.item]
        note = answer.note if answer.kind == "safety" else None
        return shown | {"turns": _turns(answer.messages), "answers": [_html(answer.response.text)], "note": note}


def _ready(there: Material, candidate: str) -> _Ready:
    answers = {answer.id: answer for kind in there.answers.values() for answer in kind}
    items: dict[Kind, list[Item]] = {"compare": of_pairs(there.pairs, candidate)}
    items |= {kind: of_answers(found) for kind, found in there.answers.items()}
    return _Ready({pair.id: pair for pair in there.pairs}, answers, items)


def _shown(queue: Sequence[Assigned], ready: _Ready) -> list[Assigned]:
    """The queue without items that are no longer in the study."""
    return [slot for slot in queue if slot.item in ready.pairs or slot.item in ready.answers]


def _turns(messages: Sequence[Turn]) -> list[dict[str, str]]:
    return [{"role": turn.role, "html": _html(turn.content)} for turn in messages]


@lru_cache(maxsize=8192)
def _html(text: str) -> str:
    return as_html(text)


def check(kind: str, label: str | None) -> None:
    """Raises LimakitError where a label cannot be said of this kind of item."""
    if label is not None and label not in (*LABELS[kind], SKIP):
        raise LimakitError(f"label {label!r} is none of {', '.join((*LABELS[kind], SKIP))}", fix="Reload the page.")


class Gathering:
    """Votes that come in while others are being stored go to the disk together, in one transaction and one sync."""

    def __init__(self, booth: Booth):
        self._booth = booth
        self._waiting: list[tuple[list[tuple[str, Ballot]], asyncio.Future[list[Receipt]]]] = []
        self._task: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, "votes")

    async def add(self, ballots: list[tuple[str, Ballot]], now: float) -> list[Receipt]:
        """Store these; returns when they are on the disk. Raises StudyError where the database fails."""
        done: asyncio.Future[list[Receipt]] = asyncio.get_running_loop().create_future()
        self._waiting.append((ballots, done))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._store(now))
        return await done

    async def _store(self, now: float) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            batch, self._waiting = self._waiting, []
            everything = [ballot for ballots, _ in batch for ballot in ballots]
            try:
                receipts = await loop.run_in_executor(self._thread, self._booth.store, everything, now)
            except Exception as error:
                for _, done in batch:
                    if not done.done():
                        done.set_exception(error)
                continue
            for ballots, done in batch:
                own, receipts = receipts[: len(ballots)], receipts[len(ballots) :]
                if not done.done():
                    done.set_result(own)
