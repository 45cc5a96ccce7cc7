"""People's votes: what there is to ask them, and their answers as a stage that the report reads like any judge's."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from limakit.annotate.items import Answer, Kind, of_turns, to_grade
from limakit.engine import Progress
from limakit.pipeline.outcome import Outcome, published, unchanged
from limakit.records import Pair, Prompt, Response
from limakit.store.files import read_jsonl, write_jsonl
from limakit.store.study import MANIFEST, PEOPLE_DB, Study

if TYPE_CHECKING:
    from limakit.store.people import People

STAGE = "annotate/people"
TURNS = "turns.jsonl"
"""File of the stage with what people said of conversations, which is not for the report of single answers."""
TALKS = "dialogue/talk"
"""Stages of the conversations with scripts, one for each system: prompts.jsonl, what was said before each answer, and
responses.jsonl."""
DATABASE = "LIMAKIT_DATABASE"
"""Environment variable with the URL of the database, where it is not the file in the study."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """What people can be asked about now."""

    pairs: list[Pair] = field(default_factory=list)
    """Empty where the answers are not paired yet."""
    answers: Mapping[Kind, list[Answer]] = field(default_factory=dict)
    """Single answers to be graded; empty where there are none yet."""


def inputs(study: Study) -> dict[str, Path]:
    """The published files that the material is made from, as far as they are there."""
    found = {"pairs.jsonl": study.path("compare", "pairs.jsonl"), "test.jsonl": study.path("curate", "test.jsonl")}
    for system in study.recipe.generate.systems:
        found[system] = study.path("generate", system, "responses.jsonl")
    for folder in sorted(study.path(TALKS).glob("*")):
        found |= {f"{TALKS}/{folder.name}/{name}": folder / name for name in ("prompts.jsonl", "responses.jsonl")}
    return {name: path for name, path in found.items() if path.is_file() and (path.parent / MANIFEST).is_file()}


def material(study: Study) -> Material:
    """Read what people can be asked about. Raises InputError where a file is damaged."""
    found, recipe = inputs(study), study.recipe
    pairs = read_jsonl(found["pairs.jsonl"], Pair) if "pairs.jsonl" in found else []
    answers: dict[Kind, list[Answer]] = {"dialogue": of_turns(talks(study))}
    if "test.jsonl" in found:
        responses = [r for name in recipe.generate.systems if name in found for r in read_jsonl(found[name], Response)]
        prompts = read_jsonl(found["test.jsonl"], Prompt)
        answers |= to_grade(prompts, responses, graded=recipe.annotate.graded, seed=recipe.seed)
    return Material(pairs=pairs, answers=answers)


def talks(study: Study) -> list[tuple[Prompt, Response]]:
    """Every answer of the conversations that are published, with what was said before it. Raises InputError."""
    found, there = [], inputs(study)
    for name in sorted({name.rpartition("/")[0] for name in there if name.startswith(f"{TALKS}/")}):
        heard = {prompt.id: prompt for prompt in read_jsonl(there[f"{name}/prompts.jsonl"], Prompt)}
        found += [(heard[r.prompt_id], r) for r in read_jsonl(there[f"{name}/responses.jsonl"], Response)]
    return found


def annotate(study: Study, progress: Progress) -> list[Outcome]:
    """Publish what people said so far: annotate/people/verdicts.jsonl, grades.jsonl and, of conversations, turns.jsonl.
    Nothing where nobody voted."""
    place = database(study)
    if place is None:
        return []
    from limakit.store.people import People

    with People.open(place) as people:
        return publish(study, people)


def database(study: Study) -> str | Path | None:
    """Where people's work is: the URL in the environment, or the study's file; None where there is neither."""
    path = study.path(PEOPLE_DB)
    return os.environ.get(DATABASE) or (path if path.exists() else None)


def publish(study: Study, people: "People") -> list[Outcome]:
    """The same from an open database. Call with the study's lock held."""
    from limakit.annotate.verdicts import Said, gather
    from limakit.store.votes import outcome

    with people.read() as connection:
        rows = outcome(connection)
    if not rows and study.manifest(STAGE) is None:
        return []
    said = [Said(**{name: row[name] for name in Said.__slots__}) for row in rows]
    votes = hashlib.sha256(orjson.dumps(said)).hexdigest()
    work = study.begin(
        STAGE,
        settings={"votes": votes, "graded": study.recipe.annotate.graded, "seed": study.recipe.seed},
        inputs=inputs(study),
        code=["annotate", "records.py"],
    )
    if work.done:
        return [unchanged(work)]
    there = material(study)
    found = gather(said, there.pairs, there.answers)
    write_jsonl(work.path("verdicts.jsonl"), found.verdicts)
    write_jsonl(work.path("grades.jsonl"), found.grades)
    write_jsonl(work.path(TURNS), found.turns)
    return [published(work, found.counts)]
