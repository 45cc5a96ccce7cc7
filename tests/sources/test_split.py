"""Cutting a dump: every byte belongs to one post, wherever the cuts fall."""

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from limakit.sources.stackexchange import split as module
from limakit.sources.stackexchange.split import splits, units

PIECES = st.lists(
    st.sampled_from(
        [
            b"<row Id=1 />",
            b"  <row a='b'/>\r\n",
            b"<rowdy/>",
            b"</posts>",
            b"\n",
            b"<",
            b"<ro",
            b"<row",
            b"x",
            b"<row\n>",
        ]
    ),
    max_size=30,
).map(b"".join)


@settings(max_examples=150, deadline=None)
@given(data=PIECES, size=st.integers(1, 40), block=st.integers(1, 12))
def test_units_do_not_depend_on_cuts_or_blocks(tmp_path_factory, data: bytes, size: int, block: int) -> None:
    path = tmp_path_factory.mktemp("cut") / "Posts.xml"
    path.write_bytes(data)

    def taken(split_bytes: int, block_bytes: int) -> list[tuple[int, bytes, bool]]:
        cut = splits(0, str(path), len(data), split_bytes)
        return [(o, d[a:b], single) for s in cut for o, d, a, b, single in units(s, block_bytes)]

    whole = taken(1 << 20, 1 << 20)
    assert taken(size, block) == whole
    assert b"".join(text for _, text, _ in whole) == data
    for offset, text, single in whole:
        assert data[offset : offset + len(text)] == text
        if text.startswith(b"<row") and offset:
            assert single == (text.count(b"<") == 1)


def test_a_post_without_end_is_dropped_and_its_neighbours_are_not(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(module, "LARGEST_ROW", 5000)
    path = tmp_path / "Posts.xml"
    path.write_bytes(b'<posts><row Id="1" /><row Body="' + b"x" * 9000 + b'" /><row Id="3" /></posts>')
    found = [(o, d[a:b]) for s in splits(0, str(path), path.stat().st_size, 700) for o, d, a, b, _ in units(s, 256)]
    assert [offset for offset, _ in found] == [0, 7, 21, path.stat().st_size - 22]
    assert found[1][1] == b'<row Id="1" />'
    assert len(found[2][1]) < 5400
    assert b"\0" in found[2][1]
    assert found[3][1] == b'<row Id="3" /></posts>'
