"""`limakit` as it is typed: through its entry point in this process, or as a process of its own.

Where it is asked what a command says, writes and returns, and not how a process starts or whether it has a hash seed of
its own, the seconds that a new process spends on imports prove nothing.
"""

import contextlib
import io
import subprocess
import sys
from dataclasses import dataclass

from limakit.__main__ import main


@dataclass(frozen=True, slots=True)
class Done:
    """What a command came to; named as `subprocess.run` names it."""

    returncode: int
    stdout: str
    stderr: str


def limakit(*words: object) -> Done:
    """Run a command. An exception that the entry point ought to have caught is raised here."""
    out, err, before, code = io.StringIO(), io.StringIO(), sys.argv, 0
    sys.argv = ["limakit", *map(str, words)]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main()
    except SystemExit as ended:
        code = ended.code or 0
    finally:
        sys.argv = before
    assert isinstance(code, int), code
    return Done(code, out.getvalue(), err.getvalue())


def process(*words: object) -> "subprocess.CompletedProcess[str]":
    """Run a command as a process of its own."""
    command = [sys.executable, "-m", "limakit", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


def fails(*words: object) -> str:
    """Run a command that must fail with code 2, and return its one line."""
    return one_line(limakit(*words))


def one_line(done: "Done | subprocess.CompletedProcess[str]") -> str:
    """The one line that a command which had to fail with code 2 said."""
    assert done.returncode == 2, done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("limakit: ")
    return lines[0]
