"""Anybody's verdict files: each layout by hand, mistakes in one line, and the public files with their figures."""

import csv
import json
from contextlib import suppress
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from limakit.errors import InputError
from limakit.records import Verdict
from limakit.report.summary import summarise
from limakit.report.verdict_files import read

from .test_rates import board


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def lines(rows: list[dict[str, object]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_ours(tmp_path: Path) -> None:
    verdicts = board(3, 1, 2, 1)
    path = tmp_path / "verdicts.jsonl"
    path.write_bytes(b"".join(orjson.dumps(verdict) + b"\n" for verdict in verdicts))
    found = read(path)
    assert (found.layout, found.verdicts) == ("limakit", verdicts)


def test_alpaca_eval(tmp_path: Path) -> None:
    def row(preference: float | None, number: int = 0) -> dict[str, object]:
        texts: dict[str, object] = {"instruction": f"Why {number}?", "output_1": "abc", "output_2": "abcde"}
        return texts | {"generator_1": "base", "generator_2": "new", "annotator": "gpt", "preference": preference}

    given = [row(1, 0), row(2, 1), row(1.5, 2), row(0, 3), row(None, 4), row(1.25, 5), row(2, 1)]
    found = read(write(tmp_path, "annotations.json", json.dumps(given)))
    assert found.layout == "AlpacaEval"
    assert [v.label for v in found.verdicts] == ["a", "b", "tie", "tie", None, "a", "b"]
    assert len({v.prompt_id for v in found.verdicts}) == 6
    assert len({v.pair_id for v in found.verdicts}) == 7
    assert set(found.lengths[found.verdicts[0].pair_id].items()) == {("base", 3), ("new", 5)}
    assert [p for _, p in found.preferences.values()] == [0, 1, 0.5, 0.5, 0.25, 1]
    summary = summarise(
        found.verdicts, candidate="new", preferences=found.preferences, lengths=found.lengths, resamples=300
    )
    against = summary["judges"][0]["against"][0]
    assert against["preference"]["value"] == pytest.approx(3.25 / 6)
    assert (against["win"], against["tie"], against["lose"], against["missing"]) == (2, 2, 2, 1)


def test_battles_with_repeated_rows_keep_their_prompt(tmp_path: Path) -> None:
    row = {"question_id": 7, "model_a": "x", "model_b": "y", "winner": "model_b"}
    given = [row, row, row, row | {"question_id": 8, "winner": "tie (bothbad)"}, row | {"winner": "error"}]
    found = read(write(tmp_path, "b.jsonl", lines(given)))
    assert [v.label for v in found.verdicts] == ["b", "b", "b", "tie", None]
    assert [v.prompt_id for v in found.verdicts] == ["7", "7", "7", "8", "7"]
    assert summarise(found.verdicts, candidate="y", resamples=300)["judges"][0]["against"][0]["prompts"] == 2


def test_arena_hard_judgements_are_two_games_with_the_sides_changed(tmp_path: Path) -> None:
    row = {"question_id": "q1", "model": "new", "judge": "gpt", "games": [{"score": "A>>B"}, {"score": "A>B"}]}
    given = [row, row | {"uid": "q2", "question_id": "q2", "games": [{"score": "A=B"}, {"score": None}]}]
    found = read(write(tmp_path, "new.jsonl", lines(given)))
    assert found.layout == "Arena-Hard judgements"
    assert [v.winner for v in found.verdicts] == ["baseline"] * 3 + ["new", None, None]
    assert [v.label for v in found.verdicts[-2:]] == ["tie", None]
    judge = summarise(found.verdicts, candidate="new", resamples=300)["judges"][0]
    against = judge["against"][0]
    assert (against["win"], against["tie"], against["lose"], against["missing"], against["prompts"]) == (1, 1, 3, 1, 2)
    assert judge["position"]["sides_vary"]


def test_mt_bench_pairs_count_what_wins_in_both_orders(tmp_path: Path) -> None:
    row = {"question_id": 81, "model_1": "x", "model_2": "y", "judge": ["gpt-4", "pair-v2"], "turn": 1}
    said = [("model_1", "model_1"), ("model_1", "model_2"), ("tie", "model_2"), ("tie", "tie"), ("model_2", "error")]
    given = [row | {"question_id": n, "g1_winner": one, "g2_winner": two} for n, (one, two) in enumerate(said)]
    found = read(write(tmp_path, "gpt-4_pair.jsonl", lines(given)))
    assert [v.label for v in found.verdicts] == ["a", "tie", "tie", "tie", None]
    assert {v.judge for v in found.verdicts} == {"gpt-4-pair-v2"}
    both = [
        row | {"g1_winner": "model_1", "g2_winner": "model_1"},
        row | {"turn": 2, "g1_winner": "tie", "g2_winner": "tie"},
    ]
    found = read(write(tmp_path, "turns.jsonl", lines(both)))
    assert len({v.pair_id for v in found.verdicts}) == 2
    assert {v.prompt_id for v in found.verdicts} == {"81"}


def test_reviews(tmp_path: Path) -> None:
    row = {"question_id": 1, "answer1_id": "u", "answer2_id": "v", "reviewer_id": 1, "score": [8, 9.5]}
    given = [row, row | {"question_id": 2, "score": [7, 7]}, row | {"question_id": 3, "score": [-1, -1]}]
    found = read(write(tmp_path, "review_old_new.jsonl", lines(given)))
    assert [(v.a, v.b, v.label) for v in found.verdicts] == [("old", "new", x) for x in ("b", "tie", None)]
    assert read(write(tmp_path, "other.jsonl", lines(given))).verdicts[0].a == "first"


def test_csv(tmp_path: Path) -> None:
    text = "prompt,judge,a,b,label,length_a,length_b\n1,p,x,y,a,10,20\n1,q,y,x,x,20,10\n2,p,x,y,tie,,\n3,p,x,y,,5,5\n"
    found = read(write(tmp_path, "v.csv", "\ufeff" + text.replace("\n", "\r\n")))
    assert [v.label for v in found.verdicts] == ["a", "b", "tie", None]
    assert [v.winner for v in found.verdicts] == ["x", "x", None, None]
    assert found.verdicts[0].pair_id == found.verdicts[1].pair_id
    assert found.lengths[found.verdicts[0].pair_id] == {"x": 10, "y": 20}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("v.json", "", "is empty"),
        ("v.json", '[{"a": 1}]', "not a layout that is known: its first row has 'a'"),
        ("v.json", "[]", "holds no rows"),
        ("v.json", "[1, 2]", "holds no rows"),
        ("v.json", '{\n  "a": 1\n}', "is one JSON object"),
        ("v.json", "[{", "not valid JSON"),
        ("v.jsonl", '{"model_a": "x", "model_b": "y", "winner": "z"}', "row 1: winner 'z' is none of"),
        ("v.jsonl", '{"model_a": "", "model_b": "y", "winner": "tie"}', "row 1: model_a is not a name"),
        ("v.jsonl", '{"score": 1, "question_id": 1, "answer1_id": 1}', "row 1: score is not a list"),
        ("v.jsonl", '{"model": "x", "games": [1]}', "row 1: games is not a list of two"),
        (
            "v.jsonl",
            '{"question_id": 1, "model_1": "x", "model_2": "y", "g1_winner": "x", "g2_winner": "tie"}',
            "row 1: g1_winner 'x' is none of model_1, model_2, tie, error",
        ),
        ("v.csv", "prompt,a,b,label\n1,x,y,maybe\n", "row 2: label 'maybe' is none of a, b, tie, x, y or empty"),
        ("v.csv", "prompt,a,b,label\n1,x,y\n", "row 2: has not as many fields"),
        ("v.csv", "prompt,a,b,label,length_a,length_b\n1,x,y,a,1,two\n", "row 2: length_a and length_b must"),
        ("v.csv", "prompt,who\n1,x\n", "not a layout"),
        ("v.jsonl", '{"pair_id":"1","prompt_id":"1","judge":"j","a":"x","b":"y","label":"c"}', "row 1: label: Input"),
    ],
)
def test_mistakes_are_one_line_with_a_remedy(tmp_path: Path, name: str, text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        read(write(tmp_path, name, text))
    said = str(caught.value)
    assert message in said
    assert name in said
    assert "\n" not in said


def test_what_is_not_a_file_of_text(tmp_path: Path) -> None:
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00\x01")
    for path, message in (
        (tmp_path, "is a folder"),
        (tmp_path / "no", "no such file"),
        (tmp_path / "bytes.csv", "UTF-8"),
    ):
        with pytest.raises(InputError, match=message):
            read(path)


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_file_escapes_as_anything_but_one_clear_error(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.json"
    for start in (b"", b"[", b'{"model_a":"x","model_b":"y","winner":', b"prompt,a,b,label\n"):
        path.write_bytes(start + data)
        with suppress(InputError):
            assert all(isinstance(verdict, Verdict) for verdict in read(path).verdicts)


def test_alpaca_eval_published_win_rates(real_data: Path) -> None:
    folder = real_data / "judgments" / "alpaca_eval"
    with open(folder / "leaderboards/data_AlpacaEval_2/weighted_alpaca_eval_gpt4_turbo_leaderboard.csv") as file:
        board = {row[""]: row for row in csv.DictReader(file)}
    found = read(folder / "results/claude-2.1/weighted_alpaca_eval_gpt4_turbo/annotations.json")
    row = summarise(found.verdicts, candidate="claude-2.1", preferences=found.preferences, resamples=300)["judges"][0][
        "against"
    ][0]
    published = board["claude-2.1"]
    assert 100 * row["preference"]["value"] == pytest.approx(float(published["win_rate"]), abs=1e-9)
    assert 100 * row["preference"]["error"] == pytest.approx(float(published["standard_error"]), abs=1e-9)
    assert 100 * row["win_rate"]["value"] == pytest.approx(float(published["discrete_win_rate"]), abs=1e-9)
    names = ("n_wins", "n_draws", "n_wins_base")
    assert [row["win"], row["tie"], row["lose"]] == [int(published[name]) for name in names]


def test_every_public_file_of_verdicts_is_read_whole(real_data: Path) -> None:
    files = sorted((real_data / "judgments").glob("**/review*_*_*.jsonl"))
    files += sorted((real_data / "judgments").glob("**/annotations.json"))
    files = [path for path in files if path.is_file()]
    assert len(files) >= 19
    for path in files:
        count = len(json.loads(path.read_text())) if path.suffix == ".json" else len(path.read_text().splitlines())
        assert len(read(path).verdicts) == count
