import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limakit.errors import InputError
from limakit.records import Example, Prompt, Provenance, Turn
from limakit.store import files

texts = st.text(st.characters(codec="utf-8"), max_size=40)
turns = st.lists(st.builds(Turn, role=st.sampled_from(["user", "assistant"]), content=texts), max_size=3).map(tuple)


@given(st.lists(st.builds(Example, id=texts, messages=turns, source=texts, group=texts, site=texts), max_size=4))
def test_records_survive_jsonl(tmp_path_factory: pytest.TempPathFactory, examples: list[Example]) -> None:
    path = tmp_path_factory.mktemp("x") / "a.jsonl"
    files.write_jsonl(path, examples)
    assert files.read_jsonl(path, Example) == examples


def test_provenance_survives(tmp_path: Path) -> None:
    post = Provenance(source="stackexchange", site="coffee", id="140", licence="CC BY-SA 3.0")
    prompt = Prompt(id="p", messages=(Turn(role="user", content="?"),), provenance=(post,))
    files.write_jsonl(tmp_path / "a.jsonl", [prompt])
    assert files.read_jsonl(tmp_path / "a.jsonl", Prompt) == [prompt]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b'{"id": 3, "messages": []}', "line 2: field 'id'"),
        (b'{"id": "x", "messages": [{"role": "system", "content": ""}]}', "field 'messages.0.role'"),
        (b'{"id": "x", "messages": [], "colour": "red"}', "field 'colour'"),
        (b'{"id": "x"', "line 2: Invalid JSON"),
        (b'{"id": "\xff"}', "line 2"),
    ],
)
def test_bad_line_is_named(tmp_path: Path, line: bytes, says: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"id": "ok", "messages": []}\n' + line + b"\n")
    with pytest.raises(InputError) as caught:
        files.read_jsonl(path, Prompt)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_publish_leaves_the_old_file_when_the_writer_fails(tmp_path: Path) -> None:
    path = tmp_path / "a"
    files.publish(path, b"old")

    def blocks():
        yield b"new"
        raise RuntimeError("killed here")

    with pytest.raises(RuntimeError):
        files.publish(path, blocks())
    assert path.read_bytes() == b"old"


def test_publish_never_retries_a_failed_fsync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def fail(handle: int) -> None:
        calls.append(handle)
        raise OSError("no space")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="no space"):
        files.publish(tmp_path / "a", b"x")
    assert len(calls) == 1
    assert not (tmp_path / "a").exists()
