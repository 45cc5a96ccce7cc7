"""A server of somebody else's on a free port of loopback, for as long as a test needs it."""

import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

PATIENCE = 120
"""Seconds until it must listen."""


@contextmanager
def serving(command: Callable[[int], Sequence[str | Path]], environment: Mapping[str, str], log: Path) -> Iterator[str]:
    """Start `command(port)` and yield its address once it listens; what it prints goes to `log`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with log.open("wb") as out:
        server = subprocess.Popen(command(port), env=environment, stdout=out, stderr=subprocess.STDOUT)
        try:
            until = time.monotonic() + PATIENCE
            while not _listens(port) and time.monotonic() < until:
                assert server.poll() is None, f"the server ended: {log.read_text(errors='replace')[-2000:]}"
                time.sleep(0.2)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            server.terminate()
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
