"""Candidates → picks, and picks → train, dev and test."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from limakit.curate.diverse import Difficulty, Diverse
from limakit.curate.leaks import Name, target_of
from limakit.curate.meaning import Meaning
from limakit.curate.sample import answer_of, choose, duplicates, uniform
from limakit.curate.survey import PIECE_BYTES, near_repeats, survey
from limakit.curate.vectors import Embed
from limakit.curate.watch import Watch
from limakit.engine import Executor, LocalExecutor, Progress, silent
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
    """What was chosen, and how many candidates of each site fell to which rule of the selection."""

    picks: list[Candidate]
    """For training, dev and test, in the order of the files."""
    held: dict[str, Name]
    """Ids of those held out, in the order of the draw, dev before test."""
    rejected: dict[str, Counter[str]]
    contamination: dict[str, Any]
    """What `contamination.json` says."""


def select(
    paths: Iterable[Path],
    settings: Curate,
    *,
    seed: int,
    rejects: RejectLog,
    folder: Path,
    executor: Executor | None = None,
    progress: Progress = silent,
    given: Mapping[Name, Sequence[Prompt]] | None = None,
    embed: Embed | None = None,
    difficulty: Difficulty | None = None,
    wanted: frozenset[str] = frozenset(),
    piece_bytes: int = PIECE_BYTES,
) -> Selection:
    """Choose from JSONL files of candidates, whose texts stay on disk; what is not chosen goes to the reject log.

    The workers of `executor`, by default this process alone, read the files in pieces and leave scratch in `folder`;
    how many they are never shows in what is chosen.
    `given` are dev and test prompts from elsewhere; `embed` gives vectors for `settings.select = "diverse"` in place of
    the light ones, and for contamination by meaning; `difficulty` is a signal of quality. Repeats go first, then what
    `given` already holds; then dev and test prompts are held out, by score whatever `settings.select` says, so that all
    ways to select meet the same test; then goes what these hold, and training examples are chosen from the rest, anew
    where one of them means the same.
    Candidates that people have `wanted` are chosen before any other, whatever they repeat and beyond a quota if they
    must, unless dev or test hold them; none of them is held out.
    Raises InputError where a file is damaged.
    """
    executor = executor or LocalExecutor(1)
    compared = any((given or {}).values()) or settings.hold_out_dev + settings.hold_out_test > 0
    seen = survey(
        list(paths),
        folder,
        executor,
        graded=settings.select == "diverse",
        compared=compared,
        progress=progress,
        piece_bytes=piece_bytes,
    )
    reasons: dict[str, Reason] = {
        entry.id: ("no_quota", entry.group) for entry in seen.entries if not settings.quotas.get(entry.group)
    }
    repeats = duplicates([entry for entry in seen.entries if entry.id not in reasons])
    reasons.update({number: ("duplicate", kept) for number, kept in repeats.items()})
    if settings.near_duplicates:
        talks = {entry.id for entry in seen.entries if answer_of(entry.id)}
        others = {entry.id for entry in seen.entries} - talks if talks else set()
        for apart in (talks, others) if talks else (talks,):  # a dialogue repeats the answer that it begins with
            near = near_repeats(seen, {*reasons, *apart}, settings.near_duplicates)
            reasons.update({number: ("near_duplicate", kept) for number, kept in near.items()})
    for number in wanted:
        reasons.pop(number, None)
    watch = Watch(seen, settings, executor, progress)
    watch.gate([target_of(prompt, name) for name, prompts in (given or {}).items() for prompt in prompts], reasons)

    groups = {entry.id: entry.group for entry in seen.entries}
    able = [entry for entry in seen.entries if entry.id not in reasons]
    first = choose(able, settings.quotas, settings.temperature, seed, even=settings.even_groups)
    held = hold_out([number for number in first if number not in wanted], settings, seed=seed)
    watch.gate(watch.targets(held), reasons, spare=held)

    method = Diverse(seen, settings, embed, difficulty) if settings.select == "diverse" else settings.select
    meaning = Meaning(seen, watch, settings.contamination_meaning, embed) if embed else None
    while True:
        asked_for = frozenset(entry.id for entry in seen.entries if entry.id in wanted and entry.id not in reasons)
        used = Counter(groups[number] for number in (*held, *asked_for))
        left = {group: max(0, quota - used[group]) for group, quota in settings.quotas.items()}
        spoken_for = {*reasons, *held, *asked_for}
        clean = [entry for entry in seen.entries if entry.id not in spoken_for]
        taken = frozenset(choose(clean, left, settings.temperature, seed, method, settings.even_groups)) | asked_for
        if meaning is None or not meaning.refuse(taken, reasons):
            break
    begun = {answer: number for number in taken if (answer := answer_of(number))}
    reasons.update(
        {number: ("in_dialogue", talk) for number, talk in begun.items() if number not in {*reasons, *asked_for}}
    )

    rejected: dict[str, Counter[str]] = {}
    for entry in seen.entries:
        if entry.id not in taken and entry.id not in held:
            reason = reasons.get(entry.id, ("not_selected", ""))
            number = entry.id.removeprefix(f"{entry.source}/{entry.site}/")
            rejects.add(entry.source, entry.site, number, reason, -entry.rank)
            rejected.setdefault(entry.site, Counter())[reason[0]] += 1
    picks = list(seen.fetch({*taken, *held}))
    training = [pick for pick in picks if pick.id in taken]
    return Selection(picks=picks, held=held, rejected=rejected, contamination=watch.report(training))


def hold_out(picks: Iterable[str], settings: Curate, *, seed: int) -> dict[str, Name]:
    """Which of the picks become dev and test prompts, by a seeded draw; a function of the set of Ids and the seed."""
    drawn = sorted(picks, key=lambda number: (uniform(f"{seed}/hold-out/{number}"), number))
    dev, both = settings.hold_out_dev, settings.hold_out_dev + settings.hold_out_test
    return {number: "dev" if at < dev else "test" for at, number in enumerate(drawn[:both])}


def split(picks: Sequence[Candidate], held: Mapping[str, Name], *, seed: int) -> Splits:
    """Training examples, and the picks `held` out as prompts, their response becoming the reference.

    Training examples keep the order of `picks`, prompts that of `held`.
    """
    by_id = {pick.id: pick for pick in picks}
    return Splits(
        train=tuple(_example(pick, seed) for pick in picks if pick.id not in held),
        dev=tuple(_prompt(by_id[number], seed) for number, name in held.items() if name == "dev"),
        test=tuple(_prompt(by_id[number], seed) for number, name in held.items() if name == "test"),
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
