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
from limakit.report.words import counts, interval, judge_name, percent

WIDTH = 4.8
"""Inches; about 350 points, the width of a phone, where text then keeps its size."""
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#C9C9C9"

LOOK = {
    "svg.hashsalt": "limakit",
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.family": "DejaVu Sans",
    "font.size": 10.5,
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


Part = tuple[str, int, str, str]
"""What a part of a bar is called, its count, its colour and that of the text on it."""


def outcome_bars(rows: Sequence[Mapping[str, Any]], confidence: float, *, name: str) -> str:
    """Win, tie and lose for each baseline (the paper's figure 1), and under each bar its win rate with the interval."""
    bars: list[tuple[str, list[Part], Mapping[str, Any]]] = []
    rows = [row for row in rows if row.get("win_rate")]
    for row in rows:
        labels = row["win"] + row["tie"] + row["lose"]
        parts = [("won", row["win"], BLUE, "white"), ("tied", row["tie"], GREY, "black")]
        parts.append(("lost", row["lose"], ORANGE, "black"))
        bars.append((f"{row['candidate']} against {row['baseline']} ({labels} verdicts)", parts, row["win_rate"]))
    described = " ".join(f"{counts(row)}; win rate {interval(row['win_rate'], confidence)}." for row in rows)
    label = f"dot and line: win rate, ties half, with its {confidence * 100:g} % interval"
    return _stacked(bars, name=name, title="Win, tie and lose", label=label, described=described, middle=True)


def share_bars(
    rows: Sequence[tuple[str, Mapping[str, int], Mapping[str, Any]]], confidence: float, *, name: str, title: str
) -> str:
    """Two or three grades for each row (heading, counts by grade, rate of the first grade), the paper's figure 3, and
    under each bar the share of the first grade with the interval that the paper leaves out."""
    colours = {2: ((BLUE, "white"), (ORANGE, "black")), 3: ((BLUE, "white"), (GREY, "black"), (ORANGE, "black"))}
    bars = []
    for heading, tally, rate in rows:
        parts = [(*item, *colour) for item, colour in zip(tally.items(), colours[len(tally)], strict=True)]
        bars.append((f"{heading} ({sum(tally.values())} grades)", parts, rate))
    first = next(iter(rows[0][1]))
    described = " ".join(
        f"{heading}: {', '.join(f'{grade} {count}' for grade, count in tally.items())}; "
        f"{first} {interval(rate, confidence)}."
        for heading, tally, rate in rows
    )
    label = f"dot and line: share {first}, with its {confidence * 100:g} % interval"
    return _stacked(bars, name=name, title=title, label=label, described=described)


def _stacked(
    bars: Sequence[tuple[str, Sequence[Part], Mapping[str, Any]]],
    *,
    name: str,
    title: str,
    label: str,
    described: str,
    middle: bool = False,
) -> str:
    """Bars of shares, each with a heading over it and a rate with its interval under it."""
    high = 0.55 + 0.95 * len(bars)
    with _look():
        figure = Figure(figsize=(WIDTH, high))
        axes = figure.add_axes((0.005, 0.5 / high, 0.99, 1 - 0.55 / high))
        axes.set(xlim=(-0.5, 100.5), ylim=(len(bars) - 0.02, 0))
        for place, (heading, parts, rate) in enumerate(bars):
            axes.text(0, place + 0.2, visible(heading), va="center", ha="left", fontweight="bold")
            if middle:
                axes.plot([50, 50], [place + 0.36, place + 0.98], color=INK, lw=0.8, ls=(0, (3, 3)), zorder=0)
            _bar(axes, place, parts, rate)
        axes.set_xticks([0, 25, 50, 75, 100], ["0 %", "25 %", "50 %", "75 %", "100 %"])
        axes.get_xticklabels()[0].set_horizontalalignment("left")
        axes.get_xticklabels()[-1].set_horizontalalignment("right")
        axes.set_xlabel(label)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        return to_svg(figure, name=name, title=title, description=visible(described))


def _bar(axes: Axes, place: int, parts: Sequence[Part], rate: Mapping[str, Any]) -> None:
    total, left = sum(count for _, count, _, _ in parts), 0.0
    for word, count, colour, ink in parts:
        width = 100 * count / total
        axes.barh(place + 0.52, width, left=left, height=0.32, color=colour, edgecolor="white", linewidth=0.8)
        fits = 3 * (len(word) + len(str(count))) - 4
        text = f"{word} {count}" if width >= fits else str(count) if width >= 5 else ""
        axes.text(left + width / 2, place + 0.53, text, ha="center", va="center", color=ink)
        left += width
    low, value, high = (100 * rate[key] for key in ("low", "value", "high"))
    axes.plot([low, high], [place + 0.82] * 2, color=INK, lw=1.6, solid_capstyle="butt")
    axes.plot([value], [place + 0.82], "o", color=INK, ms=5.5, clip_on=False)
    # To the right of the line, but not over the edge or the dashes at 50.
    beside = (low - 1.5, "right") if high > 80 or (38 < high < 50 and low > 15) else (high + 1.5, "left")
    axes.text(beside[0], place + 0.825, percent(rate["value"]), ha=beside[1], va="center", fontsize=9)


def agreement_dots(found: Mapping[str, Any], *, name: str) -> str:
    """How far people agree with each other and with every judge, each with its interval and its chance level."""
    rows = [("people with each other", found["among"])] if found["among"] else []
    rows += [(judge_name(row["judge"]), row) for row in found["judges"]]
    high = 0.55 + 0.55 * len(rows)
    with _look():
        figure = Figure(figsize=(WIDTH, high))
        axes = figure.add_axes((0.005, 0.5 / high, 0.99, 1 - 0.55 / high))
        axes.set(xlim=(-0.5, 100.5), ylim=(len(rows) - 0.02, 0))
        for place, (heading, row) in enumerate(rows):
            value, low, high_end, chance = (100 * row[key] for key in ("rate", "low", "high", "chance"))
            axes.text(0, place + 0.28, visible(heading), va="center", ha="left", fontweight="bold")
            axes.plot([chance] * 2, [place + 0.5, place + 0.94], color=ORANGE, lw=1.6)
            axes.plot([low, high_end], [place + 0.72] * 2, color=INK, lw=1.6, solid_capstyle="butt")
            dot = BLUE if place or not found["among"] else INK
            axes.plot([value], [place + 0.72], "o", color=dot, ms=6, clip_on=False)
            beside = (low - 1.5, "right") if low > 12 and not low - 10 < chance < low else (high_end + 1.5, "left")
            axes.text(beside[0], place + 0.725, percent(row["rate"]), ha=beside[1], va="center", fontsize=9)
        axes.set_xticks([0, 25, 50, 75, 100], ["0 %", "25 %", "50 %", "75 %", "100 %"])
        axes.get_xticklabels()[0].set_horizontalalignment("left")
        axes.get_xticklabels()[-1].set_horizontalalignment("right")
        axes.set_xlabel("dot and line: agreement with its interval; upright line: by chance")
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        described = " ".join(
            f"{heading}: {percent(row['rate'])} ({percent(row['low'])} to {percent(row['high'])}) of "
            f"{row['comparisons']:,} comparisons, {percent(row['chance'])} by chance."
            for heading, row in rows
        )
        return to_svg(figure, name=name, title="Agreement with people", description=visible(described))


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
