"""Judging by language models: one stage for each of the recipe's `[[judges]]`, all calls through the study's ledger."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from limakit.engine import Progress
from limakit.errors import MissingExtra
from limakit.models.hub import resolve_base
from limakit.pipeline.outcome import Outcome, model_files, need, published, unchanged
from limakit.recipe import Base, ModelJudge
from limakit.recipe_judges import LocalJudge
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
CODE = ["judge", "models/wire.py", "models/buyer.py", "models/endpoint.py", "models/prices.py", "models/retry.py"]
CODE += ["models/local_judge.py", "records.py"]
Items = Callable[[], Sequence[tuple[Prompt, Response]]]
"""Answers with what they answer; called where there is something to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """What a judge has still to do. Money in the currency of the prices."""

    judge: str
    calls: int
    """In all; equal questions are one."""
    missing: int
    """Of them, those without a stored answer."""
    about: float
    """By rules of thumb."""
    most: float
    """Were every answer as long as allowed."""
    left: float | None
    """Of the budget; None for a model on this machine, which costs nothing."""


def judge_by_model(study: Study, judge: ModelJudge, progress: Progress) -> Outcome:
    """Ask one model about the pairs (judge/<name>/verdicts.jsonl) or single answers (judge/<name>/grades.jsonl)."""
    stage, inputs = f"judge/{judge.name}", _judged(study, judge)
    if judge.task == "pairwise":
        return _compare(study, stage, judge, inputs, progress)
    return grade(study, stage, judge, partial(_items, study, judge, inputs), inputs, progress)


def _judged(study: Study, judge: ModelJudge) -> dict[str, Path]:
    """The files of what is judged."""
    if judge.task == "pairwise":
        return {"pairs.jsonl": need(study, "compare", "pairs.jsonl")}
    return {"test.jsonl": need(study, "curate", "test.jsonl")} | {
        system: need(study, f"generate/{system}", "responses.jsonl") for system in study.recipe.generate.systems
    }


def _items(study: Study, judge: ModelJudge, inputs: Mapping[str, Path]) -> Sequence[tuple[Prompt, Response]]:
    from limakit.judge.grading import gradable

    assert judge.task != "pairwise"
    systems = study.recipe.generate.systems
    responses = [response for system in systems for response in read_jsonl(inputs[system], Response)]
    return gradable(judge.task, read_jsonl(inputs["test.jsonl"], Prompt), responses)


def _compare(study: Study, stage: str, judge: ModelJudge, inputs: Mapping[str, Path], progress: Progress) -> Outcome:
    work = _begin(study, stage, judge, inputs)
    if work.done:
        return unchanged(work)
    from limakit.judge import pairwise

    pairs = read_jsonl(inputs["pairs.jsonl"], Pair)
    asked = pairwise.questions(pairs, _form(study, judge), study.recipe.seed)
    ends, bill = ask(study, judge, asked, progress)
    verdicts, counts = pairwise.verdicts(pairs, asked, ends, f"model:{judge.name}")
    write_jsonl(work.path("verdicts.jsonl"), verdicts)
    return published(work, counts | bill)


def grade(
    study: Study, stage: str, judge: ModelJudge, items: Items, inputs: Mapping[str, Path], progress: Progress
) -> Outcome:
    """Let a model grade single answers, of a study or of all variants in an experiment: grades.jsonl. `inputs` are the
    files that `items` come from. Raises ModelError before the first call where the estimate is above what is left of
    the judge's budget."""
    work = _begin(study, stage, judge, inputs)
    if work.done:
        return unchanged(work)
    from limakit.judge import grading

    assert judge.task != "pairwise"
    graded = items()
    asked = grading.questions(judge.task, graded, _form(study, judge), study.recipe.seed)
    ends, bill = ask(study, judge, asked, progress)
    grades, counts = grading.grades(judge.task, graded, asked, ends, f"model:{judge.name}")
    write_jsonl(work.path("grades.jsonl"), grades)
    return published(work, counts | bill)


def quote(study: Study, judge: ModelJudge) -> Quote:
    """What is left to ask, before anything is sent. Raises StudyError where there are no answers yet."""
    inputs = _judged(study, judge)
    if _begin(study, f"judge/{judge.name}", judge, inputs).done:
        return Quote(judge=judge.name, calls=0, missing=0, about=0.0, most=0.0, left=None)
    from limakit.judge import grading, pairwise
    from limakit.models import buyer, local_judge
    from limakit.store.ledger import UNIT, Ledger

    form, seed = _form(study, judge), study.recipe.seed
    if judge.task == "pairwise":
        asked = pairwise.questions(read_jsonl(inputs["pairs.jsonl"], Pair), form, seed)
    else:
        asked = grading.questions(judge.task, _items(study, judge, inputs), form, seed)
    calls = [question.call for question in asked]
    with Ledger(study.path(LEDGER)) as ledger:
        if isinstance(judge, LocalJudge):
            keys = set(local_judge.keys(calls, judge, study.digest(_weights(study, judge))))
            missing = len(keys) - len(ledger.stored(keys))
            return Quote(judge=judge.name, calls=len(keys), missing=missing, about=0.0, most=0.0, left=None)
        found = buyer.quote(calls, judge, ledger, judge.name)
    return Quote(
        judge=judge.name,
        calls=len(set(calls)),
        missing=found.calls,
        about=found.about / UNIT,
        most=min(found.most, found.left) / UNIT,
        left=found.left / UNIT,
    )


def brought(study: Study, judge: ModelJudge) -> dict[str, Path]:
    """The files that a judge brings with it: its instructions, and the model where that is here. Raises ModelError,
    MissingExtra."""
    own = {"prompt": study.resolve(judge.prompt)} if judge.prompt else {}
    return own | (_weights(study, judge) if isinstance(judge, LocalJudge) else {})


def _begin(study: Study, stage: str, judge: ModelJudge, inputs: Mapping[str, Path]) -> Work:
    settings = {"seed": study.recipe.seed, **judge.model_dump(mode="json", exclude=WITHOUT_EFFECT)}
    return study.begin(stage, settings=settings, inputs={**inputs, **brought(study, judge)}, code=CODE)


def _form(study: Study, judge: ModelJudge) -> "Form":
    from limakit.judge.questions import load_form

    return load_form(judge.task, study.resolve(judge.prompt) if judge.prompt else None)


def ask(
    study: Study, settings: ModelJudge, asked: Sequence["Question"], progress: Progress
) -> tuple[list["Reply | Failure"], dict[str, Any]]:
    """The ends of all calls, and the bill of the answers among them: the same whenever and however they were bought."""
    from limakit.models import buyer, local_judge
    from limakit.store.ledger import UNIT, Ledger

    calls = [question.call for question in asked]
    with Ledger(study.path(LEDGER)) as ledger:
        if isinstance(settings, LocalJudge):
            weights, load = study.digest(_weights(study, settings)), partial(_load, study, settings)
            bought = local_judge.answer(
                calls, settings, weights, load, ledger, settings.name, study.recipe.seed, progress
            )
        else:
            bought = buyer.buy(calls, settings, ledger, settings.name, progress)
    distinct = {question.call: end.cost for question, end in zip(asked, bought, strict=True)}
    return [end.outcome for end in bought], {"calls": len(asked), "cost": round(sum(distinct.values()) / UNIT, 6)}


def _folder(study: Study, settings: LocalJudge) -> Path:
    return resolve_base(Base(model=settings.model, revision=settings.revision), study.root)


def _weights(study: Study, settings: LocalJudge) -> dict[str, Path]:
    return model_files("judge", _folder(study, settings))


def _load(study: Study, settings: LocalJudge) -> Any:
    try:
        from limakit.models.local import load_system
    except ImportError as error:
        raise MissingExtra(f"judge {settings.name!r} runs here, and {error.name} is not installed", "train") from None
    return load_system(_folder(study, settings), "folder")
