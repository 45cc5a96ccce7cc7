"""The model card of an exported model: what it is, how to ask it, what it learned from, how, and how it did."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from json import dumps
from typing import Any

from limakit.recipe import Recipe
from limakit.records import Example
from limakit.report.untrusted import visible
from limakit.report.words import FEW_GRADES, absent, interval, judge_name, length_caveat, who

_MARKS = re.compile(r"([\\`*_\[\]<>|#&])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a card is made from."""

    study: str
    recipe: Recipe
    epoch: int
    chosen_by: str
    """Who decided on that epoch: `last`, `chosen` or `person`."""
    examples: Sequence[Example]
    run: Mapping[str, Any]
    """train/tuned/run.json"""
    choice: Mapping[str, Any] | None = None
    """choose/choice.json, where there is one."""
    report: Mapping[str, Any] | None = None
    """report/report.json, where there is one."""
    report_is_of_it: bool = True
    """Whether the report's answers are those of this epoch."""


def model_card(facts: Facts) -> str:
    """README.md of the exported folder, with the head that the Hugging Face hub reads."""
    parts = [_head(facts), _asking(facts), _data(facts), _training(facts), _results(facts), _limits()]
    return "\n\n".join(parts) + "\n"


def _head(facts: Facts) -> str:
    base = facts.recipe.base
    name = base.model if base.revision or base.model == "embedded" else base.model.rstrip("/").split("/")[-1]
    return (
        "---\nlibrary_name: transformers\npipeline_tag: text-generation\n"
        + (f"base_model: {dumps(base.model)}\n" if base.revision else "")
        + "tags: [limakit, lima, sft]\n---\n\n"
        f"# {_plain(facts.study)}\n\n"
        f"{_plain(name)}{f' at commit `{base.revision}`' if base.revision else ''}, fine-tuned on "
        f"{len(facts.examples):,} examples with limakit, by the protocol of LIMA "
        "([Zhou et al. 2023](https://arxiv.org/abs/2305.11206))."
    )


def _asking(facts: Facts) -> str:
    wanted = facts.recipe.generate
    return (
        "## How to ask it\n\n"
        "The chat template renders a dialogue as in training: every utterance ends with the token `<|eot|>`, which "
        "also ends an answer; there are no role names and no system message.\n\n"
        "    vllm serve FOLDER\n\n"
        f"The answers behind the results were drawn with temperature {wanted.temperature:g}, nucleus {wanted.top_p:g} "
        f"and a repetition penalty of {wanted.repetition_penalty:g} on generated tokens only. `generation_config.json` "
        "holds all but the penalty: servers apply it to the prompt as well, `<|eot|>` included, which makes answers "
        "longer."
    )


def _data(facts: Facts) -> str:
    rows = Counter(
        (example.source, origin.licence or "none stated") for example in facts.examples for origin in example.provenance
    )
    bare = sum(not example.provenance for example in facts.examples)
    lines = ["## Training data", "", "| source | licence, as stated there | posts |", "|---|---|---|"]
    counted = sorted(rows.items())
    lines += [f"| {_plain(source)} | {_plain(licence)} | {count:,} |" for (source, licence), count in counted]
    if bare:
        lines.append(f"| (no origin recorded) | not known | {bare:,} examples |")
    lines += [
        "",
        "`ATTRIBUTION.md` names the author of every post. The licence of the base model applies too.",
    ]
    return "\n".join(lines)


def _training(facts: Facts) -> str:
    counts, settings = facts.run["counts"], facts.run["settings"]
    how = {
        "last": "the last one",
        "chosen": "chosen by blind comparison of its answers on the dev prompts",
        "person": "named by a person in the recipe",
    }[facts.chosen_by]
    lines = [
        "## Training",
        "",
        f"{counts['used']:,} examples, {counts['epochs']} epochs, {counts['steps']:,} steps. "
        f"This is epoch {facts.epoch}, {how}.",
        "",
        "| setting | value |",
        "|---|---|",
        *(f"| `{key}` | {_plain(str(value))} |" for key, value in sorted(settings.items())),
    ]
    if facts.chosen_by == "chosen" and facts.choice:
        rows = [row for row in facts.choice["epochs"] if row["win_rate"] is not None]
        lines += ["", "| epoch | win rate on the dev prompts | dev loss |", "|---|---|---|"]
        lines += [
            f"| {row['epoch']} | {row['win_rate']:.1%} ({row['low']:.1%} to {row['high']:.1%}) | "
            f"{'' if row['dev_loss'] is None else format(row['dev_loss'], '.3f')} |"
            for row in rows
        ]
        lines += ["", f"Judge: {_plain(judge_name(facts.choice['judge']))}."]
    return "\n".join(lines)


def _results(facts: Facts) -> str:
    lines = ["## Results", ""]
    judges = facts.report["comparison"]["judges"] if facts.report else []
    grades = facts.report.get("grades", []) if facts.report else []
    own = [row for row in grades if row["system"] == facts.recipe.compare.candidate and row["shares"]]
    if not judges and not own:
        return "\n".join([*lines, "There are none yet."])
    if not facts.report_is_of_it:
        return "\n".join([*lines, f"None of epoch {facts.epoch}: the study's report is about other answers."])
    level = facts.recipe.report.confidence
    for judge in judges:
        lines += [f"By {_plain(who(judge))}:", ""]
        lines += ["| against | win | tie | lose | win rate |", "|---|---|---|---|---|"]
        for row in judge["against"]:
            rate = _plain(interval(row["win_rate"], level)) if row.get("win_rate") else "no verdict"
            lines.append(f"| {_plain(row['baseline'])} | {row['win']} | {row['tie']} | {row['lose']} | {rate} |")
        lines += ["", *(f"Against {_plain(row['baseline'])}: {absent(row)}" for row in judge["against"]), ""]
        lines += [line for row in judge["against"] if (line := _plain(length_caveat(judge, row)))]
        lines += [""]
    if own:
        lines += ["| its own answers | prompts | judge | share or mean | no grade |", "|---|---|---|---|---|"]
        lines += [_graded(row, level) for row in own]
        lines += ["", FEW_GRADES]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).rstrip()


def _graded(row: Mapping[str, Any], level: float) -> str:
    """A row of the table of grades: the mean of helpfulness, else the share of every grade."""
    if row["mean"]:
        rate = row["mean"]
        told = f"{rate['value']:.2f} of 6 [{rate['low']:.2f} to {rate['high']:.2f}]"
    else:
        told = ", ".join(f"{value} {interval(rate, level)}" for value, rate in row["shares"].items())
    missing = f"{row['missing']:,} of {row['grades']:,}"
    return (
        f"| {row['scale']} | {_plain(row['kind'])} | {_plain(judge_name(row['judge']))} | {_plain(told)} | {missing} |"
    )


def _limits() -> str:
    return (
        "## Limits\n\nFine-tuning on few examples teaches how to answer, not what is true. Answers may be wrong, "
        "unlucky samples are worse than others, and refusals were learned from a handful of examples: test it for your "
        "use before you rely on it."
    )


def _plain(text: str) -> str:
    """A text that Markdown shows as it is, on one line."""
    return _MARKS.sub(r"\\\1", " ".join(visible(text).split()))
