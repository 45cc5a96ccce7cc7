"""Judging by language models: one stage for each of the recipe's `[[judges]]`, all calls through the study's ledger."""

from collections.abc import Callable, Mapping, Sequence
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


CODE = ["judge", "models/wire.py", "models/buyer.py", "models/endpoint.py", "models/prices.py", "models/retry.py"]
CODE += ["records.py"]
Items = Callable[[], Sequence[tuple[Prompt, Response]]]
"""Answers with what they answer; called where there is something to do."""


def judge_by_model(study: Study, judge: ModelJudge, progress: Progress) -> Outcome:
    """Ask one model about the pairs (judge/<name>/verdicts.jsonl) or single answers (judge/<name>/grades.jsonl)."""
    stage = f"judge/{judge.name}"
    if judge.task == "pairwise":
        return _compare(study, stage, judge, need(study, "compare", "pairs.jsonl"), progress)
    prompts, systems = need(study, "curate", "test.jsonl"), study.recipe.generate.systems
    answers = {system: need(study, f"generate/{system}", "responses.jsonl") for system in systems}

    def items() -> Sequence[tuple[Prompt, Response]]:
        from limakit.judge.grading import gradable

        assert judge.task != "pairwise"
        responses = [response for path in answers.values() for response in read_jsonl(path, Response)]
        return gradable(judge.task, read_jsonl(prompts, Prompt), responses)

    return grade(study, stage, judge, items, {"test.jsonl": prompts, **answers}, progress)


def _compare(study: Study, stage: str, judge: ModelJudge, path: Path, progress: Progress) -> Outcome:
    work = _begin(study, stage, judge, {"pairs.jsonl": path})
    if work.done:
        return unchanged(work)
    from limakit.judge import pairwise

    pairs = read_jsonl(path, Pair)
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


def _begin(study: Study, stage: str, judge: ModelJudge, inputs: Mapping[str, Path]) -> Work:
    own = {"prompt": study.resolve(judge.prompt)} if judge.prompt else {}
    settings = {"seed": study.recipe.seed, **judge.model_dump(mode="json", exclude=WITHOUT_EFFECT)}
    return study.begin(stage, settings=settings, inputs={**inputs, **own}, code=CODE)


def _form(study: Study, judge: ModelJudge) -> "Form":
    from limakit.judge.questions import load_form

    return load_form(judge.task, study.resolve(judge.prompt) if judge.prompt else None)


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
