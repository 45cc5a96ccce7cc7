"""Candidates → picks, and picks → train, dev and test."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from limakit.curate.sample import choose, duplicates, uniform
from limakit.curate.survey import batches, near_repeats, survey
from limakit.recipe import Curate
from limakit.records import Candidate, Example, Prompt, Turn
from limakit.store.rejects import RejectLog

Reason = tuple[str, str]
"""A rule's name and a detail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Splits:
    """The chosen examples; no question is in two of them."""

    train: tuple[Example, ...]
    dev: tuple[Prompt, ...]
    test: tuple[Prompt, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The picks, and how many candidates of each site fell to which rule of the selection."""

    picks: list[Candidate]
    rejected: dict[str, Counter[str]]


def select(paths: Iterable[Path], settings: Curate, *, seed: int, rejects: RejectLog) -> Selection:
    """Choose from JSONL files of candidates, which are streamed; what is not chosen goes to the reject log.

    The picks keep the order of the files. Raises InputError where a file is damaged.
    """
    paths = list(paths)
    seen = survey(paths)
    reasons: dict[str, Reason] = {}
    reasons.update({number: ("duplicate", kept) for number, kept in duplicates(seen.entries).items()})
    if settings.near_duplicates:
        near = near_repeats(seen, reasons, settings.near_duplicates)
        reasons.update({number: ("near_duplicate", kept) for number, kept in near.items()})
    clean = [entry for entry in seen.entries if entry.id not in reasons]
    taken = frozenset(choose(clean, settings.quotas, settings.temperature, seed))
    rejected: dict[str, Counter[str]] = {}
    for entry in seen.entries:
        if entry.id not in taken:
            unwanted = ("not_selected", "") if settings.quotas.get(entry.group) else ("no_quota", entry.group)
            reason = reasons.get(entry.id, unwanted)
            number = entry.id.removeprefix(f"{entry.source}/{entry.site}/")
            rejects.add(entry.source, entry.site, number, reason, -entry.rank)
            rejected.setdefault(entry.site, Counter())[reason[0]] += 1
    picks = [candidate for batch in batches(paths) for candidate in batch if candidate.id in taken]
    return Selection(picks=picks, rejected=rejected)


def split(picks: Sequence[Candidate], settings: Curate, *, seed: int) -> Splits:
    """Hold out dev and test prompts by a seeded draw, their response becoming the reference; the rest is for training.

    Training examples keep the order of `picks`, prompts the order of the draw.
    """
    drawn = sorted(picks, key=lambda pick: (uniform(f"{seed}/hold-out/{pick.id}"), pick.id))
    dev = drawn[: settings.hold_out_dev]
    test = drawn[settings.hold_out_dev : settings.hold_out_dev + settings.hold_out_test]
    held = {pick.id for pick in (*dev, *test)}
    return Splits(
        train=tuple(_example(pick, seed) for pick in picks if pick.id not in held),
        dev=tuple(_prompt(pick, seed) for pick in dev),
        test=tuple(_prompt(pick, seed) for pick in test),
    )


def _first_turn(pick: Candidate, seed: int) -> Turn:
    """The prompt: one of the alternatives, drawn by seed and Id alone."""
    at = int(uniform(f"{seed}/prompt/{pick.id}") * len(pick.prompts))
    return Turn(role="user", content=pick.prompts[at])


def _example(pick: Candidate, seed: int) -> Example:
    return Example(
        id=pick.id,
        messages=(_first_turn(pick, seed), *pick.replies),
        source=pick.source,
        group=pick.group,
        site=pick.site,
        provenance=pick.provenance,
        score=pick.score,
    )


def _prompt(pick: Candidate, seed: int) -> Prompt:
    """The pick as a prompt with its first response for reference."""
    return Prompt(
        id=pick.id,
        messages=(_first_turn(pick, seed),),
        category=pick.site,
        group=pick.group,
        reference=pick.replies[0].content,
        provenance=pick.provenance,
    )
