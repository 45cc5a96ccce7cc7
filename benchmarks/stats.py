"""Paired bootstrap over prompts: 10 models x 805 prompts, 10,000 resamples, against a plain loop. One run:

    python benchmarks/stats.py

The loop is of the kind that Arena-Hard's evaluation runs: for each model and each resample, draw rows of a pandas frame
and take their mean. It is timed on a share of the resamples and scaled up; both must give the same intervals. Also
timed: the whole summary of ten systems, with all differences and a ranking whose resamples are refitted.
"""

import time

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from limakit.records import Label, Verdict
from limakit.report.resample import percentile_interval, resampled_rates
from limakit.report.summary import summarise

MODELS, PROMPTS, RESAMPLES, LOOPED = 10, 805, 10_000, 500
LIMIT_SECONDS = 2.0
LABELS: tuple[Label, ...] = ("a", "tie", "b")


def plain_loop(scores_MP: NDArray[np.float64], resamples: int) -> NDArray[np.float64]:
    """(resamples, models) mean scores, one resample of one model at a time."""
    means = np.empty((resamples, len(scores_MP)))
    for model, scores in enumerate(scores_MP):
        frame = pd.DataFrame({"prompt": np.arange(len(scores)), "score": scores})
        for number in range(resamples):
            means[number, model] = frame.sample(frac=1.0, replace=True, random_state=number)["score"].mean()
    return means


def main() -> None:
    random = np.random.default_rng(0)
    scores = random.choice([0.0, 0.5, 1.0], (MODELS, PROMPTS))
    start = time.perf_counter()
    ours = resampled_rates(scores, np.ones_like(scores), resamples=RESAMPLES, seed=0)
    seconds = time.perf_counter() - start
    start = time.perf_counter()
    theirs = plain_loop(scores, LOOPED)
    loop = (time.perf_counter() - start) * RESAMPLES / LOOPED
    for model in range(MODELS):
        gap = np.subtract(percentile_interval(ours[:, model], 0.95), percentile_interval(theirs[:, model], 0.95))
        assert np.abs(gap).max() < 0.01, "the two disagree"
    print(f"bootstrap, {MODELS} models x {PROMPTS} prompts x {RESAMPLES:,} resamples")
    print(f"  limakit {seconds:8.2f} s   (limit {LIMIT_SECONDS:g} s)")
    print(f"  loop    {loop:8.2f} s   (from {LOOPED} resamples)   {loop / seconds:.0f} times as long")

    names = [f"model {k}" for k in range(MODELS)]
    verdicts = [
        Verdict(pair_id=f"{p}/{k}", prompt_id=str(p), judge="model:x", a=names[0], b=names[k], label=LABELS[label])
        for p in range(PROMPTS)
        for k, label in enumerate(random.integers(0, 3, MODELS))
        if k
    ]
    start = time.perf_counter()
    summarise(verdicts, candidate=names[0])
    print(f"whole summary of {len(verdicts):,} verdicts (9 baselines, 36 differences, ranking of 10 with 1,000 refits)")
    print(f"  limakit {time.perf_counter() - start:8.2f} s")


if __name__ == "__main__":
    main()
