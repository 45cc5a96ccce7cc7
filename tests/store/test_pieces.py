"""JSONL in pieces: every record once whatever the cuts, and errors that name the line."""

from pathlib import Path

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from limakit.errors import InputError
from limakit.records import Turn
from limakit.store import files, scratch
from limakit.store.pieces import fetched, pieces, records


@given(st.lists(st.text(max_size=30), max_size=12), st.integers(5, 300), st.booleans())
def test_every_record_comes_once_whatever_the_cuts(tmp_path_factory: pytest.TempPathFactory, texts: list[str],
                                                   size: int, blank: bool) -> None:  # fmt: skip
    path = tmp_path_factory.getbasetemp() / "turns.jsonl"
    turns = [Turn(role="user", content=text.encode("utf-8", "ignore").decode()) for text in texts]
    end = b"\n\n" if blank else b"\n"
    path.write_bytes(end.join(map(orjson.dumps, turns)) + b"\n" * (not blank))
    found = [pair for piece in pieces([path, path], size) for pair in records(piece, Turn)]
    assert [turn for _, turn in found] == turns + turns
    assert list(fetched(path, [at for at, _ in found], Turn)) == turns + turns


def test_a_bad_line_is_named_by_its_number_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "turns.jsonl"
    files.write_jsonl(path, [Turn(role="user", content=str(n)) for n in range(50)])
    path.write_bytes(path.read_bytes() + b'{"role": "clerk", "content": "x"}\n')
    *_, last = pieces([path], 100)
    with pytest.raises(InputError, match=r"turns\.jsonl, line 51: field 'role'.* Mend that line"):
        list(records(last, Turn))
    with pytest.raises(InputError, match="no such file"):
        pieces([tmp_path / "nothing"], 100)
    with pytest.raises(InputError, match="is a folder"):
        pieces([tmp_path], 100)


def test_arrays_come_back_as_they_were(tmp_path: Path) -> None:
    rows = [[np.arange(n, dtype=np.uint64), np.ones((n, 2), np.int16)] for n in (3, 0, 5)]
    scratch.put(tmp_path / "new" / "arrays", rows)
    back = list(scratch.get(tmp_path / "new" / "arrays", 2))
    assert [[(a.dtype, a.tolist()) for a in row] for row in back] == [[(a.dtype, a.tolist()) for a in r] for r in rows]
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["arrays"]
