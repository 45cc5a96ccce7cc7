"""The contamination gate: each kind is found, named and counted, and nothing that is left has any."""

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from limakit.curate.features import Features, authors_of, features, reply_of
from limakit.curate.leaks import Gate, target_of
from limakit.curate.nearest import Nearest
from limakit.curate.select import Selection, hold_out, select, split
from limakit.curate.survey import near_repeats, survey
from limakit.curate.tfidf import Weights
from limakit.curate.words import hashed
from limakit.curate.write import write
from limakit.engine import LocalExecutor
from limakit.recipe import Curate
from limakit.records import Candidate, Prompt, Provenance, Turn
from limakit.sources.stackexchange.read import SiteCount
from limakit.store import files
from limakit.store.rejects import RejectLog
from tests.curate.test_minhash import text

DRAW = random.Random(7)
REFERENCE = text(DRAW, 60)
ASKED = "Which flour makes the crust of a rye loaf crack while it bakes?"
GIVEN = Prompt(
    id="test-1",
    messages=(Turn(role="user", content=ASKED),),
    reference=REFERENCE,
    provenance=(Provenance(source="x", site="s", id="900", author="Ann"),),
)


def candidate(number: int, prompt: str | None = None, reply: str | None = None, **more: Any) -> Candidate:
    origin = Provenance(source="x", site="s", id=str(number), **more)
    return Candidate(
        id=f"x/s/{number}",
        source="x",
        group="g",
        site="s",
        prompts=(prompt or text(DRAW, 12),),
        replies=(Turn(role="assistant", content=reply or text(DRAW, 80)),),
        score=number,
        provenance=(origin,),
    )


CLEAN = candidate(1)
THREAD = candidate(2)
THREAD = replace(THREAD, provenance=(*THREAD.provenance, Provenance(source="x", site="s", id="900")))
TEXT = candidate(3, "which flour makes the crust of a RYE loaf crack, while it bakes")
QUOTED = candidate(4, reply=f"{text(DRAW, 40)} so {' '.join(REFERENCE.split()[20:33])} so {text(DRAW, 40)}")
ALMOST = candidate(5, reply=f"{text(DRAW, 40)} so {' '.join(REFERENCE.split()[20:32])} so {text(DRAW, 40)}")
MEANT = candidate(6, "What flour cracks the crust of a rye loaf? Does it crack while it bakes?")
AUTHOR = candidate(7, author="Ann")
POOL = [CLEAN, THREAD, TEXT, QUOTED, ALMOST, MEANT, AUTHOR]


def looked_at(pool: list[Candidate]) -> Features:
    return features(pool, hashed([reply_of(candidate) for candidate in pool]))


def run(folder: Path, pool: list[Candidate], given: list[Prompt] | None = None, **settings: Any) -> Selection:
    files.write_jsonl(folder / "c.jsonl", pool)
    with RejectLog(folder / "r.parquet") as log:
        return select(
            [folder / "c.jsonl"], Curate(**{"quotas": {"g": 99}, **settings}), seed=0, rejects=log,
            folder=folder / "scratch", given={"dev": [], "test": given or []},
        )  # fmt: skip


def test_each_kind_is_found_and_named_and_counted(tmp_path: Path) -> None:
    got = run(tmp_path, POOL, [GIVEN], same_author="reject")
    assert [pick.id for pick in got.picks] == ["x/s/1", "x/s/5"]
    rows = {row["id"]: (row["rule"], row["detail"]) for row in pq.read_table(tmp_path / "r.parquet").to_pylist()}
    assert {number: rule for number, (rule, _) in rows.items()} == {
        "x/s/2": "same_thread", "x/s/3": "same_text", "x/s/4": "same_run", "x/s/6": "same_words",
        "x/s/7": "same_author",
    }  # fmt: skip
    assert rows["x/s/4"][1] == "test test-1: " + " ".join(REFERENCE.split()[20:33])
    assert got.contamination["targets"] == {"test": 1}
    assert {rule for rule, count in got.contamination["rejected"].items() if count != 1} == {"same_meaning"}
    assert got.rejected == {"s": {rule: 1 for rule, count in got.contamination["rejected"].items() if count}}


@pytest.mark.parametrize(
    ("settings", "back"),
    [
        ({"contamination_run": 0}, {4}),
        ({"contamination_run": 14}, {4}),
        ({"contamination_cosine": 0.0}, {6}),
        ({"contamination_cosine": 0.99}, {6}),
        ({"same_author": "report"}, {7}),
    ],
)
def test_each_setting_changes_what_comes_through(tmp_path: Path, settings: dict[str, Any], back: set[int]) -> None:
    got = run(tmp_path, POOL, [GIVEN], **{"same_author": "reject", **settings})
    assert {pick.score for pick in got.picks} == {1, 5} | back
    assert got.contamination["kept_with_an_author_in_common"] == (1 if back == {7} else 0)


def test_a_low_cosine_takes_what_is_merely_near(tmp_path: Path) -> None:
    assert run(tmp_path, [candidate(8, "Rye bread and its crust")], [GIVEN], contamination_cosine=0.2).picks == []


def test_without_prompts_to_protect_nothing_is_looked_for(tmp_path: Path) -> None:
    got = run(tmp_path, POOL)
    assert len(got.picks) == len(POOL)
    assert got.contamination["targets"] == {}


def test_a_short_prompt_counts_as_one_run_and_a_very_short_one_only_as_a_whole() -> None:
    settings, weights = Curate(contamination_cosine=0), Weights([])
    ten = target_of(Prompt(id="p", messages=(Turn(role="user", content="a b c d e f g h i j"),)), "dev")
    seven = target_of(Prompt(id="q", messages=(Turn(role="user", content="k l m n o p q"),)), "dev")
    gate = Gate([ten, seven], settings, weights)
    some = [candidate(1, reply="0 A, b c d e f g h i J 9"), candidate(2, reply="0 k l m n o p q 9")]
    (hit,) = gate.check(looked_at([*some, candidate(3, "K l m n o p")]))
    assert (hit.candidate, hit.rule, hit.target, hit.run) == (0, "same_run", 0, (-1, 1, 10))
    assert [hit.rule for hit in gate.check(looked_at([candidate(3, "K l m n o p, q")]))] == ["same_text"]


def test_what_is_held_out_is_protected_and_the_same_however_training_is_chosen(tmp_path: Path) -> None:
    draw = random.Random(11)
    pool = [candidate(n, text(draw, 12), text(draw, 80), author=f"a{n % 5}") for n in range(60)]
    drawn = hold_out([c.id for c in pool], Curate(hold_out_dev=5, hold_out_test=5), seed=0)
    tested = next(c for c in pool if drawn.get(c.id) == "test")
    spoiled = candidate(70, reply=text(draw, 30) + " " + " ".join(tested.replies[0].content.split()[:40]))
    got = run(tmp_path, [*pool, spoiled], hold_out_dev=5, hold_out_test=5, contamination_cosine=0.9)
    assert got.rejected == {"s": {"same_run": 1}}
    assert got.contamination["targets"] == {"dev": 5, "test": 5}
    parts = split(got.picks, got.held, seed=0)
    assert (len(parts.train), len(parts.dev), len(parts.test)) == (50, 5, 5)
    assert got.contamination["kept_with_an_author_in_common"] > 0
    fewer = run(tmp_path, [*pool, spoiled], hold_out_dev=5, hold_out_test=5, quotas={"g": 30})
    assert len(fewer.picks) == 30
    assert len(fewer.held) == 10
    strict = run(tmp_path, pool, hold_out_dev=5, hold_out_test=5, same_author="reject")
    wrote = {who for pick in strict.picks if pick.id in strict.held for who in authors_of(pick.provenance)}
    assert not any(authors_of(p.provenance) & wrote for p in strict.picks if p.id not in strict.held)


def test_the_funnel_and_the_report_tell_of_it(tmp_path: Path) -> None:
    got = run(tmp_path, POOL, [GIVEN])
    count = SiteCount(site="s", group="g", questions=7, answers=7, candidates=7)
    write(
        tmp_path, split(got.picks, got.held, seed=0), test=[GIVEN], sites=[count], rejected=got.rejected, quarantine=[],
        settings=Curate(), contamination=got.contamination,
    )  # fmt: skip
    taken = {s["rule"]: s["taken"] for s in json.loads((tmp_path / "funnel.json").read_text())["total"]["steps"]}
    assert [taken[rule] for rule in ("same_thread", "same_text", "same_run", "same_words")] == [1, 1, 1, 1]
    told = json.loads((tmp_path / "contamination.json").read_text())
    assert told["authors_in_common"][0]["candidate"] == "x/s/7"
    assert [case["candidate"] for case in told["cases"]] == ["x/s/2", "x/s/3", "x/s/4", "x/s/6"]


def test_cosine_is_that_of_the_written_formula() -> None:
    from math import log, sqrt

    weights = Weights(["red tea", "tea pot", "pot"])
    rows = weights.rows(hashed(["red red tea", "tea", "", "green"]))
    red, tea = (1 + log(2)) * (log(4 / 2) + 1), log(4 / 3) + 1
    assert (rows @ rows.T).toarray()[0, 1] == pytest.approx(tea / sqrt(red**2 + tea**2), rel=1e-5)
    assert (rows @ rows.T).toarray().diagonal() == pytest.approx([1, 1, 0, 1], rel=1e-5)


def test_the_nearest_is_the_one_that_a_full_product_finds() -> None:
    draw = random.Random(9)
    targets = [text(draw, length) for length in (3, 8, 40, 200) for _ in range(40)]
    texts = [text(draw, length) for length in (3, 8, 40, 200) for _ in range(30)]
    for at in range(0, 120, 3):
        words = targets[at].split()
        words[draw.randrange(len(words))] = "another"
        texts[at] = " ".join(words)
    texts[1] = ""
    weights = Weights(targets)
    wanted, rows = weights.rows(hashed(targets)), weights.rows(hashed(texts))
    full = (rows @ wanted.T).toarray()
    for least in (0.3, 0.6, 0.9):
        found, cosines = Nearest(wanted, least).best(rows)
        assert ((found >= 0) == (full.max(axis=1) >= least)).all()
        near = found >= 0
        assert full[near, found[near]] == pytest.approx(full[near].max(axis=1), abs=1e-5)
        assert cosines[near] == pytest.approx(full[near].max(axis=1), abs=1e-5)


def test_real_candidates_have_no_near_duplicates_and_the_gate_is_quiet(real_data: Path, tmp_path: Path) -> None:
    from tests.sources.dumps import harvest

    got, _, _ = harvest([real_data / "stackexchange" / s for s in ("coffee-2015-03", "beer-2016-09")], tmp_path / "s")
    seen = survey([got.candidates], tmp_path / "s", LocalExecutor(1))
    assert near_repeats(seen, [], 0.5) == {}
    with RejectLog(tmp_path / "r.parquet") as log:
        recipe = Curate(hold_out_dev=3, hold_out_test=10)
        chosen = select([got.candidates], recipe, seed=0, rejects=log, folder=tmp_path / "s")
    assert sum(chosen.contamination["rejected"].values()) <= 1
    assert len(chosen.held) == 13
