"""Generation: our continuous batching against Hugging Face's `generate` in batches of 32, the same work in one run.

    python benchmarks/generate.py [--prompts 300] [--mean 200] [--threads 2]

A random Llama of 27 million parameters in fp32, its logits spread so that a nucleus holds about a hundred tokens as in
a real model; prompts and answers of ragged lengths (log-normal). Each answer ends at a length drawn beforehand, the
same for both sides, so both make exactly the same number of useful tokens. Sampling on both sides: nucleus 0.9,
temperature 0.7, repetition penalty 1.2, no top-k. First it is checked that both give the same tokens when greedy.

Beside seconds stand processor seconds, which other work on the machine disturbs less. The limit is the matrix products
of our passes alone, each with its own number of rows, done again without anything around them.

Claim (docs/benchmarks.md): at least 5 times the useful tokens a second on two threads.
"""

import argparse
import os
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as limakit does, for both sides

import numpy as np
import torch
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, StoppingCriteria, StoppingCriteriaList

from limakit.models.local_decode import Decoder, Job
from limakit.models.sampler import stream_key
from limakit.recipe import Generate

BATCH = 32
VOCAB = 32_000


def model() -> LlamaForCausalLM:
    """The model that both sides drive."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=VOCAB,
        hidden_size=384,
        intermediate_size=1024,
        num_hidden_layers=8,
        num_attention_heads=6,
        num_key_value_heads=6,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
    )
    made = LlamaForCausalLM(config).eval()
    made.model.norm.weight.data.fill_(8.0)
    return made


def work(count: int, mean: float) -> list[Job]:
    """Prompts of about 60 tokens and answers of about `mean`, both ragged and reproducible."""
    random = np.random.default_rng(0)
    sizes = np.clip(random.lognormal(np.log(50), 0.6, count), 5, 300).astype(int)
    limits = np.clip(random.lognormal(np.log(mean) - 0.32, 0.8, count), 4, 4 * mean).astype(int)
    ids = [random.integers(10, VOCAB, size).tolist() for size in sizes]
    return [Job(i, int(limit), stream_key(0, str(n), 0)) for n, (i, limit) in enumerate(zip(ids, limits, strict=True))]


class StopAt(StoppingCriteria):
    """Ends each row of a batch after its own number of tokens."""

    def __init__(self, totals: torch.Tensor):
        self._totals = totals

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> Any:
        return self._totals <= input_ids.shape[1]


def theirs(made: Any, jobs: list[Job], sampling: dict[str, Any]) -> list[list[int]]:
    """Hugging Face `generate`, left-padded batches of 32 in the order given."""
    made.set_attn_implementation("sdpa")
    got = []
    for start in range(0, len(jobs), BATCH):
        batch = jobs[start : start + BATCH]
        width = max(len(job.ids) for job in batch)
        ids = torch.tensor([[0] * (width - len(job.ids)) + list(job.ids) for job in batch])
        mask = torch.tensor([[0] * (width - len(job.ids)) + [1] * len(job.ids) for job in batch])
        totals = torch.tensor([width + job.limit for job in batch])
        config = GenerationConfig(max_new_tokens=max(job.limit for job in batch), pad_token_id=0, **sampling)
        out = made.generate(
            ids, attention_mask=mask, generation_config=config, stopping_criteria=StoppingCriteriaList([StopAt(totals)])
        )
        got += [row[width : width + job.limit].tolist() for row, job in zip(out, batch, strict=True)]
    return got


def ours(made: Any, jobs: list[Job], settings: Generate, rows: list[tuple[int, int]] | None = None) -> list[list[int]]:
    """The same through `Decoder`; `rows` gets the tokens and the logits rows of every pass."""
    decoder = Decoder(made, frozenset())
    if rows is not None:
        forward = decoder.forward

        def noted(slots: Any, packed: list[int], lengths: list[int], prompts: list[int]) -> torch.Tensor:
            rows.append((len(packed), len(lengths) + len(prompts)))
            return forward(slots, packed, lengths, prompts)

        decoder.forward = noted
    return [ids for _, ids, _ in sorted(decoder.run(jobs, settings))]


@torch.no_grad()
def products(made: Any, rows: list[tuple[int, int]]) -> None:
    """The matrix products of those passes and nothing else."""
    head = made.get_output_embeddings()
    matrices = [m.weight for m in made.modules() if isinstance(m, torch.nn.Linear) and m is not head]
    inputs = {size: torch.randn(max(tokens for tokens, _ in rows), size) for size in {m.shape[1] for m in matrices}}
    for tokens, logits in rows:
        for matrix in matrices:
            torch.mm(inputs[matrix.shape[1]][:tokens], matrix.T)
        torch.mm(inputs[head.weight.shape[1]][:logits], head.weight.T)


def timed(name: str, work: Callable[[], Any], tokens: int | None = None) -> tuple[float, float]:
    """Run once; print and return useful tokens a second, and the same a processor second."""
    start, cpu = time.perf_counter(), time.process_time()
    found = work()
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    tokens = tokens or sum(map(len, found))
    print(
        f"{name:24} {tokens:8,} tokens {seconds:8.1f} s {tokens / seconds:8.1f} tokens/s "
        f"{cpu:8.1f} CPU-s {tokens / cpu:8.1f} tokens/CPU-s",
        flush=True,
    )
    return tokens / seconds, tokens / cpu


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(description="Ours against Hugging Face generate.")
    parser.add_argument("--prompts", type=int, default=300)
    parser.add_argument("--mean", type=int, default=200)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    made, jobs = model(), work(arguments.prompts, arguments.mean)

    few = [Job(job.ids, min(job.limit, 16), job.key) for job in jobs[:4]]
    greedy = Generate(temperature=0, repetition_penalty=1.0)
    assert ours(made, few, greedy) == theirs(made, few, {"do_sample": False}), "not the same model"

    sampling = {"do_sample": True, "top_p": 0.9, "top_k": 0, "temperature": 0.7, "repetition_penalty": 1.2}
    rows: list[tuple[int, int]] = []
    fast = timed("limakit", lambda: ours(made, jobs, Generate(slots=BATCH), rows))
    tokens = sum(job.limit for job in jobs)
    limit = timed("limit: matrix products", lambda: products(made, rows), tokens)
    slow = timed("Hugging Face", lambda: theirs(made, jobs, sampling))
    print(f"limakit against Hugging Face: {fast[0] / slow[0]:.2f} by time, {fast[1] / slow[1]:.2f} by processor time")
    print(f"limakit's share of the limit: {fast[0] / limit[0]:.0%} by time, {fast[1] / limit[1]:.0%} by processor time")


if __name__ == "__main__":
    main()
