"""How work runs and tells how far it is: `Executor.map` over processes here or on a cluster, `Progress` for watchers.

Work is a picklable function and a list of items, and results come in the items' order, so where it runs never shows in
what comes out. A worker that dies costs the time of what it was doing, which is done again.
"""

import gc
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from multiprocessing import forkserver, get_context, parent_process
from multiprocessing.connection import wait
from multiprocessing.context import BaseContext
from typing import Any, Literal, Protocol, TypeVar

from limakit.errors import LimakitError, MissingExtra

T = TypeVar("T")
R = TypeVar("R")

Kind = Literal["local", "dask", "ray"]
DEATHS = 3
"""Workers that one piece of work may lose before it is given up."""
AHEAD = 2
"""Pieces handed out for each core: none waits for work, and few results wait to be taken."""


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


@contextmanager
def connect(kind: Kind, address: str | None = None) -> Iterator[Executor]:
    """The executor of a kind, for as long as the `with` block lasts.

    `address` is that of a running cluster (Dask: `tcp://host:8786`, Ray: `host:6379`); without one, `dask` and `ray`
    start their own on this machine. Raises MissingExtra where the library is not installed, LimakitError where nobody
    answers at the address.
    """
    cores = len(os.sched_getaffinity(0))
    if kind == "local":
        if address is not None:
            raise LimakitError("the local pool takes no address", where=address, fix="Add --executor dask or ray.")
        yield LocalExecutor(cores)
    elif kind == "dask":
        with _dask(address, cores) as client:
            yield DaskExecutor(client)
    else:
        with _ray(address, cores) as ray:
            yield RayExecutor(ray)


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
        done = deaths = 0
        while done < len(items):
            workers = min(self.workers, len(items) - done)
            pool = ProcessPoolExecutor(workers, mp_context=_context(fn), initializer=_begin, initargs=(fn,))
            try:
                for result in _in_order(pool.submit, _do, items[done:], AHEAD * workers):
                    yield result
                    done, deaths = done + 1, 0
            except BrokenProcessPool:
                deaths += 1
                if deaths == DEATHS:
                    raise LimakitError(*_GIVEN_UP, fix=_MEMORY) from None
            finally:
                pool.shutdown(wait=True, cancel_futures=True)


class DaskExecutor:
    """The workers of a Dask cluster. They open the same paths: dumps and study lie where all of them can read."""

    def __init__(self, client: Any):
        """`client` is a `distributed.Client`."""
        self._client = client

    def map(self, fn: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        """Yield `fn(item)` in order; Dask itself repeats what a dead worker was doing."""
        from distributed.scheduler import KilledWorker

        ahead = AHEAD * max(1, sum(self._client.ncores().values()))

        def submit(fn: Callable[[T], R], item: T) -> Any:
            return self._client.submit(fn, item, pure=False)

        try:
            yield from _in_order(submit, fn, list(items), ahead)
        except KilledWorker:
            raise LimakitError(*_GIVEN_UP, fix=_MEMORY) from None
        except FileNotFoundError as error:
            raise _unshared(error) from None


class RayExecutor:
    """The workers of a Ray cluster. They open the same paths: dumps and study lie where all of them can read."""

    def __init__(self, ray: Any):
        """`ray` is the module, initialised."""
        self._ray = ray

    def map(self, fn: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        """Yield `fn(item)` in order; Ray itself repeats what a dead worker was doing."""
        ahead = AHEAD * max(1, int(self._ray.cluster_resources().get("CPU", 1)))
        work = self._ray.remote(_call).options(max_retries=DEATHS)
        shared = self._ray.put(fn)

        def submit(_: Callable[[T], R], item: T) -> Any:
            return work.remote(shared, item).future()

        try:
            yield from _in_order(submit, fn, list(items), ahead)
        except self._ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, FileNotFoundError):
                raise _unshared(error.cause) from None
            raise error.cause from None  # as it was raised, without the traceback that Ray makes part of its text
        except (self._ray.exceptions.WorkerCrashedError, self._ray.exceptions.OutOfMemoryError):
            raise LimakitError(*_GIVEN_UP, fix=_MEMORY) from None


def _context(fn: Callable[..., Any]) -> BaseContext:
    """How worker processes begin. As copies of this one, which have all that it has imported and share its memory,
    where that is safe: on Linux, while no other thread may hold a lock that the copy would wait for. Else out of a
    server that imports what the function needs."""
    if sys.platform == "linux" and threading.active_count() == 1:
        return get_context("fork")
    context = get_context("forkserver")
    context.set_forkserver_preload(["__main__", *modules_of(fn)])  # imported once, shared by all workers
    _start_server()
    return context


def _start_server() -> None:
    """Start what forks the workers, deaf to Ctrl-C as they will be: the caller alone stops, and says so in a line."""
    if threading.current_thread() is not threading.main_thread():
        return  # only the main thread may change what a signal does
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        forkserver.ensure_running()
    finally:
        signal.signal(signal.SIGINT, before)


def _begin(fn: Callable[..., Any]) -> None:
    """The first that a worker of the local pool does: learn its work, which sent with every piece would add up with all
    that is bound to it; leave Ctrl-C to its parent, and end when that does, be it killed; leave alone what they share.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _WORK["fn"] = fn
    gc.freeze()
    if parent := parent_process():
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)


def modules_of(fn: Callable[..., Any]) -> list[str]:
    """The modules that a worker needs for a function, or for a `partial` and what it is bound to."""
    parts = (fn.func, *fn.args, *fn.keywords.values()) if isinstance(fn, partial) else (fn,)
    return sorted({part.__module__ for part in parts if hasattr(part, "__module__")})


def _do(item: Any) -> Any:
    return _WORK["fn"](item)


_WORK: dict[str, Callable[..., Any]] = {}


def _call(fn: Callable[[T], R], item: T) -> R:
    return fn(item)


def _in_order(submit: Callable[..., Any], fn: Callable[[T], R], items: Sequence[T], ahead: int) -> Iterator[R]:
    """Results in order, of work handed out no more than `ahead` pieces early."""
    waiting: deque[Any] = deque()
    for item in items:
        if len(waiting) >= ahead:
            yield waiting.popleft().result()
        waiting.append(submit(fn, item))
    while waiting:
        yield waiting.popleft().result()


@contextmanager
def _dask(address: str | None, cores: int) -> Iterator[Any]:
    """A Dask client, with a cluster of its own where there is no address."""
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        raise MissingExtra("--executor dask needs Dask", "dask") from None
    if address is None:
        own: dict[str, Any] = {"n_workers": cores, "threads_per_worker": 1, "dashboard_address": None}
        with (
            LocalCluster(**own) as cluster,
            Client(cluster, set_as_default=False) as client,
        ):
            yield client
        return
    try:
        client = Client(address, timeout=10, set_as_default=False)
    except (OSError, ValueError):
        raise LimakitError(
            "no Dask scheduler answers", where=address, fix="Start one: dask scheduler; dask worker ADDRESS"
        ) from None
    with client:
        yield client


@contextmanager
def _ray(address: str | None, cores: int) -> Iterator[Any]:
    """The ray module, connected, with a cluster of its own where there is no address."""
    try:
        import ray  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise MissingExtra("--executor ray needs Ray", "ray") from None
    own = {} if address else {"num_cpus": cores, "include_dashboard": False}
    try:
        ray.init(address=address or "local", log_to_driver=False, **own)
    except (ConnectionError, ValueError, RuntimeError):
        raise LimakitError("no Ray cluster answers", where=address, fix="Start one: ray start --head") from None
    try:
        yield ray
    finally:
        ray.shutdown()


_GIVEN_UP = (f"a worker was killed {DEATHS} times at the same piece of work",)
_MEMORY = "Most likely memory ran out: free some, or use a machine with more."


def _unshared(error: FileNotFoundError) -> LimakitError:
    return LimakitError(
        "a worker of the cluster finds no such file",
        where=error.filename,
        fix="Put dumps and study on a disk that every worker reads under the same path.",
    )
