"""`limakit stats` and `limakit power` from the outside."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from limakit.cli.stats import plan, reckon
from limakit.errors import LimakitError
from tests.commands import fails, limakit, process


@pytest.fixture
def votes(tmp_path: Path) -> Path:
    path = tmp_path / "votes.csv"
    rows = [("prompt", "judge", "a", "b", "label", "length_a", "length_b")]
    for n in range(60):
        label = "tuned" if n % 2 else "base" if n % 3 else "tie"
        for judge in ("model:tuned", "person:p1"):
            a, b = ("tuned", "base") if n % 4 < 2 else ("base", "tuned")
            rows.append((str(n), judge, a, b, "tuned" if judge[0] == "m" and n % 5 else label, "90", str(80 + n)))
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def test_a_table_for_people(votes: Path) -> None:
    done = limakit("stats", votes, "--candidate", "tuned", "--resamples", 300)
    assert done.returncode == 0, done.stderr
    text = " ".join(done.stdout.replace("\u00a0", " ").split())
    assert "votes.csv: CSV, 120 verdicts, 0 missing" in text
    for word in (
        "win rate [95 %]",
        "at equal lengths",
        "beyond chance",
        "Preferred the longer answer",
        "find a win rate",
    ):
        assert word in text
    assert "Gave tuned, which it is itself, " in text


def test_everything_for_machines_and_the_same_bytes_again(votes: Path) -> None:
    words = ("stats", votes, "--json", "--candidate", "tuned", "--resamples", 300)
    done = limakit(*words)
    found = json.loads(done.stdout)
    person, model = found["judges"]
    assert (model["judge"], person["judge"]) == ("model:tuned", "person:p1")
    assert person["against"][0]["win"] == 30
    assert model["self"]["difference"] == pytest.approx(model["self"]["own"] - model["self"]["others"])
    assert found["files"] == [{"file": str(votes), "layout": "CSV", "verdicts": 120, "missing": 0}]
    assert process(*words).stdout == done.stdout, "also where sets have another order"
    assert limakit(*words, "--seed", 1).stdout != done.stdout


def values(*files: Path, **options: Any) -> dict[str, Any]:
    usual: dict[str, Any] = {
        "candidate": None, "baselines": (), "confidence": 0.95, "resamples": 300, "seed": 0, "look": None,
        "shape": "obrien-fleming", "authors": (),
    }  # fmt: skip
    return reckon(files, **usual | options)


def test_options_reach_the_numbers(votes: Path) -> None:
    def interval(**options: Any) -> float:
        rate = values(votes, candidate="tuned", **options)["judges"][0]["against"][0]["win_rate"]
        return rate["high"] - rate["low"]

    usual = interval()
    assert interval(confidence=0.8) < usual
    assert interval(look="1/3") > interval(look="1/3", shape="pocock") > usual
    assert values(votes, authors=["person:p1=base"])["judges"][0]["self"]["system"] == "base"
    assert len(values(votes, candidate="tuned", baselines=["base"])["judges"][0]["against"]) == 1


def test_mistakes(votes: Path, tmp_path: Path) -> None:
    assert "There are: base, tuned." in fails("stats", votes, "--candidate", "tunde")
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"baselines": ["base"]}, "--candidate NAME"),
        ({"look": "two"}, "not like 2/3"),
        ({"look": "1/2", "shape": "haybittle"}, "Choose one of: obrien-fleming, pocock"),
        ({"look": "3/2"}, "look 3 of 2"),
        ({"authors": ["x=base"]}, "The judges are: model:tuned, person:p1"),
    ]
    for options, message in wrong:
        with pytest.raises(LimakitError) as caught:
            values(votes, **options)
        assert message in str(caught.value)
    with pytest.raises(LimakitError, match="no such file"):
        values(tmp_path / "none.csv")
    with pytest.raises(LimakitError, match="two verdicts on pair"):
        values(votes, votes)


def test_hostile_names_do_nothing_to_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "v.csv"
    path.write_text('prompt,a,b,label\n1,"[bold]x\x1b[2J\u202e",y,a\n2,"[bold]x\x1b[2J\u202e",y,b\n', encoding="utf-8")
    done = limakit("stats", path, "--resamples", 100)
    assert "[bold]x⟨U+001B⟩[2J⟨U+202E⟩" in done.stdout.replace("\n", "")
    assert "\x1b" not in done.stdout


def test_power_before_asking_anybody() -> None:
    assert "5 points from 50 % takes 628 prompts" in limakit("power").stdout.replace("\u00a0", " ")
    usual: dict[str, Any] = {"ties": 0.2, "confidence": 0.95, "target": 0.8, "shape": "obrien-fleming"}
    text, found = plan(3, prompts=300, looks=3, **usual)
    assert found["prompts_needed"] == pytest.approx(1745 * found["inflation"], rel=0.001)
    assert found["detectable_points"] == pytest.approx(7.23 * found["inflation"] ** 0.5, abs=0.01)
    assert found["boundaries"] == sorted(found["boundaries"], reverse=True)
    assert "300 prompts find 7.3 points or more" in text
    assert plan(5, prompts=None, looks=1, **{**usual, "ties": 0.5})[1]["prompts_needed"] == 393
