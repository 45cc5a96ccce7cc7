"""Candidates → picks, and picks → train, dev and test."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from limakit.curate.sample import Entry, choose, duplicates, uniform
from limakit.recipe import Curate
from limakit.records import Candidate, Example, Prompt, Turn
from limakit.store import files
from limakit.store.rejects import RejectLog


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


def digest(text: str) -> bytes:
    """Hash of a text without regard to letter case and white space."""
    return hashlib.blake2b(" ".join(text.lower().split()).encode(), digest_size=16).digest()


def select(paths: Iterable[Path], settings: Curate, *, seed: int, rejects: RejectLog) -> Selection:
    """Choose from JSONL files of candidates, which are streamed; what is not chosen goes to the reject log.

    The picks keep the order of the files. Raises InputError where a file is damaged.
    """
    paths = list(paths)
    entries = [_entry(candidate) for path in paths for candidate in files.iter_jsonl(path, Candidate)]
    repeats = duplicates(entries)
    unique = [entry for entry in entries if entry.id not in repeats]
    taken = frozenset(choose(unique, settings.quotas, settings.temperature, seed, settings.even_groups))
    picks: list[Candidate] = []
    rejected: dict[str, Counter[str]] = {}
    for path in paths:
        for candidate in files.iter_jsonl(path, Candidate):
            if candidate.id in taken:
                picks.append(candidate)
                continue
            reason = ("not_selected", "")
            if candidate.id in repeats:
                reason = ("duplicate", repeats[candidate.id])
            elif not settings.quotas.get(candidate.group):
                reason = ("no_quota", candidate.group)
            number = candidate.id.removeprefix(f"{candidate.source}/{candidate.site}/")
            rejects.add(candidate.source, candidate.site, number, reason, candidate.score)
            rejected.setdefault(candidate.site, Counter())[reason[0]] += 1
    return Selection(picks=picks, rejected=rejected)


def _entry(candidate: Candidate) -> Entry:
    number = candidate.id.rpartition("/")[2]
    return Entry(
        site=candidate.site,
        rank=-candidate.score,
        number=int(number) if number.isdecimal() else 0,
        id=candidate.id,
        group=candidate.group,
        digest=digest("\n".join(turn.content for turn in candidate.replies)),
    )


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
