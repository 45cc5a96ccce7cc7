"""The report as one HTML file that needs nothing else: no network, the same bytes for the same study.

Its one script, which searches the answers, is allowed by its hash: no text of a model can become another.
"""

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from json import dumps
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from limakit.records import Verdict
from limakit.report import words
from limakit.report.figures import agreement_dots, funnel_bars, loss_curve, outcome_bars, share_bars
from limakit.report.grades import EVERYTHING, FAR
from limakit.report.inputs import Inputs
from limakit.report.numbers import numbers
from limakit.report.people import PEOPLE, place
from limakit.report.untrusted import as_html, visible

OPEN_PAIRS = 3
"""Side-by-side answers that are unfolded; the rest open with a click."""
MOST_IN_MATRIX = 10
"""Judges of whom there is a matrix of agreement; of more there is the list."""
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
    environment.filters |= {"shown": visible, "percent": words.percent, "signed": words.signed, "markdown": as_html}
    script = (TEMPLATES / "find.js").read_text(encoding="utf-8")
    html = environment.get_template("report.html").render(
        r=values,
        words=words,
        css=(TEMPLATES / "style.css").read_text(encoding="utf-8"),
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        figures=figures,
        experiments=inputs.experiments,
        captions={name: _caption(svg) for experiment in inputs.experiments for name, svg in experiment.figures.items()},
        panels=_panels(values["comparison"]["judges"]),
        persons=[judge for judge in values["comparison"]["judges"] if judge["kind"] == "person"],
        matrix=_matrix(values["comparison"]["agreement"]),
        systems=_systems(inputs),
        by_source=_by_source(values["sources"]),
        pairs=_pairs(inputs),
        open_pairs=OPEN_PAIRS,
        **_citation(inputs),
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
        bars = _grade_bars(values, scale)
        if bars:
            figures[scale] = share_bars(bars, inputs.recipe.report.confidence, name=scale, title=title)
    if values["comparison"]["against_people"]:
        figures["people"] = agreement_dots(values["comparison"]["against_people"], name="people")
    if inputs.funnel is not None:
        figures["funnel"] = funnel_bars(inputs.funnel["total"], name="funnel")
    if any(line.get("loss") is not None for line in inputs.metrics):
        figures["loss"] = loss_curve(inputs.metrics, values["training"]["epochs"], name="loss")
    return figures


def _grade_bars(values: Mapping[str, Any], scale: str) -> list[tuple[str, Mapping[str, int], Mapping[str, Any]]]:
    """What the figure of a scale shows, of all that the table has: every system on all prompts and, as the paper does,
    on those out of distribution; of the candidate also every kind of sensitive prompt."""
    own = [row for row in values["grades"] if row["scale"] == scale and row["shares"]]
    several = len({row["judge"] for row in own}) > 1
    chosen = [
        row
        for row in own
        if row["kind"] in (EVERYTHING, FAR)
        or (scale == "safety" and row["system"] == values["candidate"] and not row["kind"].endswith(" intent"))
    ]
    return [
        (words.graded(row, judge=several), row["counts"], next(iter(row["shares"].values()))) for row in chosen or own
    ]


def _caption(svg: str) -> str:
    """The title that a figure carries."""
    return ElementTree.fromstring(svg)[0].text or ""


def _panels(judges: Sequence[Mapping[str, Any]]) -> list[tuple[int, Mapping[str, Any]]]:
    """The judges that have a part of the page to themselves, with the number of their figure: not single people, where
    they are there together."""
    together = any(judge["judge"] == PEOPLE for judge in judges)
    return [(n, judge) for n, judge in enumerate(judges, 1) if not (together and judge["kind"] == "person")]


def _matrix(agreement: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Agreement of every two judges as rows of cells, None where they share no item; for three judges and more."""
    met = {name for row in agreement["pairs"] for name in row["judges"]} if agreement else set()
    names = sorted(met, key=lambda name: (place(name), name))
    if not agreement or not 3 <= len(names) <= MOST_IN_MATRIX:
        return None
    cells = {tuple(row["judges"]): row for row in agreement["pairs"]}
    return {"names": names, "rows": [[cells.get((a, b)) or cells.get((b, a)) for b in names] for a in names]}


def _systems(inputs: Inputs) -> list[str]:
    """Systems in pairs, by the numbers under which the answers are searched."""
    return sorted({answer.system for pair in inputs.pairs for answer in (pair.a, pair.b)})


def _pairs(inputs: Inputs) -> list[dict[str, Any]]:
    """Every pair with what each judge said of it, and tokens to search by: number of a system that won, `tie`, `split`
    where judges differ, `none` where one gave no verdict or none was asked."""
    numbers = {system: str(number) for number, system in enumerate(_systems(inputs))}
    said: dict[str, list[Verdict]] = {}
    for verdict in sorted(inputs.verdicts, key=lambda verdict: (place(verdict.judge), verdict.judge)):
        said.setdefault(verdict.pair_id, []).append(verdict)
    found = []
    for pair in inputs.pairs:
        own = said.get(pair.id, [])
        labels = {numbers[v.winner] if v.winner else "tie" for v in own if v.label}
        tokens = labels | ({"split"} if len(labels) > 1 else set())
        tokens |= {"none"} if not own or any(verdict.label is None for verdict in own) else set()
        rows = [{"judge": v.judge, "result": _result(v), "detail": v.detail} for v in own]
        wins = Counter(verdict.winner for verdict in own if verdict.winner)
        best = wins.most_common(2)
        ahead = best[0][0] if best and (len(best) == 1 or best[0][1] > best[1][1]) else None
        item = {"pair": pair, "said": rows, "short": _short(own), "tokens": sorted(tokens)}
        found.append(item | {"wins": wins, "ahead": ahead})
    return found


def _result(verdict: Verdict) -> str:
    return "no verdict" if verdict.label is None else f"{verdict.winner} won" if verdict.winner else "tie"


def _short(verdicts: Sequence[Verdict]) -> str:
    """What all judges said, in a few words: `tuned won` or `tuned won 3, tie 1`."""
    tally = Counter(_result(verdict) for verdict in verdicts)
    if len(verdicts) == 1:
        return next(iter(tally))
    return ", ".join(f"{result} {count}" for result, count in tally.most_common()) or "not judged"


def _by_source(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The sites of every source together."""
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        whole = found.setdefault(row["source"], {"source": row["source"], "examples": 0, "posts": 0, "licences": {}})
        whole["examples"] += row["examples"]
        whole["posts"] += row["posts"]
        for licence, count in row["licences"].items():
            whole["licences"][licence] = whole["licences"].get(licence, 0) + count
    return list(found.values())


def _citation(inputs: Inputs) -> dict[str, str]:
    """Key, version and fingerprint by which this study is cited."""
    prints = [str(manifest.get("fingerprint")) for _, manifest in sorted(inputs.manifests.items())]
    versions = [m["versions"]["limakit"] for m in inputs.manifests.values() if "limakit" in (m.get("versions") or {})]
    return {
        "cite_key": re.sub(r"[^a-z0-9]+", "", inputs.study.lower()) or "study",
        "version": versions[0] if versions else "",
        "fingerprint": hashlib.sha256("\n".join(prints).encode()).hexdigest()[:16],
    }


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
