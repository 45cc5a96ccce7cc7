"""Prompts × a server → Responses, each answer paid for once: what is in the ledger is not asked for again."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from limakit.engine import Progress
from limakit.errors import ModelError
from limakit.generate.run import RESPONSES, Part, count
from limakit.models.buyer import DOWN, Bought, buy
from limakit.models.retry import Retry
from limakit.models.sampler import remote_sampling
from limakit.models.wire import Call, Failure, Reply
from limakit.recipe_judges import SystemEndpoint
from limakit.records import Prompt, Response
from limakit.store import files
from limakit.store.ledger import UNIT, Ledger

PASSING = (*DOWN, "over_budget")
"""Failures after which asking again may help, so that answers are missing only for now."""
BYTES_PER_TOKEN = 4
"""For servers that do not count."""


def respond(
    endpoint: SystemEndpoint,
    ledger: Ledger,
    account: str,
    prompts: Sequence[Prompt],
    system: str,
    samples: int,
    folder: Path,
    progress: Progress,
    retry: Retry | None = None,
) -> dict[str, Any]:
    """Write `responses.jsonl`, the server's answers in the order of the prompts and their samples.

    An answer cut at the limit counts as one that did not stop, the words of a refusal are an answer. A prompt that the
    server will never answer (filtered, rejected, empty) has no response and is counted under `missing` by the kind of
    failure. Returns the counts of `run.count` with `missing`, `calls` and `cost`. Raises ModelError where answers are
    missing that a later call may bring, and what `buyer.buy` raises; what was bought stays in the ledger.
    """
    wanted = [(prompt, sample) for prompt in prompts for sample in range(samples)]
    calls = [Call(system="", turns=p.messages, top_p=endpoint.top_p, sample=s) for p, s in wanted]
    ends = buy(calls, endpoint, ledger, account, progress, retry)
    parts, missing = [], Counter[str]()
    for (prompt, sample), end in zip(wanted, ends, strict=True):
        response = _response(prompt, sample, system, endpoint, end)
        if response is None:
            missing[end.outcome.kind if isinstance(end.outcome, Failure) else "empty"] += 1
        else:
            parts.append(Part(response=response, trimmed=0))
    _complete(missing, len(wanted), system, endpoint)
    files.write_jsonl(folder / RESPONSES, [part.response for part in parts])
    bill = {call: end.cost for call, end in zip(calls, ends, strict=True)}
    return {
        **count(parts),
        "missing": dict(sorted(missing.items())),
        "calls": len(calls),
        "cost": round(sum(bill.values()) / UNIT, 6),
    }


def _complete(missing: Counter[str], total: int, system: str, endpoint: SystemEndpoint) -> None:
    """Raise ModelError where asking again may bring what is missing."""
    passing = [f"{missing[kind]} {kind}" for kind in PASSING if missing[kind]]
    if not passing:
        return
    again = "Those that came are kept and not paid twice: run the same command again to ask for the rest."
    if missing["over_budget"]:
        again = (
            f"Raise systems.{system}.endpoint.budget above {endpoint.budget:g} and run the same command again; those "
            "that came are kept and not paid twice."
        )
    raise ModelError(
        f"{sum(missing[kind] for kind in PASSING):,} of {total:,} answers are missing ({', '.join(passing)})",
        where=f"system {system}",
        fix=again,
    )


def _response(prompt: Prompt, sample: int, system: str, endpoint: SystemEndpoint, end: Bought) -> Response | None:
    """The answer, or None where there is none."""
    outcome = end.outcome
    if isinstance(outcome, Failure) and not (outcome.kind in ("truncated", "refusal") and outcome.text.strip()):
        return None
    tokens = end.output if end.output is not None else -(-len(outcome.text.encode()) // BYTES_PER_TOKEN)
    return Response(
        prompt_id=prompt.id,
        system=system,
        text=outcome.text,
        finish="eot" if isinstance(outcome, Reply) or outcome.kind == "refusal" else "length",
        tokens=tokens,
        sample=sample,
        sampling=remote_sampling(endpoint),
    )
