"""Whether a study's training fits, how long it takes and what it costs, before any is spent."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from limakit.errors import RecipeError, typed
from limakit.models.hub import config_of, resolve_config
from limakit.models.local_shape import Shape, read_shape
from limakit.plan.examples import expected
from limakit.recipe import Recipe
from limakit.recipe_train import Train
from limakit.records import Example
from limakit.store.files import iter_jsonl, read_json
from limakit.store.study import Study
from limakit.train.memory import Memory, Strategy, memory, step_flops

USABLE = 0.92
"""Share of a GPU's memory that a run can count on; the rest goes to the driver, its libraries and fragments."""
PAPER_EXAMPLES = 1000
PAPER_TOKENS = 750
"""Tokens an example in the paper: 750,000 in 1,000."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """A strategy and what it takes."""

    strategy: Strategy
    memory: Memory
    fits: bool
    flops: float
    """Of the whole training, all devices together."""
    hours: float | None
    """None where no speed was given."""
    cost: float | None
    """Of all devices that it uses; None where no price was given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything `limakit plan` says."""

    shape: Shape
    tokens: int
    """In one pass over the training set."""
    tokens_from: str
    """Where that number is from."""
    options: tuple[Option, ...]
    """In the order in which they are to be preferred."""

    @property
    def best(self) -> Option | None:
        """The first option that fits."""
        return next((option for option in self.options if option.fits), None)

    def data(self) -> dict[str, Any]:
        """As plain values."""
        options = [
            {**asdict(option), "strategy": option.strategy.name, "memory_total": option.memory.total}
            for option in self.options
        ]
        best = self.best.strategy.name if self.best else None
        return {**asdict(self), "options": options, "best": best}


def plan(study: Study, *, gib: float, devices: int, tflops: float | None, price: float | None) -> Plan:
    """Reckon every strategy on `devices` GPUs with `gib` GiB each.

    `tflops` is the speed that one of them reaches in training, `price` what it costs an hour. Reads the base model's
    config.json and, where it is there, the curated training set; needs no weights. Raises ModelError and RecipeError.
    """
    if not study.recipe.learns:
        raise RecipeError(
            "nothing is trained here", where=study.path("recipe.toml"), fix=f"limakit run {typed(study.root)}"
        )
    shape = read_shape(resolve_config(study.recipe.base, study.root))
    return _reckon(shape, study.recipe.train, _tokens(study), gib, devices, tflops, price)


def plan_model(
    model: Path, *, revision: str = "main", gib: float, devices: int, tflops: float | None, price: float | None
) -> Plan:
    """The same for a model folder, or a hub model by name, without any study: the paper's settings and its 1,000
    examples. Needs only config.json. Raises ModelError."""
    folder = model if model.is_dir() else config_of(model.as_posix(), revision)
    tokens = PAPER_EXAMPLES * PAPER_TOKENS
    known = tokens, f"the paper's {PAPER_EXAMPLES:,} examples of {PAPER_TOKENS} tokens", float(PAPER_TOKENS)
    return _reckon(read_shape(folder), Recipe().train, known, gib, devices, tflops, price)


def _reckon(
    shape: Shape,
    settings: Train,
    known: tuple[int, str, float],
    gib: float,
    devices: int,
    tflops: float | None,
    price: float | None,
) -> Plan:
    """Every strategy; `known` are the tokens of a pass, where that is from, and the mean length."""
    tokens, tokens_from, mean = known
    options = []
    for strategy in _strategies(devices):
        needed = memory(shape, settings, strategy, device="cuda")
        flops = step_flops(shape, strategy, mean) * tokens * settings.epochs
        used = strategy.devices
        hours = flops / (tflops * 1e12 * used) / 3600 if tflops else None
        options.append(
            Option(
                strategy=strategy,
                memory=needed,
                fits=needed.total <= USABLE * gib * 2**30,
                flops=flops,
                hours=hours,
                cost=hours * used * price if hours is not None and price is not None else None,
            )
        )
    return Plan(shape=shape, tokens=tokens, tokens_from=tokens_from, options=tuple(options))


def _strategies(devices: int) -> Iterator[Strategy]:
    """From the paper's own to the thriftiest; QLoRA trains on one device, however many there are."""
    for method in ("full", "lora", "qlora"):
        for recompute in (False, True):
            yield Strategy(method=method, devices=1 if method == "qlora" else devices, recompute=recompute)


def _tokens(study: Study) -> tuple[int, str, float]:
    """Tokens in the training set, how they are known, and the mean length of an example."""
    preflight = study.path("train", "tuned", "preflight.json")
    if preflight.is_file():
        tokens = read_json(preflight)["tokens"]
        return tokens["total"], "as counted by the last training", tokens["mean"]
    limit = study.recipe.train.max_tokens
    train: Path = study.path("curate", "train.jsonl")
    if train.is_file():
        sizes = [sum(len(turn.content) for turn in one.messages) for one in iter_jsonl(train, Example)]
        lengths = [min(limit, size // 4) for size in sizes]
        return sum(lengths), "four characters a token in curate/train.jsonl", sum(lengths) / max(1, len(lengths))
    examples, mean = expected(study), min(limit, PAPER_TOKENS)
    return examples * mean, f"the quotas' {examples:,} examples of {mean} tokens, as in the paper", mean
