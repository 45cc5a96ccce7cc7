"""A scripted provider on loopback, shaped like OpenAI's and Anthropic's servers, with faults, and books of its own."""

import hashlib
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from limakit.recipe_judges import ServedJudge

Script = Callable[[str, int], str]
"""(text of the request, number of times it came before) to the name of a fault, `refusal`, `length` or the answer."""

FAULTS = ("429-seconds", "429-date", "500", "503", "slow", "torn", "cut-json", "refusal", "length")
SLEEP = 0.6


class Provider:
    """What the server saw and what it would bill."""

    def __init__(self, script: Script):
        self.script = script
        self.lock = threading.Lock()
        self.requests = 0
        self.seen = Counter[str]()
        """Requests by digest of their text."""
        self.served = Counter[str]()
        """Whole answers with status 200 by digest: what a client could have stored."""
        self.billed = 0.0
        self.headers: list[dict[str, str]] = []
        self.bodies: list[dict[str, Any]] = []
        self.url = ""
        self.output = 100
        """Tokens it says it answered."""

    def judge(self, **settings: Any) -> ServedJudge:
        """A judge at this server; prices are 1 and 2 a token."""
        base = {"name": "fake", "base_url": self.url, "model": "m", "input_price": 1e3, "output_price": 2e3}
        return ServedJudge.model_validate({**base, "budget": 1e6, "timeout": 5.0, **settings})


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@contextmanager
def serve(script: Script) -> Iterator[Provider]:
    """A provider on a free port of the loopback interface."""
    provider = Provider(script)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            text = body["messages"][-1]["content"]
            with provider.lock:
                provider.requests += 1
                before = provider.seen[digest(text)]
                provider.seen[digest(text)] += 1
                provider.headers.append({name.lower(): value for name, value in self.headers.items()})
                provider.bodies.append(body)
            self.answer(provider.script(text, before), text, self.path.endswith("/v1/messages"))

        def answer(self, act: str, text: str, anthropic: bool) -> None:
            if act.startswith("429"):
                wait = "0" if act == "429-seconds" else formatdate(time.time() - 1, usegmt=True)
                return self.send(429, b'{"error": {"code": "rate_limit_exceeded"}}', {"retry-after": wait})
            if act in ("500", "503"):
                return self.send(int(act), b"<html>upstream</html>")
            if act in ("400", "401", "404"):
                return self.send(int(act), json.dumps({"error": {"message": dict(self.headers)}}).encode())
            refused, cut = act == "refusal", act == "length"
            count = len(text.encode()) // 4, provider.output
            reply = (_anthropic if anthropic else _openai)("" if refused else act, refused, cut, *count)
            raw = json.dumps(reply).encode()
            with provider.lock:
                provider.billed += (count[0] * 1e3 + count[1] * 2e3) / 1e6
                provider.served[digest(text)] += act not in ("slow", "torn")
            if act == "slow":
                time.sleep(SLEEP)
                self.close_connection = True
                return None
            if act == "torn":
                self.send(200, raw[: len(raw) // 2], {"content-length": str(len(raw))})
                self.close_connection = True
                return None
            return self.send(200, raw[: len(raw) // 2] if act == "cut-json" else raw)

        def send(self, status: int, raw: bytes, headers: dict[str, str] | None = None) -> None:
            try:
                self.send_response(status)
                for name, value in {"content-length": str(len(raw)), **(headers or {})}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(raw)
                self.wfile.flush()
            except OSError:  # the client was killed
                self.close_connection = True

        def log_message(self, format: str, *args: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        request_queue_size = 128

        def handle_error(self, request: Any, client_address: Any) -> None:
            pass  # a client that was killed

    server = Server(("127.0.0.1", 0), Handler)
    provider.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()


def _openai(text: str, refused: bool, cut: bool, sent: int, answered: int) -> dict[str, Any]:
    message = {"role": "assistant", "content": None if refused else text, "refusal": "I will not." if refused else None}
    usage = {"prompt_tokens": sent, "completion_tokens": answered, "prompt_tokens_details": {"cached_tokens": 0}}
    return {"choices": [{"message": message, "finish_reason": "length" if cut else "stop"}], "usage": usage}


def _anthropic(text: str, refused: bool, cut: bool, sent: int, answered: int) -> dict[str, Any]:
    return {
        "type": "message",
        "content": [] if refused else [{"type": "text", "text": text}],
        "stop_reason": "refusal" if refused else "max_tokens" if cut else "end_turn",
        "usage": {"input_tokens": sent, "output_tokens": answered, "cache_read_input_tokens": 0},
    }
