"""The training loop: one pass from random or published weights to an annealed model, which a kill only interrupts."""

import copy
import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from model import next_token_loss
from state import State, load, save
from torch import Tensor, multiprocessing
from torch.nn.utils import vector_to_parameters
from transformers import LlamaForCausalLM

WORKERS = 2
BATCH_TOKENS = 8192
MICRO_BATCH_TOKENS = 2048
# Sequence length by the share of the run at which it begins: short is fast and teaches most; the whole context is last.
LENGTHS = ((0.0, 256), (0.6, 512), (0.85, 1024), (0.95, 2048))
WARM_UP, DECAY_FROM = 0.02, 0.35
MATRIX_RATE, OTHER_RATE = 0.02, 0.006
LOG_EVERY = 50
SAVE_EVERY = 200
CAPABLE = torch.cpu.get_capabilities()
PRECISION = torch.bfloat16 if CAPABLE.get("avx512_bf16") or CAPABLE.get("amx_bf16") else torch.float32
"""bfloat16 where the processor multiplies it; elsewhere it is emulated, many times slower than float32."""


@dataclass(frozen=True)
class Plan:
    """What to train on and for how long."""

    streams: Mapping[str, Path]
    """Packed token ids of each subset."""
    mixture: Mapping[str, float]
    """Share of each subset in the tokens seen."""
    tokens: int
    minutes: float
    seed: int
    state: Path
    """File from which a killed run goes on."""
    refused: tuple[str, ...] = ()
    """Ids of documents left out as contaminated."""
    seen: int = 0
    """Tokens that the weights at the start have been trained on; windows are drawn from there on."""

    def mark(self) -> str:
        """A name for the plan: a state of another one is not taken up."""
        names = {subset: path.name for subset, path in self.streams.items()}
        told = [names, dict(self.mixture), self.tokens, self.seed, self.seen]
        fixed = [LENGTHS, BATCH_TOKENS, MICRO_BATCH_TOKENS, WORKERS, str(PRECISION)]
        return hashlib.sha256(json.dumps([*told, *fixed]).encode()).hexdigest()


@dataclass
class Report:
    """What a run did, for the log and the model card."""

    plan: Plan
    tokens: int = 0
    seconds: float = 0.0
    lengths: dict[int, int] = field(default_factory=dict)
    curve: list[tuple[int, float]] = field(default_factory=list)
    """Tokens of this run, and the mean loss of the steps before them, in nats per token."""
    precision: str = str(PRECISION).removeprefix("torch.")

    def record(self) -> dict[str, Any]:
        """What a later run and the card need of it, as JSON holds it; windows as pairs of length and tokens."""
        told = {name: getattr(self, name) for name in ("tokens", "seconds", "precision", "curve")}
        return {**told, "windows": list(self.lengths.items())}


class Muon:
    """Momentum whose step is orthogonalised, for matrices (Jordan et al. 2024); equal shapes go through together."""

    def __init__(self, matrices: Sequence[Tensor], momentum: float = 0.95) -> None:
        shapes = sorted({matrix.shape for matrix in matrices})
        self.groups = [[matrix for matrix in matrices if matrix.shape == shape] for shape in shapes]
        self.velocities = [torch.zeros(len(group), *group[0].shape) for group in self.groups]
        self.momentum = momentum

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """Move every matrix one step along its gradient."""
        for group, velocity in zip(self.groups, self.velocities, strict=True):
            gradient = torch.stack(gradients(group))
            velocity.lerp_(gradient, 1 - self.momentum)
            update = orthogonalise(gradient.lerp(velocity, self.momentum))
            rows, columns = group[0].shape
            for matrix, direction in zip(group, update, strict=True):
                matrix.sub_(direction, alpha=learning_rate * max(1.0, rows / columns) ** 0.5)


def orthogonalise(matrices: Tensor) -> Tensor:
    """Five Newton-Schulz steps that move every singular value near one (coefficients of Jordan et al. 2024)."""
    tall = matrices.shape[-2] > matrices.shape[-1]
    x = (matrices.mT if tall else matrices).to(PRECISION)
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(5):
        square = x @ x.mT
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return (x.mT if tall else x).float()


class Sampler:
    """Draws windows at random places of the subsets' token streams, in fixed proportions."""

    def __init__(self, plan: Plan, worker: int) -> None:
        self.streams = [np.memmap(plan.streams[subset], dtype=np.uint16, mode="r") for subset in plan.mixture]
        self.shares = np.array(list(plan.mixture.values()))
        self.seed = (plan.seed, worker)

    def batch(self, length: int, step: int, part: int) -> tuple[Tensor, Tensor]:
        """Token windows, and the same windows one token later: a pure function of seed, worker, step and part."""
        random = np.random.default_rng([*self.seed, step, part])
        windows = []
        for choice in random.choice(len(self.streams), size=MICRO_BATCH_TOKENS // length, p=self.shares):
            start = random.integers(len(self.streams[choice]) - length)
            windows.append(self.streams[choice][start : start + length + 1])
        tokens = torch.from_numpy(np.stack(windows).astype(np.int64))
        return tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous()


class Exchange:
    """Averages one vector over the worker processes through shared memory."""

    def __init__(self, size: int) -> None:
        self.slots = torch.zeros(WORKERS, size).share_memory_()
        self.barrier = multiprocessing.get_context("spawn").Barrier(WORKERS)

    def mean(self, worker: int, values: Tensor) -> Tensor:
        """Give this worker's values, wait for the others, and return the same mean to all."""
        self.slots[worker] = values
        self.barrier.wait()
        mean = self.slots.mean(0)
        self.barrier.wait()
        return mean


def train(model: LlamaForCausalLM, plan: Plan) -> Report:
    """Train in place until the tokens or the minutes are spent, whichever is first.

    One single-threaded process a core, each with its part of every batch: they wait for each other once a step, so
    another program on the machine slows them in proportion, where threads would wait at every operation.
    """
    exchange = Exchange(sum(weight.numel() for weight in model.parameters()) + 2)
    context = multiprocessing.get_context("spawn")
    helpers = [
        context.Process(target=work, args=(copy.deepcopy(model), plan, exchange, worker), daemon=True)
        for worker in range(1, WORKERS)
    ]
    for helper in helpers:
        helper.start()
    report = work(model, plan, exchange, 0)
    for helper in helpers:
        helper.join()
    return report


def work(model: LlamaForCausalLM, plan: Plan, exchange: Exchange, worker: int) -> Report:
    """Run one worker's loop. All workers hold the same weights after every step, since all take the same steps."""
    torch.set_num_threads(1)
    sampler, report = Sampler(plan, worker), Report(plan)
    weights = list(model.parameters())
    hidden = [weight for name, weight in model.named_parameters() if weight.dim() == 2 and "embed" not in name]
    others = [weight for name, weight in model.named_parameters() if weight.dim() != 2 or "embed" in name]
    muon = Muon(hidden)
    adam = torch.optim.AdamW(others, lr=OTHER_RATE, betas=(0.9, 0.95), weight_decay=0.0, fused=True)
    compiled = torch.compile(next_token_loss, dynamic=False)
    micro_batches = BATCH_TOKENS // MICRO_BATCH_TOKENS // WORKERS
    share, recent = take_up(plan, report, weights, muon, adam)
    spent, began = report.seconds, time.monotonic()
    while share < 1:
        step = (plan.seen + report.tokens) // BATCH_TOKENS
        length = [length for start, length in LENGTHS if share >= start][-1]
        model.zero_grad()
        total = 0.0
        for part in range(micro_batches):
            tokens_BT, targets_BT = sampler.batch(length, step, part)
            with torch.autocast("cpu", torch.bfloat16, enabled=PRECISION is torch.bfloat16):
                loss = compiled(model, tokens_BT, targets_BT) / micro_batches
            loss.backward()
            total += loss.item()
        report.tokens += BATCH_TOKENS
        report.lengths[length] = report.lengths.get(length, 0) + BATCH_TOKENS
        report.seconds = spent + time.monotonic() - began
        # Rate and length follow the larger spent share, so a run that the clock ends is annealed all the same.
        share = max(report.tokens / plan.tokens, report.seconds / 60 / plan.minutes)
        flat = torch.cat([gradient.flatten() for gradient in gradients(weights)])
        mean = exchange.mean(worker, torch.cat([flat, torch.tensor([total, share])]))
        vector_to_parameters(mean[:-2], gradients(weights))
        total, share = mean[-2:].tolist()
        muon.step(MATRIX_RATE * rate(share))
        adam.param_groups[0]["lr"] = OTHER_RATE * rate(share)
        adam.step()
        recent.append(total)
        if len(recent) == LOG_EVERY:
            report.curve.append((report.tokens, sum(recent) / len(recent)))
            recent.clear()
            if worker == 0:
                log(report, length)
        if worker == 0 and (step + 1) % SAVE_EVERY == 0:
            save(plan.state, snapshot(report, share, recent, weights, muon, adam))
    return report


def snapshot(
    report: Report, share: float, recent: list[float], weights: Sequence[Tensor], muon: Muon, adam: torch.optim.AdamW
) -> State:
    """The run as it stands after a step."""
    tensors = {f"weight {n}": weight.detach() for n, weight in enumerate(weights)}
    tensors |= {f"muon {n}": velocity for n, velocity in enumerate(muon.velocities)}
    for n, kept in adam.state_dict()["state"].items():
        tensors |= {f"adam {n} {name}": tensor for name, tensor in kept.items()}
    told = {name: getattr(report, name) for name in ("tokens", "seconds", "lengths", "curve")}
    return State(tensors, {**told, "share": share, "recent": recent, "plan": report.plan.mark()})


def take_up(
    plan: Plan, report: Report, weights: Sequence[Tensor], muon: Muon, adam: torch.optim.AdamW
) -> tuple[float, list[float]]:
    """Put everything where a killed run of the same plan left it; the share spent and the losses not yet logged."""
    state = load(plan.state)
    if state is None or state.told["plan"] != plan.mark():
        return 0.0, []
    tensors, told = state.tensors, state.told
    with torch.no_grad():
        for n, weight in enumerate(weights):
            weight.copy_(tensors[f"weight {n}"])
    muon.velocities = [tensors[f"muon {n}"] for n in range(len(muon.velocities))]
    kept: dict[int, dict[str, Any]] = {}
    for name, tensor in tensors.items():
        if name.startswith("adam "):
            _, number, which = name.split()
            kept.setdefault(int(number), {})[which] = tensor
    adam.load_state_dict({**adam.state_dict(), "state": kept})
    report.tokens, report.seconds = told["tokens"], told["seconds"]
    report.lengths = {int(length): tokens for length, tokens in told["lengths"].items()}
    report.curve = [(tokens, loss) for tokens, loss in told["curve"]]
    return told["share"], list(told["recent"])


def gradients(weights: Sequence[Tensor]) -> list[Tensor]:
    """The gradient of every weight."""
    return [weight.grad for weight in weights if weight.grad is not None]


def rate(share: float) -> float:
    """Learning rate as a fraction of its peak: up, level, then straight down to nothing."""
    return max(0.0, min(1.0, share / WARM_UP, (1 - share) / (1 - DECAY_FROM)))


def log(report: Report, length: int) -> None:
    """Print where the run stands."""
    tokens, loss = report.curve[-1]
    print(
        f"{tokens / 1e6:7.2f}M tokens  length {length:4}  loss {loss:.4f}  "
        f"{tokens / report.seconds:6.0f} tokens/s  {report.seconds / 60:5.1f} min",
        flush=True,
    )
