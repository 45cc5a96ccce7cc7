"""Sampling, duplicates, hold-outs, and what is written."""

import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from limakit.curate.sample import Entry, choose, duplicates
from limakit.curate.select import hold_out, select, split
from limakit.curate.survey import digest, survey
from limakit.curate.write import write
from limakit.engine import LocalExecutor
from limakit.errors import InputError
from limakit.recipe import Curate
from limakit.records import Candidate, Example, Prompt, Provenance, Turn
from limakit.sources.stackexchange.read import SiteCount
from limakit.store import files
from limakit.store.rejects import RejectLog
from tests.sources.dumps import GOOD, answer, dump, harvest, question


def entries(sizes: dict[str, int], group: str = "stem") -> list[Entry]:
    return [
        Entry(site=s, rank=-n, number=n, id=f"x/{s}/{n}", group=group, digest=f"{s}{n}".encode())
        for s, size in sizes.items()
        for n in range(size)
    ]


def test_quotas_are_met_and_sites_flattened_by_temperature() -> None:
    sizes = {"big": 8000, "small": 1000}
    flat = Counter(i.split("/")[1] for i in choose(entries(sizes), {"stem": 900}, 3.0, 1))
    plain = Counter(i.split("/")[1] for i in choose(entries(sizes), {"stem": 900}, 1.0, 1))
    assert sum(flat.values()) == sum(plain.values()) == 900
    assert abs(flat["big"] / 900 - 2 / 3) < 0.06
    assert abs(plain["big"] / 900 - 8 / 9) < 0.05


def test_within_a_site_the_best_come_first_and_small_sites_run_dry() -> None:
    taken = choose(entries({"a": 3, "b": 50}), {"stem": 20}, 3.0, 0)
    by_site = {s: [int(i.rpartition("/")[2]) for i in taken if f"/{s}/" in i] for s in "ab"}
    assert by_site["a"] == [2, 1, 0][: len(by_site["a"])]
    assert by_site["b"] == list(range(49, 49 - len(by_site["b"]), -1))
    assert len(choose(entries({"a": 3, "b": 50}), {"stem": 500, "none": 4}, 3.0, 0)) == 53


def test_even_groups_take_each_site_and_each_candidate_alike() -> None:
    sizes = {"big": 800, "small": 100}
    taken = choose(entries(sizes), {"stem": 100}, 3.0, 1, even=["stem"])
    assert abs(Counter(i.split("/")[1] for i in taken)["big"] - 50) < 20
    numbers = [int(i.rpartition("/")[2]) for i in taken if "/big/" in i]
    assert min(numbers) < 300 < 500 < max(numbers)
    assert taken != choose(entries(sizes), {"stem": 100}, 3.0, 2, even=["stem"])


@given(st.permutations(entries({"a": 4, "b": 7})), st.integers(0, 5))
def test_the_choice_is_a_function_of_candidates_and_seed(shuffled: list[Entry], seed: int) -> None:
    assert choose(shuffled, {"stem": 5}, 3.0, seed) == choose(entries({"a": 4, "b": 7}), {"stem": 5}, 3.0, seed)


def test_duplicates_keep_the_highest_score() -> None:
    one = Entry(site="a", rank=-10, number=1, id="one", group="g", digest=b"x")
    two = Entry(site="b", rank=-12, number=1, id="two", group="g", digest=b"x")
    assert duplicates([one, two]) == {"one": "two"}
    assert digest("A  b\n") == digest("a B")


LONG = "Long enough to repeat another without its prompt. " * 5


def candidate(number: int, site: str = "coffee", group: str = "other", text: str | None = None) -> Candidate:
    return Candidate(
        id=f"stackexchange/{site}/{number}",
        source="stackexchange",
        group=group,
        site=site,
        prompts=(f"Title {number}", f"Description {number}"),
        replies=(Turn(role="assistant", content=text or f"{LONG}{number}"),),
        score=number,
        provenance=(
            Provenance(source="stackexchange", site=site, id=str(number), title="A [b] <c>", url="https://x/a/1",
                       licence="CC BY-SA 3.0", author="An*n"),
        ),
    )  # fmt: skip


def test_a_small_pool_is_cut_for_several_workers_and_a_tiny_one_is_not(tmp_path: Path) -> None:
    pool = [candidate(number, text=f"{number} " * 2000) for number in range(240)]
    files.write_jsonl(tmp_path / "all.jsonl", pool)
    files.write_jsonl(tmp_path / "few.jsonl", pool[:60])
    whole = survey([tmp_path / "all.jsonl"], tmp_path, LocalExecutor(1))
    assert 1 < len(whole.pieces) <= 8
    assert [entry.number for entry in whole.entries] == list(range(240))
    assert len(survey([tmp_path / "few.jsonl"], tmp_path, LocalExecutor(1)).pieces) == 1


def test_selection_accounts_for_every_candidate(tmp_path: Path) -> None:
    pool = [candidate(n) for n in range(1, 9)] + [
        candidate(20, text=LONG + "3"),
        candidate(1, "avp.meta", "meta", "Of its own"),
    ]
    files.write_jsonl(tmp_path / "c.jsonl", pool)
    with RejectLog(tmp_path / "r.parquet") as log:
        got = select(
            [tmp_path / "c.jsonl"],
            Curate(quotas={"other": 5}, near_duplicates=0.0, contamination_cosine=0.0),
            seed=0,
            rejects=log,
            folder=tmp_path,
        )
    assert [p.score for p in got.picks] == [5, 6, 7, 8, 20]
    assert got.rejected == {"coffee": {"duplicate": 1, "not_selected": 3}, "avp.meta": {"no_quota": 1}}
    rows = pq.read_table(tmp_path / "r.parquet").to_pylist()
    assert len(rows) + len(got.picks) == len(pool)
    assert {"id": "stackexchange/coffee/3", "source": "stackexchange", "site": "coffee", "rule": "duplicate",
            "detail": "stackexchange/coffee/20", "score": 3} in rows  # fmt: skip


def test_hold_outs_are_prompts_with_references_and_nothing_is_in_two_splits() -> None:
    picks = [candidate(n) for n in range(30)]
    settings = Curate(hold_out_dev=4, hold_out_test=6)
    held = hold_out([pick.id for pick in picks], settings, seed=3)
    got = split(picks, held, seed=3)
    assert (len(got.train), len(got.dev), len(got.test)) == (20, 4, 6)
    ids = [item.id for item in (*got.train, *got.dev, *got.test)]
    assert len(set(ids)) == 30
    assert all(p.reference and p.messages[-1].role == "user" for p in got.dev)
    assert [e.id for e in got.train] == [p.id for p in picks if p.id in {e.id for e in got.train}]
    kinds = Counter(e.messages[0].content.split()[0] for e in got.train)
    assert min(kinds["Title"], kinds["Description"]) > 0
    assert hold_out({pick.id for pick in picks}, settings, seed=3) == held
    assert hold_out([pick.id for pick in picks], settings, seed=4) != held
    same = split(picks[5:], {}, seed=3)
    prompts = {e.id: e.messages[0] for e in split(picks, {}, seed=3).train}
    assert all(prompts[e.id] == e.messages[0] for e in same.train)


def study(out: Path, workers: int = 1, split_bytes: int = 1 << 20) -> dict[str, int]:
    """Sources to outputs, as the pipeline does it."""
    folder = out.parent / "in"
    if not folder.exists():
        for site in ("coffee", "math", "meta.math.stackexchange.com"):
            rows = [
                r
                for n in range(1, 30, 2)
                for r in (
                    question(n, f"Why does hand {n} burn at {site}?", Body=f"<p>Of {site}, number {n}: why?</p>"),
                    answer(n + 1, n, 5 + n, f"<p>{len(site)} {n}</p>{GOOD}"),
                )
            ]
            dump(folder / site, [*rows, "<junk/>"])
    settings = Curate(
        near_duplicates=0, contamination_run=0, contamination_cosine=0, hold_out_dev=2, hold_out_test=3,
        quotas={"other": 4, "stem": 20},
    )  # fmt: skip
    got, _, _ = harvest(folder, out / "scratch", workers=workers, split_bytes=split_bytes)
    with RejectLog(out / "rejects.parquet") as log:
        chosen = select([got.candidates], settings, seed=0, rejects=log, folder=out / "scratch")
    given = Prompt(id="given", messages=(Turn(role="user", content="Hello?"),))
    return write(
        out,
        split(chosen.picks, chosen.held, seed=0),
        test=[given],
        sites=got.sites,
        rejected=chosen.rejected,
        quarantine=got.quarantine,
        settings=settings,
    )


def test_outputs_and_their_sums(tmp_path: Path) -> None:
    counts = study(tmp_path / "a")
    assert counts == {
        "rows": 93, "answers": 45, "rejected": 45 - 17, "quarantined": 3, "train": 12, "dev": 2, "test": 4,
    }  # fmt: skip
    told = json.loads((tmp_path / "a" / "funnel.json").read_text())
    total = told["total"]
    assert total["rows"] == total["quarantined"] + total["others"] + total["questions"] + total["answers"]
    assert total["answers"] == total["rejected"] + total["kept"]
    assert [s["rule"] for s in total["steps"] if s["taken"]] == ["score", "no_quota", "not_selected"]
    assert told["quarantine"][0]["file"] == "coffee/Posts.xml"
    train = files.read_jsonl(tmp_path / "a" / "train.jsonl", Example)
    text = (tmp_path / "a" / "ATTRIBUTION.md").read_text()
    assert all(f"`{e.id}`" in text for e in train)
    assert "CC BY-SA 3.0" in text
    assert "| train | 12 |" in (tmp_path / "a" / "card.md").read_text()
    assert files.read_jsonl(tmp_path / "a" / "test.jsonl", Prompt)[-1].id == "given"


def test_outputs_are_the_same_bytes_for_any_workers_and_splits(tmp_path: Path) -> None:
    study(tmp_path / "a")
    study(tmp_path / "b", workers=2, split_bytes=3000)
    names = sorted(p.name for p in (tmp_path / "a").iterdir() if p.is_file())
    assert len(names) == 7
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name


def test_titles_and_names_cannot_break_the_attribution(tmp_path: Path) -> None:
    splits = split([candidate(1)], {}, seed=0)
    count = SiteCount(site="coffee", group="other", questions=1, answers=1, candidates=1)
    write(tmp_path, splits, sites=[count], rejected={}, quarantine=[], settings=Curate())
    assert r"[A \[b\] \<c\>](<https://x/a/1>)" in (tmp_path / "ATTRIBUTION.md").read_text()
    with pytest.raises(RuntimeError, match="add up"):
        write(tmp_path, splits, sites=[count], rejected={"coffee": {"duplicate": 1}}, quarantine=[], settings=Curate())
    same = Prompt(id="stackexchange/coffee/1", messages=(Turn(role="user", content="x"),))
    with pytest.raises(InputError, match="occurs 2 times"):
        write(tmp_path, splits, dev=[same], sites=[count], rejected={}, quarantine=[], settings=Curate())


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://x/a/1> [y](javascript:z)\n# z", "(<https://x/a/1%3E%20[y](javascript:z)%0A#%20z>)"),
        ("javascript:alert(1)", ""),
        ("https://x/ü?a=1&b=(2)#c", "(<https://x/%C3%BC?a=1&b=(2)#c>)"),
    ],
)
def test_addresses_cannot_break_the_attribution_either(address: str, shown: str, tmp_path: Path) -> None:
    evil = "<img src=x>|`\n# Head"
    one = replace(candidate(1, site=evil), id=f"stackexchange/{evil}/1")
    one = replace(one, provenance=(replace(one.provenance[0], site=evil, url=address, author_url=address),))
    count = SiteCount(site=evil, group="other", questions=1, answers=1, candidates=1)
    write(tmp_path, split([one], {}, seed=0), sites=[count], rejected={}, quarantine=[], settings=Curate())
    text = (tmp_path / "ATTRIBUTION.md").read_text()
    (line,) = [line for line in text.splitlines() if line.startswith("- ")]
    assert "](<javascript" not in line
    assert line.count(shown) == (3 if shown else line.count(shown))
    for page in (re.sub(r"(?<!\\)`[^`\n]*`", "", text), (tmp_path / "card.md").read_text()):
        assert not re.search(r"(?<!\\)<img|^# Head", page, re.MULTILINE)
