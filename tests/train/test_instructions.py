"""Instruction data in Alpaca's layout and in ours; what is neither is one line."""

from pathlib import Path

import orjson
import pytest

from limakit.errors import InputError
from limakit.train.instructions import read

ALPACA = {"instruction": "Translate.", "input": "Haus", "output": "House."}
DIALOGUE = {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}], "id": 3}


def test_json_and_json_lines_give_the_same_examples(tmp_path: Path) -> None:
    rows = [ALPACA, DIALOGUE, {"instruction": "Sing.", "output": "La."}]
    (tmp_path / "a.json").write_bytes(b"\n" + orjson.dumps(rows))
    (tmp_path / "a.jsonl").write_bytes(b"\n\n".join(map(orjson.dumps, rows)))
    one, two = read(tmp_path / "a.json"), read(tmp_path / "a.jsonl")
    texts = [[turn.content for turn in example.messages] for example in one]
    assert texts == [["Translate.\n\nHaus", "House."], ["Hi", "Hello"], ["Sing.", "La."]]
    assert [example.messages for example in two] == [example.messages for example in one]
    assert len({example.id for example in one}) == 3


def test_rows_without_an_answer_are_left_out_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "a.json").write_bytes(orjson.dumps([ALPACA, {**ALPACA, "output": " "}]))
    assert len(read(tmp_path / "a.json")) == 1
    assert "1 of 2 rows are left out: a turn is empty" in caplog.text


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"[{]", "not valid JSON"),
        (b'{"a": 1}\n{"instruction"', "line 1|row 1"),
        (b'["text"]', "row 1: has neither messages nor instruction"),
        (b'[{"instruction": 3, "output": "x"}]', "row 1: has neither"),
        (b'{"messages": [{"role": "assistant", "content": "x"}]}', "do not alternate"),
        (b'{"messages": [{"role": "user", "content": "x"}]}', "do not alternate"),
        (b'{"messages": [{"role": "system", "content": "x"}]}', "messages: "),
        (b'{"messages": 3}', "messages: "),
    ],
)
def test_what_is_no_instruction_data_is_one_line(tmp_path: Path, data: bytes, said: str) -> None:
    (tmp_path / "a.jsonl").write_bytes(data)
    with pytest.raises(InputError, match=said) as caught:
        read(tmp_path / "a.jsonl")
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read(tmp_path / "none.json")
