"""Where work runs never shows in what comes out: a local pool, Dask, and either with a worker killed.

Ray is in test_engine_ray.py."""

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from limakit.curate.editor import Editor
from limakit.curate.select import select
from limakit.engine import Executor, Kind, LocalExecutor, connect, modules_of
from limakit.errors import LimakitError
from limakit.recipe import Curate
from limakit.records import Candidate, Provenance, Turn
from limakit.sources.stackexchange.find import find_dumps
from limakit.sources.stackexchange.read import read
from limakit.store import files
from limakit.store.rejects import RejectLog
from tests.curate.test_minhash import text
from tests.sources.test_read import community

ROOT = Path(__file__).parent.parent


class Deadly:
    """An executor whose first piece of work kills its worker, once."""

    def __init__(self, inner: Executor, marker: Path):
        self.inner, self.marker = inner, marker

    def map(self, fn: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        return self.inner.map(partial(die_once, fn, str(self.marker)), items)


def die_once(fn: Callable[[Any], Any], marker: str, item: Any) -> Any:
    try:
        os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return fn(item)
    os.kill(os.getpid(), signal.SIGKILL)
    return None


def die_always(_: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def square(number: int) -> int:
    return number * number


def on_ctrl_c(_: int) -> Any:
    return signal.getsignal(signal.SIGINT)


def test_workers_are_deaf_to_ctrl_c_and_the_caller_is_not() -> None:
    assert list(LocalExecutor(2).map(on_ctrl_c, [1, 2])) == [signal.SIG_IGN] * 2
    assert on_ctrl_c(0) is signal.default_int_handler


def test_the_modules_of_a_piece_of_work_are_those_of_all_that_it_is_made_of() -> None:
    assert modules_of(square) == [__name__]
    work = partial(die_once, square, marker="x", editor=Editor.of(Curate()))  # pyright: ignore[reportCallIssue]
    assert modules_of(work) == ["limakit.curate.editor", __name__]


def missing(path: str) -> bytes:
    return Path(path).read_bytes()


def pool(path: Path) -> Path:
    """Candidates of which some repeat others and some quote them."""
    draw = random.Random(8)
    texts = [text(draw, 80) for _ in range(60)]
    texts += [f"changed {said}" for said in texts[::6]] + [f"{text(draw, 40)} {said[:150]}" for said in texts[::4]]
    origin = {"source": "x", "site": "s"}
    candidates = [
        Candidate(**origin, id=f"x/s/{n}", group="other", prompts=(text(draw, 9), text(draw, 20)), score=n * 7 % 90,
                  replies=(Turn(role="assistant", content=said),), provenance=(Provenance(**origin, id=f"{n}"),))
        for n, said in enumerate(texts)
    ]  # fmt: skip
    files.write_jsonl(path, candidates)
    return path


def outputs(executor: Executor, posts: Path, out: Path) -> dict[str, bytes]:
    """What curation's reading writes, and what is chosen of it."""
    dumps, scratch = find_dumps(posts), out / "scratch"
    settings = Curate(hold_out_test=4, quotas={"stem": 10, "other": 10}, contamination_cosine=0.9)
    with RejectLog(out / "rejects.parquet") as log:
        got = read(dumps, Editor.of(settings), executor=executor, folder=out, rejects=log, split_bytes=30_000)
        paths = [got.candidates, pool(out / "pool.jsonl")]
        chosen = select(paths, settings, seed=0, rejects=log, folder=scratch, executor=executor, piece_bytes=9_000)
    files.write_jsonl(out / "picks.jsonl", chosen.picks)
    files.publish_json(out / "rest.json", [chosen.held, chosen.rejected, chosen.contamination])
    names = ("candidates.jsonl", "rejects.parquet", "picks.jsonl", "rest.json")
    return {name: (out / name).read_bytes() for name in names}


@pytest.fixture(scope="module")
def posts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return community(tmp_path_factory.mktemp("engine") / "beer", 60)


@pytest.fixture(scope="module")
def expected(posts: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return outputs(LocalExecutor(1), posts, tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="module", params=["local", "dask"])
def cluster(request: pytest.FixtureRequest) -> Iterator[Executor]:
    """An executor of each kind with two worker processes."""
    kind: Kind = request.param
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", f"{ROOT}:{ROOT / 'src'}:{os.environ.get('PYTHONPATH', '')}")
        if kind == "local":
            yield LocalExecutor(2)
        else:
            distributed = pytest.importorskip("distributed", reason="needs limakit[dask]")
            with (
                distributed.LocalCluster(
                    n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None
                ) as scheduler,
                connect("dask", scheduler.scheduler_address) as executor,
            ):
                yield executor


def test_results_come_in_order(cluster: Executor) -> None:
    assert list(cluster.map(square, range(40))) == [number * number for number in range(40)]


def test_outputs_are_the_same_everywhere(
    cluster: Executor, posts: Path, expected: dict[str, bytes], tmp_path: Path
) -> None:
    assert outputs(cluster, posts, tmp_path) == expected


def test_a_killed_worker_changes_no_byte(
    cluster: Executor, posts: Path, expected: dict[str, bytes], tmp_path: Path
) -> None:
    marker = tmp_path / "killed"
    assert outputs(Deadly(cluster, marker), posts, tmp_path / "out") == expected
    assert marker.exists()
    assert all(rule in expected["rest.json"] for rule in (b"near_duplicate", b'"rule": "same_run"', b"not_selected"))


def test_work_that_kills_every_worker_is_given_up_in_one_line() -> None:
    with pytest.raises(LimakitError, match=r"a worker was killed 3 times .* memory"):
        list(LocalExecutor(2).map(die_always, [1, 2]))


def test_a_path_that_the_workers_do_not_share_is_named() -> None:
    pytest.importorskip("distributed", reason="needs limakit[dask]")
    with connect("dask") as executor, pytest.raises(LimakitError, match=r"/nowhere/Posts\.xml: .* every worker reads"):
        list(executor.map(missing, ["/nowhere/Posts.xml"]))


def test_an_error_in_the_work_is_raised_here() -> None:
    with pytest.raises(TypeError):
        list(LocalExecutor(2).map(square, ["a", "b", "c"]))  # pyright: ignore[reportArgumentType]


def test_what_is_missing_is_said_before_work_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    missing: list[tuple[Kind, str]] = [("dask", "distributed"), ("ray", "ray")]
    for kind, module in missing:
        monkeypatch.setitem(__import__("sys").modules, module, None)
        with pytest.raises(LimakitError, match=rf"limakit\[{kind}\]"), connect(kind):
            pass


def test_an_address_that_leads_nowhere_is_one_line() -> None:
    with pytest.raises(LimakitError, match="takes no address"), connect("local", "tcp://127.0.0.1:1"):
        pass
    pytest.importorskip("distributed", reason="needs limakit[dask]")
    with pytest.raises(LimakitError, match="no Dask scheduler"), connect("dask", "nonsense://127.0.0.1:1"):
        pass


SLEEPERS = """
import os, sys, threading, time
from limakit.engine import LocalExecutor

def sleep(_):
    os.write(1, b"up\\n")
    time.sleep(60)

if __name__ == "__main__":
    if "thread" in sys.argv:
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
    list(LocalExecutor(2).map(sleep, [1, 2]))
"""


@pytest.mark.parametrize("beside", ["alone", "thread"], ids=["copies", "from a server"])
def test_workers_end_when_their_parent_is_killed(beside: str, tmp_path: Path) -> None:
    script = tmp_path / "sleepers.py"
    script.write_text(SLEEPERS)
    with subprocess.Popen([sys.executable, str(script), beside], stdout=subprocess.PIPE) as parent:
        assert parent.stdout
        assert [parent.stdout.readline() for _ in range(2)] == [b"up\n"] * 2
        parent.kill()
        parent.communicate(timeout=30)  # to the end of what the workers could write, so until they are gone
