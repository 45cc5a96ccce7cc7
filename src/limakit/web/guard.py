"""What holds for every request: where it may come from, and what a browser may do with the answer."""

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; font-src 'none'; "
    "frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types limakit"
)
"""Content-Security-Policy of every page that does not set its own: nothing inline, nothing from elsewhere."""

HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # with "no-referrer" browsers call the origin of our own forms null
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "X-Frame-Options": "DENY",
}
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
MAX_BODY = 4_000_000
"""Longest body of a request, in bytes."""


class Guard:
    """ASGI middleware: refuses what comes from another site, adds the headers above unless a route has set its own.

    With `local`, only requests that name this computer as host are answered, so that no name of somebody else's can
    be pointed at it (DNS rebinding).
    """

    def __init__(self, app: ASGIApp, *, local: bool):
        self.app, self.local = app, local

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                out = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    out.setdefault(name, value)
                out.setdefault("Cache-Control", "no-cache" if scope["path"].startswith("/static/") else "no-store")
            await send(message)

        refusal = self._refusal(scope, headers)
        if refusal:
            await PlainTextResponse(refusal[1], refusal[0])(scope, receive, send_guarded)
        else:
            await self.app(scope, receive, send_guarded)

    def _refusal(self, scope: Scope, headers: Headers) -> tuple[int, str] | None:
        host = headers.get("host", "")
        if self.local and _hostname(host) not in LOOPBACK:
            return 421, "This studio answers on this computer only: open it as http://127.0.0.1:PORT."
        if scope["method"] in SAFE:
            return None
        if not _same_origin(scope["scheme"], host, headers):
            return 403, "Refused: the request was sent from another site. Open the studio and do it there."
        if int(headers.get("content-length", "0") or 0) > MAX_BODY:
            return 413, f"Refused: more than {MAX_BODY:,} bytes at once."
        return None


def _same_origin(scheme: str, host: str, headers: Headers) -> bool:
    """Whether a page of ours sent this. Every browser of today says so in one header or the other."""
    fetched = headers.get("sec-fetch-site")
    if fetched is not None and fetched != "same-origin":
        return False
    origin = headers.get("origin")
    if origin is None:
        return fetched == "same-origin"
    sent = urlsplit(origin)
    # Behind a proxy that speaks https the scheme that we see is http; host and port decide.
    return sent.netloc == host and sent.scheme in {scheme, "https"}


def _hostname(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
