"""The log of rejects: the same bytes however rows are added, whole or not there, and found again by rule and by Id."""

from array import array
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from limakit.store.rejects import ROW_GROUP, RejectLog, find_rejects


def write(path: Path, many: bool, size: int) -> None:
    numbers, scores = array("q", range(size)), array("q", range(-3, size - 3))
    against = np.arange(10) % 2
    with RejectLog(path) as log:
        if many:
            log.add_many("stackexchange", "tea", "score", numbers, scores)
            log.add_each("stackexchange", "tea", numbers[:10], [("long", "é"), ("short", "")], against, scores[:10])
        else:
            for number, score in zip(numbers, scores, strict=True):
                log.add("stackexchange", "tea", number, ("score", ""), score)
            for number, which in zip(numbers[:10], against.tolist(), strict=True):
                log.add("stackexchange", "tea", number, ("short", "") if which else ("long", "é"), scores[number])


def test_rows_one_by_one_and_together_are_the_same_bytes(tmp_path: Path) -> None:
    write(tmp_path / "one", many=False, size=ROW_GROUP + 7)
    write(tmp_path / "all", many=True, size=ROW_GROUP + 7)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "all").read_bytes()


def test_rows_are_found_in_every_row_group(tmp_path: Path) -> None:
    path = tmp_path / "rejects.parquet"
    write(path, many=True, size=ROW_GROUP + 7)
    with pq.ParquetFile(path) as log:
        assert log.num_row_groups == 2
    assert find_rejects(path, "rule", ["score"]).num_rows == ROW_GROUP + 7
    found = find_rejects(path, "id", [f"stackexchange/tea/{number}" for number in (9, 5, ROW_GROUP + 2, 10**9)])
    assert [(row["id"], row["rule"], row["detail"], row["score"]) for row in found.to_pylist()] == [
        ("stackexchange/tea/5", "score", "", 2),
        ("stackexchange/tea/9", "score", "", 6),
        (f"stackexchange/tea/{ROW_GROUP + 2}", "score", "", ROW_GROUP - 1),
        ("stackexchange/tea/5", "short", "", 2),
        ("stackexchange/tea/9", "short", "", 6),
    ]
    assert set(find_rejects(path, "detail", ["é"])["rule"].to_pylist()) == {"long"}


def test_an_empty_log_is_a_log(tmp_path: Path) -> None:
    with RejectLog(tmp_path / "r"):
        pass
    assert find_rejects(tmp_path / "r", "rule", ["score"]).num_rows == 0
    assert find_rejects(tmp_path / "r", "rule", []).column_names[0] == "id"


def test_it_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    write(tmp_path / "r", many=True, size=10)
    before = (tmp_path / "r").read_bytes()
    log = RejectLog(tmp_path / "r")
    log.__enter__()
    log.add("stackexchange", "tea", 1, ("score", ""), 0)
    log.__exit__(KeyError, KeyError(), None)
    assert [path.name for path in tmp_path.iterdir()] == ["r"]
    assert (tmp_path / "r").read_bytes() == before
