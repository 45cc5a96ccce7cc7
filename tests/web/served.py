"""The studio on a port of this computer, in this process or in one of its own, and a real browser before it."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from limakit.web.app import create_app
from limakit.web.studio import Studio

CHROMIUM = "/usr/bin/chromium"


@contextmanager
def serving(studio: Studio, port: int = 0) -> Iterator[str]:
    """Its address while it runs in a thread of this process."""
    listening = socket.create_server(("127.0.0.1", port), backlog=256)
    config = uvicorn.Config(
        create_app(studio), log_level="error", access_log=False, ws="none", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + 30
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)


class Process:
    """`limakit studio` as a process of its own, which can be killed and started again on the same port."""

    def __init__(self, root: Path, database: str | None = None):
        self.root, self.database, self.port = root, database, 0
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> str:
        """Start it; its address once it says that it is there."""
        command = [sys.executable, "-m", "limakit", "studio", str(self.root), "--port", str(self.port), "--json"]
        if self.database:
            command += ["--database", self.database]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ | {"PYTHONUNBUFFERED": "1"})
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the studio did not start"
        url = json.loads(line)["url"].rstrip("/")
        self.port = int(url.rsplit(":", 1)[1])
        return url

    def cpu_seconds(self) -> float:
        """Processor time that it has used since it was started."""
        assert self._process is not None
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def kill(self) -> None:
        """kill -9."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(30)
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None
