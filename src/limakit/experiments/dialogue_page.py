"""The dialogue experiment's numbers and page."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from limakit.experiments.dialogue_numbers import facts, reckon
from limakit.experiments.page import Page, render
from limakit.experiments.talks import GRADES, parts
from limakit.records import Grade, Prompt, Response
from limakit.report.figures import share_bars
from limakit.report.words import judge_name, percent
from limakit.store.files import read_json
from limakit.store.study import Study

SYSTEMS = ("without", "with")
SHOWN = 12
"""Conversations shown; all are in dialogue/talk/."""


def build(study: Study, answers: Sequence[tuple[Prompt, Response]], grades: Sequence[Grade], joined: Path) -> Page:
    """`answers` are both systems', with what came before each; `joined` is the manifest of the larger training set."""
    recipe = study.recipe
    options = {"resamples": recipe.report.resamples, "seed": recipe.seed, "confidence": recipe.report.confidence}
    counts = read_json(joined)["counts"]
    numbers: dict[str, Any] = {
        "format": 1,
        "study": study.name,
        "base": recipe.base.model,
        "seed": recipe.seed,
        "settings": options,
        "examples": counts["examples"],
        "dialogues": counts["dialogues"],
        "scripts": len({parts(answer.prompt_id)[0] for _, answer in answers}),
        "turns": len(answers),
        "facts": facts(answers, SYSTEMS),
        "judges": reckon(grades, SYSTEMS, **options),
    }
    figures = {}
    for number, judge in enumerate(numbers["judges"], 1):
        rows = [row for row in judge["systems"] if row["shares"]]
        if rows:
            name = f"dialogue-{number}"
            bars = [(f"{row['system']} dialogues", row["counts"], row["shares"]["excellent"]) for row in rows]
            title = f"Turns by {judge_name(judge['judge'])}"
            figures[name] = share_bars(bars, recipe.report.confidence, name=name, title=title)
    numbers["said"] = [headline(numbers)]
    return render(
        "dialogue.html",
        numbers,
        figures,
        grades=GRADES,
        headline=numbers["said"][0],
        level=percent(recipe.report.confidence, 1).replace(".0", ""),
        conversations=_conversations(answers, grades)[:SHOWN],
    )


def headline(numbers: Mapping[str, Any]) -> str:
    """The result in a sentence, by the first judge."""
    pair = f"{numbers['examples']:,} examples against {numbers['examples'] + numbers['dialogues']:,} with dialogues"
    if not numbers["judges"] or len(numbers["judges"][0]["systems"]) < 2:
        return f"{pair}: nobody has graded the conversations yet."
    judge = numbers["judges"][0]
    first, second = judge["systems"]
    told = [f"{row['counts']['excellent']} of {sum(row['counts'].values())}" for row in (first, second)]
    text = f"{pair}: {told[0]} turns excellent without, {told[1]} with them"
    rise = next((row for row in judge["differences"] if row["grade"] == "excellent"), None)
    if rise is None:
        return f"{text}."
    sure = rise["low"] > 0 or rise["high"] < 0
    return f"{text}, which {'is more than chance' if sure else 'cannot be told from chance'}."


def _conversations(answers: Sequence[tuple[Prompt, Response]], grades: Sequence[Grade]) -> list[dict[str, Any]]:
    """Both systems' answers turn by turn, the first conversation from each script."""
    given: dict[tuple[str, str], list[str]] = {}
    for grade in grades:
        given.setdefault((grade.system, grade.prompt_id), []).append(f"{grade.judge}: {grade.value or 'no grade'}")
    found: dict[str, dict[int, dict[str, Any]]] = {}
    for prompt, answer in answers:
        script, turn = parts(answer.prompt_id)
        if answer.prompt_id.rsplit("/", 2)[1] != "1":
            continue
        row = found.setdefault(script, {}).setdefault(turn, {"asked": prompt.messages[-1].content, "answers": []})
        row["answers"].append({"answer": answer, "grades": given.get((answer.system, answer.prompt_id), [])})
    return [{"script": script, "turns": [turns[turn] for turn in sorted(turns)]} for script, turns in found.items()]
