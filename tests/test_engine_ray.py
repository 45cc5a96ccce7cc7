"""The same work on Ray: two raylets with a core each, a worker killed, a raylet lost. Ray itself takes 285 MB."""

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from limakit.engine import Executor, LocalExecutor, connect
from limakit.errors import InputError, LimakitError
from tests.sources.test_read import community
from tests.test_engine import ROOT, Deadly, missing, outputs, square

pytest.importorskip("ray", reason="needs limakit[ray]")


class Losing:
    """An executor that loses a machine after its first result, once."""

    def __init__(self, inner: Executor, lose: Callable[[], None]):
        self.inner = inner
        self.lose: Callable[[], None] | None = lose

    def map(self, fn: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        for result in self.inner.map(fn, items):
            lose, self.lose = self.lose, None
            if lose:
                lose()
            yield result


def refuse(path: str) -> None:
    raise InputError("is damaged", where=path, fix="Fetch it again.")


@pytest.fixture(scope="module")
def posts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return community(tmp_path_factory.mktemp("engine") / "beer", 60)


@pytest.fixture(scope="module")
def expected(posts: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return outputs(LocalExecutor(1), posts, tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="module")
def raylets() -> Iterator[tuple[Executor, Callable[[], None]]]:
    """An executor on two raylets, and what takes the second away at once."""
    from ray.cluster_utils import Cluster  # pyright: ignore[reportMissingImports]

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", f"{ROOT}:{ROOT / 'src'}:{os.environ.get('PYTHONPATH', '')}")
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
        try:
            second = cluster.add_node(num_cpus=1)
            with connect("ray", cluster.address) as executor:
                yield executor, lambda: cluster.remove_node(second, allow_graceful=False)
        finally:
            cluster.shutdown()


Raylets = tuple[Executor, Callable[[], None]]


def test_results_come_in_order(raylets: Raylets) -> None:
    assert list(raylets[0].map(square, range(40))) == [number * number for number in range(40)]


def test_outputs_are_the_same(raylets: Raylets, posts: Path, expected: dict[str, bytes], tmp_path: Path) -> None:
    assert outputs(raylets[0], posts, tmp_path) == expected


def test_a_killed_worker_changes_no_byte(
    raylets: Raylets, posts: Path, expected: dict[str, bytes], tmp_path: Path
) -> None:
    marker = tmp_path / "killed"
    assert outputs(Deadly(raylets[0], marker), posts, tmp_path / "out") == expected
    assert marker.exists()


def test_an_error_is_what_was_raised(raylets: Raylets) -> None:
    with pytest.raises(InputError) as told:
        list(raylets[0].map(refuse, ["a.7z"]))
    assert str(told.value) == "a.7z: is damaged. Fetch it again."
    with pytest.raises(LimakitError, match="every worker reads"):
        list(raylets[0].map(missing, ["/nowhere/Posts.xml"]))


def test_a_lost_raylet_changes_no_byte(
    raylets: Raylets, posts: Path, expected: dict[str, bytes], tmp_path: Path
) -> None:
    """Last, because it does not come back."""
    executor, lose = raylets
    assert outputs(Losing(executor, lose), posts, tmp_path) == expected
