"""Variants side by side, one process a GPU: each runs as the study that it is, by the ordinary commands."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from limakit.engine import Progress
from limakit.errors import StudyError

WATCH = 0.2
"""Seconds between looks at the processes."""


def devices() -> list[str]:
    """GPUs that this process may use, by the name that CUDA_VISIBLE_DEVICES takes. Imports no torch."""
    listed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if listed is not None:
        return [name.strip() for name in listed.split(",") if name.strip() not in ("", "-1")]
    if shutil.which("nvidia-smi") is None:
        return []
    found = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False)
    return [str(number) for number, line in enumerate(found.stdout.splitlines()) if line.startswith("GPU ")]


@dataclass(slots=True)
class _Job:
    """One study under way."""

    folder: Path
    command: str
    rest: list[str]
    process: "subprocess.Popen[bytes]"
    errors: IO[bytes]
    began: float


def run(jobs: Sequence[tuple[Path, Sequence[str]]], workers: int, progress: Progress) -> list[tuple[Path, str, float]]:
    """Run the commands of every study (folder, their names), `workers` studies at a time, each on a GPU of its own
    where there are GPUs. Returns the seconds that each command of each study took.

    Raises StudyError with the last line of the first that fails, once those beside it have ended. A kill of this
    process leaves the others running; until they end, a rerun says which study is busy.
    """
    names, waiting, running = devices(), list(jobs), dict[int, _Job]()
    took: list[tuple[Path, str, float]] = []
    failed: StudyError | None = None
    done = 0
    try:
        while running or (waiting and failed is None):
            for slot in range(workers):
                if slot not in running and waiting and failed is None:
                    folder, commands = waiting.pop(0)
                    running[slot] = _start(folder, list(commands), names, slot)
            time.sleep(WATCH)
            for slot, job in list(running.items()):
                if job.process.poll() is None:
                    continue
                took.append((job.folder, job.command, time.monotonic() - job.began))
                if job.process.returncode:
                    failed = failed or StudyError(_last_line(job), where=job.folder)
                if job.process.returncode or not job.rest:
                    del running[slot]
                    done += 1
                    progress("cells side by side", done, len(jobs), "cells")
                else:
                    running[slot] = _start(job.folder, job.rest, names, slot)
    finally:
        for job in running.values():
            job.process.terminate()
    if failed is not None:
        raise failed
    return took


def _start(folder: Path, commands: list[str], names: Sequence[str], slot: int) -> _Job:
    more = {"CUDA_VISIBLE_DEVICES": names[slot % len(names)]} if names else {}
    errors = tempfile.TemporaryFile()  # noqa: SIM115  read when the process has ended
    process = subprocess.Popen(
        [sys.executable, "-m", "limakit", commands[0], str(folder), "--quiet"],
        env={**os.environ, **more},
        stdout=subprocess.DEVNULL,
        stderr=errors,
    )
    return _Job(folder, commands[0], commands[1:], process, errors, time.monotonic())


def _last_line(job: _Job) -> str:
    job.errors.seek(0)
    lines = job.errors.read().decode("utf-8", "replace").strip().splitlines()
    return lines[-1].removeprefix("limakit: ") if lines else f"{job.command} ended with code {job.process.returncode}"
