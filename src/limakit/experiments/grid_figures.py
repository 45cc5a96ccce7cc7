"""Pictures of a grid: a dot with its interval for each cell, and the curve over the number of examples."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib import style
from matplotlib.figure import Figure

from limakit.report.figures import BLUE, GREY, LOOK, ORANGE, WIDTH
from limakit.report.svg import INK, to_svg
from limakit.report.untrusted import visible


def dots(rows: Sequence[Mapping[str, Any]], unit: str, *, name: str, title: str) -> str:
    """Mean and interval of each cell that has one, the first of the grid as a dashed line to compare with."""
    rows = [row for row in rows if row["mean"] is not None]
    high = 0.55 + 0.42 * len(rows)
    with style.context(["default", LOOK]):
        figure = Figure(figsize=(WIDTH, high))
        axes = figure.add_axes((0.02, 0.48 / high, 0.96, 1 - 0.52 / high))
        axes.axvline(rows[0]["mean"], color=GREY, lw=1, ls=(0, (3, 3)), zorder=0)
        for place, row in enumerate(rows):
            axes.plot([row["low"], row["high"]], [place + 0.3] * 2, color=BLUE, lw=1.8, solid_capstyle="butt")
            axes.plot([row["mean"]], [place + 0.3], "o", color=BLUE, ms=6)
            axes.annotate(
                f"{visible(row['cell'])}  {row['mean']:.2f}",
                (0, place),
                xycoords=("axes fraction", "data"),
                va="center",
            )
        axes.set(ylim=(len(rows) - 0.2, -0.45), yticks=[], xlabel=f"mean {unit}")
        axes.margins(x=0.08)
        axes.spines["left"].set_visible(False)
        described = " ".join(
            f"{visible(row['cell'])}: {row['mean']:.2f} ({row['low']:.2f} to {row['high']:.2f})." for row in rows
        )
        return to_svg(figure, name=name, title=title, description=described)


def curve(points: Sequence[Mapping[str, Any]], unit: str, *, name: str) -> str:
    """Score over the number of training examples, on a scale of doublings."""
    sizes = [point["examples"] for point in points]
    with style.context(["default", LOOK]):
        figure = Figure(figsize=(WIDTH, 2.8))
        axes = figure.add_axes((0.13, 0.17, 0.85, 0.79))
        for point in points:
            axes.plot([point["examples"]] * 2, [point["low"], point["high"]], color=BLUE, lw=1.8)
        axes.plot(sizes, [point["mean"] for point in points], color=ORANGE, lw=1.4, ls=(0, (5, 2)), zorder=0)
        axes.plot(sizes, [point["mean"] for point in points], "o", color=BLUE, ms=6, markeredgecolor=INK, mew=0.5)
        axes.set_xscale("log", base=2)
        axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
        axes.minorticks_off()
        axes.set(xlabel="training examples", ylabel=f"mean {unit}")
        axes.margins(x=0.08, y=0.15)
        axes.grid(axis="y", lw=0.5, alpha=0.35)
        described = " ".join(
            f"{point['examples']:,} examples: {point['mean']:.2f} ({point['low']:.2f} to {point['high']:.2f})."
            for point in points
        )
        return to_svg(figure, name=name, title="Score over the number of examples", description=described)
