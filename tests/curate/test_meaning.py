"""Contamination by meaning: other words, the same thing."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from limakit.curate.select import Selection, select
from limakit.recipe import Curate
from limakit.records import Candidate, Prompt, Provenance, Turn
from limakit.store import files
from limakit.store.rejects import RejectLog

THEMES = ("bread", "tides", "chess", "glass", "wool", "rust")
WORDS = {"bread": "loaf", "tides": "ebb", "chess": "gambit", "glass": "pane", "wool": "yarn", "rust": "oxide"}


def embed(texts: Sequence[str]) -> Any:
    """One direction a theme, whichever of its two words a text has, and a little of the text's own."""
    vectors = np.zeros((len(texts), len(THEMES) + 1), np.float32)
    for at, text in enumerate(texts):
        for place, theme in enumerate(THEMES):
            vectors[at, place] = theme in text or WORDS[theme] in text
        vectors[at, -1] = 0.1 + len(text) % 7 / 50
    return vectors


def candidate(number: int, theme: str, score: int) -> Candidate:
    return Candidate(
        id=f"x/site/{number}",
        source="x",
        group="g",
        site="site",
        prompts=(f"What is {theme}, in case {number}?",),
        replies=(Turn(role="assistant", content=f"Number {number} says of {theme} what there is to say."),),
        score=score,
        provenance=(Provenance(source="x", site="site", id=str(number)),),
    )


def chosen(folder: Path, **settings: Any) -> tuple[Selection, list[dict[str, Any]]]:
    """One candidate a theme, bread the best, and a test prompt on loaves."""
    pool = [candidate(n, theme, 30 - n) for n, theme in enumerate(THEMES)]
    files.write_jsonl(folder / "c.jsonl", pool)
    test = [Prompt(id="t", messages=(Turn(role="user", content="Explain a loaf."),), reference="A loaf is baked.")]
    recipe = Curate(quotas={"g": 3}, near_duplicates=0.0, contamination_cosine=0.0, **settings)
    with RejectLog(folder / "r.parquet") as log:
        got = select(
            [folder / "c.jsonl"],
            recipe,
            seed=0,
            rejects=log,
            folder=folder / "scratch",
            given={"test": test},
            embed=embed,
        )
    return got, pq.read_table(folder / "r.parquet").to_pylist()


@pytest.mark.parametrize("how", ["top", "diverse"])
def test_what_says_the_same_in_other_words_is_refused_and_replaced(how: str, tmp_path: Path) -> None:
    got, rejects = chosen(tmp_path, select=how, quality={"votes": 1.0})
    assert [pick.score for pick in got.picks] == [29, 28, 27]
    (leak,) = [row for row in rejects if row["rule"] == "same_meaning"]
    assert leak["id"] == "x/site/0"
    assert leak["detail"].startswith("test t: ")
    assert got.contamination["rejected"]["same_meaning"] == 1
    assert got.contamination["cases"][0]["candidate"] == "x/site/0"


def test_zero_drops_the_rule_and_distant_themes_pass(tmp_path: Path) -> None:
    got, _ = chosen(tmp_path, contamination_meaning=0.0)
    assert [pick.score for pick in got.picks] == [30, 29, 28]


def test_only_what_would_be_taken_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    plain = embed

    def watched(texts: Sequence[str]) -> Any:
        seen.extend(texts)
        return plain(texts)

    monkeypatch.setitem(chosen.__globals__, "embed", watched)
    got, _ = chosen(tmp_path)
    assert len(got.picks) == 3
    assert sum(text.startswith("What is") for text in seen) == 4
