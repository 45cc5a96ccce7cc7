"""What curation left, for people to look through: examples, what was not taken and why, neighbours, the topic map."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from limakit.author.coverage import Coverage
from limakit.author.style import Finding, check
from limakit.curate.words import hashed
from limakit.pipeline.reviews import SPARE
from limakit.records import Candidate, Example, Provenance, Turn
from limakit.store.files import read_json, read_jsonl
from limakit.store.rejects import find_rejects
from limakit.store.study import Study

WANTABLE = frozenset({"near_duplicate", "not_selected", "duplicate", "no_quota"})
"""Rules that an acceptance overrules."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A training example, or a candidate that was not taken."""

    id: str
    turns: tuple[Turn, ...]
    group: str
    site: str
    score: int | None
    provenance: tuple[Provenance, ...]
    rule: str = ""
    """What took it out; empty for one in training."""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the log of rejects."""

    id: str
    rule: str
    detail: str
    score: int | None


@dataclass(frozen=True, kw_only=True)
class Curated:
    """A curation, read once."""

    fingerprint: str
    train: Mapping[str, Shown]
    spare: Mapping[str, Shown]
    funnel: Mapping[str, Any]
    topics: Mapping[str, Any]
    study: Study = field(repr=False)

    def find(self, name: str) -> Shown | None:
        """The example or candidate of that Id."""
        return self.train.get(name) or self.spare.get(name)

    @cached_property
    def coverage(self) -> Coverage:
        """Prompts in training and beside it, to be compared with a new one."""
        from limakit.curate.tfidf import Weights  # scipy, which the studio's first page need not wait for

        prompts = {name: one.turns[0].content for name, one in {**self.spare, **self.train}.items()}
        weights = Weights(list(prompts.values()))
        regions = {point["id"]: point["region"] for point in self.topics["points"] if point["kind"] == "train"}
        asked: dict[int, int] = defaultdict(int)
        for point in self.topics["points"]:
            if point["kind"] == "dev":
                asked[point["region"]] += 1
        labels = [region["words"] for region in self.topics["regions"]]
        return Coverage(prompts, lambda texts: weights.rows(hashed(texts)), regions=regions, labels=labels, asked=asked)

    @cached_property
    def findings(self) -> Mapping[str, list[Finding]]:
        """What the style checks say of the training examples that have something to be said of."""
        return {name: found for name, one in self.train.items() if (found := check(one.turns))}

    @cached_property
    def repeats(self) -> Mapping[str, list[tuple[str, str]]]:
        """Ids of examples to those that the rules set aside as near-duplicates of them, with how similar they are."""
        found: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for one in self.spare.values():
            if one.rule in ("near_duplicate", "duplicate"):
                kept, _, rest = one.detail.partition(" (")
                found[kept].append((one.id, rest.rstrip(")")))
        return found

    def rejects(self, rule: str, begin: int, most: int) -> tuple[list[Row], int]:
        """Rows of the log of rejects that fell to a rule, from number `begin` on, and how many there are."""
        table = find_rejects(self.study.path("curate", "rejects.parquet"), "rule", [rule])
        rows = table.slice(begin, most).to_pylist()
        return [Row(row["id"], row["rule"], row["detail"], row["score"]) for row in rows], table.num_rows


def fresh(prompts: Sequence[str]) -> Coverage:
    """A coverage that knows no examples yet; its words are weighted after `prompts`."""
    from limakit.curate.tfidf import Weights

    weights = Weights(prompts)
    return Coverage({}, lambda texts: weights.rows(hashed(texts)))


def curated(study: Study, before: Curated | None = None) -> Curated | None:
    """The study's curation, or None where there is none, yet or because the study learns nothing; `before` is returned
    where nothing has changed."""
    manifest, folder = study.manifest("curate"), study.path("curate")
    if manifest is None or not (folder / "train.jsonl").exists():
        return None
    if before is not None and before.fingerprint == manifest["fingerprint"]:
        return before
    examples = read_jsonl(folder / "train.jsonl", Example)
    spare = read_jsonl(folder / SPARE, Candidate) if (folder / SPARE).exists() else []
    reasons = {}
    if spare:
        for row in find_rejects(folder / "rejects.parquet", "id", [one.id for one in spare]).to_pylist():
            reasons[row["id"]] = (row["rule"], row["detail"])
    topics = folder / "topics.json"
    return Curated(
        fingerprint=manifest["fingerprint"],
        train={one.id: _example(one) for one in examples},
        spare={one.id: _candidate(one, *reasons.get(one.id, ("not_selected", ""))) for one in spare},
        funnel=read_json(folder / "funnel.json"),
        topics=read_json(topics) if topics.exists() else {"points": [], "regions": []},
        study=study,
    )


def _example(one: Example) -> Shown:
    return Shown(
        id=one.id, turns=one.messages, group=one.group, site=one.site, score=one.score, provenance=one.provenance
    )


def _candidate(one: Candidate, rule: str, detail: str) -> Shown:
    return Shown(
        id=one.id,
        turns=(Turn(role="user", content=one.prompts[0]), *one.replies),
        group=one.group,
        site=one.site,
        score=one.score,
        provenance=one.provenance,
        rule=rule,
        detail=detail,
    )
