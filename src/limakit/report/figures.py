"""The report's pictures, as SVG by matplotlib: readable in print, on a phone, and by the colour-blind.

Colours are Okabe and Ito's (https://jfly.uni-koeln.de/color/); nothing is said by colour alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from limakit.report.svg import INK, to_svg
from limakit.report.untrusted import visible
from limakit.report.words import counts, interval, percent

WIDTH = 4.8
"""Inches; about 350 points, the width of a phone, where text then keeps its size."""
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#C9C9C9"

LOOK = {
    "svg.hashsalt": "limakit",
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "axes.linewidth": 0.8,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


@contextmanager
def _look() -> Iterator[None]:
    """Our style over matplotlib's own defaults, whatever the user's settings are."""
    with style.context(["default", LOOK]):
        yield


def outcome_bars(rows: Sequence[Mapping[str, Any]], confidence: float, *, name: str) -> str:
    """Win, tie and lose for each baseline (the paper's figure 1), and under each bar its win rate with the interval."""
    rows = [row for row in rows if row.get("win_rate")]
    with _look():
        figure = Figure(figsize=(WIDTH, 0.55 + 0.95 * len(rows)))
        axes = figure.add_axes((0.005, 0.5 / (0.55 + 0.95 * len(rows)), 0.99, 1 - 0.55 / (0.55 + 0.95 * len(rows))))
        axes.set(xlim=(-0.5, 100.5), ylim=(len(rows) - 0.02, 0))
        for place, row in enumerate(rows):
            _outcome(axes, place, row)
        axes.set_xticks([0, 25, 50, 75, 100], ["0 %", "25 %", "50 %", "75 %", "100 %"])
        axes.get_xticklabels()[0].set_horizontalalignment("left")
        axes.get_xticklabels()[-1].set_horizontalalignment("right")
        axes.set_xlabel(f"dot and line: win rate, ties half, with its {confidence * 100:g} % interval")
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        described = " ".join(f"{counts(row)}; win rate {interval(row['win_rate'], confidence)}." for row in rows)
        return to_svg(figure, name=name, title="Win, tie and lose", description=visible(described))


def _outcome(axes: Axes, place: int, row: Mapping[str, Any]) -> None:
    labels = row["win"] + row["tie"] + row["lose"]
    heading = f"{visible(row['candidate'])} against {visible(row['baseline'])} ({labels} verdicts)"
    axes.text(0, place + 0.2, heading, va="center", ha="left", fontweight="bold")
    axes.plot([50, 50], [place + 0.36, place + 0.98], color=INK, lw=0.8, ls=(0, (3, 3)), zorder=0)
    left = 0.0
    parts = (("win", "won", BLUE, "white"), ("tie", "tied", GREY, "black"), ("lose", "lost", ORANGE, "black"))
    for key, word, colour, ink in parts:
        width = 100 * row[key] / labels
        axes.barh(place + 0.52, width, left=left, height=0.32, color=colour, edgecolor="white", linewidth=0.8)
        text = f"{word} {row[key]}" if width >= 14 else str(row[key]) if width >= 5 else ""
        axes.text(left + width / 2, place + 0.53, text, ha="center", va="center", color=ink)
        left += width
    rate = row["win_rate"]
    low, value, high = (100 * rate[key] for key in ("low", "value", "high"))
    axes.plot([low, high], [place + 0.82] * 2, color=INK, lw=1.6, solid_capstyle="butt")
    axes.plot([value], [place + 0.82], "o", color=INK, ms=5.5)
    beside = (high + 1.5, "left") if high < 80 else (low - 1.5, "right")
    axes.text(beside[0], place + 0.825, percent(rate["value"]), ha=beside[1], va="center", fontsize=9)


def funnel_bars(funnel: Mapping[str, Any], *, name: str) -> str:
    """The answers that were read, and what every rule that took any left of them."""
    rows = [("answers read", "", funnel["answers"])]
    rows += [(visible(step["rule"]), f"−{step['taken']:,}", step["left"]) for step in funnel["steps"] if step["taken"]]
    with _look():
        figure = Figure(figsize=(WIDTH, 0.1 + 0.36 * len(rows)))
        axes = figure.add_axes((0.005, 0.01, 0.99, 0.98))
        axes.set(xlim=(0, 100), ylim=(len(rows), 0))
        axes.axis("off")
        most = max(1, funnel["answers"])
        for place, (rule, taken, left) in enumerate(rows):
            axes.text(0, place + 0.3, rule, va="center", ha="left")
            axes.text(80, place + 0.3, taken, va="center", ha="right")
            axes.text(100, place + 0.3, f"{left:,}", va="center", ha="right", fontweight="bold")
            axes.barh(place + 0.72, 100 * left / most, height=0.26, color=BLUE)
        described = f"{funnel['answers']:,} answers read. " + " ".join(
            f"{visible(step['rule'])} took {step['taken']:,} and left {step['left']:,}." for step in funnel["steps"]
        )
        return to_svg(figure, name=name, title="What the rules left", description=described)


def loss_curve(metrics: Sequence[Mapping[str, Any]], epochs: Sequence[Mapping[str, Any]], *, name: str) -> str:
    """Training loss of every step, the mean of every epoch, and the dev loss where it was measured."""
    lines = [line for line in metrics if line.get("loss") is not None]
    ends = {line["epoch"]: line["step"] for line in metrics if line.get("epoch") is not None}
    dev = [(line["step"], line["dev_loss"]) for line in metrics if line.get("dev_loss") is not None]
    means = [(ends[row["epoch"]] - (row["steps"] - 1) / 2, row["loss"]) for row in epochs if row["loss"] is not None]
    with _look():
        figure = Figure(figsize=(WIDTH, 3.1))
        axes = figure.add_axes((0.135, 0.15, 0.86, 0.68))
        axes.plot(
            [x["step"] for x in lines], [x["loss"] for x in lines], color=BLUE, lw=0.9, alpha=0.55, label="each step"
        )
        axes.plot(*zip(*means, strict=True), color=BLUE, lw=1.8, marker="o", ms=4, label="mean of the epoch")
        if dev:
            axes.plot(*zip(*dev, strict=True), color=ORANGE, lw=1.8, ls=(0, (5, 2)), marker="s", ms=4, label="dev set")
        axes.set(xlabel="step", ylabel="loss, nats a token")
        axes.grid(axis="y", lw=0.5, alpha=0.35)
        figure.legend(frameon=False, ncols=3, loc="upper left", bbox_to_anchor=(0.1, 1.01), borderaxespad=0, fontsize=9)
        top = axes.secondary_xaxis("top")
        every = max(1, -(-len(ends) // 8))
        marked = [epoch for epoch in ends if epoch % every == 0 or len(ends) == 1]
        top.set_xticks(
            [ends[epoch] for epoch in marked],
            [f"epoch {epoch}" if epoch == marked[0] else str(epoch) for epoch in marked],
        )
        top.tick_params(labelsize=8.5)
        described = f"{len(lines)} steps. Mean training loss by epoch: "
        described += ", ".join(f"{row['epoch']}: {row['loss']:.3f}" for row in epochs if row["loss"] is not None) + "."
        if dev:
            described += " Dev loss: " + ", ".join(f"{loss:.3f}" for _, loss in dev) + "."
        return to_svg(figure, name=name, title="Loss during training", description=described)
