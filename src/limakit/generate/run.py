"""Prompts × system → Responses, resumable.

The answers wanted, (prompt, sample) in order, are cut into blocks. A finished block is a part file, published whole; a
rerun takes finished blocks as they are and does unfinished ones again from their beginning. What a block contains
depends on the settings alone, so the result is the same bytes whether or not, and wherever, a run was killed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from limakit.engine import Progress
from limakit.models.sampler import Answer, Request, Sampler, sampling
from limakit.recipe import Generate
from limakit.records import Prompt, Response
from limakit.store import files

RESPONSES = "responses.jsonl"
PARTS = "parts"
"""Scratch folder of finished blocks beside the results; not to be published."""
TURNS = 4
"""Requests in a block per slot: enough that the emptying slots at its end cost little."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One line of a part file: a response, and what there is to count besides."""

    response: Response
    trimmed: int


def respond(
    sampler: Sampler,
    prompts: Sequence[Prompt],
    system: str,
    settings: Generate,
    seed: int,
    folder: Path,
    progress: Progress,
) -> dict[str, Any]:
    """Write `responses.jsonl`, the system's responses in the order of the prompts and their samples.

    `folder` is the stage's work folder: finished blocks lie in its subfolder `PARTS`, which the caller discards at the
    end, and are trusted, so it must belong to exactly these prompts, settings and model. Returns the counts of `count`.
    Raises what the sampler raises; finished blocks stay.
    """
    requests = [Request(prompt=p, sample=s) for p in prompts for s in range(settings.samples)]
    size = TURNS * settings.slots
    parts: list[Part] = []
    for number, start in enumerate(range(0, len(requests), size)):
        block = requests[start : start + size]
        path = folder / PARTS / f"{number:05d}.jsonl"
        if not path.exists():
            files.write_jsonl(path, _answer(sampler, block, system, settings, seed, progress, start, len(requests)))
        parts += files.read_jsonl(path, Part)
        progress(f"answers of {system}", len(parts), len(requests), "answers", _note(parts))
    files.write_jsonl(folder / RESPONSES, [part.response for part in parts])
    return count(parts)


def count(parts: Sequence[Part]) -> dict[str, Any]:
    """Figures of one system: `responses` = `eot` + `length` by how they ended; `stop_rate`, the share that ended by
    themselves; `empty` ones without any visible text; `mean_tokens` generated; `trimmed_prompts`, answered although
    their beginning did not fit the model's context, the number of tokens cut being `trimmed_tokens`."""
    total = len(parts)
    eot = sum(part.response.finish == "eot" for part in parts)
    return {
        "responses": total,
        "eot": eot,
        "length": total - eot,
        "stop_rate": round(eot / total, 4) if total else None,
        "empty": sum(not part.response.text.strip() for part in parts),
        "mean_tokens": round(sum(part.response.tokens or 0 for part in parts) / total, 2) if total else None,
        "trimmed_prompts": sum(part.trimmed > 0 for part in parts),
        "trimmed_tokens": sum(part.trimmed for part in parts),
    }


def _answer(
    sampler: Sampler,
    block: Sequence[Request],
    system: str,
    settings: Generate,
    seed: int,
    progress: Progress,
    before: int,
    total: int,
) -> list[Part]:
    """One block's answers, in the order of its requests."""
    answers: dict[int, Answer] = {}
    for index, answer in sampler.answer(block, settings, seed):
        answers[index] = answer
        progress(f"answers of {system}", before + len(answers), total, "answers")
    return [
        Part(
            response=Response(
                prompt_id=request.prompt.id,
                system=system,
                text=answers[index].text,
                finish=answers[index].finish,
                tokens=answers[index].tokens,
                sample=request.sample,
                sampling=sampling(settings),
            ),
            trimmed=answers[index].trimmed,
        )
        for index, request in enumerate(block)
    ]


def _note(parts: Sequence[Part]) -> str:
    """Worth showing while it runs: whether answers end by themselves."""
    figures = count(parts)
    return f"{figures['stop_rate']:.0%} ended by themselves, {figures['mean_tokens']:.0f} tokens on average"
