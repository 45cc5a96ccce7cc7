"""Calls to a model on this machine through the ledger: each answered once, at no cost, as a server's are."""

import hashlib
from collections.abc import Callable, Sequence

import orjson

from limakit.engine import Progress
from limakit.models.buyer import Bought
from limakit.models.sampler import Answer, Request, Sampler
from limakit.models.wire import Call, Failure, Reply
from limakit.recipe import Generate
from limakit.recipe_judges import LocalJudge
from limakit.records import Prompt, Turn
from limakit.store.ledger import Ledger


def keys(calls: Sequence[Call], judge: LocalJudge, weights: str) -> list[str]:
    """The ledger's keys: digests of all that decides an answer. `weights` is a digest of the model's files."""
    drawn = orjson.dumps([weights, judge.temperature, judge.max_tokens])
    texts = (orjson.dumps([c.system, [(t.role, t.content) for t in c.turns], c.sample]) for c in calls)
    return [hashlib.sha256(b"local\n" + drawn + b"\n" + text).hexdigest() for text in texts]


def answer(
    calls: Sequence[Call],
    judge: LocalJudge,
    weights: str,
    load: Callable[[], Sampler],
    ledger: Ledger,
    account: str,
    seed: int,
    progress: Progress,
) -> list[Bought]:
    """The ends of all calls, in their order. What the ledger has is not answered again, and the model is loaded only
    where something is missing; every answer is stored as it comes, so a kill loses those under way.

    A prompt of which the model could not be shown all is no basis for a verdict and ends as `rejected`, an answer that
    was cut as `truncated`. Raises what `load` and the sampler raise.
    """
    named = keys(calls, judge, weights)
    wanted = dict(zip(named, calls, strict=True))
    ends = {key: _open(stored.body) for key, stored in ledger.stored(wanted).items()}
    missing = [key for key in wanted if key not in ends]
    if missing:
        what = f"asking {account}"
        progress(what, len(ends), len(wanted), "calls")
        requests = [Request(prompt=Prompt(id=key, messages=_turns(wanted[key]))) for key in missing]
        for index, said in load().answer(requests, settings(judge), seed):
            body = _pack(said)
            ticket = ledger.reserve(account, missing[index], 0, 0)
            assert ticket is not None  # nothing costs nothing
            ledger.keep(ticket, body)
            ledger.settle(ticket, 0)
            ends[missing[index]] = _open(body)
            progress(what, len(ends), len(wanted), "calls")
    return [ends[key] for key in named]


def settings(judge: LocalJudge) -> Generate:
    """How its answers are drawn: from the whole distribution, without a penalty, which would punish quoting."""
    return Generate(
        temperature=judge.temperature,
        top_p=1.0,
        repetition_penalty=1.0,
        max_new_tokens=judge.max_tokens,
        slots=judge.slots,
    )


def _turns(call: Call) -> tuple[Turn, ...]:
    """What the judge is told about its task goes before its first turn: not every chat template knows a system turn."""
    first, *others = call.turns
    text = f"{call.system}\n\n{first.content}" if call.system else first.content
    return (Turn(role="user", content=text), *others)


def _pack(said: Answer) -> bytes:
    return orjson.dumps({"text": said.text, "finish": said.finish, "tokens": said.tokens, "trimmed": said.trimmed})


def _open(body: bytes) -> Bought:
    said = Answer(**orjson.loads(body))
    if said.trimmed:
        detail = f"{said.trimmed:,} tokens of the question do not fit the model's context"
        return Bought(Failure("rejected", detail, said.text), 0, said.tokens)
    if said.finish == "length":
        return Bought(Failure("truncated", "the answer reached its limit", said.text), 0, said.tokens)
    if not said.text.strip():
        return Bought(Failure("empty", "the answer has no text"), 0, said.tokens)
    return Bought(Reply(said.text), 0, said.tokens)
