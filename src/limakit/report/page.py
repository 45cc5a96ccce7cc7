"""The report as one HTML file that needs nothing else: no script, no network, the same bytes for the same study."""

from collections.abc import Mapping
from dataclasses import dataclass
from json import dumps
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from limakit.report import words
from limakit.report.figures import funnel_bars, loss_curve, outcome_bars, share_bars
from limakit.report.inputs import Inputs
from limakit.report.numbers import numbers
from limakit.report.untrusted import as_html, visible

OPEN_PAIRS = 20
"""Side-by-side answers that are unfolded; the rest open with a click."""
TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class Report:
    """What the report stage publishes."""

    html: str
    """index.html"""
    numbers: dict[str, Any]
    """report.json"""
    figures: dict[str, str]
    """Name to SVG, for figures/<name>.svg; the page holds them too."""


def build(inputs: Inputs) -> Report:
    """Reckon all numbers, draw the figures and write the page. Raises InputError where a verdict is there twice."""
    values = numbers(inputs)
    figures = draw(values, inputs)
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"shown": visible, "percent": words.percent, "markdown": as_html}
    html = environment.get_template("report.html").render(
        r=values,
        words=words,
        css=(TEMPLATES / "style.css").read_text(encoding="utf-8"),
        figures=figures,
        pairs=_pairs(inputs),
        open_pairs=OPEN_PAIRS,
        **_run_facts(values["training"]["run"] if values["training"] else {}),
        recipe=dumps(values["reproduce"]["recipe"], indent=2, ensure_ascii=False),
    )
    return Report(html=html, numbers=values, figures=figures)


def draw(values: Mapping[str, Any], inputs: Inputs) -> dict[str, str]:
    """The pictures that these numbers allow, by name."""
    figures = {}
    for number, judge in enumerate(values["comparison"]["judges"], 1):
        if any(row.get("win_rate") for row in judge["against"]):
            name = f"outcome-{number}"
            figures[name] = outcome_bars(judge["against"], inputs.recipe.report.confidence, name=name)
    for scale, title in (("absolute", "Absolute grades"), ("safety", "Safety on sensitive prompts")):
        graded = [row for row in values["grades"] if row["scale"] == scale and row["shares"]]
        if graded:
            bars = [(words.graded(row), row["counts"], next(iter(row["shares"].values()))) for row in graded]
            figures[scale] = share_bars(bars, inputs.recipe.report.confidence, name=scale, title=title)
    if inputs.funnel is not None:
        figures["funnel"] = funnel_bars(inputs.funnel["total"], name="funnel")
    if any(line.get("loss") is not None for line in inputs.metrics):
        figures["loss"] = loss_curve(inputs.metrics, values["training"]["epochs"], name="loss")
    return figures


def _pairs(inputs: Inputs) -> list[dict[str, Any]]:
    """Every pair with what each judge said of it."""
    said: dict[str, list[dict[str, str]]] = {}
    for verdict in sorted(inputs.verdicts, key=lambda verdict: verdict.judge):
        result = "no verdict" if verdict.label is None else f"{verdict.winner} won" if verdict.winner else "tie"
        said.setdefault(verdict.pair_id, []).append(
            {"judge": verdict.judge, "result": result, "detail": verdict.detail}
        )
    return [{"pair": pair, "said": said.get(pair.id, [])} for pair in inputs.pairs]


def _run_facts(run: Mapping[str, Any]) -> dict[str, list[tuple[str, str]]]:
    """What a run counted, to be shown, and everything else that it recorded of itself, folded away."""
    counts = run.get("counts", {})
    return {"run": _flat(counts), "run_more": _flat({key: item for key, item in run.items() if key != "counts"})}


def _flat(value: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Facts of a run as rows of (name, value), nested names joined by dots."""
    rows = []
    for key, item in value.items():
        name = f"{prefix}{key}"
        if isinstance(item, Mapping):
            rows += _flat(item, f"{name}.")
        elif isinstance(item, bool | str) or item is None:
            rows.append((name, str(item)))
        elif isinstance(item, int):
            rows.append((name, f"{item:,}"))
        elif isinstance(item, float):
            rows.append((name, f"{item:.6g}"))
        else:
            text = dumps(item, ensure_ascii=False)
            rows.append((name, text if len(text) <= 200 else f"{text[:200]} …"))
    return rows
