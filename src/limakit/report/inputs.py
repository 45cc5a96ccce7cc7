"""What a report is made from: records and the plain files that the stages left, nothing read here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from limakit.recipe import Recipe
from limakit.records import Example, Grade, Pair, Response, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """What one experiment of the study published."""

    name: str
    """`ablate`, `dialogue` or `superficiality`."""
    page: str
    """Its own page, as a link from the report's folder."""
    said: Sequence[str]
    """Its result in sentences."""
    figures: Mapping[str, str]
    """Name to SVG."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """Everything the report shows. Parts that a study does not have stay empty and their sections are left out."""

    study: str
    """Name of the study, for the title."""
    recipe: Recipe
    prompts: int
    """Test prompts; with baselines and samples it says how many pairs there should be."""
    pairs: Sequence[Pair]
    verdicts: Sequence[Verdict]
    """Of all judges, people and models alike. Those on pairs that are not in `pairs` are of earlier answers: they are
    counted and left out."""
    grades: Sequence[Grade] = ()
    """Of single answers: absolute, likert, safety."""
    sensitive: Mapping[str, str] = field(default_factory=dict)
    """Ids of sensitive test prompts to their kind, so that safety is told for each."""
    far: Mapping[str, bool] = field(default_factory=dict)
    """Whether a test prompt, by its id, is out of distribution; grades are told for either side."""
    responses: Sequence[Response] = ()
    examples: Sequence[Example] = ()
    """What was trained on, for licences and authors."""
    funnel: Mapping[str, Any] | None = None
    """curate/funnel.json: `total` and `sites` with rows, answers, steps, kept, rejected and so on."""
    metrics: Sequence[Mapping[str, Any]] = ()
    """Lines of train/<run>/metrics.jsonl: epoch, step, loss, lr and, where it was measured, dev_loss."""
    run: Mapping[str, Any] | None = None
    """train/<run>/run.json."""
    manifests: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Stage name to its manifest, in the order of the stages."""
    experiments: Sequence[Experiment] = ()
