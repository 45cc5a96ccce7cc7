"""Diversity: few points that stand for many, the signals beside it, and the controls."""

import random
from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from limakit.curate import diverse, diversity
from limakit.curate.diversity import facility_location, k_centre
from limakit.curate.quality import grade, worth
from limakit.curate.sample import Entry, choose, site_limits
from limakit.curate.select import select
from limakit.curate.vectors import SCALE, Latent, whole
from limakit.errors import RecipeError
from limakit.recipe import Curate, load_recipe
from limakit.records import Candidate, Turn
from limakit.store import files
from limakit.store.rejects import RejectLog

TOPICS = {
    "bread": [
        "dough",
        "flour",
        "yeast",
        "oven",
        "crust",
        "loaf",
        "knead",
        "rise",
        "bake",
        "sourdough",
        "crumb",
        "proof",
    ],
    "bikes": ["wheel", "spoke", "chain", "gear", "brake", "tyre", "pump", "pedal", "saddle", "frame", "rim", "cable"],
    "birds": ["nest", "wing", "feather", "migrate", "song", "perch", "egg", "seed", "beak", "flock", "owl", "heron"],
}


def points(seed: int, count: int, dimensions: int = 8) -> Any:
    return whole(np.random.default_rng(seed).normal(size=(count, dimensions)))


def coverage(vectors: Any, chosen: tuple[int, ...]) -> float:
    rows = vectors.astype(float)
    return float(np.maximum(rows @ rows[list(chosen)].T, 0).max(axis=1).mean()) / SCALE**2


@given(st.integers(0, 50))
def test_facility_location_is_the_plain_greedy_and_near_the_best(seed: int) -> None:
    vectors = points(seed, 12)
    got = facility_location(vectors, np.zeros(12), ["s"] * 12, {"s": 3}, 1.0)
    plain: list[int] = []
    for _ in range(3):
        left = [at for at in range(12) if at not in plain]
        plain.append(max(left, key=lambda at: (coverage(vectors, (*plain, at)), -at)))
    assert coverage(vectors, tuple(got)) == pytest.approx(coverage(vectors, tuple(plain)), abs=1e-9)
    best = max(coverage(vectors, three) for three in combinations(range(12), 3))
    assert coverage(vectors, tuple(got)) >= (1 - 1 / np.e) * best


@given(st.integers(0, 50))
def test_k_centre_is_at_most_twice_as_far_as_the_best(seed: int) -> None:
    vectors = points(seed, 12)
    rows = vectors / np.linalg.norm(vectors.astype(float), axis=1, keepdims=True)
    apart = np.sqrt(np.maximum(2 - 2 * rows @ rows.T, 0))

    def radius(chosen: Any) -> float:
        return float(apart[:, list(chosen)].min(axis=1).max())

    got = k_centre(vectors, np.zeros(12), ["s"] * 12, {"s": 3}, 1.0)
    assert radius(got) <= 2 * min(map(radius, combinations(range(12), 3))) + 1e-3


@pytest.mark.parametrize("chooser", [facility_location, k_centre])
def test_choosers_keep_to_the_limits_and_heed_worth(chooser: Any) -> None:
    vectors = points(1, 60)
    sites = ["a", "b", "c"] * 20
    chosen = chooser(vectors, np.zeros(60), sites, {"a": 1, "b": 5, "c": 99}, 1.0)
    assert Counter(sites[at] for at in chosen) == {"a": 1, "b": 5, "c": 20}
    assert len(set(chosen)) == len(chosen)
    favourite = np.zeros(60)
    favourite[[7, 31]] = 1
    assert set(chooser(vectors, favourite, sites, {"b": 2}, 0.0)) == {7, 31}
    assert chooser(vectors[:0], np.zeros(0), [], {}, 0.5) == []
    same = np.repeat(vectors[:1], 5, axis=0)
    assert chooser(same, np.zeros(5), ["a"] * 5, {"a": 2}, 0.5) == [0, 1]


@pytest.mark.parametrize("chooser", [facility_location, k_centre])
def test_products_are_exact_so_that_no_adding_up_changes_the_choice(chooser: Any) -> None:
    vectors = points(2, 300, 768)
    product = vectors.astype(np.float32) @ vectors.astype(np.float32).T
    assert np.array_equal(product, (vectors.astype(np.int64) @ vectors.astype(np.int64).T).astype(np.float32))
    assert float(np.abs(product).max()) < 2**24
    order = np.random.default_rng(3).permutation(768)
    chosen = chooser(vectors, np.zeros(300), ["s"] * 300, {"s": 9}, 0.7)
    assert chooser(vectors[:, order], np.zeros(300), ["s"] * 300, {"s": 9}, 0.7) == chosen


def test_many_points_are_covered_by_a_sample_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = points(4, 400)
    full = facility_location(vectors, np.zeros(400), ["s"] * 400, {"s": 10}, 1.0)
    monkeypatch.setattr(diversity, "REFERENCES", 100)
    fewer = facility_location(vectors, np.zeros(400), ["s"] * 400, {"s": 10}, 1.0)
    assert coverage(vectors, tuple(fewer)) > 0.9 * coverage(vectors, tuple(full))


def test_texts_on_one_subject_lie_together() -> None:
    draw = random.Random(0)
    kinds = list(TOPICS) * 10
    texts = [" ".join(draw.choices(TOPICS[kind], k=30)) for kind in kinds]
    rows = whole(Latent(texts)(texts)).astype(float) / SCALE
    near = rows @ rows.T
    same = np.equal.outer(kinds, kinds)
    assert near[same].min() > near[~same].max()
    assert np.array_equal(whole(Latent(texts)(texts)), whole(Latent(texts)(texts)))
    assert whole(Latent(["one"])(["one", ""])).tolist() == [[SCALE], [0]]
    assert whole(Latent([""])(["one"])).tolist() == [[0]]


def entry(number: int, score: int = 0, chars: int = 0, grade: float = 0, site: str = "s") -> Entry:
    return Entry(site=site, rank=-score, number=number, id=f"{number}", group="g", digest=b"", chars=chars, grade=grade)


def test_worth_is_a_weighted_mean_of_ranks() -> None:
    entries = [entry(1, 10, 500, 9.0), entry(2, 30, 400, 8.0), entry(3, 20, 300, 7.0), entry(4, 1, 1, 99, site="t")]
    assert worth(entries, {"votes": 0.4}).tolist() == pytest.approx([1 / 6, 5 / 6, 1 / 2, 1 / 2])
    assert worth(entries, {"length": 0.4}).tolist() == pytest.approx([0.875, 0.625, 0.375, 0.125])
    assert worth(entries, {"readability": 1.0}).tolist() == pytest.approx([0.375, 0.625, 0.875, 0.125])
    both = worth(entries, {"length": 0.1, "readability": 0.3})
    assert both.tolist() == pytest.approx([(0.875 + 3 * 0.375) / 4, 0.625, (0.375 + 3 * 0.875) / 4, 0.125])
    assert worth(entries, {}).tolist() == [0, 0, 0, 0]


def test_grade_is_the_readability_index_of_the_prose() -> None:
    assert grade("The cat sat. It ran.") == pytest.approx(4.71 * 16 / 5 + 0.5 * 5 / 2 - 21.43)
    code = "The cat sat. It ran.\n\n```\n" + "unreadable_identifier " * 50 + "\n```"
    assert grade(code) == pytest.approx(grade("The cat sat. It ran."), abs=0.5)
    assert grade("") == grade("```\nx\n```") == 0
    assert grade("Fermentation notwithstanding, enzymatic degradation predominates throughout.") > 20


def test_controls_take_as_many_of_each_site_as_the_papers_way() -> None:
    entries = [entry(n, score=n, chars=(n * 7) % 50, site="ab"[n % 2]) for n in range(50)]
    taken = {m: choose(entries, {"g": 12}, 3.0, 0, m) for m in ("top", "random", "longest")}
    limits = site_limits({"a": 25, "b": 25}, 12, 3.0, "0/g")
    for ids in taken.values():
        assert Counter("ab"[int(i) % 2] for i in ids) == limits
    chars = {e.id: e.chars for e in entries if e.site == "a"}
    longest = [chars[i] for i in taken["longest"] if i in chars]
    assert longest == sorted(chars.values())[-len(longest) :][::-1]
    assert set(taken["random"]) != set(taken["top"])
    assert choose(entries, {"g": 12}, 3.0, 0, "random") == choose(entries[::-1], {"g": 12}, 3.0, 0, "random")
    assert choose(entries, {"g": 12}, 3.0, 1, "random") != taken["random"]


def pool(folder: Path) -> list[Path]:
    """Nine tenths bread; few on bikes and birds, with fewer votes and shorter."""
    draw = random.Random(5)
    candidates = []
    for number in range(120):
        topic = "bread" if number % 12 > 1 else ("bikes", "birds")[number % 12]
        words = draw.choices(TOPICS[topic], k=40 if topic == "bread" else 30)
        candidates.append(
            Candidate(
                id=f"x/s/{number}", source="x", group="g", site="s", prompts=(topic,), provenance=(),
                score=number + (200 if topic == "bread" else 0),
                replies=(Turn(role="assistant", content=" ".join(words)),),
            )
        )  # fmt: skip
    files.write_jsonl(folder / "c.jsonl", candidates)
    return [folder / "c.jsonl"]


def topics(paths: list[Path], **settings: Any) -> Counter[str]:
    with RejectLog(paths[0].with_name("r.parquet")) as log:
        recipe = Curate(**{"quotas": {"g": 6}, "shortlist": 0, **settings})
        got = select(paths, recipe, seed=0, rejects=log, folder=paths[0].parent / "scratch")
    return Counter(pick.prompts[0] for pick in got.picks)


def test_each_setting_of_the_selection_changes_what_is_taken(tmp_path: Path) -> None:
    paths = pool(tmp_path)
    assert topics(paths) == topics(paths, select="longest") == {"bread": 6}
    for how in ("facility_location", "k_centre"):
        assert set(topics(paths, select="diverse", diversity=how, quality={})) == set(TOPICS)
        assert topics(paths, select="diverse", diversity=how, quality={"votes": 1.0}) == {"bread": 6}
        assert topics(paths, select="diverse", diversity=how, shortlist=1) == {"bread": 6}
    located, centred = (
        topics(paths, select="diverse", diversity=how, quality={}) for how in ("facility_location", "k_centre")
    )
    assert located["bread"] > centred["bread"]
    assert topics(paths, select="random") == topics(paths, select="random")


def test_vectors_are_learnt_from_the_shortlist_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths, learnt = pool(tmp_path), []
    monkeypatch.setattr(diverse, "Latent", lambda texts: learnt.append(len(texts)) or Latent(texts))
    topics(paths, select="diverse", shortlist=4)
    monkeypatch.setattr(diverse, "FIT", 50)
    topics(paths, select="diverse", shortlist=0)
    assert learnt == [24, 40]


def test_other_vectors_may_be_given(tmp_path: Path) -> None:
    paths = pool(tmp_path)

    def birds_or_not(texts: Any) -> Any:
        return np.array([[1.0, 0.0] if text.startswith("birds") else [0.0, 1.0] for text in texts])

    settings = Curate(quotas={"g": 2}, select="diverse", quality={}, shortlist=0)
    with RejectLog(tmp_path / "r.parquet") as log:
        got = select(paths, settings, seed=0, rejects=log, folder=tmp_path / "scratch", embed=birds_or_not)
    assert sum(pick.prompts[0] == "birds" for pick in got.picks) == 1


def test_shares_of_quality_beyond_the_whole_are_refused(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text("[curate]\nquality = { votes = 0.8, length = 0.3 }\n")
    with pytest.raises(RecipeError, match="must not exceed 1"):
        load_recipe(tmp_path / "recipe.toml")
    (tmp_path / "recipe.toml").write_text("[curate]\nquality = { likes = 0.8 }\n")
    with pytest.raises(RecipeError, match="quality"):
        load_recipe(tmp_path / "recipe.toml")
