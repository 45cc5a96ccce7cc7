"""The paper's own results with the intervals it left out: its printed shares put through the statistics of a study.

Shares are turned back into counts of 300 prompts, one verdict a prompt, as the paper collected them.
"""

import tomllib
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from limakit.records import Label, Verdict
from limakit.report import words
from limakit.report.agreement import POINTS
from limakit.report.figures import outcome_bars, share_bars
from limakit.report.page import TEMPLATES, Report
from limakit.report.rates import wilson
from limakit.report.reliability import beyond_chance
from limakit.report.summary import summarise

TABLES = Path(__file__).with_name("paper.toml")
SCALES = ("grades", "safety", "dialogue")


def numbers(*, resamples: int = 10_000, seed: int = 0, confidence: float = 0.95) -> dict[str, Any]:
    """All of the paper's tables with intervals, ready for JSON."""
    told = tomllib.loads(TABLES.read_text(encoding="utf-8"))
    verdicts = [verdict for table in told["preference"] for verdict in _verdicts(told, table)]
    found = summarise(verdicts, candidate=told["system"], resamples=resamples, seed=seed, confidence=confidence)
    judges = {judge["judge"]: judge for judge in found["judges"]}
    preference = []
    for table in told["preference"]:
        rows = {row["baseline"]: row for row in judges[table["judge"]]["against"]}
        ordered = [rows[row["baseline"]] | {"seen_once": row.get("seen_once", False)} for row in table["rows"]]
        preference.append({"judge": table["judge"], "title": table["title"], "against": ordered})
    values: dict[str, Any] = {"settings": found["settings"], "system": told["system"], "prompts": told["prompts"]}
    values["preference"] = preference
    for scale in SCALES:
        values[scale] = [_shares(row, confidence) for row in told[scale]]
    before, after = (row["counts"] for row in told["dialogue"])
    table = [
        [before["excellent"], before["pass"] + before["fail"]],
        [after["excellent"], after["pass"] + after["fail"]],
    ]
    from scipy.stats import fisher_exact  # a second, which only this page takes

    test: Any = fisher_exact(table)
    values["dialogue_test"] = {"p": float(test.pvalue)}
    values["agreement"] = _agreement(told, confidence)
    values["judges"] = _judges(preference)
    values["ablation"] = told["ablation"]
    return values


def build() -> Report:
    """The page, its numbers and its figures."""
    values = numbers()
    confidence = values["settings"]["confidence"]
    figures = {}
    for number, table in enumerate(values["preference"], 1):
        name = f"paper-{number}"
        figures[name] = outcome_bars(table["against"], confidence, name=name)
    titles = {"grades": "Absolute grades", "safety": "Safety", "dialogue": "Turns of dialogues"}
    for scale, title in titles.items():
        bars = [(row["title"], row["counts"], row["rate"]) for row in values[scale]]
        figures[f"paper-{scale}"] = share_bars(bars, confidence, name=f"paper-{scale}", title=title)
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": words.percent}
    css = (TEMPLATES / "style.css").read_text(encoding="utf-8")
    html = environment.get_template("paper.html").render(r=values, words=words, css=css, figures=figures)
    return Report(html=html, numbers=values, figures=figures)


def _verdicts(told: dict[str, Any], table: dict[str, Any]) -> list[Verdict]:
    labels: dict[str, Label] = {"win": "a", "tie": "tie", "lose": "b"}
    found = []
    for row in table["rows"]:
        counts = {kind: round(row[kind] * told["prompts"] / 100) for kind in labels}
        said: list[Label] = [label for kind, label in labels.items() for _ in range(counts[kind])]
        found += [
            Verdict(
                # No item is told in the paper, so the judges' verdicts must not be matched: their pairs differ.
                pair_id=f"{table['judge']}/{row['baseline']}/{n}", prompt_id=f"{row['baseline']}/{n}",
                judge=table["judge"], a=told["system"], b=row["baseline"], label=label,
            )
            for n, label in enumerate(said)
        ]  # fmt: skip
    return found


def _shares(row: dict[str, Any], confidence: float) -> dict[str, Any]:
    """The share of the first grade with Wilson's interval."""
    total = sum(row["counts"].values())
    first, count = next(iter(row["counts"].items()))
    low, high = wilson(count, total, confidence)
    rate = {"value": count / total, "low": low, "high": high, "method": "wilson"}
    return {"title": row["title"], "counts": row["counts"], "of": total, "first": first, "rate": rate}


def _agreement(told: dict[str, Any], confidence: float) -> list[dict[str, Any]]:
    """Agreement with its chance level and an interval that is too wide if anything (half points vary less).

    Chance is reckoned from the shares of labels over all baselines, of people and, where it judged, of GPT-4.
    """
    shares = {}
    for table in told["preference"]:
        rows = table["rows"]
        shares[table["judge"]] = [sum(row[kind] for row in rows) / (100 * len(rows)) for kind in ("win", "tie", "lose")]
    people, model = shares["person:crowd"], shares["model:GPT-4"]
    found = []
    for row in told["agreement"]["rows"]:
        rate, items = row["percent"] / 100, told["agreement"]["items"]
        low, high = wilson(rate * items, items, confidence)
        other = model if "GPT-4" in row["judges"] else people
        chance = sum(p * q * POINTS[i, j] for i, p in enumerate(people) for j, q in enumerate(other))
        corrected = beyond_chance(rate, float(chance))
        found.append(
            {"judges": row["judges"], "items": items, "rate": rate, "low": low, "high": high, "chance": float(chance)}
            | {"corrected": corrected}
        )
    return found


def _judges(preference: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """How many points better each baseline fares with GPT-4 than with people: its own answers against the others."""
    people, model = ({row["baseline"]: row for row in table["against"]} for table in preference)
    return [
        {"baseline": name, "difference": people[name]["win_rate"]["value"] - model[name]["win_rate"]["value"]}
        for name in people
    ]
