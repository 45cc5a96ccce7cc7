"""How things stand while people vote: their votes from the database beside the verdicts that models have published."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from limakit.annotate.verdicts import People as Votes
from limakit.annotate.verdicts import Said, gather
from limakit.pipeline.annotating import Material, inputs, material
from limakit.records import Verdict
from limakit.report.agreement import Agreement
from limakit.report.pooled import among, between, standings
from limakit.report.rates import Outcome
from limakit.store import chats, votes
from limakit.store.files import read_jsonl
from limakit.store.people import People
from limakit.store.study import MANIFEST, Study


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Everything that the Results page says."""

    candidate: str
    outcomes: list[tuple[str, list[tuple[str, Outcome]]]]
    """Judge, `people` for all of them together, to the candidate against each baseline."""
    agreements: list[tuple[str, Agreement]]
    """Who with whom."""
    people: Mapping[str, Mapping[str, Any]]
    """For each person what `annotate.verdicts` counts, and `last`, the time of the last vote."""
    counts: Mapping[str, Any]
    pairs: int
    judged: int
    """Pairs with a label by at least one person."""
    grades: list[tuple[str, str, Mapping[str, int]]]
    """Scale (`dialogue` for turns of conversations), system and how often each value was given by people."""
    dialogues: list[tuple[str, Mapping[str, int], int]]
    """System, how often its turns in live dialogues were graded how, and in how many dialogues."""


class Watcher:
    """Reads again only what has changed."""

    def __init__(self, study: Study, people: People):
        self._study, self._people = study, people
        self._files: Any = None
        self._material, self._judges = Material(), {}
        self._key: Any = None
        self._standing: Standing | None = None

    def standing(self) -> Standing:
        """How things stand now. Raises InputError where a file of the study is damaged."""
        stamps = self._stamps()
        if stamps != self._files:
            self._material, self._judges = material(self._study), _judges(self._study)
            self._files = stamps
        with self._people.read() as connection:
            rows, graded = votes.outcome(connection), chats.grades(connection)
        key = (stamps, rows, graded)
        if self._standing is None or key != self._key:
            self._standing, self._key = self._reckon(rows, graded), key
        return self._standing

    def _stamps(self) -> list[tuple[str, int, int]]:
        paths = [*inputs(self._study).values(), *self._study.root.glob("judge/*/verdicts.jsonl")]
        paths.append(self._study.path("recipe.toml"))
        return [(str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in paths if path.exists()]

    def _reckon(self, rows: list[dict[str, Any]], graded: list[chats.Graded]) -> Standing:
        recipe = self._study.recipe
        found = gather(
            [Said(**{name: row[name] for name in Said.__slots__}) for row in rows],
            self._material.pairs,
            self._material.answers,
        )
        by_person: dict[str, list[Verdict]] = defaultdict(list)
        for verdict in found.verdicts:
            by_person[verdict.judge].append(verdict)
        groups = [("people", found.verdicts), *sorted(self._judges.items())]
        outcomes = [(name, standings(own, recipe.compare.candidate, recipe.compare.baselines)) for name, own in groups]
        agreements = [("people with each other", among(by_person))]
        agreements += [(f"people with {name}", between(by_person, {name: own})) for name, own in groups[1:]]
        last = {row["person"]: row["stored"] for row in sorted(rows, key=lambda row: row["stored"])}
        return Standing(
            candidate=recipe.compare.candidate,
            outcomes=[(name, rates) for name, rates in outcomes if rates],
            agreements=[(name, one) for name, one in agreements if one is not None],
            people={name: {**told, "last": last[name]} for name, told in found.counts["people"].items()},
            counts=found.counts,
            pairs=len(self._material.pairs),
            judged=len({verdict.pair_id for verdict in found.verdicts if verdict.label}),
            grades=_graded(found),
            dialogues=_dialogues(graded),
        )


def _judges(study: Study) -> dict[str, list[Verdict]]:
    """Verdicts of the judges that have published, by their names."""
    found: dict[str, list[Verdict]] = defaultdict(list)
    for path in sorted(study.root.glob("judge/*/verdicts.jsonl")):
        if (path.parent / MANIFEST).is_file():
            for verdict in read_jsonl(path, Verdict):
                found[verdict.judge].append(verdict)
    return dict(found)


def _graded(found: Votes) -> list[tuple[str, str, Mapping[str, int]]]:
    counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for grade in found.grades:
        counts[grade.scale, grade.system][grade.value or "skipped"] += 1
    for turn in found.turns:
        counts["dialogue", turn.system][turn.value or "skipped"] += 1
    return [(scale, system, dict(counts[scale, system])) for scale, system in sorted(counts)]


def _dialogues(graded: list[chats.Graded]) -> list[tuple[str, Mapping[str, int], int]]:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    held: dict[str, set[str]] = defaultdict(set)
    for one in graded:
        counts[one.system][one.grade] += 1
        held[one.system].add(one.dialogue)
    return [(system, dict(counts[system]), len(held[system])) for system in sorted(counts)]
