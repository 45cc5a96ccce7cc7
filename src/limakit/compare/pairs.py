"""Response sets to blind pairs: which answer is shown first is drawn from the seed and stored in the record."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from limakit.errors import InputError
from limakit.records import Pair, Prompt, Response


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """All pairs that could be made, and what was missing for the others."""

    pairs: list[Pair]
    """In the order of prompts, then baselines, then samples."""
    asked: int
    """Pairs that there would be if every system had answered every prompt: prompts x baselines x samples."""
    missing: list[tuple[str, str, int]] = field(default_factory=list)
    """(prompt id, system, sample) of every answer that is not there."""

    def counts(self) -> dict[str, object]:
        """For a manifest: pairs asked for, made and not made, missing answers of each system, and
        pairs of which both answers are the same text."""
        systems: dict[str, int] = {}
        for _, system, _ in self.missing:
            systems[system] = systems.get(system, 0) + 1
        return {
            "asked": self.asked,
            "pairs": len(self.pairs),
            "not_paired": self.asked - len(self.pairs),
            "missing_answers": systems,
            "identical": sum(pair.a.text == pair.b.text for pair in self.pairs),
        }


def make_pairs(
    prompts: Sequence[Prompt],
    responses: Iterable[Response],
    *,
    candidate: str,
    baselines: Sequence[str],
    samples: int = 1,
    seed: int = 0,
) -> Pairing:
    """Set the candidate against each baseline, once a prompt and sample number.

    The side of the candidate is a pure function of (seed, prompt id, the two systems, sample): it does not depend on
    the order of anything, and repeats exactly. An answer that is missing leaves its pair out and is listed.
    Raises InputError where one answer is given twice or belongs to no prompt.
    """
    known = {prompt.id for prompt in prompts}
    if len(known) != len(prompts):
        raise InputError("two prompts have the same id", fix="Give every prompt its own id.")
    answers: dict[tuple[str, str, int], Response] = {}
    for response in responses:
        key = (response.prompt_id, response.system, response.sample)
        if key in answers:
            raise InputError(f"prompt {key[0]!r} has two answers by {key[1]!r} with sample number {key[2]}")
        if response.prompt_id not in known:
            raise InputError(
                f"{response.system!r} answers prompt {response.prompt_id!r}, which is not among the prompts",
                fix="Generate the answers again for these prompts.",
            )
        answers[key] = response

    numbers = range(samples)
    missing = [
        (prompt.id, system, sample)
        for prompt in prompts
        for system in (candidate, *baselines)
        for sample in numbers
        if (prompt.id, system, sample) not in answers
    ]
    pairs = []
    for prompt in prompts:
        for baseline in baselines:
            for sample in numbers:
                ours = answers.get((prompt.id, candidate, sample))
                theirs = answers.get((prompt.id, baseline, sample))
                if ours and theirs:
                    pairs.append(_pair(prompt, ours, theirs, seed))
    return Pairing(pairs=pairs, asked=len(prompts) * len(baselines) * samples, missing=missing)


def _pair(prompt: Prompt, one: Response, other: Response, seed: int) -> Pair:
    """One item. Its id names neither system nor side, and changes when the prompt or an answer changes, so that a
    verdict can never be counted for answers it was not given for."""
    first, second = sorted((one, other), key=lambda response: response.system)
    drawn = _digest("side", seed, prompt.id, first.system, second.system, first.sample)
    a, b = (second, first) if drawn[0] & 1 else (first, second)
    turns = [part for turn in prompt.messages for part in (turn.role, turn.content)]
    texts = (first.system, first.text, second.system, second.text)
    name = _digest("pair", prompt.id, first.sample, *texts, *turns).hex()[:16]
    return Pair(
        id=name,
        prompt_id=prompt.id,
        messages=prompt.messages,
        a=a,
        b=b,
        reference=prompt.reference,
        category=prompt.category,
    )


def _digest(*parts: str | int) -> bytes:
    """SHA-256 of the parts, each with its length before it so that no two lists of parts look the same."""
    digest = hashlib.sha256()
    for part in parts:
        data = str(part).encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.digest()
