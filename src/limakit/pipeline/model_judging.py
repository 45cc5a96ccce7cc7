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
    from limakit.judge.questions import Question
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


def judge_by_model(study: Study, settings: ModelJudge, progress: Progress) -> Outcome:
    """Ask one model about the pairs (judge/<name>/verdicts.jsonl) or single answers (judge/<name>/grades.jsonl)."""
    stage, files = f"judge/{settings.name}", _answers(study, settings)
    if settings.task != "pairwise":
        return grade(study, stage, settings, partial(_gradable, study, settings, files), files, progress)
    work = _begin(study, stage, settings, files)
    if work.done:
        return unchanged(work)
    from limakit.judge import pairwise

    pairs, asked = _pairwise(study, settings, files)
    ends, bill = ask(study, settings, asked, progress)
    verdicts, counts = pairwise.verdicts(pairs, asked, ends, f"model:{settings.name}")
    write_jsonl(work.path("verdicts.jsonl"), verdicts)
    return published(work, counts | bill)


def grade(
    study: Study, stage: str, settings: ModelJudge, items: Items, files: Mapping[str, Path], progress: Progress
) -> Outcome:
    """Let a model grade single answers, of a study or of all variants in an experiment: grades.jsonl. `files` are those
    that `items` come from. Raises ModelError before the first call where the estimate is above what is left of the
    judge's budget."""
    work = _begin(study, stage, settings, files)
    if work.done:
        return unchanged(work)
    from limakit.judge import grading

    assert settings.task != "pairwise"
    graded = items()
    asked = _grading(study, settings, graded)
    ends, bill = ask(study, settings, asked, progress)
    grades, counts = grading.grades(settings.task, graded, asked, ends, f"model:{settings.name}")
    write_jsonl(work.path("grades.jsonl"), grades)
    return published(work, counts | bill)


def quote(study: Study, settings: ModelJudge) -> Quote:
    """What is left to ask, before anything is sent. Raises StudyError where there are no answers yet."""
    files = _answers(study, settings)
    if _begin(study, f"judge/{settings.name}", settings, files).done:
        return Quote(judge=settings.name, calls=0, missing=0, about=0.0, most=0.0, left=None)
    from limakit.models import buyer, local_judge
    from limakit.store.ledger import UNIT, Ledger

    if settings.task == "pairwise":
        asked = _pairwise(study, settings, files)[1]
    else:
        asked = _grading(study, settings, _gradable(study, settings, files))
    calls = [question.call for question in asked]
    with Ledger(study.path(LEDGER)) as ledger:
        if isinstance(settings, LocalJudge):
            keys = set(local_judge.keys(calls, settings, study.digest(_weights(study, settings))))
            missing = len(keys) - len(ledger.stored(keys))
            return Quote(judge=settings.name, calls=len(keys), missing=missing, about=0.0, most=0.0, left=None)
        found = buyer.quote(calls, settings, ledger, settings.name)
    return Quote(
        judge=settings.name,
        calls=len(set(calls)),
        missing=found.calls,
        about=found.about / UNIT,
        most=min(found.most, found.left) / UNIT,
        left=found.left / UNIT,
    )


def inputs(study: Study, settings: ModelJudge) -> dict[str, Path]:
    """The files that a judge brings with it: its instructions, and the model where that is here. Raises ModelError,
    MissingExtra."""
    own = {"prompt": study.resolve(settings.prompt)} if settings.prompt else {}
    return own | (_weights(study, settings) if isinstance(settings, LocalJudge) else {})


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


def _begin(study: Study, stage: str, settings: ModelJudge, files: Mapping[str, Path]) -> Work:
    described = {"seed": study.recipe.seed, **settings.model_dump(mode="json", exclude=WITHOUT_EFFECT)}
    return study.begin(stage, settings=described, inputs={**files, **inputs(study, settings)}, code=CODE)


def _answers(study: Study, settings: ModelJudge) -> dict[str, Path]:
    """What is judged."""
    if settings.task == "pairwise":
        return {"pairs.jsonl": need(study, "compare", "pairs.jsonl")}
    return {"test.jsonl": need(study, "curate", "test.jsonl")} | {
        system: need(study, f"generate/{system}", "responses.jsonl") for system in study.recipe.generate.systems
    }


def _pairwise(study: Study, settings: ModelJudge, files: Mapping[str, Path]) -> tuple[list[Pair], list["Question"]]:
    from limakit.judge import pairwise
    from limakit.judge.questions import load_form

    pairs = read_jsonl(files["pairs.jsonl"], Pair)
    form = load_form("pairwise", inputs(study, settings).get("prompt"))
    return pairs, pairwise.questions(pairs, form, study.recipe.seed)


def _gradable(study: Study, settings: ModelJudge, files: Mapping[str, Path]) -> list[tuple[Prompt, Response]]:
    from limakit.judge import grading

    assert settings.task != "pairwise"
    responses = [r for system in study.recipe.generate.systems for r in read_jsonl(files[system], Response)]
    return grading.gradable(settings.task, read_jsonl(files["test.jsonl"], Prompt), responses)


def _grading(study: Study, settings: ModelJudge, graded: Sequence[tuple[Prompt, Response]]) -> list["Question"]:
    from limakit.judge import grading
    from limakit.judge.questions import load_form

    assert settings.task != "pairwise"
    form = load_form(settings.task, inputs(study, settings).get("prompt"))
    return grading.questions(settings.task, graded, form, study.recipe.seed)


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
