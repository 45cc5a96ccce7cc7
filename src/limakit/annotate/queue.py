"""Who is asked what, and in which order: a pure function of the seed and of what has been handed out already.

Everybody gets the shared items, so that agreement can be told; every other item goes to so many people as the recipe
asks. Within each baseline the candidate stands left as often as right for each person (they differ by one at most), and
about 3 % of the items come back later with the sides swapped.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from limakit.annotate.items import Item, digest
from limakit.recipe import Annotate

CHUNK = 20
"""Items that are handed out at a time."""
APART = 10
"""Items that lie at least between an item and its repetition."""


class Asked(Protocol):
    """One item that a person has, as far as the next ones depend on it: `Slot`, `store.votes.Assigned`."""

    @property
    def item(self) -> str: ...
    @property
    def flipped(self) -> bool: ...
    @property
    def repeats(self) -> int | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One item to be added to a person's queue."""

    item: str
    flipped: bool = False
    """Shown in the other order than the pair's own."""
    repeats: int | None = None
    """Position in the queue of the item that is asked again."""


def left(
    mine: Sequence[Asked], items: Sequence[Item], coverage: Mapping[str, int], settings: Annotate, seed: int
) -> int:
    """How many items, repetitions not counted, could still be handed out to the person who has `mine`."""
    return sum(map(len, _open(mine, items, coverage, settings, seed)))


def next_slots(
    person: str,
    mine: Sequence[Asked],
    items: Sequence[Item],
    coverage: Mapping[str, int],
    settings: Annotate,
    seed: int,
    size: int = CHUNK,
) -> list[Slot]:
    """The slots that follow `mine`, which is all that the person has, in order; empty where nothing is left.

    `coverage` says how many people each item was handed out to. Half of the items are shared ones, as long as there
    are any, and the others are those that the fewest people have.
    """
    shared, others = _open(mine, items, coverage, settings, seed)
    shared.sort(key=lambda item: digest(seed, "shared for", person, item.id))
    others.sort(key=lambda item: (coverage.get(item.id, 0), digest(seed, "other for", person, item.id)))
    half = max(size // 2, size - len(others))
    chosen = [*shared[:half], *others[: size - len(shared[:half])]]
    chosen.sort(key=lambda item: digest(seed, "order for", person, item.id))
    slots = [Slot(item=item.id, flipped=flip) for item, flip in zip(chosen, _sides(mine, items, chosen), strict=True)]
    return _with_repeats(person, mine, slots, {item.id: item for item in items}, settings, seed)


def _open(
    mine: Sequence[Asked], items: Sequence[Item], coverage: Mapping[str, int], settings: Annotate, seed: int
) -> tuple[list[Item], list[Item]]:
    """Shared and other items that the person has not had and that may be handed out."""
    had = {slot.item for slot in mine}
    ranked = sorted(items, key=lambda item: digest(seed, "shared", item.id))
    shared = [item for item in ranked[: settings.shared] if item.id not in had]
    others = [
        item
        for item in ranked[settings.shared :]
        if item.id not in had and coverage.get(item.id, 0) < settings.votes_per_item
    ]
    return shared, others


def _sides(mine: Sequence[Asked], items: Sequence[Item], chosen: Sequence[Item]) -> list[bool]:
    """For each chosen item whether it is flipped: as the pair has it, but where one side got ahead."""
    known = {item.id: item for item in items}
    ahead: dict[str, int] = {}
    for slot in mine:
        item = known.get(slot.item)
        if item and item.candidate_first is not None and slot.repeats is None:
            ahead[item.group] = ahead.get(item.group, 0) + (1 if item.candidate_first != slot.flipped else -1)
    flips = [False] * len(chosen)
    for group in {item.group for item in chosen}:
        own = [n for n, item in enumerate(chosen) if item.group == group and item.candidate_first is not None]
        balance = ahead.get(group, 0) + sum(1 if chosen[n].candidate_first else -1 for n in own)
        for n in own:
            if balance > 1 and chosen[n].candidate_first:
                flips[n], balance = True, balance - 2
            elif balance < -1 and not chosen[n].candidate_first:
                flips[n], balance = True, balance + 2
    return flips


def _with_repeats(
    person: str,
    mine: Sequence[Asked],
    new: Sequence[Slot],
    items: Mapping[str, Item],
    settings: Annotate,
    seed: int,
) -> list[Slot]:
    """The new slots with an earlier one asked again wherever the time has come."""
    if not settings.repeats:
        return list(new)
    period = max(2, round(1 / settings.repeats))
    queue: list[Asked] = list(mine)
    slots: list[Slot] = []
    repeated = {slot.repeats for slot in mine if slot.repeats is not None}
    for slot in new:
        position = len(queue)
        if position % period == period - 1:
            early = [
                n
                for n in range(position - APART)
                if queue[n].repeats is None and n not in repeated and queue[n].item in items
            ]
            if early:
                n = min(early, key=lambda n: digest(seed, "repeat for", person, position, n))
                has_sides = items[queue[n].item].candidate_first is not None
                again = Slot(item=queue[n].item, flipped=queue[n].flipped != has_sides, repeats=n)
                slots.append(again)
                queue.append(again)
                repeated.add(n)
        slots.append(slot)
        queue.append(slot)
    return slots
