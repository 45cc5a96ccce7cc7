"""What an experiment will take before it starts: time as measured on this machine, money by the judges' prices."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from limakit.errors import LimakitError
from limakit.experiments.cells import Variant, distinct
from limakit.experiments.scoring import helpful_or_safe
from limakit.experiments.times import Times
from limakit.models import prices, wire
from limakit.pipeline.model_judging import LEDGER
from limakit.recipe import ModelJudge
from limakit.recipe_judges import LocalJudge
from limakit.records import Example, Prompt, Turn
from limakit.store.files import iter_jsonl, read_json, read_jsonl
from limakit.store.ledger import UNIT, Ledger
from limakit.store.study import MANIFEST, Study

PER_TOKEN = 4
"""Characters of English text, as a rule of thumb."""
TYPICAL_ANSWER = 330
"""Tokens of an answer before there are any: the mean length of the responses that the paper's authors wrote."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellWork:
    """What one cell needs."""

    cell: str
    examples: int | None
    """None where nothing is trained."""
    training_tokens: int
    """Still to go through, all epochs; 0 where it is done, or another cell's training serves."""
    answers: int
    """Still to be given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """What one judge will cost at most and about, in the currency of the recipe."""

    judge: str
    calls: int
    about: float
    most: float
    left: float | None
    """Of the budget; None for a model on this machine, which costs nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Everything that `limakit ablate --estimate` says."""

    cells: tuple[CellWork, ...]
    training_seconds: float | None
    """None where nothing has been measured and no speed was given."""
    answering_seconds: float | None
    workers: int
    cost: float | None
    """Of the machine, with a price an hour."""
    bills: tuple[Bill, ...]

    def data(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


def estimate(
    study: Study,
    variants: Sequence[Variant],
    prompts: Path,
    samples: int,
    *,
    workers: int,
    tflops: float | None = None,
    price: float | None = None,
) -> Estimate:
    """What is left of an experiment whose cells are curated.

    `tflops` is what one GPU reaches in training, used until a training has been measured here; `price` what it costs an
    hour. Judges' answers are paid by the token: `about` by rules of thumb, `most` were every one as long as allowed.
    """
    asked = read_jsonl(prompts, Prompt)
    needed = {variant.name for variant in distinct(study, variants)}
    work = tuple(_work(variant, variant.name in needed, len(asked) * samples) for variant in variants)
    times = Times(study)
    tokens, answers = sum(cell.training_tokens for cell in work), sum(cell.answers for cell in work)
    rate = times.rate("train") or _rate(variants, tflops)
    training = 0.0 if not tokens else None if rate is None else tokens * rate / workers
    speed, length = times.rate("generate"), _length(study, variants)
    answering = 0.0 if not answers else None if speed is None else answers * length * speed / workers
    hours = (training + answering) / 3600 * workers if training is not None and answering is not None else None
    judges = [judge for judge in study.recipe.judges if judge.task in ("likert", "safety")]
    total = len(variants) * samples
    return Estimate(
        cells=work,
        training_seconds=training,
        answering_seconds=answering,
        workers=workers,
        cost=hours * price if hours is not None and price is not None else None,
        bills=tuple(_bill(study, judge, helpful_or_safe(judge.task, asked), total, length) for judge in judges),
    )


def _work(variant: Variant, needed: bool, answers: int) -> CellWork:
    root = variant.study.root
    done = root.joinpath("generate", variant.system, MANIFEST)
    given = read_json(done)["counts"].get("responses", 0) if done.is_file() else 0
    if variant.system != "tuned":
        return CellWork(cell=variant.name, examples=None, training_tokens=0, answers=max(0, answers - given))
    settings = variant.study.recipe.train
    examples = tokens = 0
    for example in iter_jsonl(variant.study.path("curate", "train.jsonl"), Example):
        examples += 1
        tokens += min(settings.max_tokens, sum(len(turn.content) for turn in example.messages) // PER_TOKEN + 1)
    trained = root.joinpath("train", "tuned", MANIFEST).is_file()
    return CellWork(
        cell=variant.name,
        examples=examples,
        training_tokens=tokens * settings.epochs if needed and not trained else 0,
        answers=max(0, answers - given) if needed or given else 0,
    )


def _rate(variants: Sequence[Variant], tflops: float | None) -> float | None:
    """Seconds a token of training, from the operations that it takes and a given speed."""
    tuned = [variant for variant in variants if variant.system == "tuned"]
    if tflops is None or not tuned:
        return None
    from limakit.plan.run import plan

    found = plan(tuned[0].study, gib=80, devices=1, tflops=tflops, price=None)
    option = found.best or found.options[-1]
    tokens = found.tokens * tuned[0].study.recipe.train.epochs
    return option.flops / tokens / (tflops * 1e12) if tokens else None


def _length(study: Study, variants: Sequence[Variant]) -> float:
    """Tokens of an answer: the mean of those there are, else a typical one."""
    counts = [
        read_json(path)["counts"]
        for root in (study.root, *(variant.study.root for variant in variants))
        for path in sorted(root.glob("generate/*/manifest.json"))
    ]
    means = [count["mean_tokens"] for count in counts if count.get("mean_tokens")]
    return sum(means) / len(means) if means else min(TYPICAL_ANSWER, study.recipe.generate.max_new_tokens)


def _bill(study: Study, judge: ModelJudge, prompts: Sequence[Prompt], answers: int, length: float) -> Bill:
    """One call an answer, those of earlier runs left out; bodies with a filler as long as an answer."""
    from limakit.judge.questions import ask, load_form

    try:
        done = read_json(study.path("ablate", "score", judge.name, MANIFEST))["counts"]["answers"]
    except (OSError, KeyError, LimakitError):
        done = 0
    calls = max(0, len(prompts) * answers - done)
    if isinstance(judge, LocalJudge):
        return Bill(judge=judge.name, calls=calls, about=0.0, most=0.0, left=None)
    form = load_form(judge.task, study.resolve(judge.prompt) if judge.prompt else None)
    filler = {"answer": "word " * int(length * PER_TOKEN / 5), "note": ""}
    shown = filler if judge.task == "safety" else {"answer": filler["answer"]}
    turns = (prompt.messages or (Turn(role="user", content=""),) for prompt in prompts)
    bodies = [wire.encode(judge, ask(form, 0, one, shown).call) for one in turns]
    used = 0
    if study.path(LEDGER).exists():
        with Ledger(study.path(LEDGER)) as ledger:
            used = ledger.used(judge.name)
    guess = prices.estimate(judge, bodies, used)
    share = calls / len(bodies) if bodies else 0
    return Bill(
        judge=judge.name,
        calls=calls,
        about=guess.about * share / UNIT,
        most=guess.most * share / UNIT,
        left=guess.left / UNIT,
    )


def said(estimate: Estimate) -> list[str]:
    """In words, a line each."""
    trainings = sum(cell.training_tokens > 0 for cell in estimate.cells)
    tokens = sum(cell.training_tokens for cell in estimate.cells)
    answers = sum(cell.answers for cell in estimate.cells)
    beside = f", {estimate.workers} side by side" if estimate.workers > 1 else ""
    lines = [
        f"{len(estimate.cells)} cells: {trainings} to train ({tokens:,} tokens over all epochs), {answers:,} answers "
        f"to give{beside}; what cells have in common is done once."
    ]
    seconds = estimate.training_seconds, estimate.answering_seconds
    if None in seconds:
        unknown = "training" if seconds[0] is None else "answering"
        lines.append(
            f"How long {unknown} takes here is not known yet; it is measured on the first cell. For a figure now: "
            "--tflops, and `limakit plan`."
        )
    else:
        lines.append(f"About {duration(seconds[0] or 0)} of training and {duration(seconds[1] or 0)} of answering.")
    if estimate.cost is not None:
        lines.append(f"The machine costs about {estimate.cost:,.2f}.")
    for bill in estimate.bills:
        if bill.left is None:
            lines.append(f"Judge {bill.judge}: {bill.calls:,} answers to grade on this machine, at no cost.")
            continue
        enough = "" if bill.about <= bill.left else "; raise it, or ask fewer prompts"
        lines.append(
            f"Judge {bill.judge}: {bill.calls:,} calls, about {bill.about:,.2f} and at most {bill.most:,.2f}; "
            f"{bill.left:,.2f} of its budget is left{enough}."
        )
    if not estimate.bills:
        lines.append("No judge costs anything: the metric is a smoke test. Grades need [[judges]] with task likert.")
    return lines


def left(estimate: Estimate) -> str:
    """The same while it runs: one line."""
    to_go = f"  cells to go: {len(estimate.cells)}"
    if estimate.training_seconds is None or estimate.answering_seconds is None:
        return to_go
    return f"{to_go}, about {duration(estimate.training_seconds + estimate.answering_seconds)}"


def duration(seconds: float) -> str:
    """`4 min`, `3.2 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
