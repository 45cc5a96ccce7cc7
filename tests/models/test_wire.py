"""What servers say is read strictly, whatever they say."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from limakit.models import prices, wire
from limakit.models.sampler import remote_sampling
from limakit.models.wire import Call, Failure, Reply, Usage
from limakit.recipe_judges import Endpoint, SystemEndpoint
from limakit.records import Turn

CALL = Call(system="Judge.", turns=(Turn(role="user", content="Which?"),))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def endpoint(**settings: Any) -> Endpoint:
    base = {"base_url": "http://127.0.0.1:1/v1", "model": "m", "input_price": 1.0, "output_price": 3.0, "budget": 1.0}
    return Endpoint.model_validate(base | settings)


def openai(content: object = "ok", finish: object = "stop", **more: Any) -> dict[str, Any]:
    return {"choices": [{"message": {"content": content, **more}, "finish_reason": finish}]}


def anthropic(content: object, reason: object = "end_turn") -> dict[str, Any]:
    return {"type": "message", "content": content, "stop_reason": reason}


def test_requests_as_the_servers_want_them() -> None:
    body = orjson.loads(wire.encode(endpoint(max_tokens=9), CALL))
    system = {"role": "system", "content": "Judge."}
    user = {"role": "user", "content": "Which?"}
    assert body == {"model": "m", "messages": [system, user], "max_tokens": 9, "temperature": 0.0}
    body = orjson.loads(wire.encode(endpoint(base_url="https://api.openai.com/v1", temperature="default"), CALL))
    assert body == {"model": "m", "messages": [system, user], "max_completion_tokens": 1024}
    body = orjson.loads(wire.encode(endpoint(api="anthropic"), CALL))
    assert body == {"model": "m", "system": "Judge.", "messages": [user], "max_tokens": 1024, "temperature": 0.0}


def test_further_fields_as_a_server_takes_them() -> None:
    more = {"top_k": 0, "chat_template_kwargs": {"enable_thinking": False}}
    plain, told = (orjson.loads(wire.encode(endpoint(extra_body=extra), CALL)) for extra in ({}, more))
    assert told == plain | more
    assert remote_sampling(SystemEndpoint(**endpoint(extra_body={"top_k": 0}).model_dump())) == (
        "temperature 0, top_k 0"
    )
    for name in ("messages", "max_tokens", "temperature", "n", "stream", "tools"):
        with pytest.raises(ValidationError, match=f"extra_body must not hold {name}"):
            endpoint(extra_body={name: 1})


def test_addresses_and_keys() -> None:
    ours, theirs = endpoint(base_url="http://h/v1/"), endpoint(base_url="https://h", api="anthropic")
    assert (wire.address(ours), wire.address(theirs)) == ("http://h/v1/chat/completions", "https://h/v1/messages")
    assert wire.headers(ours, "k")["authorization"] == "Bearer k"
    assert wire.headers(theirs, "k")["x-api-key"] == "k"
    assert not {"authorization", "x-api-key"} & (wire.headers(ours, None).keys() | wire.headers(theirs, None).keys())


@pytest.mark.parametrize(
    ("api", "said", "kind"),
    [
        ("openai", openai(), None),
        ("openai", openai(finish="length"), "truncated"),
        ("openai", openai(finish="content_filter"), "refusal"),
        ("openai", openai(None, refusal="no"), "refusal"),
        ("openai", openai("  \n"), "empty"),
        ("openai", openai(None), "bad_json"),
        ("openai", openai(["ok"]), "bad_json"),
        ("openai", openai(finish="tool_calls"), "bad_json"),
        ("openai", {"choices": []}, "bad_json"),
        ("openai", {"error": {"message": "no"}}, "bad_json"),
        ("openai", [], "bad_json"),
        ("anthropic", anthropic([{"type": "thinking", "thinking": "?"}, {"type": "text", "text": "ok"}]), None),
        ("anthropic", anthropic([{"type": "text", "text": "ok"}], "max_tokens"), "truncated"),
        ("anthropic", anthropic([], "refusal"), "refusal"),
        ("anthropic", anthropic([]), "empty"),
        ("anthropic", anthropic([{"type": "text", "text": 3}]), "bad_json"),
        ("anthropic", anthropic([{"type": "text", "text": "ok"}], "pause_turn"), "bad_json"),
        ("anthropic", anthropic("ok"), "bad_json"),
    ],
)
def test_every_end_has_its_kind(api: str, said: object, kind: str | None) -> None:
    outcome, _ = wire.decode(endpoint(api=api), orjson.dumps(said))
    assert outcome == Reply("ok") if kind is None else isinstance(outcome, Failure) and outcome.kind == kind


@given(JSON | st.builds(openai, JSON, JSON) | st.builds(anthropic, st.lists(JSON, max_size=2), JSON), st.booleans())
def test_no_body_breaks_the_reader(said: Any, anthropic: bool) -> None:
    raw = orjson.dumps(said) if not _big(said) else str(said).encode()
    wire.decode(endpoint(api="anthropic" if anthropic else "openai"), raw)
    wire.error_code(raw)


def _big(value: Any) -> bool:
    if isinstance(value, dict | list):
        return any(map(_big, value.values() if isinstance(value, dict) else value))
    return type(value) is int and abs(value) >= 2**63


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(raw: bytes) -> None:
    outcome, usage = wire.decode(endpoint(), raw)
    assert isinstance(outcome, Failure)
    assert usage is None
    assert "\n" not in outcome.detail
    assert len(outcome.detail) < 2 * wire.SHORT


def test_usage_is_counted_as_each_server_means_it() -> None:
    def usage(api: str, told: object) -> Usage | None:
        return wire.decode(endpoint(api=api), orjson.dumps({**openai(), "usage": told}))[1]

    told = {"prompt_tokens": 100, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": 40}}
    assert usage("openai", told) == Usage(fresh=60, cached=40, output=7)
    assert usage("openai", {"prompt_tokens": 5, "completion_tokens": 7}) == Usage(fresh=5, cached=0, output=7)
    told = {"input_tokens": 60, "output_tokens": 7, "cache_read_input_tokens": 40, "cache_creation_input_tokens": 2}
    assert usage("anthropic", told) == Usage(fresh=62, cached=40, output=7)
    for wrong in (-1, 1.5, True, None, "7", 10**9, 10**18):
        assert usage("openai", {"prompt_tokens": 100, "completion_tokens": wrong}) is None
    assert usage("openai", {**told, "prompt_tokens": 5, "prompt_tokens_details": {"cached_tokens": 6}}) is None


def test_prices() -> None:
    paid = endpoint(input_price=2.5, output_price=10.0, cached_price=0.25, max_tokens=100)
    assert prices.cost(paid, Usage(fresh=1000, cached=400, output=50)) == 3_100_000_000  # 0.0031
    assert prices.cost(endpoint(input_price=1.0), Usage(fresh=0, cached=1000, output=0)) == 10**9
    assert prices.most(paid, b"x" * 936) == 1000 * 2_500_000 + 100 * 10_000_000
    assert prices.most(endpoint(cached_price=9.0), b"") > prices.most(endpoint(), b"")
    assert prices.budget(endpoint(budget=1.5)) == 1_500_000_000_000


@given(st.text(max_size=400), st.integers(0, 1000), st.floats(0, 100), st.floats(0, 100))
def test_the_most_is_never_too_little(text: str, output: int, one: float, other: float) -> None:
    """Tokens are never more than bytes, and the answer never longer than allowed."""
    paid = endpoint(input_price=one, output_price=other, max_tokens=1000)
    body = wire.encode(paid, Call(system="", turns=(Turn(role="user", content=text),)))
    used = Usage(fresh=len(text.encode()), cached=0, output=output)
    assert prices.cost(paid, used) <= prices.most(paid, body)
