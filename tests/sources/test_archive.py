"""Archives give what the plain files give."""

from pathlib import Path

import pytest

from limakit.errors import InputError
from tests.sources.dumps import answer, dump, harvest, question

py7zr = pytest.importorskip("py7zr")


def archive(path: Path, members: dict[str, Path]) -> Path:
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
