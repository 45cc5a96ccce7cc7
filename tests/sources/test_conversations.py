"""Ready-made instruction data, whatever its layout."""

from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from limakit.errors import InputError
from limakit.recipe_sources import Conversations
from limakit.sources.conversations.read import ENDINGS, EXPECTED, read
from limakit.sources.given import find
from tests.sources.items import curated, given, sort

SETTINGS = Conversations(kind="conversations", path="x", licence="CC BY-SA 3.0")
HELLO = ("Say hello.\n\nIn French.", "Bonjour.")
ROWS: dict[str, list[dict[str, Any]]] = {
    "messages": [
        {"messages": [{"role": "user", "content": HELLO[0]}, {"role": "assistant", "content": HELLO[1]}]},
        {"messages": [{"role": "tool", "content": "x"}]},
    ],
    "sharegpt": [
        {"id": "a", "conversations": [{"from": "human", "value": HELLO[0]}, {"from": "gpt", "value": HELLO[1]}]},
        {"id": "b", "conversations": [{"from": "gpt", "value": "Hi"}]},
    ],
    "alpaca": [
        {"instruction": "Say hello.", "input": "In French.", "output": HELLO[1]},
        {"instruction": "Say hello.", "input": "", "output": " "},
    ],
    "plain": [
        {"prompt": HELLO[0], "response": HELLO[1], "licence": None},
        {"prompt": "Why?", "response": "", "licence": None},
    ],
    "dolly": [
        {"instruction": "Say hello.", "context": "In French.", "response": HELLO[1], "category": "open_qa"},
        {"instruction": "", "context": "", "response": "x", "category": "open_qa"},
    ],
}


def test_a_table_with_any_delimiter_is_read_and_a_bad_row_quarantined(tmp_path: Path) -> None:
    for delimiter in ",;\t":
        (tmp_path / "x.csv").write_text(
            f'\ufeffPrompt{delimiter} response\n"{HELLO[0]}"{delimiter}{HELLO[1]}\nalone\nWhy?{delimiter}\n'
        )
        got = sort(read(find(tmp_path, ENDINGS, EXPECTED), SETTINGS))
        (kept,) = got.candidates
        assert (kept.prompts[0], kept.replies[0].content, kept.id) == (*HELLO, "conversations/x.csv/1")
        assert (got.rules, len(got.damaged)) == ({"no_dialogue": 1}, 1)


@pytest.mark.parametrize("ending", [".jsonl", ".json", ".parquet", ".jsonl.zst"])
@pytest.mark.parametrize("layout", ROWS)
def test_every_layout_in_every_format_is_detected(tmp_path: Path, layout: str, ending: str) -> None:
    path, rows = tmp_path / f"x{ending}", ROWS[layout]
    if ending == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif ending == ".json":
        path.write_bytes(orjson.dumps(rows))
    else:
        data = b"\n".join(map(orjson.dumps, rows))
        path.write_bytes(zstandard.compress(data) if ending.endswith("zst") else data)
    got = sort(read(find(tmp_path, ENDINGS, EXPECTED), SETTINGS))
    (kept,) = got.candidates
    assert (kept.prompts[0], kept.replies[0].content) == HELLO
    assert (kept.id, kept.provenance[0].licence) == (f"conversations/x{ending}/1", "CC BY-SA 3.0")
    assert (got.rules, got.damaged) == ({"no_dialogue": 1}, [])


def test_a_record_may_state_its_own_licence(tmp_path: Path) -> None:
    file = given(tmp_path / "x.jsonl", [{**ROWS["alpaca"][0], "license": "CC0", "author": "Ada"}])
    (kept,) = sort(read([file], SETTINGS)).candidates
    assert (kept.provenance[0].licence, kept.provenance[0].author) == ("CC0", "Ada")


def test_nothing_of_a_record_is_dropped_in_silence(tmp_path: Path) -> None:
    """A system text, the history of an Alpaca record, and turns that name their fields as the other layout does."""
    asked, last = {"instruction": "And?", "output": "Two."}, {"from": "human", "value": "Hi"}
    rows = {
        "history": {**asked, "input": "", "history": [["Why?", "One."]], "system": "Be brief."},
        "empty": {**asked, "history": [], "system": " "},
        "sharegpt": {"conversations": [last, {"from": "gpt", "value": "Ho"}], "system": "Be brief."},
        "mixed": {"conversations": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}]},
        "messages": {"messages": [last, {"from": "gpt", "value": "Ho"}]},
    }
    said = {}
    for name, row in rows.items():
        (kept,) = sort(read([given(tmp_path / f"{name}.jsonl", [row])], SETTINGS)).candidates
        said[name] = [kept.prompts[0], *(turn.content for turn in kept.replies)]
    assert said == {
        "history": ["Be brief.\n\nWhy?", "One.", "And?", "Two."],
        "empty": ["And?", "Two."],
        "sharegpt": ["Be brief.\n\nHi", "Ho"],
        "mixed": ["Hi", "Ho"],
        "messages": ["Hi", "Ho"],
    }
    bad = [{**asked, "history": [["a"]]}, {**asked, "history": 3}, {**asked, "history": "no"}, {**asked, "system": 1}]
    got = sort(read([given(tmp_path / "bad.jsonl", [rows["empty"], *bad])], SETTINGS))
    assert (len(got.candidates), len(got.damaged)) == (1, len(bad))


def test_damage_costs_its_record_alone(tmp_path: Path) -> None:
    good = orjson.dumps(ROWS["messages"][0])
    bad = [b"{", b"3", b"null", b"", b'{"messages": 3}', b'{"messages": [3]}', b'{"messages": [{"role": "user"}]}',
           b'{"instruction": "a", "output": "b"}', b"[" * 100_000]  # fmt: skip
    got = sort(read([given(tmp_path / "x.jsonl", b"\n".join([*bad, good]))], SETTINGS))
    assert (len(got.candidates), got.passed["other"], len(got.damaged)) == (1, 2, 7)


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("x.jsonl", b'{"text": "a", "label": 1}', "its first record has the fields text, label"),
        ("x.jsonl", b"", "it holds no records"),
        ("x.json", b'{"instruction": "a", "output": "b"}', "holds no list"),
        ("x.json", b'{"a":1}\n{"a":2}', "If it is JSONL, name it .jsonl"),
        ("x.parquet", b"PAR1 and then nothing", "no readable Parquet"),
        ("x.jsonl.zst", b"no zstd at all", "is damaged"),
        ("x.jsonl.zst", zstandard.compress(b"x" * 1000)[:-3], "breaks off"),
    ],
)
def test_what_is_no_such_file_is_one_clear_error(tmp_path: Path, name: str, data: bytes, says: str) -> None:
    with pytest.raises(InputError, match=says):
        sort(read([given(tmp_path / name, data)], SETTINGS))


def test_public_files_are_read_whole(tmp_path: Path, real_data: Path) -> None:
    for name, size in (("alpaca_random_9k.json", 9229), ("dolly_3k.json", 2996)):
        got = sort(read(find(real_data / "instructions" / name, ENDINGS, EXPECTED), SETTINGS))
        assert len(got.candidates) + len(got.rejects) == size
        assert not got.damaged
        assert len(got.rejects) < 40
    path = real_data / "instructions" / "dolly_3k.json"
    funnel, train = curated(tmp_path, f'[[sources]]\nkind = "conversations"\npath = "{path}"\ngroup = "dolly"\n')
    assert funnel["total"]["answers"] == 2996
    assert len(train) == funnel["total"]["kept"] > 2800
