"""Continuous batching: a fixed number of slots, refilled from the queue as answers finish; no padding anywhere.

Slots 0 to B−1 are the answers under way. One that finishes is overwritten by the last, so the work of a step falls with
the number of answers left. The order of everything follows from the jobs alone, so that the same jobs give the same
bits again.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from limakit.models.local_attention import NAME, Slots
from limakit.models.local_sampling import choose
from limakit.models.sampler import uniforms
from limakit.recipe import Generate

PREFILL_TOKENS = 4096
"""Prompt tokens taken into one pass, to bound its memory; a longer prompt goes in alone."""
SMALL = 10_000_000
"""Parameters below which one thread does the work: to wake a second takes longer than what it would do, and much longer
on a busy machine. It also makes the bits independent of the number of cores."""


@dataclass(frozen=True, slots=True)
class Job:
    """One sequence to continue."""

    ids: Sequence[int]
    """The prompt, at least one token."""
    limit: int
    """Most tokens to generate, at least 1."""
    key: int
    """Its stream of random numbers (`sampler.stream_key`)."""


class Decoder:
    """Drives one Hugging Face causal LM, which attends through `local_attention` from here on."""

    def __init__(self, model: Any, stop_ids: frozenset[int], ended: Callable[[list[int]], bool] | None = None):
        """`stop_ids` end an answer; so does `ended` when it is true of the ids so far."""
        model.set_attn_implementation(NAME)
        self._model = model
        self._stop_ids, self._ended = stop_ids, ended

    def stops(self, ids: list[int]) -> bool:
        """Whether an answer that has come to these ids, at least one, is at its end."""
        return ids[-1] in self._stop_ids or (self._ended is not None and self._ended(ids))

    def run(self, jobs: Sequence[Job], settings: Generate) -> Iterator[tuple[int, list[int], bool]]:
        """Yield (index of the job, generated ids, whether it stopped by itself) as jobs finish.

        The ids end with what stopped them, where something did. Raises ModelError where the output is not finite.
        """
        count = min(settings.slots, len(jobs))
        slots = Slots(count, max((len(job.ids) + job.limit for job in jobs), default=0))
        history = self._history(jobs, count, settings)
        done: list[list[int]] = [[] for _ in jobs]
        live: list[int] = []
        coming = 0
        while live or coming < len(jobs):
            fresh, coming = self._admit(jobs, coming, count - len(live))
            with quiet(self._model):
                tokens = self._step(slots, history, jobs, done, live, fresh, settings)
            live += fresh
            ended = []
            for row, (index, token) in enumerate(zip(live, tokens, strict=True)):
                done[index].append(token)
                stopped = self.stops(done[index])
                if stopped or len(done[index]) >= jobs[index].limit:
                    ended.append((row, stopped))
            for index, stopped in [(live[row], stopped) for row, stopped in ended]:
                yield index, done[index], stopped
            for row, _ in reversed(ended):
                last = live.pop()
                if row < len(live):
                    slots.move(len(live), row, len(jobs[last].ids) + len(done[last]) - 1)
                    history[row] = history[len(live)]
                    live[row] = last

    def stream(self, job: Job, settings: Generate) -> Iterator[int]:
        """Yield the ids of one answer as they come."""
        slots = Slots(1, len(job.ids) + job.limit)
        done: list[list[int]] = [[]]
        history = self._history([job], 1, settings)
        live: list[int] = []
        fresh = [0]
        while len(done[0]) < job.limit and not (done[0] and self.stops(done[0])):
            with quiet(self._model):
                done[0] += self._step(slots, history, [job], done, live, fresh, settings)
            live, fresh = [0], []
            yield done[0][-1]

    def _history(self, jobs: Sequence[Job], count: int, settings: Generate) -> torch.Tensor:
        """Room for the tokens on which the penalty falls, a row for each answer under way."""
        size = max((_before(job, settings) + job.limit for job in jobs), default=0)
        return torch.zeros(count, size, dtype=torch.int64, device=self._model.device)

    def _step(
        self,
        slots: Slots,
        history: torch.Tensor,
        jobs: Sequence[Job],
        done: list[list[int]],
        live: list[int],
        fresh: list[int],
        settings: Generate,
    ) -> list[int]:
        """The next token of every answer under way and of every one that begins."""
        packed = [*(done[i][-1] for i in live), *(token for i in fresh for token in jobs[i].ids)]
        lengths = [len(jobs[i].ids) + len(done[i]) - 1 for i in live]
        logits = self.forward(slots, packed, lengths, [len(jobs[i].ids) for i in fresh])
        both = [*live, *fresh]
        counts = torch.tensor([len(done[i]) for i in both])
        keys = np.array([jobs[i].key for i in both], dtype=np.uint64)
        draws = torch.from_numpy(uniforms(keys, counts.numpy().astype(np.uint64)))
        for row, index in enumerate(fresh, len(live)):
            before = _before(jobs[index], settings)
            history[row, :before] = torch.tensor(jobs[index].ids[:before], dtype=torch.int64)
        ends = counts + torch.tensor([_before(jobs[i], settings) for i in both])
        seen = history[: len(both), : int(ends.max())]
        tokens = choose(logits, seen, ends.to(logits.device), draws.to(logits.device), settings)
        history[torch.arange(len(both)), ends] = tokens
        return tokens.tolist()

    def forward(self, slots: Slots, packed: list[int], lengths: list[int], prompts: list[int]) -> torch.Tensor:
        """Logits (B, V) after the last token of each answer: those under way, then the new prompts."""
        device = self._model.device
        positions, last = slots.plan(lengths, prompts, device)
        return self._model(
            input_ids=torch.tensor([packed], device=device),
            position_ids=positions,
            use_cache=False,
            logits_to_keep=last if prompts else 0,
            slots=slots,
        ).logits[0]

    @staticmethod
    def _admit(jobs: Sequence[Job], coming: int, free: int) -> tuple[list[int], int]:
        """The next jobs for the free slots, as many as one pass should take, and the first that has to wait."""
        first, tokens = coming, 0
        while coming < len(jobs) and coming - first < free:
            tokens += len(jobs[coming].ids)
            if coming > first and tokens > PREFILL_TOKENS:
                break
            coming += 1
        return list(range(first, coming)), coming


def _before(job: Job, settings: Generate) -> int:
    """Tokens of the prompt on which the repetition penalty falls."""
    return len(job.ids) if settings.penalty_on == "hf" else 0


@contextmanager
def quiet(model: Any) -> Iterator[None]:
    """Without gradients, and on one thread for a small model on the CPU; as before afterwards."""
    threads = torch.get_num_threads()
    small = model.device.type == "cpu" and model.num_parameters() < SMALL
    torch.set_num_threads(1 if small else threads)
    try:
        with torch.no_grad():
            yield
    finally:
        torch.set_num_threads(threads)
