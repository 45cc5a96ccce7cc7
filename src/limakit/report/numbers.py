"""Every number of the report as one JSON object: report.json, from which the page is written."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from limakit.errors import InputError
from limakit.recipe import Recipe
from limakit.records import Example, Response
from limakit.report.grades import EVERYTHING, grade_numbers
from limakit.report.inputs import Inputs
from limakit.report.summary import summarise

FORMAT = 1
FORMATTED = re.compile(
    r"^[ \t]*(?:[-*+]|\d+[.)]|#{1,6})[ \t]+\S|^[ \t]*(?:```|\|.+\|)|\*\*[^*\n]+\*\*|`[^`\n]+`", re.MULTILINE
)
"""A list, a heading, a code block, a row of a table, bold or code."""


def numbers(inputs: Inputs) -> dict[str, Any]:
    """All numbers, ready for JSON. A pure function of its inputs: no time, no machine, no chance but the seed's."""
    recipe = inputs.recipe
    asked = inputs.prompts * recipe.generate.samples
    options = {"resamples": recipe.report.resamples, "seed": recipe.seed, "confidence": recipe.report.confidence}
    made = {pair.id: {pair.a.system, pair.b.system} for pair in inputs.pairs}
    outdated = Counter(verdict.judge for verdict in inputs.verdicts if verdict.pair_id not in made)
    for verdict in inputs.verdicts:
        named = {verdict.a, verdict.b}
        shown = made.get(verdict.pair_id, named)
        if named != shown:
            raise InputError(
                f"{verdict.judge} compares {' and '.join(sorted(named))} on pair {verdict.pair_id!r}, which shows "
                f"{' and '.join(sorted(shown))}",
                fix="Mend or remove that verdict.",
            )
    return {
        "format": FORMAT,
        "study": inputs.study,
        "candidate": recipe.compare.candidate,
        "baselines": list(recipe.compare.baselines),
        "prompts": inputs.prompts,
        "samples": recipe.generate.samples,
        "pairs": {"asked": asked * len(recipe.compare.baselines), "made": len(inputs.pairs)},
        "outdated": dict(sorted(outdated.items())),
        "comparison": summarise(
            [verdict for verdict in inputs.verdicts if verdict.pair_id in made],
            candidate=recipe.compare.candidate,
            baselines=recipe.compare.baselines,
            asked=asked,
            lengths={
                pair.id: {answer.system: len(answer.text) for answer in (pair.a, pair.b)} for pair in inputs.pairs
            },
            **options,
        ),
        "grades": _grades(inputs, options),
        "work": _work(recipe, inputs.manifests),
        "answers": _answers(inputs.responses, asked),
        "funnel": dict(inputs.funnel) if inputs.funnel is not None else None,
        "training": _training(inputs.metrics, inputs.run),
        "sources": _sources(inputs.examples),
        "given": _given(recipe, inputs.manifests),
        "experiments": [{"name": e.name, "page": e.page, "said": list(e.said)} for e in inputs.experiments],
        "reproduce": {
            "seed": recipe.seed,
            "recipe": recipe.resolved(),
            "stages": {
                name: {key: manifest.get(key) for key in ("fingerprint", "counts", "versions")}
                for name, manifest in inputs.manifests.items()
            },
        },
    }


def _grades(inputs: Inputs, options: dict[str, Any]) -> list[dict[str, Any]]:
    """Grades by scale and judge, the candidate before its baselines, all prompts before their kinds."""
    compared = inputs.recipe.compare
    order = {name: place for place, name in enumerate([compared.candidate, *compared.baselines])}
    rows = grade_numbers(inputs.grades, inputs.sensitive, inputs.far, **options)
    return sorted(
        rows,
        key=lambda row: (row["scale"], row["judge"], order.get(row["system"], len(order)), row["kind"] != EVERYTHING),
    )


def _work(recipe: Recipe, manifests: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What each model judge of the recipe was asked, how it answered and what that cost, by its manifest."""
    rows = []
    for judge in recipe.judges:
        counts = manifests.get(f"judge/{judge.name}", {}).get("counts")
        if counts:
            rows.append({"judge": f"model:{judge.name}", "task": judge.task, "model": judge.model, **counts})
    return rows


def _answers(responses: Sequence[Response], asked: int) -> list[dict[str, Any]]:
    """For each system: answers, how many ended by themselves and how many hold lists, bold or code, and their mean
    length in tokens and characters; None for what is not known of answers that came in a file."""
    rows = []
    for system in sorted({response.system for response in responses}):
        own = [response for response in responses if response.system == system]
        ends = [response.finish for response in own if response.finish != "unknown"]
        tokens = [response.tokens for response in own if response.tokens is not None]
        rows.append(
            {
                "system": system,
                "answers": len(own),
                "asked": asked,
                "stopped": ends.count("eot") if ends else None,
                "stop_rate": ends.count("eot") / len(ends) if ends else None,
                "empty": sum(not response.text.strip() for response in own),
                "formatted": sum(bool(FORMATTED.search(response.text)) for response in own),
                "tokens": sum(tokens),
                "mean_tokens": sum(tokens) / len(tokens) if tokens else None,
                "mean_characters": sum(len(response.text) for response in own) / len(own),
            }
        )
    return rows


def _given(recipe: Recipe, manifests: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """For each system whose answers came in a file: what was in it, and its licence as the recipe states it."""
    rows = []
    for name in recipe.generate.systems:
        system = recipe.system(name)
        if system.kind == "answers":
            counts = manifests.get(f"generate/{name}", {}).get("counts", {})
            rows.append({"system": name, "licence": system.licence, **counts})
    return rows


def _training(metrics: Sequence[Mapping[str, Any]], run: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Run facts, and the mean loss of each epoch beside the last dev loss measured in it."""
    if not metrics and run is None:
        return None
    epochs: dict[Any, list[Mapping[str, Any]]] = {}
    for line in metrics:
        if line.get("epoch") is not None:
            epochs.setdefault(line["epoch"], []).append(line)
    rows = []
    for epoch, lines in epochs.items():
        losses = [line["loss"] for line in lines if line.get("loss") is not None]
        dev = [line["dev_loss"] for line in lines if line.get("dev_loss") is not None]
        mean = sum(losses) / len(losses) if losses else None
        rows.append({"epoch": epoch, "steps": len(losses), "loss": mean, "dev_loss": dev[-1] if dev else None})
    return {"run": dict(run) if run is not None else {}, "epochs": rows}


def _sources(examples: Sequence[Example]) -> list[dict[str, Any]]:
    """For each site: examples, posts they were made from, named authors, and licences with the number of posts."""
    rows = []
    for source, site in sorted({(example.source, example.site) for example in examples}):
        own = [example for example in examples if (example.source, example.site) == (source, site)]
        posts = [post for example in own for post in example.provenance]
        licences = Counter(post.licence or "not stated" for post in posts)
        rows.append(
            {
                "source": source,
                "site": site,
                "examples": len(own),
                "posts": len(posts),
                "authors": len({post.author for post in posts if post.author}),
                "licences": dict(sorted(licences.items())),
            }
        )
    return rows
