"""Mutated dumps and archives: no traceback, no file outside the study, memory bounded, every row counted.

LIMAKIT_FUZZ=2000 runs two thousand mutated files; the default is two hundred. Seeds are the numbers 0, 1, 2, …
"""

import contextlib
import os
import random
import re
import resource
import shutil
import struct
import zlib
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from limakit.errors import InputError
from limakit.sources.stackexchange import archive
from tests.sources.dumps import PROSE, answer, dump, harvest, question, row
from tests.sources.test_archive import archive as packed_of

RUNS = int(os.environ.get("LIMAKIT_FUZZ", "200"))
FEWER = RUNS if "LIMAKIT_FUZZ" in os.environ else 10
"""Of what takes longer: archives, comments."""
PARTS = 10
MOST_MB = 512

SPITEFUL = [
    b"<row ", b"/>", b"<", b">", b'"', b"'", b"&", b"&#x0;", b"&#xD800;", b"&amp;amp;", b"\0", b"\xff", b"\xed\xa0\x80",
    b"<!--", b"-->", b"<![CDATA[", b"]]>", b'<!DOCTYPE x [<!ENTITY a "aaaa">]>', b"&a;", b"<?xml ?>", b"</posts>",
    b"\r\n", b"\n", b"\xe2\x80\xa8", b"\xef\xbb\xbf", b' Id="1"', b' Score="99999999999999999999"', b' Score="-12"',
    b' PostTypeId="2"', b' ParentId="../../../etc/passwd"', b"$$" * 50, b"&lt;" * 200, b"&lt;pre&gt;",
    b"&lt;code&gt;" * 30, b"I" * 50, b"&#x1F600;", b"\xf0\x9f\x98\x80", b"(" * 300,
]  # fmt: skip


def rows(random: random.Random) -> list[str]:
    """A small community with every kind of row."""
    lines: list[str] = []
    for number in range(1, 8):
        asked = number * 10
        lines += [
            question(asked, Title=f"How does thing {number} work in the end?"),
            answer(asked + 1, asked, random.choice([3, 12, 40]), Body=f"<p>{PROSE * random.randint(1, 40)}</p>"),
            answer(asked + 2, asked, random.choice([-1, 9, 10, 12]), OwnerUserId=None, OwnerDisplayName="<b>x</b>"),
            row({"Id": asked + 3, "PostTypeId": 4, "CreationDate": "2015", "Score": 0, "Body": ""}),
        ]
    return lines


def mutated(data: bytes, random: random.Random) -> bytes:
    """The bytes with a few things done to them that disks, networks and spiteful people do."""
    text = bytearray(data)
    for _ in range(random.randint(1, 6)):
        at, size = random.randrange(len(text) + 1), random.choice([1, 2, 7, 40, 400, 3000])
        match random.randrange(7):
            case 0:
                del text[at : at + size]
            case 1:
                text[at:at] = random.choice(SPITEFUL)
            case 2:
                text[at : at + size] = random.randbytes(min(size, 40))
            case 3:
                other = random.randrange(len(text) + 1)
                text[at:at] = text[other : other + size]
            case 4:
                if at < len(text):
                    text[at] ^= 1 << random.randrange(8)
            case 5:
                text[at : at + 6] = random.choice(SPITEFUL)
            case _:
                if random.random() < 0.2:
                    del text[at:]
    return bytes(text)


@pytest.mark.parametrize("part", range(PARTS))
def test_mutated_dumps(part: int, tmp_path: Path) -> None:
    fates: Counter[str] = Counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for seed in range(part, RUNS, PARTS):
        source = random.Random(seed)
        path = dump(tmp_path / "coffee", rows(source), end=source.choice(["\n", "\r\n"]))
        path.write_bytes(mutated(path.read_bytes(), source))
        before = set(tmp_path.rglob("*"))
        out = tmp_path / f"out{seed}"
        try:
            got, candidates, rules = harvest(path, out, split_bytes=source.choice([700, 5000, 1 << 20]))
        except InputError:
            fates["refused"] += 1
            continue
        fates["read"] += 1
        site = got.sites[0]
        assert site.answers == site.candidates + sum(site.rejected.values()), seed
        assert site.candidates == len(candidates), seed
        assert sum(rules.values()) == sum(site.rejected.values()), seed
        units = len(re.findall(rb"<row[ \t\r\n/>]", path.read_bytes()))
        counted = site.questions + site.answers + site.others + site.quarantined
        assert counted >= units, seed
        assert len(set(pq.read_table(out / "rejects.parquet").column_names)) == 6
        stray = set(tmp_path.rglob("*")) - before - set(out.rglob("*")) - {out}
        assert not stray, seed
    assert fates["read"] > fates["refused"]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak < MOST_MB * 1024


def test_the_cuts_do_not_show_in_mutated_dumps(tmp_path: Path) -> None:
    for seed in range(RUNS // 5):
        source = random.Random(1_000_000 + seed)
        path = dump(tmp_path / "coffee", rows(source))
        path.write_bytes(mutated(path.read_bytes(), source))
        found = []
        for number, split_bytes in enumerate((1 << 20, 900)):
            try:
                got, _, _ = harvest(path, tmp_path / f"{number}", split_bytes=split_bytes)
            except InputError as error:
                found.append(str(error))
            else:
                data = [(tmp_path / f"{number}" / n).read_bytes() for n in ("candidates.jsonl", "rejects.parquet")]
                found.append((data, got.quarantine, got.sites))
        assert found[0] == found[1], seed


@pytest.mark.parametrize("part", range(2))
def test_mutated_archives(part: int, tmp_path: Path) -> None:
    whole = dump(tmp_path / "coffee", rows(random.Random(0)))
    good = packed_of(tmp_path / "good.7z", {"Posts.xml": whole}).read_bytes()
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    for seed in range(part, FEWER, 2):
        source = random.Random(2_000_000 + seed)
        path = tmp_path / "beer.7z"
        path.write_bytes(mutated(good, source))
        before = set(tmp_path.rglob("*"))
        with contextlib.suppress(InputError):
            harvest(path, tmp_path / "out")
        assert not {p for p in set(tmp_path.rglob("*")) - before if tmp_path / "out" not in (p, *p.parents)}, seed
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss - peak < MOST_MB * 1024


def bomb(path: Path, declared: int) -> Path:
    """A .7z whose header claims that its one file, stored, has `declared` bytes."""
    name = "Posts.xml\0".encode("utf-16-le")
    size = b"\xff" + struct.pack("<Q", declared)
    header = (
        b"\x01\x04\x06\x00\x01\x09\x05\x00"  # header, streams, pack: position 0, one stream of five bytes
        b"\x07\x0b\x01\x00\x01\x01\x00\x0c" + size + b"\x00\x00"  # one folder, coder Copy, its unpacked size
        b"\x05\x01\x11" + bytes([len(name) + 1]) + b"\x00" + name + b"\x00\x00"  # one file and its name
    )
    start = struct.pack("<QQI", 5, len(header), zlib.crc32(header))
    path.write_bytes(b"7z\xbc\xaf\x27\x1c\x00\x04" + struct.pack("<I", zlib.crc32(start)) + start + b"<row " + header)
    return path


@pytest.mark.parametrize("tool", [True, False], ids=["7-Zip", "py7zr"])
def test_unpacking_stops_before_the_disk_is_full(tool: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = shutil.which("7zz") or shutil.which("7z")
    if tool and not found:
        pytest.skip("no 7-Zip on this machine")
    monkeypatch.setattr(archive.shutil, "which", lambda _: found if tool else None)
    whole = dump(tmp_path / "coffee", rows(random.Random(0)))
    path = packed_of(tmp_path / "beer.7z", {"Posts.xml": whole})
    free = iter([10**12, archive.RESERVE - 1])  # for what the archive declares, then for its first block
    usage = type(archive.shutil.disk_usage(tmp_path))
    monkeypatch.setattr(archive.shutil, "disk_usage", lambda _: usage(10**12, 0, next(free)))
    with pytest.raises(InputError, match="more than the disk holds"):
        archive.unpack(path, {"Posts.xml": tmp_path / "out" / "Posts.xml"})
    assert not (tmp_path / "out" / "Posts.xml").exists()


def test_an_archive_that_claims_more_than_the_disk_holds_is_refused_before_unpacking(tmp_path: Path) -> None:
    path = bomb(tmp_path / "beer.7z", 1 << 60)
    with pytest.raises(InputError, match=r"beer\.7z: (unpacks to|is damaged)"):
        archive.unpack(path, {"Posts.xml": tmp_path / "out" / "Posts.xml"})
    assert not list((tmp_path / "out").glob("*"))
