"""What people decided in the studio takes effect in curation, and curation leaves behind what people may look through.

A rejected candidate goes before anything is selected, so another takes its place. An edited one goes on with the new
text and a further provenance that names the editor. Accepted and edited ones stay in training whatever the quotas and
their likeness to others say; the contamination gate alone overrules people.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from heapq import nsmallest
from pathlib import Path

from limakit.curate.attribution import EDITS
from limakit.pipeline.annotating import database
from limakit.pipeline.sourcing import Stock
from limakit.records import Candidate, Provenance
from limakit.store import files
from limakit.store.decisions import FILE, Decision, load, save
from limakit.store.rejects import RejectLog, find_rejects
from limakit.store.study import Study

RULE = "reviewed"
"""Name of the rule in funnel and rejects."""
SPARE = "spare.jsonl"
"""Candidates that passed every rule of their source and were not taken: for people to look through."""
MOST_SPARE = 1000
SPARE_RULES = ("near_duplicate", "not_selected", "duplicate", "no_quota")
"""Rules whose word a person may overrule, those told first that say most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviews:
    """The decisions of a study."""

    decisions: tuple[Decision, ...] = ()

    @property
    def wanted(self) -> frozenset[str]:
        """Ids that people want in training."""
        return frozenset(one.id for one in self.decisions if one.decision != "reject")


def inputs(study: Study) -> dict[str, Path]:
    """The file that curation reads, where there is one."""
    path = study.path(FILE)
    return {FILE: path} if path.exists() else {}


def read(study: Study) -> Reviews:
    """The decisions. Raises InputError where their file is damaged."""
    return Reviews(decisions=tuple(load(study.root)))


def forget(study: Study, names: Collection[str]) -> int:
    """Remove what was decided on these candidates, with the texts of edits, from the file and from the database; how
    many decisions the file had."""
    known = load(study.root)
    left = [one for one in known if one.id not in names]
    if len(left) < len(known):
        save(study.root, left)
    place = database(study)
    if names and place is not None:
        from limakit.author.decisions import erase
        from limakit.store.people import People

        with People.open(place) as people:
            erase(people, sorted(names))
    return len(known) - len(left)


def apply(stock: Stock, reviews: Reviews, *, folder: Path, rejects: RejectLog) -> dict[str, int]:
    """Take out what was rejected, put in the edited text; how many decisions met a candidate and how many did not."""
    if not reviews.decisions:
        return {}
    decisions = {one.id: one for one in reviews.decisions}
    counts = {site.site: site for site in stock.sites}
    met = 0

    def reviewed(path: Path) -> Iterator[Candidate]:
        nonlocal met
        for candidate in files.iter_jsonl(path, Candidate):
            one = decisions.get(candidate.id)
            met += one is not None
            if one is not None and one.decision == "reject":
                number = candidate.id.removeprefix(f"{candidate.source}/{candidate.site}/")
                detail = f"by {one.person}{': ' if one.note else ''}{one.note}"
                rejects.add(candidate.source, candidate.site, number, (RULE, detail), candidate.score)
                counts[candidate.site].candidates -= 1
                counts[candidate.site].rejected[RULE] += 1
            elif one is not None and one.decision == "edit":
                yield edited(candidate, one)
            else:
                yield candidate

    for at, path in enumerate(stock.candidates):
        target = folder / f"reviewed-{at}.jsonl"
        files.write_jsonl(target, reviewed(path))
        stock.candidates[at] = target
    return {"decisions": met, "decisions_unmet": len(decisions) - met}


def edited(candidate: Candidate, one: Decision) -> Candidate:
    """The candidate with the text as edited, and who did it. The licence of the adaptation is the original's."""
    first = candidate.provenance[0] if candidate.provenance else None
    by = Provenance(
        source=EDITS,
        site=candidate.site,
        id=candidate.id,
        author=one.person,
        edited=one.decided,
        licence=first.licence if first else None,
    )
    return replace(
        candidate,
        prompts=(one.messages[0].content,),
        replies=one.messages[1:],
        provenance=(*candidate.provenance, by),
    )


def keep_spare(paths: Sequence[Path], picks: Collection[str], folder: Path) -> None:
    """Write the best candidates that were not taken to `folder`: near-duplicates first, then by score; at most
    MOST_SPARE, in the order of the files. Call when `rejects.parquet` is written."""
    table = find_rejects(folder / "rejects.parquet", "rule", SPARE_RULES)
    order = {rule: at for at, rule in enumerate(SPARE_RULES)}
    rows = zip(*(table[name].to_pylist() for name in ("id", "rule", "score")), strict=True)
    ranked = ((order[rule], -score, name) for name, rule, score in rows)
    best = {name for _, _, name in nsmallest(MOST_SPARE, ranked)} - set(picks)
    files.write_jsonl(
        folder / SPARE,
        (candidate for path in paths for candidate in files.iter_jsonl(path, Candidate) if candidate.id in best),
    )
