"""Annotators who vote as fast as the server lets them, over plain connections: for the load test and the benchmark.

Each does what the page does: fetch items, send a vote, send it again until it is acknowledged.
"""

import asyncio
import json
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from limakit.store import members
from limakit.store.people import People


@dataclass
class Tally:
    """What the annotators saw."""

    acknowledged: dict[str, tuple[str, int, str]] = field(default_factory=dict)
    """Vote id to (person, assignment, label)."""
    seconds: list[float] = field(default_factory=list)
    """From sending a vote to its acknowledgement, attempts that failed not counted."""
    statuses: dict[int, int] = field(default_factory=dict)
    """Requests by status; 0 where the connection broke."""


@dataclass
class Annotator:
    """One person with a session of their own."""

    name: str
    cookie: str
    address: Callable[[], tuple[str, int]]
    tally: Tally

    async def vote(self, count: int) -> int:
        """Vote `count` times or until nothing is left. Returns the votes given."""
        given, after = 0, -1
        while given < count:
            items = (await self._post(f"/queue/compare?after={after}", {}))["items"]
            if not items:
                break
            for item in items[: count - given]:
                after = item["position"]
                label = ("a", "b", "tie")[given % 3]
                vote = {"id": str(uuid.uuid4()), "assignment": item["assignment"], "label": label}
                body = {"kind": "compare", "events": [vote | {"after": item["head"], "milliseconds": 1}]}
                said = await self._post("/votes", body, timed=True)
                assert said["receipts"][0]["state"] == "stored", said
                self.tally.acknowledged[vote["id"]] = (self.name, item["assignment"], label)
                given += 1
        await self._close()
        return given

    async def _post(self, path: str, body: dict, *, timed: bool = False) -> dict:
        """Until it is answered with 200."""
        for _ in range(2000):
            begun = time.perf_counter()
            try:
                status, answer = await asyncio.wait_for(self._try(path, body), 30)
            except (OSError, EOFError, TimeoutError, asyncio.IncompleteReadError, ValueError, IndexError):
                status, answer = 0, b""
                await self._close()
            self.tally.statuses[status] = self.tally.statuses.get(status, 0) + 1
            if status == 200:
                if timed:
                    self.tally.seconds.append(time.perf_counter() - begun)
                return json.loads(answer)
            await asyncio.sleep(0.05)
        raise AssertionError(f"{path} was never answered")

    _stream: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def _try(self, path: str, body: dict) -> tuple[int, bytes]:
        host, port = self.address()
        if self._stream is None:
            self._stream = await asyncio.open_connection(host, port)
        reader, writer = self._stream
        data = json.dumps(body).encode()
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {host}:{port}\r\nOrigin: http://{host}:{port}\r\n"
            f"Sec-Fetch-Site: same-origin\r\nCookie: {self.cookie}\r\nAccept: application/json\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
        )
        writer.write(head.encode() + data)
        await writer.drain()
        lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        length = next(int(line.split(":")[1]) for line in lines if line.lower().startswith("content-length:"))
        return int(lines[0].split()[1]), await reader.readexactly(length)

    async def _close(self) -> None:
        if self._stream is not None:
            self._stream[1].close()
            self._stream = None


def let_in(people: People, count: int, cookie: str) -> list[tuple[str, str]]:
    """So many annotators with a session: name and Cookie header."""
    found = []
    with people.write() as connection:
        for number in range(count):
            name = f"a{number:02}"
            members.invite(connection, name, "annotator", time.time())
            found.append((name, f"{cookie}={members.start_session(connection, name, time.time())}"))
    return found
