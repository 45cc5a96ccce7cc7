"""The ablations' numbers and page, from scores, grades and what the cells counted."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from limakit.experiments import grid_figures
from limakit.experiments.advice import advise
from limakit.experiments.cells import merge
from limakit.experiments.costs import prices
from limakit.experiments.grid_numbers import Place, reckon
from limakit.experiments.page import Page, render
from limakit.experiments.scoring import values
from limakit.experiments.toml import value
from limakit.judge.reference import NAME
from limakit.recipe_experiments import Cell
from limakit.records import Grade, Prompt
from limakit.report.grades import grade_numbers
from limakit.report.words import percent
from limakit.store.files import read_json, read_jsonl
from limakit.store.study import MANIFEST, Study

UNITS = {"grade": "grade (1 to 6)", "ROUGE-L": "ROUGE-L (0 to 100)"}


def build(
    study: Study,
    cells: Sequence[Cell],
    *,
    judged: Mapping[str, Path],
    prompts: Sequence[Prompt],
    answered: Mapping[str, Mapping[str, Any]],
    examples: Mapping[str, int],
) -> Page:
    """`judged` maps judges to their scores.jsonl or grades.jsonl, `answered` cells to the counts of their answers,
    `examples` those that were trained to the number they learned from."""
    recipe = study.recipe
    options = {"resamples": recipe.report.resamples, "seed": recipe.seed, "confidence": recipe.report.confidence}
    places = [Place(name=cell.name, grid=cell.grid, examples=examples.get(cell.name)) for cell in cells]
    judges: list[dict[str, Any]] = []
    safety: list[dict[str, Any]] = []
    figures: dict[str, str] = {}
    for name, path in judged.items():
        if any(judge.name == name and judge.task == "safety" for judge in recipe.judges):
            kinds = {prompt.id: prompt.sensitive for prompt in prompts if prompt.sensitive}
            safety += grade_numbers(read_jsonl(path, Grade), kinds, **options)
            continue
        unit = "ROUGE-L" if path.name == "scores.jsonl" else "grade"
        costs = prices(recipe.ablate.costs, read_json(path.with_name(MANIFEST))["counts"], recipe.ablate.samples)
        found = reckon(values(path), places, recipe.ablate.curves, **options)
        for curve in found["curves"]:
            curve["advice"] = advise(curve, unit, recipe.report.confidence, costs)
        judge = {
            "judge": NAME if unit == "ROUGE-L" else f"model:{name}",
            "number": len(judges) + 1,
            "unit": unit,
            "unit_name": UNITS[unit],
            "readings": readings(found["comparisons"], [cell.grid for cell in cells], recipe.report.confidence),
            **found,
        }
        figures |= draw(judge)
        judges.append(judge)
    numbers = {
        "format": 1,
        "study": study.name,
        "base": recipe.base.model,
        "seed": recipe.seed,
        "settings": options,
        "prompts": sum(prompt.sensitive is None for prompt in prompts),
        "sensitive": sum(prompt.sensitive is not None for prompt in prompts),
        "samples": recipe.ablate.samples,
        "judges": judges,
        "safety": safety,
        "cells": [
            {
                "cell": cell.name,
                "grid": cell.grid,
                "system": cell.system,
                "change": list(flat(merge(recipe.ablate.change, cell.change))),
                "examples": examples.get(cell.name),
                **{key: answered[cell.name][key] for key in ("responses", "stop_rate", "mean_tokens")},
            }
            for cell in cells
        ],
    }
    told = headline(judges, recipe.report.confidence)
    numbers["said"] = [told, *(line for judge in judges for curve in judge["curves"] for line in curve["advice"])]
    return render(
        "ablate.html",
        numbers,
        figures,
        grids=list(dict.fromkeys(cell.grid for cell in cells)),
        headline=told,
        smoke=any(judge["unit"] == "ROUGE-L" for judge in judges),
        level=percent(recipe.report.confidence, 1).replace(".0", ""),
    )


def draw(judge: Mapping[str, Any]) -> dict[str, str]:
    """The pictures of one judge: the cells of every grid, and the curves."""
    figures = {}
    for grid in dict.fromkeys(cell["grid"] for cell in judge["cells"]):
        rows = [cell for cell in judge["cells"] if cell["grid"] == grid]
        if any(row["mean"] is not None for row in rows):
            name = f"grid-{judge['number']}-{grid}"
            figures[name] = grid_figures.dots(rows, judge["unit_name"], name=name, title=f"{grid}: scores of the cells")
    for curve in judge["curves"]:
        name = f"curve-{judge['number']}-{curve['grid']}"
        figures[name] = grid_figures.curve(curve["points"], judge["unit_name"], name=name)
    return figures


def headline(judges: Sequence[Mapping[str, Any]], confidence: float) -> str:
    """What the first judge's tests allow to be said."""
    rows = judges[0]["comparisons"] if judges else []
    if not rows:
        return "No two cells of a grid have scores to compare."
    sure = [row for row in rows if row["holm"] < 1 - confidence]
    if not sure:
        return f"Of {len(rows)} comparisons none can be told from chance, all of them considered together."
    named = ", ".join(
        f"{row['cell']} {'above' if row['difference'] > 0 else 'below'} {row['against']}" for row in sure[:6]
    )
    more = f", and {len(sure) - 6} more" if len(sure) > 6 else ""
    return f"{len(sure)} of {len(rows)} comparisons hold after Holm’s adjustment: {named}{more}."


def readings(comparisons: Sequence[Mapping[str, Any]], grids: Sequence[str], confidence: float) -> dict[str, list[str]]:
    """For each grid, what its comparisons say and how small a difference they could have found."""
    found: dict[str, list[str]] = {grid: [] for grid in dict.fromkeys(grids)}
    for row in comparisons:
        sure = row["holm"] < 1 - confidence
        text = f"{row['cell']} against {row['against']}: {row['difference']:+.2f}"
        text += " is more than chance" if sure else " cannot be told from chance"
        if row["detectable"] is not None:
            text += f"; {row['prompts']:,} prompts find {row['detectable']:.2f} in four of five experiments"
        found[row["grid"]].append(text + ".")
    return found


def flat(change: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """`curate.select = "random"` for every setting that differs."""
    for key, item in change.items():
        if isinstance(item, Mapping):
            yield from flat(item, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key} = {value(item)}"
