"""Near-duplicates: planted edits are found, all of them, and what only shares a subject stays."""

import random
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from limakit.curate.minhash import PLACES, near_duplicates, rows_for, signatures
from limakit.curate.select import select
from limakit.curate.words import hashed, shingles, words_of
from limakit.recipe import Curate
from limakit.records import Candidate, Turn
from limakit.store import files
from limakit.store.rejects import RejectLog

VOCABULARY = [a + b + c for a in "bdfgklmnprst" for b in ("a", "e", "io", "u") for c in ("", "n", "rt", "l")]


def text(draw: random.Random, words: int = 300) -> str:
    """Made-up prose whose words are as uneven as real ones."""
    return " ".join(VOCABULARY[int(len(VOCABULARY) * draw.random() ** 3)] for _ in range(words))


def jaccard(a: str, b: str, size: int = 5) -> float:
    sets = [{tuple(words[i : i + size]) for i in range(len(words) - size + 1)} for words in (words_of(a), words_of(b))]
    return len(sets[0] & sets[1]) / len(sets[0] | sets[1])


def planted(draw: random.Random, whole: str, edit: str) -> str:
    """The text after one kind of edit."""
    words = whole.split()
    if edit == "letters and punctuation":
        return ", ".join(whole.upper().split(" ", 40)) + "!"
    if edit == "six words":
        for at in draw.sample(range(len(words)), 6):
            words[at] = "changed"
    if edit == "greeting and signature":
        words = ["hello", "there", "friend", *words, "hope", "this", "helps", "yours", "truly"]
    if edit == "a tenth cut":
        del words[100 : 100 + len(words) // 10]
    if edit == "two halves swapped":
        words = words[len(words) // 2 :] + words[: len(words) // 2]
    if edit == "four words lost":
        for at in sorted(draw.sample(range(len(words)), 4), reverse=True):
            del words[at]
    return " ".join(words)


EDITS = (
    "letters and punctuation", "six words", "greeting and signature", "a tenth cut", "two halves swapped",
    "four words lost",
)  # fmt: skip


@pytest.mark.parametrize("edit", EDITS)
def test_every_planted_edit_is_found_and_nothing_else(edit: str) -> None:
    draw = random.Random(edit)
    originals = [text(draw) for _ in range(300)]
    copies = [planted(draw, whole, edit) for whole in originals]
    assert min(map(jaccard, originals, copies)) > 0.7
    found = near_duplicates(signatures(originals + copies), range(600), 0.7)
    assert {number: repeat.of for number, repeat in found.items()} == {300 + n: n for n in range(300)}


def test_similarity_is_estimated_within_its_standard_error() -> None:
    draw = random.Random(1)
    errors = []
    for changes in range(0, 60, 2):
        whole = text(draw)
        words = whole.split()
        for at in draw.sample(range(len(words)), changes):
            words[at] = "changed"
        marks = signatures([whole, " ".join(words)])
        errors.append(float(np.mean(marks[0] == marks[1])) - jaccard(whole, " ".join(words)))
    assert np.max(np.abs(errors)) < 4 * 0.5 / PLACES**0.5
    assert abs(np.mean(errors)) < 0.02


def test_the_hash_is_the_one_that_is_written_down() -> None:
    def plain(word: str) -> int:
        value = sum((byte + 1) * pow(0x9E3779B97F4A7C15, at, 1 << 64) for at, byte in enumerate(word.encode())) % 2**64
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            value = (value ^ value >> shift) * factor % 2**64
        return value ^ value >> 31

    assert hashed(["The kettle, the Größe"]).hashes.tolist() == [plain(w) for w in ("the", "kettle", "the", "größe")]


@given(st.lists(st.text(max_size=40), max_size=6), st.integers(1, 5))
def test_a_text_has_the_same_hashes_in_any_company(texts: list[str], size: int) -> None:
    together = shingles(hashed(texts), size)
    for number, one in enumerate(texts):
        assert together.of(number).tolist() == shingles(hashed([one]), size).hashes.tolist()
        assert len(together.of(number)) == max(0, len(words_of(one)) - size + 1)
    assert np.array_equal(signatures(texts), np.concatenate([signatures([])] + [signatures([one]) for one in texts]))


@given(st.text(st.one_of(st.characters(), st.sampled_from("aZ_9 .’“é東\u0301…İΣ")), max_size=30))
def test_hashing_sees_the_words_that_are_quoted(one: str) -> None:
    words = words_of(one)
    assert hashed([one]).hashes.tolist() == hashed([" ".join(words)]).hashes.tolist()
    assert len(hashed([one]).hashes) == len(words)


def test_words_of_any_script_and_of_none() -> None:
    assert words_of("Don't “stop” ﬁve_9") == ["don", "t", "stop", "five_9"]
    assert words_of("東京は big") == ["東", "京", "は", "big"]
    assert words_of(" !? ⁂ ") == ["!?⁂"]
    assert words_of(" ") == []
    hashed(["\ud800 lone"])


def test_the_first_in_order_stays_and_a_chain_does_not_carry_further() -> None:
    draw = random.Random(2)
    chain = [text(draw)]
    for _ in range(6):
        words = chain[-1].split()
        for at in draw.sample(range(len(words)), 8):
            words[at] = VOCABULARY[draw.randrange(len(VOCABULARY))]
        chain.append(" ".join(words))
    found = near_duplicates(signatures(chain), range(7), 0.7)
    assert 0 not in found
    assert found[1].of == 0
    assert jaccard(chain[0], chain[6]) < 0.4
    assert 6 not in found or found[6].of != 0
    assert near_duplicates(signatures(chain), [1, 0, 2, 3, 4, 5, 6], 0.7)[0].of == 1


@pytest.mark.parametrize("seed", range(40))
def test_repeats_are_those_of_the_plain_definition(seed: int) -> None:
    """On signatures with so few values that bands are shared by chance and similarities are equal."""
    draw = np.random.default_rng(seed)
    families = draw.integers(0, 9, (1 + seed % 7, PLACES), np.uint16)
    marks = families[draw.integers(0, len(families), 40 * min(seed, 1))]
    changed = draw.random(marks.shape) < draw.random((len(marks), 1)) * 0.6
    marks[changed] = draw.integers(0, 9, np.count_nonzero(changed), np.uint16)
    order, least = draw.permutation(len(marks))[: 40 - seed % 3 * 10].tolist(), (0.5, 0.7)[seed % 2]
    rows, kept, expected = rows_for(least), [], {}
    bands = [{(at, *mark[at : at + rows]) for at in range(0, PLACES - rows + 1, rows)} for mark in marks.tolist()]
    for number in order:
        near = [(np.mean(marks[number] == marks[n]), -n) for n in kept if bands[n] & bands[number]]
        if near and max(near)[0] >= least:
            expected[number] = (-max(near)[1], max(near)[0])
        else:
            kept.append(number)
    found = near_duplicates(marks, order, least)
    assert {number: (repeat.of, repeat.similarity) for number, repeat in found.items()} == expected
    assert list(found) == list(expected)
    assert bool(expected) == bool(seed)


def test_the_look_up_misses_next_to_nothing_at_any_threshold() -> None:
    for least in (0.3, 0.5, 0.7, 0.8, 0.9, 1.0):
        rows = rows_for(least)
        assert (1 - least**rows) ** (PLACES // rows) <= 1e-3


def test_the_rule_names_what_stays_and_the_threshold_decides(tmp_path: Path) -> None:
    draw = random.Random(3)
    whole = text(draw)
    other = planted(draw, whole, "six words")
    pool = [
        Candidate(id=f"x/s/{n}", source="x", group="g", site="s", prompts=("?",), score=n, provenance=(),
                  replies=(Turn(role="assistant", content=content),))
        for n, content in enumerate((other, text(draw), whole))
    ]  # fmt: skip
    files.write_jsonl(tmp_path / "c.jsonl", pool)

    def picks(least: float) -> list[int]:
        with RejectLog(tmp_path / "r.parquet") as log:
            recipe = Curate(near_duplicates=least, quotas={"g": 9})
            got = select([tmp_path / "c.jsonl"], recipe, seed=0, rejects=log, folder=tmp_path)
        return [pick.score for pick in got.picks]

    assert picks(0.7) == [1, 2]
    row = pq.read_table(tmp_path / "r.parquet").to_pylist()[0]
    assert (row["rule"], row["detail"][:9]) == ("near_duplicate", "x/s/2 (0.")
    assert picks(0.99) == picks(0) == [0, 1, 2]


def test_thousands_of_documents_a_second() -> None:
    draw = random.Random(4)
    texts = [text(draw, 350) for _ in range(600)]
    start = time.process_time()
    near_duplicates(signatures(texts), range(600), 0.7)
    rate = 600 / (time.process_time() - start)
    assert rate > 1500  # a guard on a busy machine; the figure is in benchmarks/choose.py
