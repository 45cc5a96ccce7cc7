"""Mutated files of every format: nothing but clean errors, every row accounted for, nothing written elsewhere.

LIMAKIT_FUZZ=2000 runs two thousand mutated files of each format; the default is sixteen of each.
"""

import os
import random
import resource
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from limakit.engine import silent
from limakit.errors import LimakitError
from limakit.pipeline import sourcing
from limakit.pipeline.curating import curate
from limakit.store import files
from limakit.store import study as study_files
from limakit.store.study import Study
from tests.sources.test_conversations import ROWS
from tests.sources.test_natural_instructions import FINAL
from tests.sources.test_reddit import reply, submission
from tests.sources.test_wikihow import ALL, PAGE, SEP, TABLE

MUTANTS = max(16, int(os.environ.get("LIMAKIT_FUZZ", "0")))
MOST_MB = 512
LINES = b"".join(orjson.dumps(row) + b"\n" for row in ROWS["messages"] * 3)
POSTS = b"".join(orjson.dumps(row) + b"\n" for row in (submission(), reply(), submission("q", subreddit="AskReddit")))
SEEDS: dict[str, tuple[str, bytes]] = {
    "authored.jsonl": ("authored", LINES),
    "messages.jsonl": ("conversations", LINES),
    "sharegpt.jsonl": ("conversations", b"".join(orjson.dumps(row) + b"\n" for row in ROWS["sharegpt"] * 3)),
    "alpaca.json": ("conversations", orjson.dumps(ROWS["alpaca"] * 3)),
    "dolly.jsonl": ("conversations", b"".join(orjson.dumps(row) + b"\n" for row in ROWS["dolly"] * 3)),
    "talk.csv": ("conversations", b"prompt;response\n" + b'"Why; ""this""?";Because\nHow?;"So\nand so"\n' * 3),
    "rows.parquet": ("conversations", b""),
    "packed.jsonl.zst": ("conversations", zstandard.compress(LINES)),
    "page.html": ("wikihow", PAGE.encode()),
    "table.csv": ("wikihow", TABLE.encode()),
    "wikihowAll.csv": ("wikihow", ALL.encode()),
    "wikihowSep.csv": ("wikihow", SEP.encode()),
    "articles.csv": ("wikihow", b'title,result\nZoom,"1. Pinch.\n2. Wait. "\nNap,1. Nap.\n' * 3),
    "RS.ndjson": ("reddit", POSTS),
    "RS.zst": ("reddit", zstandard.compress(POSTS)),
    "AskReddit.csv": ("reddit", b'id,title,score,selftext\na,"What is ""it"" for, then?",70,"x\ny"\n' * 3),
    "task.json": ("natural_instructions", orjson.dumps(FINAL)),
}
PIECES = [
    b"\x00",
    b"\xff",
    b'"',
    b"\n",
    b"{",
    b"]",
    b"\\ud800",
    b"[" * 2000,
    b"9" * 400,
    b"-1e999",
    b"<div>",
    b"&#0;",
    b",",
]


def mutated(data: bytes, draw: random.Random) -> bytes:
    """The data after a few cuts, repeats, flips and foreign pieces."""
    for _ in range(draw.randint(1, 4)):
        at, stop = sorted(draw.randint(0, len(data)) for _ in range(2))
        match draw.randint(0, 4):
            case 0:
                data = data[:at] + data[stop:]
            case 1:
                data = data[:stop] + data[at:]
            case 2:
                data = data[:at]
            case 3 if data:
                flip = draw.randrange(len(data))
                data = data[:flip] + bytes([data[flip] ^ (1 << draw.randint(0, 7))]) + data[flip + 1 :]
            case _:
                data = data[:at] + draw.choice(PIECES) + data[at:]
    return data


@pytest.mark.parametrize("name", SEEDS)
def test_mutated_files(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files.os, "fsync", lambda handle: None)
    for name_of_constant, value in (("versions", study_files.versions()), ("code_digest", "the same")):
        monkeypatch.setattr(study_files, name_of_constant, lambda *_, value=value: value)
    root, here = tmp_path / "study", tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    kind, data = SEEDS[name]
    if not data:
        sink = pa.BufferOutputStream()
        pq.write_table(pa.Table.from_pylist(ROWS["messages"]), sink)
        data = sink.getvalue().to_pybytes()
    files.publish_text(root / "recipe.toml", f'[[sources]]\nkind = "{kind}"\npath = "in/{name}"\n')
    read = 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in range(MUTANTS):
        files.publish(root / "in" / name, mutated(data, random.Random(f"{name}/{number}")))
        study = Study(root)
        try:
            assert sourcing.find(study)
            with study.lock():
                curate(study, silent)  # raises RuntimeError where counts do not add up
        except LimakitError:
            continue
        read += 1
        train = files.read_jsonl(root / "curate" / "train.jsonl", dict)
        assert all(turn["content"].strip() for example in train for turn in example["messages"])
    assert read or name.endswith((".parquet", ".zst", ".json"))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak < MOST_MB * 1024
    assert {path.name for path in tmp_path.iterdir()} == {"study", "here"}
    assert not list(here.iterdir())
    assert {path.name for path in root.iterdir()} <= {"in", "recipe.toml", "curate", ".work", ".lock", ".cache"}
