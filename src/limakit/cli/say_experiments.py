"""The outcomes of the experiments in words."""

from dataclasses import replace

from limakit.cli import say
from limakit.pipeline.outcome import Outcome

OWN = {
    "ablate/prompts": lambda c: f"{c['prompts']:,} test prompts for all cells, {c['sensitive']} of them sensitive",
    "ablate/report": lambda c: f"{c['cells']} cells, {c['comparisons']} comparisons",
    "dialogue/prompts": lambda c: f"{c['prompts']:,} turns of scripts that no dialogue to train on may hold",
    "dialogue/sheet": lambda c: f"{c['items']:,} answers in sheet.csv, for people to grade",
    "dialogue/report": lambda c: f"{c['turns']:,} turns, {c['judges']} judges",
}


def line(outcome: Outcome) -> str:
    """One line for people. A cell's stage is said as everywhere, under its longer name."""
    parts = outcome.stage.split("/")
    if parts[0] not in ("ablate", "dialogue", "superficiality"):
        return say.line(outcome)
    if parts[:2] == ["dialogue", "talk"]:
        counts = outcome.counts
        text = f"{counts['conversations']} conversations, {counts['turns']} turns, {counts['eot']} ended by themselves"
        return _marked(outcome, text)
    if "dialogues" in outcome.counts:
        return _marked(outcome, f"{outcome.counts['examples']:,} examples and {outcome.counts['dialogues']} dialogues")
    if len(parts) > 2 and parts[1] != "score":
        own = "/".join(parts[2:])
        return say.line(replace(outcome, stage=own)).replace(f" {own}:", f" {outcome.stage}:", 1)
    if parts[1:2] == ["score"] and "grades" in outcome.counts:
        return say.line(replace(outcome, stage="judge")).replace(" judge:", f" {outcome.stage}:", 1)
    counts = outcome.counts
    if parts[0] == "superficiality":
        text = (
            f"of {counts['tokens']:,} tokens in {counts['answers']:,} answers: first choices {counts['unshifted']:.0%} "
            f"unshifted, {counts['marginal']:.0%} marginal, {counts['shifted']:.0%} shifted"
        )
    elif parts[1] == "score":
        missing = f", {counts['missing']:,} without a written answer to compare with" if counts["missing"] else ""
        text = f"{counts['answers']:,} answers measured{missing} (a smoke test)"
    else:
        text = OWN[outcome.stage](counts)
    return _marked(outcome, text)


def _marked(outcome: Outcome, text: str) -> str:
    mark, again = ("·", ", unchanged") if outcome.state == "unchanged" else ("✓", "")
    return f"{mark} {outcome.stage}: {text}{again}"
