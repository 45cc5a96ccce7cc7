"""Which of several checkpoints answers best: the share of comparisons each wins, how sure that is, and a figure.

Every two epochs are compared on every prompt, so the mean score over all of an epoch's comparisons is a fair ranking
and needs no model of strengths. Prompts are drawn anew for all epochs alike (`resample`), so that differences between
epochs keep their pairing.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from matplotlib import style
from matplotlib.figure import Figure
from scipy.special import ndtr, ndtri

from limakit.records import Verdict
from limakit.report.figures import BLUE, GREY, LOOK, ORANGE, WIDTH
from limakit.report.rates import Floats, few_differ, share_interval, widened
from limakit.report.resample import expansion, resampled_rates
from limakit.report.svg import INK, to_svg


def rank(
    verdicts: Sequence[Verdict], systems: Sequence[str], *, resamples: int, seed: int, confidence: float
) -> list[dict[str, Any]]:
    """One row a system, in the order given; empty where no verdict has a label.

    `win`, `tie`, `lose` and `missing` count its comparisons; `win_rate` is (wins + ties / 2) / labels with its
    interval `low` to `high`; `best` the share of resamples in which no other has a higher rate, equal ones
    sharing it; `behind` the interval of the best one's lead over it, None for the best one itself. All
    `behind` hold together with that confidence, although the best was picked by the same verdicts.
    """
    labelled = [verdict for verdict in verdicts if verdict.label is not None]
    prompts = sorted({verdict.prompt_id for verdict in labelled})
    if not prompts:
        return []
    place = {prompt: number for number, prompt in enumerate(prompts)}
    sums, counts = np.zeros((2, len(systems), len(prompts)))
    tally = {name: {"win": 0, "tie": 0, "lose": 0, "missing": 0} for name in systems}
    for verdict in verdicts:
        for name in (verdict.a, verdict.b):
            kind = "missing" if verdict.label is None else _outcome(verdict, name)
            tally[name][kind] += 1
            if verdict.label is not None:
                spot = systems.index(name), place[verdict.prompt_id]
                sums[spot] += {"win": 1.0, "tie": 0.5, "lose": 0.0}[kind]
                counts[spot] += 1
    # A system that has no label at all keeps the rate nan and cannot be the best.
    with np.errstate(invalid="ignore"):
        rates = sums.sum(1) / counts.sum(1)
    samples = resampled_rates(sums, counts, resamples=resamples, seed=seed)
    top = samples == np.nanmax(samples, axis=1, keepdims=True)
    best = (top / top.sum(1, keepdims=True)).mean(0)
    first = int(np.nanargmax(rates))
    leads = _leads(sums, counts, samples, first, confidence)
    rows = []
    for number, name in enumerate(systems):
        row: dict[str, Any] = {"system": name, **tally[name], "win_rate": None, "low": None, "high": None}
        row |= {"best": round(float(best[number]), 4), "behind": None}
        if counts[number].any():
            met = counts[number] > 0
            low, high, _ = share_interval(sums[number, met], counts[number, met], samples[:, number], confidence)
            row |= {"win_rate": round(float(rates[number]), 6), "low": round(low, 6), "high": round(high, 6)}
            if number != first:
                row["behind"] = [round(end, 6) for end in leads[number]]
        rows.append(row)
    return rows


def _leads(
    sums_SP: Floats, counts_SP: Floats, samples_RS: Floats, first: int, confidence: float
) -> dict[int, tuple[float, float]]:
    """The intervals of one system's lead over each other one. The one that looks best is there in part by luck, so they
    reach as many standard errors to either side as the gap of *any* two systems strays from its value in a share of
    `confidence` of the resamples, as Tukey's do (max-t; Westfall and Young 1993)."""
    known = [number for number in range(len(sums_SP)) if counts_SP[number].any()]
    rates = {number: sums_SP[number].sum() / counts_SP[number].sum() for number in known}
    strays, leads, prompts = np.zeros(len(samples_RS)), {}, sums_SP.shape[1]
    for one, two in combinations(known, 2):
        gaps = samples_RS[:, one] - samples_RS[:, two]
        value, error = rates[one] - rates[two], float(np.nanstd(gaps))
        if error > 0:
            strays = np.fmax(strays, np.abs(gaps - value) / error)
        if first in (one, two):
            pair = [one, two]
            if few_differ(sums_SP[pair], counts_SP[pair]):
                value, error = widened(sums_SP[pair], counts_SP[pair])
            leads[two if first == one else one] = (value if first == one else -value, error)
    reach = float(max(np.quantile(strays, confidence), -ndtri((1 - confidence) / 2)))
    reach *= expansion(1 - 2 * float(ndtr(-reach)), prompts)
    return {
        number: (max(-1.0, value - reach * error), min(1.0, value + reach * error))
        for number, (value, error) in leads.items()
    }


def _outcome(verdict: Verdict, name: str) -> str:
    return "tie" if verdict.winner is None else "win" if verdict.winner == name else "lose"


def figure(rows: Sequence[Mapping[str, Any]], kept: int, *, confidence: float, judge: str) -> str:
    """Win rate of each epoch with its interval, and the dev loss beside it where it was measured. `rows` are those of
    `rank` with `epoch` and `dev_loss`."""
    judged = [row for row in rows if row["win_rate"] is not None]
    losses = [(row["epoch"], row["dev_loss"]) for row in rows if row["dev_loss"] is not None]
    with style.context(["default", LOOK]):
        drawing = Figure(figsize=(WIDTH, 2.9))
        axes = drawing.add_axes((0.13, 0.16, 0.74 if losses else 0.85, 0.66))
        axes.axhline(50, color=GREY, lw=0.8)
        for row in judged:
            axes.plot([row["epoch"]] * 2, [100 * row["low"], 100 * row["high"]], color=BLUE, lw=1.6)
        places = [row["epoch"] for row in judged]
        axes.plot(places, [100 * row["win_rate"] for row in judged], "o", color=BLUE, ms=5.5, label="win rate")
        best = next(row for row in rows if row["epoch"] == kept)
        if best["win_rate"] is not None:
            axes.annotate("kept", (kept, 100 * best["high"]), (0, 3), textcoords="offset points", ha="center")
        axes.set(xlabel="epoch", ylabel="win rate, %", ylim=(0, 108), xticks=[row["epoch"] for row in rows])
        if losses:
            beside = axes.twinx()
            beside.spines["right"].set_visible(True)
            beside.plot(
                *zip(*losses, strict=True), color=ORANGE, lw=1.6, ls=(0, (5, 2)), marker="s", ms=4, label="dev loss"
            )
            beside.set_ylabel("dev loss, nats a token")
        drawing.legend(frameon=False, ncols=2, loc="upper left", bbox_to_anchor=(0.1, 1.0), labelcolor=INK)
        described = f"Judge {judge}, {confidence:.0%} intervals. " + " ".join(
            f"Epoch {row['epoch']}: {row['win_rate']:.1%} ({row['low']:.1%} to {row['high']:.1%})." for row in judged
        )
        if losses:
            described += " Dev loss: " + ", ".join(f"{epoch}: {loss:.3f}" for epoch, loss in losses) + "."
        return to_svg(drawing, name="choice", title="Which epoch answers best", description=described)
