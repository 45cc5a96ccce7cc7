"""What answers of many examples have in common and should not: openings, endings, phrases and shape."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from limakit.author.prose import ITEM, opening, paragraphs, sentences, words
from limakit.records import Turn

Named = Sequence[tuple[str, Sequence[Turn]]]
"""Ids and dialogues."""
OPENING = 3
"""Words by which two openings count as the same."""
PHRASE = 7
"""Words in a row by which two answers share a phrase."""
LEAST = 3
"""Examples from which a likeness is told at all."""
SHARE = 0.03
"""Share of the examples that may open or end alike."""
SHAPE = 0.6
"""Share of the examples that may have the same shape."""
SHAPES = {
    "list": "prose with a list",
    "code": "code",
    "table": "a table",
    "lines": "one paragraph",
    "prose": "several paragraphs",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Alike:
    """Several examples that share something."""

    check: str
    says: str
    ids: tuple[str, ...]


def sameness(examples: Named) -> list[Alike]:
    """What too many of the examples share, most widespread first."""
    found = [*same_openings(examples), *same_endings(examples), *same_phrases(examples), *same_shape(examples)]
    return sorted(found, key=lambda alike: -len(alike.ids))


def same_openings(examples: Named) -> list[Alike]:
    """Answers that begin with the same words."""
    by_words = _grouped(examples, lambda answer: " ".join(words(opening(answer))[:OPENING]))
    return [
        Alike(check="same_openings", says=f"{len(ids)} of {len(examples)} answers begin “{text} …”: vary it", ids=ids)
        for text, ids in _many(by_words, len(examples))
    ]


def same_endings(examples: Named) -> list[Alike]:
    """Answers that end with the same sentence."""
    by_words = _grouped(examples, lambda answer: " ".join(words((sentences(answer)[-1:] or [""])[0])))
    return [
        Alike(check="same_endings", says=f"{len(ids)} of {len(examples)} answers end “{_cut(text)}”: vary it", ids=ids)
        for text, ids in _many(by_words, len(examples))
        if len(text.split()) > 2
    ]


def same_phrases(examples: Named) -> list[Alike]:
    """Runs of words that recur from answer to answer; of runs that overlap, one is told."""
    owners: dict[tuple[str, ...], dict[str, None]] = defaultdict(dict)
    for name, turns in examples:
        said = words(_answer(turns))
        for at in range(len(said) - PHRASE + 1):
            owners[tuple(said[at : at + PHRASE])][name] = None
    found: list[Alike] = []
    told: set[tuple[str, ...]] = set()
    for run, ids in owners.items():
        names = tuple(ids)
        if len(names) >= max(LEAST, SHARE * len(examples)) and names not in told:
            told.add(names)
            says = f"{len(names)} of {len(examples)} answers say “{' '.join(run)}”: a phrase worn by use"
            found.append(Alike(check="same_phrases", says=says, ids=names))
    return found


def same_shape(examples: Named) -> list[Alike]:
    """One shape for most answers, whatever was asked."""
    by_shape = _grouped(examples, shape)
    return [
        Alike(
            check="same_shape",
            says=f"{len(ids)} of {len(examples)} answers are {SHAPES[name]}: let form follow the request",
            ids=tuple(ids),
        )
        for name, ids in by_shape.items()
        if len(examples) >= 10 and len(ids) > SHAPE * len(examples)
    ]


def shape(answer: str) -> str:
    """What an answer looks like from afar: a key of SHAPES."""
    lines = answer.splitlines()
    if any(line.lstrip().startswith("```") for line in lines):
        return "code"
    if any(line.lstrip().startswith("|") for line in lines):
        return "table"
    if sum(bool(ITEM.match(line)) for line in lines) > 1:
        return "list"
    return "lines" if len(paragraphs(answer)) < 2 else "prose"


def _answer(turns: Sequence[Turn]) -> str:
    """The first answer: further turns of a dialogue rightly sound alike."""
    return next((turn.content for turn in turns if turn.role == "assistant"), "")


def _grouped(examples: Named, key) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for name, turns in examples:
        answer = _answer(turns)
        if answer.strip():
            found[key(answer)].append(name)
    return found


def _many(groups: Mapping[str, Sequence[str]], count: int) -> list[tuple[str, tuple[str, ...]]]:
    least = max(LEAST, SHARE * count + 1)
    return [(text, tuple(ids)) for text, ids in groups.items() if text and len(ids) >= least]


def _cut(text: str) -> str:
    return text if len(text) < 60 else f"{text[:57]}…"
