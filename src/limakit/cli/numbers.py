"""The commands that need no study: statistics on anybody's verdicts, and power before there are any."""

from pathlib import Path
from typing import Annotated

import typer

from limakit.cli.show import Screen

Files = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILE...",
        help="Verdicts: ours, AlpacaEval annotations.json, Arena-Hard battles or judgements, FastChat reviews, "
        "MT-bench pairs, or CSV with columns "
        "prompt, a, b, label (a, b, tie, a name, or empty) and optionally judge, pair, length_a, length_b.",
    ),
]
Confidence = Annotated[float, typer.Option(min=0.5, max=0.999, help="Level of every interval.")]
Boundary = Annotated[str, typer.Option(metavar="obrien-fleming|pocock", help="Boundary of the declared looks.")]


def stats(
    files: Files,
    candidate: Annotated[str | None, typer.Option(help="Whose wins count; without it, every pair of systems.")] = None,
    baseline: Annotated[list[str] | None, typer.Option(help="Compare with this one only; may be repeated.")] = None,
    confidence: Confidence = 0.95,
    resamples: Annotated[int, typer.Option(min=100, help="Bootstrap resamples, drawn over prompts.")] = 10_000,
    seed: Annotated[int, typer.Option(min=0, help="Of the resamples.")] = 0,
    look: Annotated[str | None, typer.Option(metavar="K/N", help="This is look K of N that were declared.")] = None,
    boundary: Boundary = "obrien-fleming",
    self_: Annotated[
        list[str] | None, typer.Option("--self", metavar="JUDGE=SYSTEM", help="This judge is that system.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Everything, as one JSON object.")] = False,
) -> None:
    """The statistics alone, on anybody's verdicts: who won, how sure is that, what moved the judge."""
    from limakit.cli import stats as statistics

    values = statistics.reckon(
        files,
        candidate=candidate,
        baselines=baseline or [],
        confidence=confidence,
        resamples=resamples,
        seed=seed,
        look=look,
        shape=boundary,
        authors=self_ or [],
    )
    if as_json:
        Screen(quiet=False, as_json=True).result("", values)
    else:
        statistics.show(values)


def power(
    points: Annotated[
        float, typer.Argument(min=0.1, max=50, help="Distance of the win rate from 50 %, in points.")
    ] = 5,
    ties: Annotated[float, typer.Option(min=0, max=0.99, help="Share of ties to expect.")] = 0.2,
    target: Annotated[float, typer.Option("--power", min=0.5, max=0.999, help="Share of studies that find it.")] = 0.8,
    prompts: Annotated[int | None, typer.Option(min=1, help="Also tell what so many prompts can find.")] = None,
    looks: Annotated[int, typer.Option(min=1, max=20, help="How often you will look, the last time included.")] = 1,
    boundary: Boundary = "obrien-fleming",
    confidence: Confidence = 0.95,
    as_json: Annotated[bool, typer.Option("--json", help="As one JSON object.")] = False,
) -> None:
    """How many prompts a difference takes, before asking anybody."""
    from limakit.cli import stats as statistics

    text, values = statistics.plan(
        points, ties=ties, confidence=confidence, target=target, prompts=prompts, looks=looks, shape=boundary
    )
    Screen(quiet=False, as_json=as_json).result(text, values)
