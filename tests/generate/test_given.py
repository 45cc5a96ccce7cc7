"""Files of prompts and answers as other tools write them: every layout, and one line for every row that is wrong."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from limakit.errors import InputError
from limakit.generate.given import key, misread, read
from limakit.records import Turn

ASKED = (Turn(role="user", content="Why is the sky blue?"),)
ANSWER = "Short waves scatter more."


def lines(path: Path, *rows: Any) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def said(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "Why is the sky blue?", "response": ANSWER},
        {"question": "Why is the sky blue?", "answer": ANSWER, "other": 7},
        {"Prompt ": "Why is the sky blue?", "RESPONSE": ANSWER},
        {"prompt": [user("Why is the sky blue?")], "completion": [said(ANSWER)]},
        {"instruction": "Why is the sky blue?", "input": "", "output": ANSWER},
        {"instruction": "Why is the sky blue?", "output": ANSWER, "generator": "m", "dataset": "d"},
        {"messages": [{"role": "system", "content": "Be brief."}, user("Why is the sky blue?"), said(ANSWER)]},
        {"conversations": [{"from": "human", "value": "Why is the sky blue?"}, {"from": "gpt", "value": ANSWER}]},
    ],
)
def test_a_row_of_every_layout_says_the_same(tmp_path: Path, row: dict[str, Any]) -> None:
    (one,) = read(lines(tmp_path / "a.jsonl", row))
    assert (one.asked, one.answer, one.name) == (ASKED, ANSWER, None)
    (tmp_path / "list.json").write_text("\ufeff" + json.dumps([row]), encoding="utf-8")
    assert read(tmp_path / "list.json")[0].asked == ASKED


def test_an_instruction_with_an_input_is_one_question(tmp_path: Path) -> None:
    (one,) = read(lines(tmp_path / "a.jsonl", {"instruction": "Translate.", "input": "Chat", "output": "Cat"}))
    assert one.asked[0].content == "Translate.\n\nChat"


def test_earlier_turns_belong_to_the_prompt(tmp_path: Path) -> None:
    (one,) = read(lines(tmp_path / "a.jsonl", {"messages": [user("Hi"), said("Hello"), user("Why?"), said("So.")]}))
    assert [turn.content for turn in one.asked] == ["Hi", "Hello", "Why?"]
    assert one.answer == "So."


def test_answers_that_name_their_prompt_by_its_id(tmp_path: Path) -> None:
    rows = [{"question_id": 7, "text": "x"}, {"question_id": 8, "text": ""}]
    assert [(r.name, r.asked, r.answer) for r in read(lines(tmp_path / "a.jsonl", *rows))] == [
        ("7", (), "x"),
        ("8", (), ""),
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_tables_with_any_delimiter_long_fields_and_line_breaks(tmp_path: Path, delimiter: str) -> None:
    long = "very " * 40_000
    path = tmp_path / "a.csv"
    path.write_bytes(
        f'prompt{delimiter}response\r\n"Why, or\nwhy not?"{delimiter}"{long}"\r\nNext?{delimiter}\r\n'.encode(
            "utf-8-sig"
        )
    )
    one, two = read(path)
    assert (one.asked[0].content, one.answer) == ("Why, or\nwhy not?", long)
    assert (two.asked[0].content, two.answer) == ("Next?", "")


def test_parquet(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_pylist([{"prompt": "Why?", "response": "So."}]), tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet")[0].answer == "So."


def test_a_null_is_no_answer_and_an_empty_text_is_one(tmp_path: Path) -> None:
    rows = [{"prompt": "a", "response": None}, {"prompt": "b", "response": ""}, {"prompt": "c"}]
    assert [row.answer for row in read(lines(tmp_path / "a.jsonl", *rows))] == [None, "", None]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "holds no rows"),
        ("[]", "holds no rows"),
        ('{"a": 1}\n', "its first row has 'a'"),
        ('{"prompt": "x", "response": "y"}\n{"prompt": ', "line 2: not valid JSON"),
        ('{"prompt": "x", "response": "y"}\n[1]\n', "line 2: is no object"),
        ('{"prompt": "x", "response": "y"}\n{"prompt": " ", "response": "y"}\n', "line 2: its prompt is empty"),
        ('{"prompt": "x", "response": "y"}\n{"prompt": 3, "response": "y"}\n', "line 2: prompt is no text"),
        ('{"prompt": "x", "response": "y"}\n{"prompt": "x", "response": 4}\n', "line 2: response is no text"),
        ('{"prompt": "x", "response": "y"}\n{"response": "y"}\n', "line 2: has neither a prompt nor"),
        ('{"messages": [{"role": "tool", "content": "x"}]}', "who is neither user nor assistant"),
        ('{"messages": "x"}', "no list of turns"),
        ('{"messages": [{"role": "user", "content": "x"}, {"role": "user", "content": "y"}]}', "do not alternate"),
        ('[{"prompt": "x", "response": "y"}', "not valid JSON"),
        ("prompt,response\nx\n", "line 2: has not as many fields"),
        ("one,two\nx,y\n", "its first row has 'one', 'two'"),
    ],
)
def test_what_is_wrong_is_one_line_with_its_place(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "a.txt").write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as error:
        read(tmp_path / "a.txt")
    assert says in str(error.value)
    assert "\n" not in str(error.value)
    assert error.value.fix


def test_a_file_in_another_encoding_says_how_to_convert_it(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("prompt,response\nWhy?,café\n".encode("cp1252"))
    with pytest.raises(InputError, match=r"line 2: is not UTF-8.*iconv"):
        read(tmp_path / "a.csv")
    with pytest.raises(InputError, match="no such file"):
        read(tmp_path / "none.jsonl")
    (tmp_path / "b.parquet").write_text("no table")
    with pytest.raises(InputError, match="Parquet"):
        read(tmp_path / "b.parquet")


def test_white_space_and_composed_accents_do_not_make_another_prompt() -> None:
    def text(content: str) -> str:
        return key((Turn(role="user", content=content),))

    assert text(" Un  café?\r\n") == text("Un cafe\u0301?")
    assert text("Why?") != text("why?")
    assert key((Turn(role="user", content="a"), Turn(role="assistant", content="b"))) != text("a b")


def test_texts_that_were_read_in_a_wrong_encoding_are_noticed() -> None:
    for text in ("café", "naïve “quotes” – Grüße", "日本語"):
        assert not misread(text)
    assert misread("café".encode().decode("latin-1"))
    assert misread("it’s".encode().decode("cp1252"))
    assert misread("caf\ufffd")
