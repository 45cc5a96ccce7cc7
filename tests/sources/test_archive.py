"""Archives give what the plain files give."""

import pickle
from pathlib import Path

import pytest

from limakit.errors import InputError, MissingExtra
from tests.sources.dumps import answer, dump, harvest, question

py7zr = pytest.importorskip("py7zr")


def archive(path: Path, members: dict[str, Path]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with py7zr.SevenZipFile(path, "w") as out:
        for name, file in members.items():
            out.write(file, name)
    return path


def test_archive_equals_plain_file_and_gives_the_users(tmp_path: Path) -> None:
    plain = dump(tmp_path / "coffee", [question(1), answer(2, 1), question(3), answer(4, 3, 3)])
    users = dump(tmp_path / "u", ['  <row Id="5" DisplayName="Ann" />'], name="Users.xml")
    packed = archive(
        tmp_path / "coffee.stackexchange.com.7z", {"Users.xml": users, "Posts.xml": plain, "Tags.xml": users}
    )
    got, candidates, rules = harvest(packed, tmp_path / "a")
    _, expected, expected_rules = harvest(plain, tmp_path / "b")
    assert candidates == expected
    assert rules == expected_rules
    assert got.dumps[0].users is not None
    assert got.dumps[0].users.read_bytes() == users.read_bytes()


def test_members_with_paths_are_not_followed(tmp_path: Path) -> None:
    plain = dump(tmp_path / "coffee", [question(1)])
    packed = archive(tmp_path / "beer.7z", {"x/Posts.xml": plain})
    with pytest.raises(InputError, match=r"no Posts\.xml in it"):
        harvest(packed, tmp_path / "out")


@pytest.mark.parametrize("share", [0.3, 0.9, 0.999])
def test_truncated_archive_is_one_clear_line(tmp_path: Path, share: float) -> None:
    plain = dump(tmp_path / "coffee", [question(n) for n in range(1, 3000)])
    packed = archive(tmp_path / "beer.7z", {"Posts.xml": plain})
    packed.write_bytes(packed.read_bytes()[: int(packed.stat().st_size * share)])
    with pytest.raises(InputError, match=r"beer\.7z: is damaged or truncated"):
        harvest(packed, tmp_path / "out")


def test_flipped_bytes_are_noticed(tmp_path: Path) -> None:
    plain = dump(tmp_path / "coffee", [question(n) for n in range(1, 3000)])
    packed = archive(tmp_path / "beer.7z", {"Posts.xml": plain})
    data = bytearray(packed.read_bytes())
    data[len(data) // 2] ^= 0xFF
    packed.write_bytes(data)
    with pytest.raises(InputError, match="damaged"):
        harvest(packed, tmp_path / "out")


def test_sites_side_by_side_are_the_same_sites(tmp_path: Path) -> None:
    for n, name in enumerate(("coffee", "beer"), 1):
        plain = dump(tmp_path / name, [question(n), answer(n + 10, n)])
        archive(tmp_path / "packed" / f"{name}.stackexchange.com.7z", {"Posts.xml": plain})
    got, candidates, rules = harvest(tmp_path / "packed", tmp_path / "a", workers=2)
    assert [c.site for c in candidates] == ["beer", "coffee"]
    assert all(d.users is None for d in got.dumps)
    assert harvest(tmp_path / "packed", tmp_path / "b")[1:] == (candidates, rules)


def test_an_archive_with_a_table_twice_is_refused(tmp_path: Path) -> None:
    plain = dump(tmp_path / "coffee", [question(1)])
    with py7zr.SevenZipFile(tmp_path / "beer.7z", "w") as out:
        out.write(plain, "Posts.xml")
        out.write(plain, "Posts.xml")
    with pytest.raises(InputError, match=r"beer\.7z: holds a table twice"):
        harvest(tmp_path / "beer.7z", tmp_path / "out")


def test_without_anything_to_unpack_with_the_extra_is_named_from_a_worker_too() -> None:
    error = pickle.loads(pickle.dumps(MissingExtra("reading .7z archives needs 7-Zip", "7z")))
    assert str(error) == "reading .7z archives needs 7-Zip. Install it: pip install 'limakit[7z]'"
