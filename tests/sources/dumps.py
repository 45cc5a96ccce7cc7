"""Small dumps for tests: rows as the real ones are written, and a read of them in one call."""

from collections import Counter
from pathlib import Path
from xml.sax.saxutils import escape

import pyarrow.parquet as pq

from limakit.curate.editor import Editor
from limakit.engine import LocalExecutor
from limakit.recipe import Curate
from limakit.records import Candidate
from limakit.sources.stackexchange.find import find_dumps
from limakit.sources.stackexchange.read import Harvest, read
from limakit.store import files
from limakit.store.rejects import RejectLog

PROSE = "Water conducts heat far better than air does, so a wet hand burns sooner than a dry one. "
GOOD = "<p>" + PROSE * 16 + "</p>\n"


def value(text: str) -> str:
    """An attribute value as the dump writes it."""
    return escape(text, {'"': "&quot;", "\n": "&#xA;", "\r": "&#xD;"})


def question(number: int, title: str = "Why does a wet hand burn sooner?", **more: object) -> str:
    """The row of a question."""
    fields = {
        "Id": number,
        "PostTypeId": 1,
        "CreationDate": "2015-01-27T20:09:32.720",
        "Score": 3,
        "ViewCount": 10,
        "Body": f"<p>Why does a wet hand burn sooner than a dry one on a hot pan? Case {number}.</p>\n",
        "OwnerUserId": 4,
        "LastActivityDate": "2015-01-27T20:09:32.720",
        "Title": title,
        "Tags": "<heat>",
    }
    return row({**fields, **more})


def answer(number: int, parent: int, score: int = 12, body: str | None = None, **more: object) -> str:
    """The row of an answer; its text is its own unless a body is given."""
    fields = {
        "Id": number,
        "PostTypeId": 2,
        "ParentId": parent,
        "CreationDate": "2015-01-28T20:09:32.720",
        "Score": score,
        "Body": f"<p>Case {number}.</p>\n{GOOD}" if body is None else body,
        "OwnerUserId": 5,
        "LastActivityDate": "2015-01-28T20:09:32.720",
    }
    return row({**fields, **more})


def row(fields: dict[str, object]) -> str:
    """One row, attributes in the order given; None leaves one out."""
    return "  <row " + " ".join(f'{k}="{value(str(v))}"' for k, v in fields.items() if v is not None) + " />"


def dump(folder: Path, rows: list[str] | list[bytes], *, end: str = "\n", name: str = "Posts.xml") -> Path:
    """Write a Posts.xml of these rows."""
    lines = [line if isinstance(line, bytes) else line.encode() for line in rows]
    folder.mkdir(parents=True, exist_ok=True)
    head = b'\xef\xbb\xbf<?xml version="1.0" encoding="utf-8"?>' + end.encode() + b"<posts>" + end.encode()
    (folder / name).write_bytes(head + b"".join(line + end.encode() for line in lines) + b"</posts>")
    return folder / name


def harvest(
    path: Path | list[Path], out: Path, *, workers: int = 1, split_bytes: int = 32 << 20, **settings: object
) -> tuple[Harvest, list[Candidate], Counter[str]]:
    """Read dumps with the paper's rules: the harvest, its candidates and the rejects by rule."""
    dumps = [found for one in (path if isinstance(path, list) else [path]) for found in find_dumps(one)]
    out.mkdir(parents=True, exist_ok=True)
    with RejectLog(out / "rejects.parquet") as log:
        got = read(
            dumps,
            Editor.of(Curate.model_validate(settings)),
            executor=LocalExecutor(workers),
            folder=out,
            rejects=log,
            split_bytes=split_bytes,
        )
    for site in got.sites:
        assert site.answers == sum(site.rejected.values()) + site.candidates, site
    rules = Counter(pq.read_table(out / "rejects.parquet")["rule"].to_pylist())
    assert sum(rules.values()) == log.count
    return got, files.read_jsonl(got.candidates, Candidate), rules
