"""Any OpenAI-compatible or Anthropic server over HTTP: one request, one end, always of a known kind.

The key is read from the environment when the first call is made. It goes into one header and nowhere else; where a
server repeats it in an error, it is blotted out. Redirects are not followed, so it cannot be lured elsewhere.
"""

import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from urllib.parse import urlsplit

import httpx

from limakit.errors import ModelError
from limakit.models import wire
from limakit.models.retry import retry_after
from limakit.models.wire import Failure, FailureKind
from limakit.recipe_judges import Endpoint

LARGEST = 8 << 20
"""Bytes of an answer; a server that sends more is cut off."""


_AGAIN = "Check systems.NAME.endpoint in recipe.toml and that the server runs, then ask again."


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A request that brought no answer."""

    failure: Failure
    again: bool
    """Whether trying again may help."""
    charged: bool
    """Whether the server may have worked, and bill, for it."""
    wait: float | None = None
    """Seconds that the server asked to wait."""
    fatal: bool = False
    """Whether every other call must fail in the same way: wrong key, model or address, or no credit."""


class Client:
    """A connection pool to one server. `send` may be called from many threads."""

    def __init__(self, endpoint: Endpoint):
        self._endpoint = endpoint
        self._key = _key(endpoint)
        local = urlsplit(endpoint.base_url).hostname in ("localhost", "127.0.0.1", "::1")
        self._client = httpx.Client(
            headers=wire.headers(endpoint, self._key),
            timeout=endpoint.timeout,
            follow_redirects=False,
            trust_env=not local,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=endpoint.concurrency),
        )

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def send(self, body: bytes) -> bytes | Fault:
        """Post one request. Returns the whole body of an answer with status 200, unread, or a fault."""
        deadline = time.monotonic() + self._endpoint.timeout
        try:
            with self._client.stream("POST", wire.address(self._endpoint), content=body) as response:
                raw = bytearray()
                for block in response.iter_bytes():
                    raw += block
                    if len(raw) > LARGEST:
                        return self._fault("bad_json", f"longer than {LARGEST:,} bytes", charged=True)
                    if time.monotonic() > deadline:
                        return self._fault("timeout", "the answer came too slowly", again=True, charged=True)
                whole = self._blotted(bytes(raw))
                return whole if response.status_code == 200 else self._refused(response, whole)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError, httpx.UnsupportedProtocol) as error:
            return self._fault("unreachable", str(error), again=True)
        except httpx.TimeoutException:
            return self._fault("timeout", f"no answer in {self._endpoint.timeout:g} s", again=True, charged=True)
        except (httpx.TransportError, httpx.DecodingError) as error:
            return self._fault("unreachable", f"the connection broke: {error}", again=True, charged=True)

    def lines(self, body: bytes) -> Iterator[str]:
        """Post one request whose answer is streamed, and yield its lines as they come. Raises ModelError where there is
        no answer or it breaks off."""
        size, where = 0, wire.address(self._endpoint)
        try:
            with self._client.stream("POST", where, content=body) as response:
                if response.status_code != 200:
                    raw = response.read()[:LARGEST]
                    raise ModelError(
                        self._refused(response, self._blotted(raw)).failure.detail, where=where, fix=_AGAIN
                    )
                for line in response.iter_lines():
                    size += len(line)
                    if size > LARGEST:
                        raise ModelError(f"the answer is longer than {LARGEST:,} bytes", where=where)
                    yield line
        except httpx.HTTPError as error:
            why = str(error) or type(error).__name__
            raise ModelError(f"no answer, or it broke off: {wire.brief(why)}", where=where, fix=_AGAIN) from None

    def _blotted(self, raw: bytes) -> bytes:
        return raw.replace(self._key.encode(), b"(key)") if self._key else raw

    def _refused(self, response: httpx.Response, raw: bytes) -> Fault:
        """What a status other than 200 means. A gateway's 502 and 504 do not say whether the model has worked."""
        status, code = response.status_code, wire.error_code(raw)
        detail = f"HTTP {status}: {wire.brief(raw)}"
        wait = retry_after(response.headers.get("retry-after"), response.headers.get("date"), datetime.now(UTC))
        if status == 429:
            broke = code == "insufficient_quota"
            return self._fault("rate_limited", detail, again=not broke, wait=wait, fatal=broke)
        if status >= 500 or status in (408, 409, 425):
            return self._fault("server_error", detail, again=True, wait=wait, charged=status in (408, 502, 504))
        if code == "content_filter":
            return self._fault("refusal", detail)
        return self._fault("rejected", detail, fatal=status in (301, 302, 307, 308, 401, 402, 403, 404, 405))

    def _fault(
        self,
        kind: FailureKind,
        detail: str,
        *,
        again: bool = False,
        charged: bool = False,
        wait: float | None = None,
        fatal: bool = False,
    ) -> Fault:
        return Fault(failure=Failure(kind, wire.brief(detail)), again=again, charged=charged, wait=wait, fatal=fatal)


def _key(endpoint: Endpoint) -> str | None:
    """The key from the environment. Raises ModelError where it is not there or cannot go into a header."""
    if endpoint.key_env is None:
        return None
    key = os.environ.get(endpoint.key_env, "").strip()
    if not re.fullmatch(r"[\x21-\x7e]+", key):
        raise ModelError(
            f"the environment holds no usable key for {endpoint.model}",
            where=endpoint.key_env,
            fix=f"Set it and run again: export {endpoint.key_env}=…",
        )
    return key
