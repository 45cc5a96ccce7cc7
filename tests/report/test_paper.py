"""The paper's tables as data: what they add up to, what their intervals say, and the page made of them."""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from limakit.cli.start import paper
from limakit.errors import StudyError
from limakit.report.page import Report
from limakit.report.paper import TABLES, build, numbers


@pytest.fixture(scope="module")
def page() -> Report:
    return build()


def row(page: Report, judge: int, baseline: str) -> Mapping[str, Any]:
    return next(row for row in page.numbers["preference"][judge]["against"] if row["baseline"] == baseline)


def test_the_tables_add_up() -> None:
    told = tomllib.loads(TABLES.read_text(encoding="utf-8"))
    for table in told["preference"]:
        assert len(table["rows"]) == 5
        assert all(line["win"] + line["tie"] + line["lose"] == 100 for line in table["rows"])
    totals = [sum(line["counts"].values()) for name in ("grades", "safety", "dialogue") for line in told[name]]
    assert totals == [50, 20, 30, 10, 42, 46]


def test_printed_shares_come_back_with_intervals(page: Report) -> None:
    claim = row(page, 0, "Alpaca 65B")
    assert (claim["win"], claim["tie"], claim["lose"], claim["prompts"]) == (159, 63, 78, 300)
    assert claim["win_share"]["value"] == 0.53
    # 43 % of 300 is 5.6 points either way (Wilson's interval is a little narrower off the middle).
    half = (claim["win_share"]["high"] - claim["win_share"]["low"]) / 2
    assert half == pytest.approx(0.0565, abs=0.001)
    assert claim["detectable"] == pytest.approx(0.072, abs=0.001)
    assert row(page, 1, "Bard")["seen_once"]
    assert not row(page, 0, "Bard")["seen_once"]


def test_what_300_prompts_can_tell(page: Report) -> None:
    html = page.html.replace("\u00a0", " ")
    assert "LIMA 65B is ahead of Alpaca 65B, behind Claude and GPT-4; DaVinci003 and Bard cannot be told apart" in html
    safe, malicious = page.numbers["safety"]
    assert (round(safe["rate"]["low"], 2), round(safe["rate"]["high"], 2)) == (0.63, 0.90)
    assert malicious["rate"]["low"] < 0.5 < malicious["rate"]["high"]
    assert page.numbers["dialogue_test"]["p"] < 0.01
    for line in page.numbers["agreement"]:
        assert 0.52 < line["chance"] < 0.56
        assert line["low"] < line["rate"] < line["high"]
    # GPT-4's own answers do not gain more from GPT-4 as judge than Claude's do.
    gains = {line["baseline"]: line["difference"] for line in page.numbers["judges"]}
    assert gains["GPT-4"] == pytest.approx(0.04)
    assert gains["GPT-4"] < gains["Claude"]


def test_the_page_stands_alone_and_repeats(page: Report) -> None:
    assert build() == page
    assert json.loads(json.dumps(page.numbers, allow_nan=False)) == page.numbers
    assert "<script" not in page.html
    assert "src=" not in page.html
    assert sorted(page.figures) == ["paper-1", "paper-2", "paper-dialogue", "paper-grades", "paper-safety"]
    for svg in page.figures.values():
        assert ElementTree.fromstring(svg).get("role") == "img"
        assert svg.strip() in page.html
    wide = numbers(confidence=0.99, resamples=500)["preference"][0]["against"][0]["win_rate"]
    usual = row(page, 0, "Alpaca 65B")["win_rate"]
    assert wide["high"] - wide["low"] > usual["high"] - usual["low"]


def test_it_is_written_beside_a_study_never_into_one(tmp_path: Path, page: Report) -> None:
    written = paper(tmp_path / "paper")
    assert written.read_text(encoding="utf-8") == page.html
    assert len(list((tmp_path / "paper" / "figures").iterdir())) == 5
    assert json.loads((tmp_path / "paper" / "paper.json").read_text())["system"] == "LIMA 65B"
    (tmp_path / "recipe.toml").write_text("")
    for path, message in ((tmp_path, "is a study"), (tmp_path / "recipe.toml", "is not a folder")):
        with pytest.raises(StudyError, match=message):
            paper(path)
