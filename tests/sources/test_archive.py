"""Archives give what the plain files give."""

import pickle
import shutil
import struct
import zlib
from pathlib import Path

import pytest

from limakit.errors import InputError, MissingExtra
from limakit.sources.stackexchange import archive as module
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


TOOL = shutil.which("7zz") or shutil.which("7z")


@pytest.fixture(params=["7-Zip", "py7zr"])
def unpacker(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Either way of unpacking, whatever this machine has."""
    if request.param == "7-Zip" and not TOOL:
        pytest.skip("no 7-Zip on this machine")
    monkeypatch.setattr(module.shutil, "which", lambda _: TOOL if request.param == "7-Zip" else None)
    return request.param


@pytest.mark.parametrize("name", ["x/Posts.xml", "../Posts.xml", "../../out/unpacked/0/Posts.xml", "ABSOLUTE"])
def test_members_with_paths_are_not_followed(name: str, tmp_path: Path, unpacker: str) -> None:
    """Nothing is written but the tables that are wanted, to places that the archive has no word in."""
    plain = dump(tmp_path / "coffee", [question(1)])
    target = tmp_path / "elsewhere" / "Posts.xml"
    member = "x" * len(str(target)) if name == "ABSOLUTE" else name
    packed = archive(tmp_path / "beer.7z", {member: plain})
    if name == "ABSOLUTE":  # py7zr writes no such name, so it is put into the archive's header
        with py7zr.SevenZipFile(packed, "w", filters=[{"id": py7zr.FILTER_COPY}], header_encryption=False) as out:
            out.set_encoded_header_mode(False)
            out.write(plain, member)
        data = packed.read_bytes()
        assert data.count(member.encode("utf-16-le")) == 1
        data = data.replace(member.encode("utf-16-le"), str(target).encode("utf-16-le"))
        packed.write_bytes(with_checksums(data))
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(InputError, match=r"no Posts\.xml in it|cannot be unpacked"):
        harvest(packed, tmp_path / "out")
    assert {path for path in tmp_path.rglob("*") if path.is_file()} - before == set()


def with_checksums(data: bytes) -> bytes:
    """The archive with the checksums of its headers set right (the 7z format: a signature, two bytes of version, the
    start header's CRC, then where the header is, its size and its CRC)."""
    at, size = struct.unpack("<QQ", data[12:28])
    start = data[12:28] + struct.pack("<I", zlib.crc32(data[32 + at : 32 + at + size]))
    return data[:8] + struct.pack("<I", zlib.crc32(start)) + start + data[32:]


def test_a_link_in_an_archive_is_not_followed(tmp_path: Path, unpacker: str) -> None:
    secret = dump(tmp_path / "secret", [question(1), answer(2, 1)])
    (tmp_path / "Posts.xml").symlink_to(secret)
    packed = tmp_path / "beer.7z"
    with py7zr.SevenZipFile(packed, "w") as out:
        out.write(tmp_path / "Posts.xml", "Posts.xml")
    with pytest.raises(InputError, match=r"beer\.7z: is (not XML|damaged)|no Posts\.xml"):
        harvest(packed, tmp_path / "out")
    assert not list((tmp_path / "out").rglob("candidates.jsonl"))


def test_a_bomb_is_refused_before_it_goes_off(tmp_path: Path, unpacker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight megabytes of nothing in a kilobyte or so, against a limit that is lowered for the test."""
    monkeypatch.setattr(module, "SMALL", 4 << 20)
    (tmp_path / "Posts.xml").write_bytes(bytes(8 << 20))
    packed = archive(tmp_path / "beer.7z", {"Posts.xml": tmp_path / "Posts.xml"})
    assert packed.stat().st_size < 20_000
    with pytest.raises(InputError, match=r"unpacks to 8,388,608 bytes, 200 times its size and more"):
        harvest(packed, tmp_path / "out")
    assert not list((tmp_path / "out").rglob("*.xml"))


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
