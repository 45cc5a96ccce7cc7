"""Processes that run `limakit` and can be killed, started as forks of one that has imported everything: each is a real
one, and a kill costs the work that it undoes, not ten seconds of imports."""

import gc
import os
import pkgutil
import select
import signal
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Self

import orjson

import limakit
from limakit.__main__ import main

APART = ("limakit.__main__", "limakit.web", "limakit.store.migrations")
"""Not imported beforehand."""
LATE = (
    "alembic",
    "matplotlib.backends.backend_svg",
    "pyarrow.dataset",
    "scipy.stats",
    "sklearn.cluster",
    "sklearn.decomposition",
    "sklearn.feature_extraction.text",
    "sklearn.manifold",
    "transformers.models.llama.modeling_llama",
)
"""What limakit imports where it needs it."""


class Nursery:
    """One process at a time, each a fork of the nurse."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.nursery"]
        self._nurse = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[1],
            env=os.environ | {"OMP_WAIT_POLICY": "PASSIVE"},  # as the entry point sets it, before torch is imported
        )
        assert self._ask({"ready": True})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self._nurse.stdin
        assert self._nurse.stdout
        self._nurse.stdin.close()
        self._nurse.wait(30)
        self._nurse.stdout.close()

    def run(self, *words: object, seconds: float | None = None) -> int:
        """Run a command. It is killed with SIGKILL where it has not ended after `seconds`. Returns its exit code, or
        the number of the signal that ended it, negative."""
        child = self._ask({"words": list(map(str, words))})
        ended = os.pidfd_open(child)
        try:
            if not select.select([ended], [], [], seconds)[0]:
                signal.pidfd_send_signal(ended, signal.SIGKILL)
        finally:
            os.close(ended)
        return os.waitstatus_to_exitcode(self._ask({"wait": child}))

    def _ask(self, question: dict) -> int:
        assert self._nurse.stdin
        assert self._nurse.stdout
        self._nurse.stdin.write(orjson.dumps(question) + b"\n")
        self._nurse.stdin.flush()
        return int(self._nurse.stdout.readline())


def _import_all() -> None:
    found = [module.name for module in pkgutil.walk_packages(limakit.__path__, "limakit.") if not _apart(module.name)]
    for name in (*found, *LATE):
        import_module(name)


def _apart(name: str) -> bool:
    return any(f"{name}.".startswith(f"{other}.") for other in APART)


def nurse() -> None:
    """Fork a process for each command read, and tell its number, or the status of one that ended."""
    _import_all()
    gc.freeze()
    for line in sys.stdin.buffer:
        question = orjson.loads(line)
        answer = 1
        if "wait" in question:
            answer = os.waitpid(question["wait"], 0)[1]
        elif "words" in question and not (answer := os.fork()):
            with open(os.devnull, "r+b") as nothing:
                for stream in (0, 1, 2):
                    os.dup2(nothing.fileno(), stream)
            sys.argv = ["limakit", *question["words"]]
            sys.exit(main())
        print(answer, flush=True)  # noqa: T201


if __name__ == "__main__":
    nurse()
