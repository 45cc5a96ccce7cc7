"""Which checkpoint to keep: the epochs answer the dev prompts, every two are compared blind, the best one is named.

The paper's authors did this by hand between epochs 5 and 10, because held-out loss rises while answers still improve
(section 3). The loss stands beside the choice, and does not decide it. A number in `generate.checkpoint` overrules it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from limakit.engine import Progress
from limakit.errors import StudyError
from limakit.pipeline.modelling import answer
from limakit.pipeline.outcome import Outcome, need, published, unchanged
from limakit.pipeline.systems import CHOICE, Found, checkpoint
from limakit.recipe import Recipe
from limakit.records import Pair, Prompt, Response, Verdict
from limakit.store import files
from limakit.store.files import read_jsonl, write_jsonl
from limakit.store.study import Study


def wanted(recipe: Recipe) -> bool:
    """Whether a system that the study uses waits for the choice."""
    systems = [recipe.system(name) for name in recipe.generate.systems]
    return any(s.kind == "tuned" and (s.checkpoint or recipe.generate.checkpoint) == "chosen" for s in systems)


def choose(study: Study, progress: Progress) -> list[Outcome]:
    """Let every epoch of `choose.epochs` answer curate/dev.jsonl (dev/epoch-05, …) and keep the one whose answers win
    most often: choose/choice.json, choose/choice.svg, and the pairs and verdicts behind them."""
    recipe = study.recipe
    prompts = need(study, "curate", "dev.jsonl")
    if not prompts.stat().st_size:
        raise StudyError(
            "there are no dev prompts",
            where=prompts,
            fix="Set curate.hold_out_dev or curate.dev_prompts in recipe.toml, then: limakit run " + str(study.root),
        )
    metrics = need(study, "train/tuned", "metrics.jsonl")
    systems = [
        Found(name=f"epoch-{epoch:02d}", kind="tuned", folder=checkpoint(study, epoch), epoch=epoch)
        for epoch in sorted(recipe.choose.epochs)
    ]
    outcomes = [answer(study, f"dev/{system.name}", system, prompts, progress) for system in systems]
    answers = {system.name: need(study, f"dev/{system.name}", "responses.jsonl") for system in systems}
    work = study.begin(
        CHOICE[0],
        settings={
            "seed": recipe.seed,
            "samples": recipe.generate.samples,
            "judge": recipe.judge.model_dump(mode="json"),
            "report": recipe.report.model_dump(mode="json"),
        },
        inputs={"dev.jsonl": prompts, "metrics.jsonl": metrics, **{f"{n}.jsonl": path for n, path in answers.items()}},
        code=["choose.py", "compare", "judge", "report", "records.py"],
    )
    if work.done:
        return [*outcomes, unchanged(work)]
    pairs = _pairs(study, read_jsonl(prompts, Prompt), answers)
    verdicts = _verdicts(study, pairs, progress)
    choice, figure = _decide(study, systems, verdicts, metrics, {o.folder.name: o.counts for o in outcomes})
    write_jsonl(work.path("pairs.jsonl"), pairs)
    write_jsonl(work.path("verdicts.jsonl"), verdicts)
    files.publish_text(work.path("choice.svg"), figure)
    files.publish_json(work.path(CHOICE[1]), choice)
    counts = {key: choice[key] for key in ("epoch", "judge", "pairs", "missing", "sure")}
    best = next(row for row in choice["epochs"] if row["epoch"] == choice["epoch"])
    return [*outcomes, published(work, {**counts, **{key: best[key] for key in ("win_rate", "low", "high")}})]


def _pairs(study: Study, prompts: Sequence[Prompt], answers: dict[str, Path]) -> list[Pair]:
    """Every two epochs, on every prompt and sample."""
    from limakit.compare.pairs import make_pairs

    responses = {name: read_jsonl(path, Response) for name, path in answers.items()}
    names = list(answers)
    pairs = []
    for number, name in enumerate(names[:-1]):
        others = names[number + 1 :]
        pairs += make_pairs(
            prompts,
            [response for one in (name, *others) for response in responses[one]],
            candidate=name,
            baselines=others,
            samples=study.recipe.generate.samples,
            seed=study.recipe.seed,
        ).pairs
    return pairs


def _verdicts(study: Study, pairs: Sequence[Pair], progress: Progress) -> list[Verdict]:
    """What the recipe's judge says of every pair."""
    from limakit.judge import reference

    verdicts = []
    for verdict in reference.judge(pairs, tie_band=study.recipe.judge.tie_band):
        verdicts.append(verdict)
        progress("judging epochs", len(verdicts), len(pairs), "pairs")
    return verdicts


def _decide(
    study: Study, systems: Sequence[Found], verdicts: Sequence[Verdict], metrics: Path, answered: dict[str, Any]
) -> tuple[dict[str, Any], str]:
    """What choice.json holds, and the figure. Of epochs that win equally often the earliest is kept.

    Raises StudyError where the judge had nothing to say about any pair.
    """
    from limakit.report.choice import figure, rank

    settings = study.recipe.report
    rows = rank(
        verdicts,
        [system.name for system in systems],
        resamples=settings.resamples,
        seed=study.recipe.seed,
        confidence=settings.confidence,
    )
    if not rows:
        raise StudyError(
            "no pair of dev answers has a verdict: the reference metric needs dev prompts with a written answer",
            where=study.path("curate", "dev.jsonl"),
            fix="Set curate.hold_out_dev, or name the epoch yourself: generate.checkpoint = 10.",
        )
    losses = {row["epoch"]: row["dev_loss"] for row in read_jsonl(metrics, dict) if row.get("dev_loss") is not None}
    table = [
        {
            "epoch": system.epoch,
            **{key: value for key, value in row.items() if key != "system"},
            "dev_loss": losses.get(system.epoch),
            "stop_rate": answered[system.name]["stop_rate"],
            "mean_tokens": answered[system.name]["mean_tokens"],
        }
        for system, row in zip(systems, rows, strict=True)
    ]
    best = max((row for row in table if row["win_rate"] is not None), key=lambda row: row["win_rate"])
    judge = verdicts[0].judge
    choice = {
        "epoch": best["epoch"],
        "judge": judge,
        "prompts": len({verdict.prompt_id for verdict in verdicts if verdict.label is not None}),
        "pairs": len(verdicts),
        "missing": sum(verdict.label is None for verdict in verdicts),
        "confidence": settings.confidence,
        "sure": all(row["behind"] is not None and row["behind"][0] > 0 for row in table if row is not best),
        "close": [row["epoch"] for row in table if row is not best and not (row["behind"] and row["behind"][0] > 0)],
        "epochs": table,
    }
    return choice, figure(table, best["epoch"], confidence=settings.confidence, judge=judge)
