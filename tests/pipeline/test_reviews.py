"""Decisions of people take effect at the next curation and are counted; only the contamination gate overrules them."""

from pathlib import Path

import orjson
import pyarrow.parquet as pq
import pytest

from limakit.engine import silent
from limakit.errors import InputError
from limakit.pipeline import reviews
from limakit.pipeline.curating import curate
from limakit.records import Candidate, Example, Turn
from limakit.store import decisions
from limakit.store.decisions import Decision
from limakit.store.files import read_json, read_jsonl
from limakit.store.study import Study
from tests.sources.items import curated, given

RECIPE = """[[sources]]
kind = "conversations"
path = "talk.jsonl"
licence = "CC BY 4.0"
[curate]
quotas = { conversations = 3 }
test_prompts = "test.jsonl"
"""
WORDS = ["amber", "birch", "cedar", "dune", "ember", "fjord"]
LEAK = "thirteen words that stand in a row here and also in the test prompt itself"


def study(folder: Path) -> Study:
    """Six candidates of which three are taken; the sixth shares a run of words with a test prompt."""
    lines = []
    for at, word in enumerate(WORDS):
        said = f"{word} is the {at} of them. " + " ".join(f"{word}{n}" for n in range(60))
        lines.append(
            {
                "messages": [
                    {"role": "user", "content": f"What is {word}?"},
                    {"role": "assistant", "content": f"{said} {LEAK}" if at == 5 else said},
                ]
            }
        )
    given(folder / "talk.jsonl", lines)
    given(folder / "test.jsonl", [{"id": "t1", "messages": [{"role": "user", "content": f"Say: {LEAK}"}]}])
    curated(folder, RECIPE)
    return Study(folder)


def train(folder: Path) -> dict[str, Example]:
    """Training examples by their subject."""
    return {
        example.messages[0].content.split()[2][:-1]: example
        for example in read_jsonl(folder / "curate/train.jsonl", Example)
    }


def decide(folder: Path, **said: Decision) -> None:
    decisions.save(folder, said.values())


def test_a_rejected_candidate_leaves_and_another_takes_its_place(tmp_path: Path) -> None:
    one = study(tmp_path)
    before = train(tmp_path)
    assert len(before) == 3
    name = next(iter(before))
    gone = Decision(id=before[name].id, decision="reject", person="a1", decided="2026-01-01T00:00:00Z", note="dull")
    decide(tmp_path, x=gone)
    [outcome] = curate(one, silent)
    assert outcome.state == "done"
    assert outcome.counts["decisions"] == 1
    after = train(tmp_path)
    assert len(after) == 3
    assert name not in after
    steps = {step["rule"]: step["taken"] for step in read_json(tmp_path / "curate/funnel.json")["total"]["steps"]}
    assert steps["reviewed"] == 1
    rows = pq.read_table(tmp_path / "curate/rejects.parquet").to_pylist()
    assert [(row["id"], row["detail"]) for row in rows if row["rule"] == "reviewed"] == [(gone.id, "by a1: dull")]
    [again] = curate(one, silent)
    assert again.state == "unchanged"
    decide(tmp_path)
    curate(one, silent)
    assert train(tmp_path) == before, "a decision taken back leaves no trace"


def test_an_edit_replaces_the_text_and_names_the_editor(tmp_path: Path) -> None:
    one = study(tmp_path)
    name, example = next(iter(train(tmp_path).items()))
    turns = (Turn(role="user", content=f"And what is {name}?"), Turn(role="assistant", content="A colour, mostly."))
    decide(
        tmp_path,
        x=Decision(id=example.id, decision="edit", person="a|1", decided="2026-01-01T00:00:00Z", messages=turns),
    )
    curate(one, silent)
    after = {each.id: each for each in train(tmp_path).values()}[example.id]
    assert after.messages == turns
    assert after.provenance[:-1] == example.provenance
    assert (after.provenance[-1].author, after.provenance[-1].licence) == ("a|1", "CC BY 4.0")
    credit = next(line for line in (tmp_path / "curate/ATTRIBUTION.md").read_text().splitlines() if example.id in line)
    assert credit.endswith(r"edited by a\|1")
    assert ": text " in credit


def test_what_people_want_is_taken_beyond_quota_but_not_past_the_gate(tmp_path: Path) -> None:
    one = study(tmp_path)
    taken = train(tmp_path)
    spare = read_jsonl(tmp_path / "curate/spare.jsonl", Candidate)
    assert {candidate.prompts[0].split()[2][:-1] for candidate in spare} == set(WORDS[:5]) - set(taken)
    leak = next(
        row["id"] for row in pq.read_table(tmp_path / "curate/rejects.parquet").to_pylist() if row["rule"] == "same_run"
    )
    wanted = [*(candidate.id for candidate in spare), *(example.id for example in taken.values()), leak]
    decisions.save(
        tmp_path, [Decision(id=name, decision="accept", person="a1", decided="2026-01-01T00:00:00Z") for name in wanted]
    )
    [outcome] = curate(one, silent)
    assert set(train(tmp_path)) == set(WORDS[:5])
    assert outcome.counts["decisions"] == 6
    assert read_jsonl(tmp_path / "curate/spare.jsonl", Candidate) == []


def test_one_wanted_candidate_displaces_another_within_the_quota(tmp_path: Path) -> None:
    one = study(tmp_path)
    spare = read_jsonl(tmp_path / "curate/spare.jsonl", Candidate)
    decide(tmp_path, x=Decision(id=spare[0].id, decision="accept", person="a1", decided="2026-01-01T00:00:00Z"))
    curate(one, silent)
    ids = {example.id for example in train(tmp_path).values()}
    assert spare[0].id in ids
    assert len(ids) == 3


def test_decisions_without_a_candidate_are_told_and_damage_is_one_line(tmp_path: Path) -> None:
    one = study(tmp_path)
    decide(tmp_path, x=Decision(id="gone/s/1", decision="reject", person="a1", decided="2026-01-01T00:00:00Z"))
    [outcome] = curate(one, silent)
    assert (outcome.counts["decisions"], outcome.counts["decisions_unmet"]) == (0, 1)
    (tmp_path / decisions.FILE).write_bytes(orjson.dumps({"id": "x", "decision": "maybe"}))
    with pytest.raises(InputError, match=r"decisions\.jsonl, line 1.*decision"):
        curate(one, silent)


def test_spare_is_bounded_and_takes_near_duplicates_first(tmp_path: Path, monkeypatch) -> None:
    one = study(tmp_path)
    monkeypatch.setattr(reviews, "MOST_SPARE", 1)
    reviews.keep_spare([], (), tmp_path / "curate")
    assert read_jsonl(tmp_path / "curate/spare.jsonl", Candidate) == []
    decide(tmp_path, x=Decision(id="gone/s/1", decision="reject", person="a1", decided="2026-01-01T00:00:00Z"))
    curate(one, silent)
    assert len(read_jsonl(tmp_path / "curate/spare.jsonl", Candidate)) == 1
