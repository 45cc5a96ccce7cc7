"""How the command line shows work: a bar for people, JSON lines for machines, nothing when told so.

Results go to stdout, everything that moves goes to stderr.
"""

import logging
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import orjson
import typer

from limakit.engine import Progress, silent


def show_version(asked: bool) -> None:
    """Say which limakit this is and end, where that is `asked`."""
    if asked:
        from importlib.metadata import version

        typer.echo(f"limakit {version('limakit')}")
        raise typer.Exit


class Screen:
    """Where a command writes."""

    def __init__(self, *, quiet: bool, as_json: bool):
        self.quiet, self.as_json = quiet, as_json
        logger = logging.getLogger("limakit")
        logger.setLevel(logging.INFO)
        logger.handlers = [_Words(quiet=quiet, as_json=as_json)]

    def say(self, text: str) -> None:
        """A line for people."""
        if not (self.quiet or self.as_json):
            print(text)  # noqa: T201

    def result(self, text: str, data: Mapping[str, Any]) -> None:
        """An outcome: the text for people, the data for machines."""
        if self.as_json:
            sys.stdout.write(orjson.dumps(dict(data), option=orjson.OPT_NON_STR_KEYS).decode() + "\n")
            sys.stdout.flush()
        else:
            self.say(text)

    @contextmanager
    def progress(self) -> Iterator[Progress]:
        """A bar with rate and time left on a terminal; JSON lines on stderr with `--json`; else nothing."""
        if self.as_json:
            yield _json_progress
        elif self.quiet or not sys.stderr.isatty():
            yield silent
        else:
            with _Bar() as bar:
                yield bar


class _Words(logging.Handler):
    """What a stage has to say while it works, through the logger `limakit`: a line on stderr."""

    def __init__(self, *, quiet: bool, as_json: bool):
        super().__init__(logging.ERROR if quiet else logging.INFO)
        self._as_json = as_json

    def emit(self, record: logging.LogRecord) -> None:
        said = record.getMessage()
        sys.stderr.write(
            (
                orjson.dumps({"warning" if record.levelno >= logging.WARNING else "note": said}).decode()
                if self._as_json
                else f"limakit: {said}"
            )
            + "\n"
        )


def _json_progress(what: str, done: float, total: float, unit: str, note: str = "") -> None:
    event = {"progress": what, "done": done, "total": total, "unit": unit, "note": note}
    sys.stderr.write(orjson.dumps(event).decode() + "\n")


class _Bar:
    """A rich bar a piece of work, drawn when it gets further: a thread that draws would keep workers from being copies
    of this process, which start at once (`engine.LocalExecutor`)."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        self._bars = RichProgress(
            SpinnerColumn(finished_text="✓"),
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[count]}"),
            TextColumn("[dim]{task.fields[rate]}[/dim]"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("[dim]{task.fields[note]}[/dim]"),
            console=Console(stderr=True),
            auto_refresh=False,
        )
        self._tasks: dict[str, Any] = {}
        self._drawn = 0.0

    def __enter__(self) -> "_Bar":
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def __call__(self, what: str, done: float, total: float, unit: str, note: str = "") -> None:
        from rich.markup import escape

        count = f"{_short(done)}/{_short(total)} {unit}"
        if what not in self._tasks:
            self._tasks[what] = self._bars.add_task(escape(what), total=total, count=count, rate="", note="")
        task = self._tasks[what]
        self._bars.update(task, completed=done, total=total, count=count, note=escape(note))
        speed = self._bars.tasks[self._bars.task_ids.index(task)].speed
        if speed:
            self._bars.update(task, rate=f"{_short(speed)} {unit}/s")
        if done >= total or time.monotonic() > self._drawn + 0.1:
            self._bars.refresh()
            self._drawn = time.monotonic()


def _short(number: float) -> str:
    """Three significant figures with k, M, G."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if number >= size:
            return f"{number / min(size, 1e3 if letter == 'k' else size):.3g}{letter}"
    return f"{number:.3g}" if number < 1000 and number != int(number) else f"{number:.0f}"
