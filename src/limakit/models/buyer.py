"""Calls to a server through the ledger: nothing is bought twice, the cap holds, every call ends in something known."""

import hashlib
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass

from limakit.engine import Progress
from limakit.errors import ModelError
from limakit.models import prices, wire
from limakit.models.endpoint import Client, Fault
from limakit.models.retry import Retry
from limakit.models.wire import Call, Failure, Reply
from limakit.recipe_judges import Endpoint
from limakit.store.ledger import UNIT, Ledger

PATIENCE = 10
"""Calls in a row that end without any answer from the server before the run is broken off."""
DOWN = ("rate_limited", "server_error", "timeout", "unreachable")


@dataclass(frozen=True, slots=True)
class Bought:
    """The end of one call."""

    outcome: Reply | Failure
    cost: int = 0
    """Of the answer, in the ledger's money; 0 where none was stored."""
    output: int | None = None
    """Tokens of the answer, as the server counted; None where it did not."""


def buy(
    calls: Sequence[Call],
    endpoint: Endpoint,
    ledger: Ledger,
    account: str,
    progress: Progress,
    retry: Retry | None = None,
) -> list[Bought]:
    """The ends of all calls, in their order. A call whose answer is in the ledger is not made; equal ones are one.

    Raises ModelError before the first call where the key is missing or the estimate is above what is left of the
    budget, and in between where the server says that no call can succeed or nothing has come back for a long time. All
    answers until then are in the ledger, and the same command goes on from there.
    """
    bodies = [wire.encode(endpoint, call) for call in calls]
    keys = [_key(endpoint, body, call.sample) for body, call in zip(bodies, calls, strict=True)]
    wanted = dict(zip(keys, bodies, strict=True))
    ends: dict[str, Bought] = {}
    for key, stored in ledger.stored(wanted).items():
        ends[key] = _open(endpoint, ledger, stored.ticket, stored.body, stored.cost, prices.most(endpoint, wanted[key]))
    missing = {key: body for key, body in wanted.items() if key not in ends}
    if missing:
        guess = prices.estimate(endpoint, list(missing.values()), ledger.used(account))
        _afford(guess, account, endpoint)
        with Client(endpoint) as client:
            ends |= _Shop(client, endpoint, ledger, account, retry or Retry()).run(missing, len(ends), guess, progress)
    return [ends[key] for key in keys]


def quote(calls: Sequence[Call], endpoint: Endpoint, ledger: Ledger, account: str) -> prices.Estimate:
    """What `buy` has still to buy, before anything is sent."""
    bodies = [wire.encode(endpoint, call) for call in calls]
    keys = (_key(endpoint, body, call.sample) for body, call in zip(bodies, calls, strict=True))
    wanted = dict(zip(keys, bodies, strict=True))
    there = ledger.stored(wanted)
    return prices.estimate(endpoint, [b for key, b in wanted.items() if key not in there], ledger.used(account))


def _afford(guess: prices.Estimate, account: str, endpoint: Endpoint) -> None:
    if guess.about > guess.left:
        raise ModelError(
            f"{guess.calls:,} calls would cost about {money(guess.about)}, and {money(guess.left)} of the budget of "
            f"{endpoint.budget:g} is left",
            where=account,
            fix="Nothing was sent. Raise its budget in recipe.toml, or ask about fewer prompts.",
        )


def money(amount: int) -> str:
    """In the currency, with two significant digits below one."""
    value = amount / UNIT
    return f"{value:,.2f}" if value >= 1 or value == 0 else f"{value:.2g}"


def _key(endpoint: Endpoint, body: bytes, sample: int) -> str:
    which = f"sample {sample}\n" if sample else ""
    return hashlib.sha256(f"{endpoint.api}\n{wire.address(endpoint)}\n{which}".encode() + body).hexdigest()


def _open(endpoint: Endpoint, ledger: Ledger, ticket: int, raw: bytes, cost: int | None, most: int) -> Bought:
    """Look into a stored answer, and settle its bill where that is still to be done."""
    outcome, usage = wire.decode(endpoint, raw)
    if cost is None:
        cost = most if usage is None else prices.cost(endpoint, usage)
        ledger.settle(ticket, cost)
    return Bought(outcome, cost, None if usage is None else usage.output)


class _Shop:
    """One run of buying, many calls at once."""

    def __init__(self, client: Client, endpoint: Endpoint, ledger: Ledger, account: str, retry: Retry):
        self._client, self._endpoint, self._ledger = client, endpoint, ledger
        self._account, self._retry, self._budget = account, retry, prices.budget(endpoint)
        self._closed = threading.Event()
        self._change = threading.Condition()
        self._under_way, self._ended = 0, 0

    def run(
        self, missing: dict[str, bytes], before: int, guess: prices.Estimate, progress: Progress
    ) -> dict[str, Bought]:
        """The ends of the missing calls by key; `before` were there already."""
        ends: dict[str, Bought] = {}
        note = f"about {money(guess.about)}, at most {money(min(guess.most, guess.left))}"
        what, total, silence = f"asking {self._account}", before + len(missing), 0
        patience = PATIENCE if before else min(PATIENCE, len(missing))
        progress(what, before, total, "calls", note)
        pool = ThreadPoolExecutor(self._endpoint.concurrency, thread_name_prefix="call")
        try:
            waiting = {pool.submit(self._buy, key, body): key for key, body in missing.items()}
            for done in as_completed(waiting):
                end = ends[waiting.pop(done)] = done.result()
                progress(what, before + len(ends), total, "calls", note)
                down = isinstance(end.outcome, Failure) and end.outcome.kind in DOWN
                silence = silence + 1 if down else 0
                if silence >= patience:
                    raise self._stop(end.outcome.detail if isinstance(end.outcome, Failure) else "")
        finally:
            self._closed.set()
            pool.shutdown(wait=True, cancel_futures=True)
        return ends

    def _stop(self, detail: str) -> ModelError:
        fix = "Answers so far are stored: mend the cause, then run the same command to go on."
        return ModelError(f"the server gives no answers: {detail}", where=wire.address(self._endpoint), fix=fix)

    def _buy(self, key: str, body: bytes) -> Bought:
        """One call with its retries. Raises ModelError where no other call can succeed either."""
        most, attempt = prices.most(self._endpoint, body), 0
        while True:
            ticket = self._reserve(key, most)
            if ticket is None:
                return Bought(Failure("over_budget", "the budget could have been passed, so it was not sent"))
            try:
                came = self._client.send(body)
                if not isinstance(came, Fault):
                    self._ledger.keep(ticket, came)
                    return _open(self._endpoint, self._ledger, ticket, came, None, most)
                self._ledger.fail(ticket, came.failure.kind, charged=came.charged)
            finally:
                self._release()
            if came.fatal:
                raise self._stop(came.failure.detail)
            wait = self._retry.wait(attempt, key, came.wait) if came.again else None
            if wait is None or self._closed.wait(wait):
                return Bought(came.failure)
            attempt += 1

    def _reserve(self, key: str, most: int) -> int | None:
        """A ticket to send, or None. While other calls hold more than they will cost, wait for one to end."""
        while not self._closed.is_set():
            with self._change:
                self._under_way, ended = self._under_way + 1, self._ended
            ticket = self._ledger.reserve(self._account, key, most, self._budget)
            if ticket is not None:
                return ticket
            with self._change:
                self._under_way -= 1
                if not self._under_way:
                    self._change.notify_all()
                    return None
                self._change.wait_for(lambda: self._ended != ended or not self._under_way)  # noqa: B023
        return None

    def _release(self) -> None:
        with self._change:
            self._under_way, self._ended = self._under_way - 1, self._ended + 1
            self._change.notify_all()
