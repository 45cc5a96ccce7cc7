"""A server's answer to one dialogue, piece by piece as it is written: what `limakit chat` shows of an endpoint.

Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html) in the two formats of `wire`. Every
answer goes through the ledger: the most that it can cost is set aside before it is asked for, and its bill is what the
server counted, or all of what was set aside where it broke off or did not say.
"""

import uuid
from collections.abc import Generator
from typing import Any

import orjson

from limakit.errors import ModelError
from limakit.models import prices, wire
from limakit.models.endpoint import Client
from limakit.models.sampler import Answer, Request
from limakit.models.wire import Call, Usage
from limakit.recipe import Generate
from limakit.recipe_judges import SystemEndpoint
from limakit.store.ledger import Ledger

_LIMIT = ("length", "max_tokens", "model_context_window_exceeded")


class Speaker:
    """Streams the answers of one server, in the manner of `LocalSampler.stream`."""

    def __init__(self, endpoint: SystemEndpoint, ledger: Ledger, account: str):
        self._endpoint, self._ledger, self._account = endpoint, ledger, account

    def stream(self, request: Request, settings: Generate, seed: int) -> Generator[str, None, Answer]:
        """Yield one answer piece by piece and return it whole. What is drawn is the endpoint's business: `settings` and
        `seed` are for models that run here.

        Raises ModelError where the budget could be passed, before anything is sent, and where the server gives no
        answer or breaks off.
        """
        body = self._body(request)
        most = prices.most(self._endpoint, body)
        ticket = self._ledger.reserve(self._account, f"chat {uuid.uuid4()}", most, prices.budget(self._endpoint))
        if ticket is None:
            raise ModelError(
                f"the budget of {self._endpoint.budget:g} could be passed, so nothing was sent",
                where=self._account,
                fix="Raise its budget in recipe.toml.",
            )
        heard = _Heard(self._endpoint.api)
        try:
            with Client(self._endpoint) as client:
                for line in client.lines(body):
                    piece = heard.take(line)
                    if piece:
                        yield piece
        finally:  # also where the person stops the answer
            self._close(ticket, heard)
        if not heard.ended:
            raise ModelError("the answer broke off", where=wire.address(self._endpoint), fix="Ask again.")
        return Answer(text=heard.text, finish="length" if heard.reason in _LIMIT else "eot", tokens=heard.output or 0)

    def _body(self, request: Request) -> bytes:
        call = Call(system="", turns=request.prompt.messages, top_p=self._endpoint.top_p)
        body = orjson.loads(wire.encode(self._endpoint, call)) | {"stream": True}
        if self._endpoint.api == "openai":
            body["stream_options"] = {"include_usage": True}
        return orjson.dumps(body, option=orjson.OPT_SORT_KEYS)

    def _close(self, ticket: int, heard: "_Heard") -> None:
        usage = heard.usage
        if usage is None:
            self._ledger.fail(ticket, "timeout", charged=heard.began)
            return
        self._ledger.keep(ticket, heard.text.encode())
        self._ledger.settle(ticket, prices.cost(self._endpoint, usage))


class _Heard:
    """What has come of an answer. Events that are not as they should be say nothing."""

    def __init__(self, api: str):
        self._api = api
        self.text, self.reason, self.ended, self.began = "", "", False, False
        self._counts: dict[str, int] = {}

    @property
    def output(self) -> int | None:
        """Tokens of the answer, as the server counted."""
        return self._counts.get("output")

    @property
    def usage(self) -> Usage | None:
        """The count, where it is whole."""
        sent, output, cached = (self._counts.get(name) for name in ("sent", "output", "cached"))
        if sent is None or output is None or not self.ended:
            return None
        within = cached or 0 if self._api == "openai" else 0
        return Usage(fresh=max(0, sent - within), cached=cached or 0, output=output)

    def take(self, line: str) -> str:
        """What a line adds to the answer. Raises ModelError for an error that the server tells in its stream."""
        self.began = True
        if not line.startswith("data:"):
            return ""
        try:
            event = orjson.loads(line.removeprefix("data:").strip())
        except orjson.JSONDecodeError:  # [DONE]
            return ""
        if not isinstance(event, dict):
            return ""
        if isinstance(event.get("error"), dict):
            raise ModelError(f"the server ended the answer: {wire.brief(str(event['error'].get('message', '')))}")
        piece = self._openai(event) if self._api == "openai" else self._anthropic(event)
        self.text += piece
        return piece

    def _openai(self, event: dict[str, Any]) -> str:
        usage = event.get("usage")
        self._count("sent", wire.at(usage, "prompt_tokens"))
        self._count("output", wire.at(usage, "completion_tokens"))
        self._count("cached", wire.at(usage, "prompt_tokens_details", "cached_tokens"))
        choice = wire.at(event, "choices", 0)
        self._end(wire.at(choice, "finish_reason"))
        pieces = (wire.at(choice, "delta", "content"), wire.at(choice, "delta", "refusal"))
        return "".join(piece for piece in pieces if isinstance(piece, str))

    def _anthropic(self, event: dict[str, Any]) -> str:
        self._count("sent", wire.at(event, "message", "usage", "input_tokens"))
        self._count("cached", wire.at(event, "message", "usage", "cache_read_input_tokens"))
        self._count("output", wire.at(event, "usage", "output_tokens"))
        self._end(wire.at(event, "delta", "stop_reason"))
        piece = wire.at(event, "delta", "text") if event.get("type") == "content_block_delta" else None
        return piece if isinstance(piece, str) else ""

    def _count(self, name: str, value: object) -> None:
        if type(value) is int and 0 <= value <= wire.MOST_TOKENS:
            self._counts[name] = value

    def _end(self, reason: object) -> None:
        if isinstance(reason, str):
            self.reason, self.ended = reason, True
