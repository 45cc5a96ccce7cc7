"""The statistics of 10 models x 805 prompts against the loops of Arena-Hard and AlpacaEval. One run:

    python benchmarks/stats.py

Ours: 10,000 resamples drawn over prompts, and the length-controlled win rate of every model, refitted in 1,000.
Arena-Hard's loop draws rows of a pandas frame and takes means, one resample at a time. AlpacaEval's length control
fits scikit-learn's LogisticRegressionCV (liblinear, L1, five folds over ten strengths) on every prompt twice, once for
each outcome, weighted by its probability; it does so once a model and never refits, so what it would take to have the
same interval is told beside what it does. Both loops are timed on a share of the work and scaled up, and must agree.
"""

import time
import warnings

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.linear_model import LogisticRegressionCV
from sklearn.model_selection import GroupKFold

from limakit.records import Label, Verdict
from limakit.report.length_control import REFITS, length_controlled
from limakit.report.resample import percentile_interval, resampled_rates
from limakit.report.summary import summarise

MODELS, PROMPTS, RESAMPLES, LOOPED, FITTED = 10, 805, 10_000, 300, 3
LIMIT_SECONDS, LIMIT_ARENA, LIMIT_ALPACA = 2.0, 50, 100
LABELS: tuple[Label, ...] = ("a", "tie", "b")


def arena_hard_loop(scores_MP: NDArray[np.float64], resamples: int) -> NDArray[np.float64]:
    """(resamples, models) mean scores: all models' rows in one frame, drawn by model, averaged by model."""
    models, prompts = scores_MP.shape
    frame = pd.DataFrame({"model": np.repeat(np.arange(models), prompts), "score": scores_MP.ravel()})
    rounds = []
    for number in range(resamples):
        drawn = frame.groupby("model").sample(frac=1.0, replace=True, random_state=number)
        rounds.append(drawn.groupby("model")["score"].mean().to_numpy())
    return np.array(rounds)


def alpaca_eval_fit(scores_P: NDArray[np.float64], longer_P: NDArray[np.float64]) -> float:
    """One length-controlled win rate."""
    squashed = np.tanh(longer_P / longer_P.std(ddof=1))
    columns = np.column_stack([np.ones(len(scores_P)), squashed])
    outcomes = np.repeat([1, 0], len(scores_P))
    weights = np.concatenate([scores_P, 1 - scores_P])
    groups = np.tile(np.arange(len(scores_P)), 2)
    folds = list(GroupKFold(5).split(groups, groups=groups))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = LogisticRegressionCV(
            cv=folds, penalty="l1", solver="liblinear", fit_intercept=False, random_state=123, scoring="neg_log_loss"
        )
        model.fit(np.tile(columns, (2, 1)), outcomes, sample_weight=weights)
    return float(expit(model.coef_[0, 0]))


def main() -> None:
    random = np.random.default_rng(0)
    longer = random.normal(100, 400, (MODELS, PROMPTS))
    level = np.linspace(-1, 1, MODELS)[:, None]
    scores = random.binomial(2, expit(level + np.tanh(longer / 400))) / 2
    prompts = [f"{number:04d}" for number in range(PROMPTS)]

    start = time.perf_counter()
    ours = resampled_rates(scores, np.ones_like(scores), resamples=RESAMPLES, seed=0)
    bootstrap = time.perf_counter() - start
    start = time.perf_counter()
    controlled = [length_controlled(scores[m], longer[m], prompts, seed=0, confidence=0.95) for m in range(MODELS)]
    control = time.perf_counter() - start

    start = time.perf_counter()
    theirs = arena_hard_loop(scores, LOOPED)
    arena = (time.perf_counter() - start) * RESAMPLES / LOOPED
    for model in range(MODELS):
        gap = np.subtract(percentile_interval(ours[:, model], 0.95), percentile_interval(theirs[:, model], 0.95))
        assert np.abs(gap).max() < 0.012, "the two bootstraps disagree"
    start = time.perf_counter()
    fits = [alpaca_eval_fit(scores[model], longer[model]) for model in range(FITTED)]
    alpaca = (time.perf_counter() - start) / FITTED
    for fit, found in zip(fits, controlled, strict=False):
        assert abs(fit - found.value) < 0.01, "the two length controls disagree"

    refitted, fit_ms = alpaca * MODELS * REFITS, 1000 * control / MODELS / REFITS
    lines = [
        ("bootstrap, limakit", bootstrap, f"{RESAMPLES:,} resamples drawn over prompts"),
        ("bootstrap, Arena-Hard's loop", arena, f"{arena / bootstrap:,.0f} times as long (wanted {LIMIT_ARENA})"),
        ("length control, limakit", control, f"{REFITS:,} refits a model, {fit_ms:.3f} ms a fit"),
        ("length control, AlpacaEval's", alpaca * MODELS, f"one fit a model, no refits, {1000 * alpaca:.0f} ms a fit"),
        ("the same, refitted as often", refitted, f"{refitted / control:,.0f} times as long (wanted {LIMIT_ALPACA})"),
        ("both, limakit", bootstrap + control, f"limit {LIMIT_SECONDS:g} s"),
    ]
    names = [f"model {k}" for k in range(MODELS)]
    verdicts = [
        Verdict(pair_id=f"{p}/{k}", prompt_id=str(p), judge="model:x", a=names[0], b=names[k], label=LABELS[label])
        for p in range(PROMPTS)
        for k, label in enumerate(random.integers(0, 3, MODELS))
        if k
    ]
    start = time.perf_counter()
    summarise(verdicts, candidate=names[0])
    what = f"of {len(verdicts):,} verdicts: 9 baselines, 36 differences, ranking of 10"
    lines.append(("whole summary, limakit", time.perf_counter() - start, what))
    print(f"{MODELS} models x {PROMPTS} prompts, one process (loops scaled up from {LOOPED} resamples, {FITTED} fits)")
    for name, seconds, note in lines:
        print(f"  {name:30} {seconds:9.2f} s   {note}")


if __name__ == "__main__":
    main()
