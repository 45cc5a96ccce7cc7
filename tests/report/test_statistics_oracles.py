"""Statistics against published figures and independent implementations."""

import warnings
from typing import Any

import krippendorff
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats import contingency_tables, inter_rater, multitest, proportion

from limakit.errors import LimakitError
from limakit.report.agreement import agreement
from limakit.report.power import detectable, prompts_needed
from limakit.report.ranking import davidson, worths
from limakit.report.rates import clustered_error, wilson
from limakit.report.reliability import cohen_kappa, fleiss_kappa, krippendorff_alpha
from limakit.report.resample import draws, percentile_interval, resampled_rates
from limakit.report.significance import false_discovery, holm, mcnemar, sign_test, wilcoxon

# Davidson 1970, example 2: brand, brand, preferred the first, preferred the second, no preference.
PUDDING = np.array(
    [
        (1, 2, 19, 22, 16), (1, 3, 16, 19, 12), (2, 3, 19, 19, 10), (1, 4, 18, 23, 13), (2, 4, 23, 19, 9),
        (3, 4, 19, 20, 15), (1, 5, 13, 19, 18), (2, 5, 16, 20, 12), (3, 5, 16, 15, 17), (4, 5, 17, 14, 16),
        (1, 6, 18, 21, 12), (2, 6, 22, 20, 12), (3, 6, 13, 18, 10), (4, 6, 14, 19, 18), (5, 6, 11, 21, 12),
    ]
)  # fmt: skip
# Fleiss 1971, table 1: 30 patients, 6 psychiatrists, 5 categories; and a textbook table of 10 items, 14 raters.
DIAGNOSES = (
    "444444 222555 233335 555555 222444 113333 333355 113334 114444 555555 144444 124444 222333 144444 224445 "
    "333335 111455 111112 224444 133555 555555 244444 224555 114444 144445 222224 111155 224444 133333 555555"
)
TEXTBOOK = "000014 02642 00356 03920 22811 77000 32630 25322 65210 02237"
nan = float("nan")
CODERS = [
    [nan, nan, nan, nan, nan, 3, 4, 1, 2, 1, 1, 3, 3, nan, 3],
    [1, nan, 2, 1, 3, 3, 4, 3, nan, nan, nan, nan, nan, nan, nan],
    [nan, nan, 2, 1, 3, 4, 4, nan, 2, 1, 1, 3, 3, nan, 4],
]
OBSERVERS = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, nan, nan, nan],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, nan, 3],
    [nan, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, nan],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, nan],
]


def test_davidsons_pudding() -> None:
    counts = PUDDING[None, :, [2, 4, 3]].astype(float)
    fitted = davidson(PUDDING[:, :2] - 1, counts, systems=6)[0]
    worths = np.exp(fitted[:-1]) / np.exp(fitted[:-1]).sum()
    np.testing.assert_allclose(worths, [0.1388, 0.1729, 0.1617, 0.1653, 0.1586, 0.2023], atol=1.2e-4)
    assert np.exp(fitted[-1]) == pytest.approx(0.7468, abs=1e-4)


def test_davidson_of_two_systems_has_a_closed_form_and_batches_are_independent() -> None:
    counts = np.array([[[30, 20, 10]], [[8, 5, 8]]], float)
    fitted = davidson(np.array([[0, 1]]), counts, systems=2)
    np.testing.assert_allclose(fitted[:, 0] - fitted[:, 1], [np.log(3), 0], atol=1e-9)
    np.testing.assert_allclose(np.exp(fitted[:, 2]), [20 / np.sqrt(300), 5 / 8], rtol=1e-9)
    np.testing.assert_allclose(davidson(np.array([[0, 1]]), counts[1:], systems=2)[0], fitted[1], atol=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_without_ties_davidson_is_bradley_and_terry_as_choix_fits_it(seed: int) -> None:
    choix = pytest.importorskip("choix", reason="the oracle choix is not installed")
    random, systems = np.random.default_rng(seed), 5
    pairs = np.array([(i, j) for i in range(systems) for j in range(i + 1, systems)])
    wins = random.integers(1, 30, (len(pairs), 2))
    games = [side for (i, j), (w, v) in zip(pairs, wins, strict=True) for side in [(i, j)] * int(w) + [(j, i)] * int(v)]
    counts = np.stack([wins[:, 0], np.zeros(len(pairs)), wins[:, 1]], axis=1).astype(float)
    # Ties of weight zero leave nu without a maximum; so little prior pins it and moves no worth.
    ours = davidson(pairs, counts[None], systems=systems, prior=1e-7)[0, :-1]
    oracle: Any = choix.ilsr_pairwise(systems, games)
    np.testing.assert_allclose(ours, oracle - oracle.mean(), atol=1e-5)


def test_davidson_without_a_maximum_says_so_and_a_prior_mends_it() -> None:
    never = np.array([[[10, 2, 0]]], float)
    with pytest.raises(LimakitError, match=r"prior above 0"):
        davidson(np.array([[0, 1]]), never, systems=2)
    assert np.isfinite(davidson(np.array([[0, 1]]), never, systems=2, prior=0.01)).all()


def test_intervals_of_worths_are_those_of_many_resamples() -> None:
    """Three verdicts of each match-up on a prompt, which lean alike: more than the likelihood alone would allow."""
    random, pairs = np.random.default_rng(4), np.array([[0, 1], [0, 2], [1, 2]])
    leaning = random.dirichlet((2, 1, 1), (400, 3))
    counts = random.multinomial(3, leaning).astype(float)
    found, low, high, nu = worths(pairs, counts, systems=3, prior=0.01, confidence=0.95)
    flat = counts.reshape(400, -1)
    resampled = np.concatenate([block @ flat for block in draws(400, 2000, 0)]).reshape(-1, 3, 3)
    fitted = davidson(pairs, np.concatenate([counts.sum(0)[None], resampled]), systems=3, prior=0.01)
    np.testing.assert_allclose([*found, np.log(nu)], fitted[0], atol=1e-9)
    np.testing.assert_allclose((high - low) / 2 / stats.t.isf(0.025, 399), fitted[1:, :3].std(0), rtol=0.06)
    alone = worths(pairs, counts.sum(0)[None], systems=3, prior=0.01, confidence=0.95)
    assert np.isinf(alone[1]).all()


def test_a_worth_that_is_left_open_has_a_wide_interval() -> None:
    """The third never wins: no resample can tell how far below it is."""
    counts = np.zeros((40, 3, 3))
    counts[:, 0, 0] = np.arange(40) % 3 != 0
    counts[:, 0, 2] = np.arange(40) % 3 == 0
    counts[:, 1:, 0] = 1
    found, low, high, _ = worths(np.array([[0, 1], [0, 2], [1, 2]]), counts, systems=3, prior=0.01, confidence=0.95)
    assert found.argmin() == 2
    assert high[2] - low[2] > 6


def test_published_fleiss() -> None:
    diagnoses = np.array([[row.count(str(c)) for c in range(1, 6)] for row in DIAGNOSES.split()], float)
    assert fleiss_kappa(diagnoses) == pytest.approx(0.4302445, abs=1e-6)
    rows = [[0, 0, 0, 0, 14], *([int(c) for c in row] for row in TEXTBOOK.split()[1:])]
    assert fleiss_kappa(np.array(rows, float)) == pytest.approx(0.2099307, abs=1e-6)


def test_published_krippendorff() -> None:
    assert krippendorff_alpha(np.array(CODERS)) == pytest.approx(0.691, abs=5e-4)
    assert krippendorff_alpha(np.array(CODERS), "interval") == pytest.approx(0.811, abs=5e-4)
    assert krippendorff_alpha(np.array(OBSERVERS), "ordinal") == pytest.approx(0.815, abs=5e-4)
    assert krippendorff_alpha(np.array(OBSERVERS)) == pytest.approx(0.743, abs=5e-4)


@given(st.integers(0, 10_000))
def test_reliability_equals_the_oracles_on_random_ratings(seed: int) -> None:
    random = np.random.default_rng(seed)
    ratings = random.integers(0, 3, (int(random.integers(2, 5)), 25)).astype(float)
    ratings[1] = np.where(random.random(25) < 0.5, ratings[0], ratings[1])
    table = np.zeros((3, 3))
    np.add.at(table, (ratings[0].astype(int), ratings[1].astype(int)), 1)
    assert cohen_kappa(table) == pytest.approx(inter_rater.cohens_kappa(table, return_results=False))
    counts = (ratings.T[:, :, None] == np.arange(3)).sum(1).astype(float)
    assert fleiss_kappa(counts) == pytest.approx(inter_rater.fleiss_kappa(counts))
    ratings[random.random(ratings.shape) < 0.2] = nan
    for level in ("nominal", "ordinal", "interval"):
        oracle = krippendorff.alpha(reliability_data=ratings, level_of_measurement=level)
        assert krippendorff_alpha(ratings, level) == pytest.approx(oracle)


def test_reliability_without_variation_is_undefined() -> None:
    assert np.isnan(krippendorff_alpha(np.ones((2, 4))))
    assert np.isnan(krippendorff_alpha(np.array([[1, nan], [nan, 2]])))
    assert np.isnan(cohen_kappa(np.diag([4.0, 0, 0])))
    assert np.isnan(fleiss_kappa(np.array([[1.0, 0], [2, 0]])))


@pytest.mark.parametrize("size", range(1, 9))
def test_adjusted_p_values_equal_statsmodels(size: int) -> None:
    p = (np.random.default_rng(size).integers(0, 6, size) / 50).tolist()
    for ours, method in ((holm, "holm"), (false_discovery, "fdr_bh")):
        oracle: Any = multitest.multipletests(p, method=method)[1]
        np.testing.assert_allclose(ours(p), oracle, atol=1e-12)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_mcnemar_equals_statsmodels(rows: list[tuple[bool, bool]]) -> None:
    first, second = zip(*rows, strict=True)
    table = [[rows.count((x, y)) for y in (True, False)] for x in (True, False)]
    if table[0][1] + table[1][0]:
        oracle: Any = contingency_tables.mcnemar(table, exact=True)
        assert mcnemar(first, second) == pytest.approx(oracle.pvalue)
    else:
        assert mcnemar(first, second) == 1.0


@given(st.integers(0, 80), st.integers(0, 80), st.sampled_from([0.9, 0.95, 0.99]))
def test_wilson_and_sign_test_equal_statsmodels(yes: int, no: int, confidence: float) -> None:
    if yes + no:
        oracle: Any = proportion.proportion_confint(yes, yes + no, 1 - confidence, "wilson")
        np.testing.assert_allclose(wilson(yes, yes + no, confidence), oracle, atol=1e-12)
        assert sign_test(yes, no) == pytest.approx(proportion.binom_test(yes, yes + no))
    else:
        assert sign_test(0, 0) == 1.0


def test_wilcoxon_on_a_worked_example() -> None:
    # Differences 2, 3, 4, -1 and a zero that takes rank 1: positive ranks 3 + 4 + 5 = 12, negative 2, of 14 in all.
    p = wilcoxon([3, 5, 9, 1, 4], [1, 2, 5, 2, 4])
    assert p == pytest.approx(2 * stats.norm.sf((12 - 7) / np.sqrt((5 * 6 * 11 - 1 * 2 * 3) / 24)), abs=1e-9)
    assert wilcoxon([1, 2], [1, 2]) == 1.0


def test_agreement_worked_by_hand() -> None:
    # Agree, agree, one tie, opposed: (1 + 1 + 1/2 + 0) / 4.
    found = agreement([0, 1, 0, 0], [0, 1, 1, 2], list("pqrs"), resamples=200, seed=0, confidence=0.95)
    assert found.rate == 0.625
    # Shares (3/4, 1/4, 0) and (1/4, 1/2, 1/4): 3/4 (1/4 + 1/4) + 1/4 (1/8 + 1/2 + 1/8).
    assert found.chance == pytest.approx(0.5625)
    assert found.corrected == pytest.approx((0.625 - 0.5625) / 0.4375)
    assert found.low <= found.rate <= found.high


def test_power_is_the_textbooks() -> None:
    assert [prompts_needed(d, tie_rate=0.2) for d in (0.05, 0.03)] == [628, 1745]
    assert detectable(300, tie_rate=0.2) == pytest.approx(0.0723, abs=1e-4)
    assert detectable(2, tie_rate=0.0) == 0.5
    for difference in (0.02, 0.1):
        assert detectable(prompts_needed(difference, tie_rate=0.3), tie_rate=0.3) <= difference


def test_power_holds_in_simulation() -> None:
    random, prompts, ties = np.random.default_rng(1), 300, 0.2
    difference = detectable(prompts, tie_rate=ties)
    win, lose = (1 - ties) / 2 + difference, (1 - ties) / 2 - difference
    drawn = random.multinomial(prompts, [win, ties, lose], size=2000)
    found = [abs(w - b) / np.sqrt(w + b) > 1.96 for w, _, b in drawn]
    assert np.mean(found) == pytest.approx(0.8, abs=0.03)


def test_bootstrap_draws_whole_prompts_and_repeats() -> None:
    blocks = list(draws(7, 1203, seed=3))
    weights = np.concatenate(blocks)
    assert weights.shape == (1203, 7)
    assert (weights.sum(1) == 7).all()
    assert weights.mean() == 1
    np.testing.assert_array_equal(weights, np.concatenate(list(draws(7, 1203, seed=3))))
    assert not np.array_equal(weights, np.concatenate(list(draws(7, 1203, seed=4))))


def test_bootstrap_error_matches_the_formula_and_rows_stay_paired() -> None:
    random = np.random.default_rng(0)
    counts = random.integers(1, 4, 400).astype(float)
    sums = random.binomial(counts.astype(int), 0.6).astype(float)
    rates = resampled_rates(np.stack([sums, sums]), np.stack([counts, counts]), resamples=20_000, seed=0)
    assert rates[:, 0].std() == pytest.approx(clustered_error(sums, counts), rel=0.03)
    assert (rates[:, 0] == rates[:, 1]).all()


def test_row_without_verdicts_in_a_resample_is_left_out() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rates = resampled_rates(np.array([[1.0, 0.0]]), np.array([[1.0, 0.0]]), resamples=500, seed=0)
    assert np.isnan(rates).any()
    assert percentile_interval(rates[:, 0], 0.95) == (1.0, 1.0)


def test_intervals_cover_what_they_promise() -> None:
    """95 % intervals of a win rate, prompts as clusters of two correlated verdicts; and Wilson's, averaged over p."""
    random, hits, runs, prompts = np.random.default_rng(5), 0, 600, 120
    for run in range(runs):
        taste = random.beta(1.8, 1.2, prompts)
        sums = random.binomial(2, taste).astype(float)[None]
        rates = resampled_rates(sums, np.full((1, prompts), 2.0), resamples=1000, seed=run)
        low, high = percentile_interval(rates[:, 0], 0.95)
        hits += low <= 0.6 <= high
    assert 0.93 <= hits / runs <= 0.97

    shares = np.linspace(0.05, 0.95, 181)
    ends = np.array([wilson(k, 60, 0.95) for k in range(61)])
    inside = (ends[:, :1] <= shares) & (shares <= ends[:, 1:])
    cover = (stats.binom.pmf(np.arange(61)[:, None], 60, shares) * inside).sum(0)
    assert 0.93 <= cover.mean() <= 0.97
