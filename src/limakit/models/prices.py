"""What calls cost: exactly once the server has counted, at most before, and about how much in all."""

from collections.abc import Sequence
from dataclasses import dataclass

from limakit.models.wire import Usage
from limakit.recipe_judges import Endpoint
from limakit.store.ledger import UNIT

FRAME = 64
"""Tokens that a chat template may put around the texts of a request."""
BYTES_PER_TOKEN = 4
"""Of English text, as a rule of thumb for estimates."""
TYPICAL_OUTPUT = 250
"""Tokens of an answer, for estimates before there is any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What is left to buy before starting. Money as in the ledger."""

    calls: int
    about: int
    """By rules of thumb."""
    most: int
    """Were every answer as long as allowed and every byte a token."""
    left: int
    """Of the budget."""


def cost(endpoint: Endpoint, usage: Usage) -> int:
    """The bill of one answer."""
    cached = endpoint.input_price if endpoint.cached_price is None else endpoint.cached_price
    return (
        usage.fresh * _per_token(endpoint.input_price)
        + usage.cached * _per_token(cached)
        + usage.output * _per_token(endpoint.output_price)
    )


def most(endpoint: Endpoint, body: bytes) -> int:
    """The most that a request can cost: a tokenizer makes no more tokens than there are bytes, and the server stops at
    `max_tokens`."""
    price = max(endpoint.input_price, endpoint.cached_price or 0)
    return (len(body) + FRAME) * _per_token(price) + endpoint.max_tokens * _per_token(endpoint.output_price)


def estimate(endpoint: Endpoint, bodies: Sequence[bytes], used: int) -> Estimate:
    """For requests that are still to be sent."""
    sent = sum(len(body) // BYTES_PER_TOKEN + FRAME for body in bodies)
    answered = len(bodies) * min(endpoint.max_tokens, TYPICAL_OUTPUT)
    return Estimate(
        calls=len(bodies),
        about=cost(endpoint, Usage(fresh=sent, cached=0, output=answered)),
        most=sum(most(endpoint, body) for body in bodies),
        left=max(0, budget(endpoint) - used),
    )


def budget(endpoint: Endpoint) -> int:
    """The cap, in the ledger's money."""
    return round(endpoint.budget * UNIT)


def _per_token(price: float) -> int:
    """A price per million tokens, per token, rounded up so that rounding never passes the cap."""
    scaled = price * UNIT / 10**6
    whole = round(scaled)
    return whole if whole >= scaled - 1e-6 else whole + 1
