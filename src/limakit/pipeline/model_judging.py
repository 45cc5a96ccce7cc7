"""Judging by language models: one stage for each of the recipe's `[[judges]]`, all calls through the study's ledger."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from limakit.engine import Progress
from limakit.pipeline.outcome import Outcome, need, published, unchanged
from limakit.recipe import ModelJudge
from limakit.records import Pair, Prompt, Response
from limakit.store.files import read_jsonl, write_jsonl
from limakit.store.study import Study, Work

if TYPE_CHECKING:
    from limakit.judge.questions import Form, Question
    from limakit.models.wire import Failure, Reply

LEDGER = "ledger.db"
"""In the study's folder: a rerun, of whatever stage, finds there what was paid for."""
WITHOUT_EFFECT = {"name", "key_env", "concurrency"}
"""Settings that change no verdict."""


def judge_by_model(study: Study, settings: ModelJudge, progress: Progress) -> Outcome:
    """Ask one model about the pairs (judge/<name>/verdicts.jsonl) or single answers (judge/<name>/grades.jsonl)."""
    own = study.resolve(settings.prompt) if settings.prompt else None
    if settings.task == "pairwise":
        inputs = {"pairs.jsonl": need(study, "compare", "pairs.jsonl")}
    else:
        inputs = {"test.jsonl": need(study, "curate", "test.jsonl")} | {
            system: need(study, f"generate/{system}", "responses.jsonl") for system in study.recipe.generate.systems
        }
    code = ["judge", "models/wire.py", "models/buyer.py", "models/endpoint.py", "models/prices.py", "models/retry.py"]
    work = study.begin(
        f"judge/{settings.name}",
        settings={"seed": study.recipe.seed, **settings.model_dump(mode="json", exclude=WITHOUT_EFFECT)},
        inputs=inputs | ({"prompt": own} if own else {}),
        code=[*code, "records.py"],
    )
    if work.done:
        return unchanged(work)
    from limakit.judge.questions import load_form

    form = load_form(settings.task, own)
    if settings.task == "pairwise":
        return published(work, _compare(study, settings, form, inputs["pairs.jsonl"], work, progress))
    return published(work, _grade(study, settings, form, inputs, work, progress))


def _compare(
    study: Study, settings: ModelJudge, form: "Form", path: Path, work: Work, progress: Progress
) -> dict[str, Any]:
    from limakit.judge import pairwise

    pairs = read_jsonl(path, Pair)
    asked = pairwise.questions(pairs, form, study.recipe.seed)
    ends, bill = ask(study, settings, asked, progress)
    verdicts, counts = pairwise.verdicts(pairs, asked, ends, f"model:{settings.name}")
    write_jsonl(work.path("verdicts.jsonl"), verdicts)
    return counts | bill


def _grade(
    study: Study, settings: ModelJudge, form: "Form", inputs: dict[str, Path], work: Work, progress: Progress
) -> dict[str, Any]:
    from limakit.judge import grading

    scale = settings.task
    assert scale != "pairwise"
    responses = [r for system in study.recipe.generate.systems for r in read_jsonl(inputs[system], Response)]
    items = grading.gradable(scale, read_jsonl(inputs["test.jsonl"], Prompt), responses)
    asked = grading.questions(scale, items, form, study.recipe.seed)
    ends, bill = ask(study, settings, asked, progress)
    grades, counts = grading.grades(scale, items, asked, ends, f"model:{settings.name}")
    write_jsonl(work.path("grades.jsonl"), grades)
    return counts | bill


def ask(
    study: Study, settings: ModelJudge, asked: Sequence["Question"], progress: Progress
) -> tuple[list["Reply | Failure"], dict[str, Any]]:
    """The ends of all calls, and the bill of the answers among them: the same whenever and however they were bought."""
    from limakit.models.buyer import buy
    from limakit.store.ledger import UNIT, Ledger

    with Ledger(study.path(LEDGER)) as ledger:
        bought = buy([question.call for question in asked], settings, ledger, settings.name, progress)
    distinct = {question.call: end.cost for question, end in zip(asked, bought, strict=True)}
    return [end.outcome for end in bought], {"calls": len(asked), "cost": round(sum(distinct.values()) / UNIT, 6)}
