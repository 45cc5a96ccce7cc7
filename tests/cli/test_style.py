"""`limakit style`: findings with the example's name, and one line for a file that is none."""

import re

import orjson
import pytest
from typer.testing import CliRunner

from limakit.cli.app import app
from limakit.errors import InputError

runner = CliRunner()


def line(number: str | None, answer: str) -> bytes:
    messages = [{"role": "user", "content": "Why do cats purr?"}, {"role": "assistant", "content": answer}]
    return orjson.dumps({"messages": messages, **({"id": number} if number else {}), "score": 3}) + b"\n"


def test_findings_name_the_example_the_fault_and_the_remedy(tmp_path):
    path = tmp_path / "written.jsonl"
    path.write_bytes(line("cats", "Certainly! Cats purr when they breathe.") + line(None, "Cats purr by a muscle.") * 4)
    said = runner.invoke(app, ["style", str(path)], catch_exceptions=False).stdout
    assert "cats: opens with “Certainly”, which would fit any question: begin with what was asked" in said
    assert "4 of 5 answers begin “cats purr by …”: vary it" in said
    assert "line 2, line 3, line 4, line 5" in said
    assert "5 examples, 4 without a finding; 1 findings on single answers, 2 on all together." in " ".join(said.split())
    data = orjson.loads(runner.invoke(app, ["style", str(path), "--json"], catch_exceptions=False).stdout)
    assert data["findings"] == [
        {"id": "cats", "check": "stock_opening", "turn": 1, "says": data["findings"][0]["says"]}
    ]


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "holds no examples"),
        (b'{"text": "a"}\n', "example 1.*messages"),
        (b'{"messages": [{"role": "system", "content": "a"}, {"role": "user", "content": "b"}]}\n', "messages.0.role"),
        (b"[]\n", "line 1"),
    ],
)
def test_a_file_that_is_none_gives_one_line(tmp_path, data, what):
    path = tmp_path / "x.jsonl"
    path.write_bytes(data)
    with pytest.raises(InputError) as error:
        runner.invoke(app, ["style", str(path)], catch_exceptions=False)
    assert re.search(what, str(error.value))
    assert str(error.value).startswith(str(path))
