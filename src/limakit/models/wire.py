"""The two request formats that servers of language models speak: what goes out and what came back, as bytes.

OpenAI's chat completions (https://platform.openai.com/docs/api-reference/chat), which vLLM, llama.cpp and most others
copy, and Anthropic's messages (https://docs.anthropic.com/en/api/messages). Nothing is sent here. What a server says is
not trusted: whatever is not as it should be becomes a `Failure`, never an exception.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

import orjson

from limakit.recipe_judges import Endpoint
from limakit.records import Turn

FailureKind = Literal[
    "truncated",
    "refusal",
    "empty",
    "bad_json",
    "rejected",
    "rate_limited",
    "server_error",
    "timeout",
    "unreachable",
    "over_budget",
]
MOST_TOKENS = 10**7
"""A count of tokens above this is not believed."""
SHORT = 200
"""Longest detail of a failure, in characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One answer wanted from a server."""

    system: str
    """What the model is told about its task; empty to tell it nothing."""
    turns: tuple[Turn, ...]
    top_p: float | None = None
    """Nucleus to sample from; None leaves it to the server."""
    sample: int = 0
    """Number of the answer where several are wanted: each is bought for itself."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that the model ended itself."""

    text: str


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no answer to use."""

    kind: FailureKind
    detail: str = ""
    text: str = ""
    """What there is of an answer that was cut, or the words of a refusal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens that the server counted."""

    fresh: int
    """Of the request, not found in the server's cache."""
    cached: int
    output: int


def address(endpoint: Endpoint) -> str:
    """Where a call goes."""
    path = "/chat/completions" if endpoint.api == "openai" else "/v1/messages"
    return endpoint.base_url.rstrip("/") + path


def headers(endpoint: Endpoint, key: str | None) -> dict[str, str]:
    """With the key, which must go nowhere else."""
    common = {"content-type": "application/json", "accept": "application/json"}
    if endpoint.api == "anthropic":
        return {**common, "anthropic-version": "2023-06-01", **({"x-api-key": key} if key else {})}
    return {**common, **({"authorization": f"Bearer {key}"} if key else {})}


def encode(endpoint: Endpoint, call: Call) -> bytes:
    """The request's body, the same bytes for the same call."""
    turns = [{"role": turn.role, "content": turn.content} for turn in call.turns]
    body: dict[str, Any] = {**endpoint.extra_body, "model": endpoint.model}
    if endpoint.temperature != "default":
        body["temperature"] = endpoint.temperature
    if call.top_p is not None:
        body["top_p"] = call.top_p
    if endpoint.api == "anthropic":
        body |= {"max_tokens": endpoint.max_tokens, "messages": turns}
        body |= {"system": call.system} if call.system else {}
    else:
        # OpenAI's newer models refuse the old name; other servers know only that one.
        newer = urlsplit(endpoint.base_url).hostname == "api.openai.com"
        body["max_completion_tokens" if newer else "max_tokens"] = endpoint.max_tokens
        body["messages"] = [{"role": "system", "content": call.system}, *turns] if call.system else turns
    return orjson.dumps(body, option=orjson.OPT_SORT_KEYS)


def decode(endpoint: Endpoint, raw: bytes) -> tuple[Reply | Failure, Usage | None]:
    """What a body with status 200 says, and what was counted; None where it does not say."""
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return Failure("bad_json", f"not JSON: {brief(raw)}"), None
    if not isinstance(body, dict):
        return Failure("bad_json", f"not an object: {brief(raw)}"), None
    text, reason, refused = (_anthropic if endpoint.api == "anthropic" else _openai)(body)
    if refused or reason in ("content_filter", "refusal"):
        said = refused or text or ""
        outcome: Reply | Failure = Failure("refusal", brief(said or "the model or a filter refused"), said)
    elif reason in ("length", "max_tokens", "model_context_window_exceeded"):
        why = f"cut at max_tokens = {endpoint.max_tokens} or the model's context"
        outcome = Failure("truncated", why, text or "")
    elif text is None or reason not in ("stop", "end_turn", "stop_sequence", "eos_token"):
        outcome = Failure("bad_json", f"not an answer: {brief(raw)}")
    elif not text.strip():
        outcome = Failure("empty", "the answer has no text")
    else:
        outcome = Reply(text)
    return outcome, _usage(endpoint, body.get("usage"))


def error_code(raw: bytes) -> str:
    """The code or type that an error body names, or nothing."""
    try:
        error = at(orjson.loads(raw), "error")
    except orjson.JSONDecodeError:
        return ""
    code = at(error, "code") or at(error, "type")
    return code if isinstance(code, str) else ""


def brief(text: str | bytes) -> str:
    """The beginning of a text, on one line."""
    text = text[: 4 * SHORT].decode("utf-8", "replace") if isinstance(text, bytes) else text[: 4 * SHORT]
    return " ".join(text.split())[:SHORT]


def _openai(body: dict[str, Any]) -> tuple[str | None, object, str | None]:
    """Text, why it ended, and the words of a refusal."""
    choice = at(body, "choices", 0)
    text, refused = at(choice, "message", "content"), at(choice, "message", "refusal")
    known = text if isinstance(text, str) else None
    return known, at(choice, "finish_reason"), refused if isinstance(refused, str) and refused else None


def _anthropic(body: dict[str, Any]) -> tuple[str | None, object, str | None]:
    blocks = body.get("content")
    if not isinstance(blocks, list):
        return None, None, None
    texts = [at(block, "text") for block in blocks if at(block, "type") == "text"]
    known = "".join(texts) if all(isinstance(text, str) for text in texts) else None
    return known, body.get("stop_reason"), None


def _usage(endpoint: Endpoint, told: object) -> Usage | None:
    """Anthropic counts cached tokens beside the others, OpenAI among them."""
    if endpoint.api == "anthropic":
        names = (("input_tokens",), ("output_tokens",), ("cache_read_input_tokens",), ("cache_creation_input_tokens",))
    else:
        names = (("prompt_tokens",), ("completion_tokens",), ("prompt_tokens_details", "cached_tokens"), ())
    sent, output, cached, written = (at(told, *name) if name else 0 for name in names)
    counts = [sent, output, 0 if cached is None else cached, 0 if written is None else written]
    if not all(type(count) is int and 0 <= count <= MOST_TOKENS for count in counts):
        return None
    sent, output, cached, written = counts
    if endpoint.api == "anthropic":
        return Usage(fresh=sent + written, cached=cached, output=output)
    return Usage(fresh=sent - cached, cached=cached, output=output) if cached <= sent else None


def at(value: object, *path: str | int) -> Any:
    """What lies at a path of keys and indices, or None where there is no such path."""
    for step in path:
        if isinstance(step, str) and isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(step, int) and isinstance(value, Sequence) and not isinstance(value, str) and len(value) > step:
            value = value[step]
        else:
            return None
    return value
