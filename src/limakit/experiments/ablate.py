"""The paper's ablations (section 5): variants of one study, curated, trained and answering alike, graded, compared."""

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from limakit.choose import wanted
from limakit.engine import Progress
from limakit.errors import StudyError
from limakit.experiments import cells, scoring, side
from limakit.experiments.cells import Variant
from limakit.experiments.estimate import estimate, left
from limakit.experiments.times import Times
from limakit.pipeline.curating import curate
from limakit.pipeline.model_judging import grade
from limakit.pipeline.outcome import Outcome, need, published, unchanged
from limakit.recipe_experiments import Cell
from limakit.records import Prompt
from limakit.store import files
from limakit.store.files import read_json, read_jsonl, write_jsonl
from limakit.store.study import Study

FOLDER = "ablate"
PROMPTS = f"{FOLDER}/prompts"
Tell = Callable[[str], None]
"""Hears a line for people while work goes on."""


def begin(study: Study, only: str | None, progress: Progress) -> tuple[list[Variant], list[Outcome]]:
    """Curate the study and every cell (of one grid, where `only` names it): what has to be there for an estimate.

    Raises RecipeError where there are no cells or one is wrong, before anything is done.
    """
    wanted_cells = chosen(study, only)
    settings = study.recipe.ablate
    plans = [(cell.name, cell.system, cells.merge(settings.change, cell.change)) for cell in wanted_cells]
    variants = cells.prepare(study, FOLDER, plans, PROMPTS, "ablate cell", settings.samples)
    outcomes = [*curate(study, progress), same_prompts(study, PROMPTS, settings.max_prompts)]
    for variant in variants:
        outcomes += cells.learn(variant, progress)
    return variants, outcomes


def chosen(study: Study, only: str | None) -> list[Cell]:
    """The cells to run. Raises RecipeError."""
    found = study.recipe.ablate.cells
    cells.refuse_empty(study, [cell.grid for cell in found], only)
    return [cell for cell in found if only in (None, cell.grid)]


def same_prompts(study: Study, stage: str, most: int | None) -> Outcome:
    """The test and dev prompts that every variant gets: the study's own, held-out ones among them."""
    inputs = {name: need(study, "curate", name) for name in ("test.jsonl", "dev.jsonl")}
    work = study.begin(stage, settings={"max_prompts": most}, inputs=inputs, code=["records.py"])
    if work.done:
        return unchanged(work)
    test = read_jsonl(inputs["test.jsonl"], Prompt)[:most]
    if not test:
        raise StudyError(
            "there are no test prompts",
            where=inputs["test.jsonl"],
            fix="Set curate.hold_out_test or curate.test_prompts in recipe.toml, then run the same command.",
        )
    write_jsonl(work.path("test.jsonl"), test)
    files.copy(inputs["dev.jsonl"], work.path("dev.jsonl"), link=False)
    return published(work, {"prompts": len(test), "sensitive": sum(p.sensitive is not None for p in test)})


def run(
    study: Study, variants: Sequence[Variant], only: str | None, workers: int, progress: Progress, tell: Tell
) -> Iterator[Outcome]:
    """Train, answer, grade and report; yields as stages finish. Whatever is done already is found done. `tell` hears
    what is left after each cell that took time."""
    times = Times(study)
    prompts = need(study, PROMPTS, "test.jsonl")
    if workers > 1:
        jobs = [(v.study.root, _commands(v)) for v in cells.distinct(study, variants)]
        for folder, command, seconds in side.run(jobs, workers, progress):
            times.add(folder, command, seconds)
    for number, variant in enumerate(variants, 1):
        began, worked = time.monotonic(), False
        for outcome in cells.answer(variant, prompts, progress):
            times.add(variant.study.root, outcome.stage.split("/")[2], time.monotonic() - began, outcome)
            worked |= outcome.state == "done"
            yield outcome
            began = time.monotonic()
        if worked and number < len(variants):
            tell(left(estimate(study, variants[number:], prompts, study.recipe.ablate.samples, workers=1)))
    paths = {variant.name: cells.responses(variant) for variant in variants}
    scored = []
    for outcome in score(study, f"{FOLDER}/score", prompts, paths, progress):
        scored.append(outcome.folder)
        yield outcome
    yield report(study, variants, only, scored, progress)


def score(study: Study, stage: str, prompts: Path, paths: dict[str, Path], progress: Progress) -> Iterator[Outcome]:
    """Grades by the recipe's judges of helpfulness and of safety; where none judges helpfulness, the metric."""
    judges = [judge for judge in study.recipe.judges if judge.task in ("likert", "safety")]
    if not any(judge.task == "likert" for judge in judges):
        yield scoring.measure(study, f"{stage}/{study.recipe.judge.folder}", prompts, paths, progress)
    for judge in judges:
        items = partial(scoring.gradable, judge, prompts, paths)
        yield grade(study, f"{stage}/{judge.name}", judge, items, {"prompts": prompts, **paths}, progress)


def _commands(variant: Variant) -> list[str]:
    return ["train", *(["choose"] if wanted(variant.study.recipe) else []), "generate"]


def report(
    study: Study, variants: Sequence[Variant], only: str | None, scored: Sequence[Path], progress: Progress
) -> Outcome:
    """Numbers, curve and page of all cells that were run: ablate/report."""
    from limakit.experiments.grid_page import build

    shown = chosen(study, only)
    found = {folder.name: next(folder.glob("*.jsonl")) for folder in scored}
    prompts = need(study, PROMPTS, "test.jsonl")
    manifests = {v.name: v.study.path("generate", v.system, "manifest.json") for v in variants}
    curated = {f"{v.name}/curate": v.study.path("curate", "manifest.json") for v in variants if v.system == "tuned"}
    work = study.begin(
        f"{FOLDER}/report",
        settings={
            "study": study.name,
            "cells": [cell.model_dump(mode="json") for cell in shown],
            "curves": study.recipe.ablate.curves,
            "costs": study.recipe.ablate.costs.model_dump(mode="json"),
            "samples": study.recipe.ablate.samples,
            "report": study.recipe.report.model_dump(mode="json"),
            "seed": study.recipe.seed,
            "base": study.recipe.base.model_dump(mode="json"),
        },
        inputs={"prompts": prompts, **found, **manifests, **curated},
        code=["experiments", "report", "records.py"],
    )
    if work.done:
        return unchanged(work)
    page = build(
        study,
        shown,
        judged=found,
        prompts=read_jsonl(prompts, Prompt),
        answered={name: read_json(path)["counts"] for name, path in manifests.items()},
        examples={name.split("/")[0]: read_json(path)["counts"]["train"] for name, path in curated.items()},
    )
    page.write(work)
    progress("ablation", 1, 1, "page")
    compared = sum(len(judge["comparisons"]) for judge in page.numbers["judges"])
    return published(work, {"cells": len(shown), "comparisons": compared})
