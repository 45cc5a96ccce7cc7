"""How work runs and tells how far it is: `Executor.map` over processes, `Progress` for whoever watches."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Protocol, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Progress(Protocol):
    """Called by a stage whenever it got further; the caller draws a bar, writes JSON or does nothing."""

    def __call__(self, what: str, done: float, total: float, unit: str, note: str = "") -> None:
        """`done` of `total` `unit`s of `what` are finished; `note` is a short figure worth showing."""
        ...


def silent(what: str, done: float, total: float, unit: str, note: str = "") -> None:
    """A `Progress` that shows nothing."""


class Executor(Protocol):
    """Anything that maps a picklable function over items and yields the results in the items' order."""

    def map(self, fn: Callable[[T], R], items: Iterable[T]) -> Iterator[R]: ...


class LocalExecutor:
    """A pool of `workers` processes on this machine; one worker runs in the calling process."""

    def __init__(self, workers: int):
        self.workers = max(1, workers)

    def map(self, fn: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        """Yield `fn(item)` in order; the first exception is raised here and cancels what has not begun."""
        items = list(items)
        if self.workers == 1 or len(items) <= 1:
            yield from map(fn, items)
            return
        pool = ProcessPoolExecutor(min(self.workers, len(items)), mp_context=get_context("forkserver"))
        try:
            yield from pool.map(fn, items)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
