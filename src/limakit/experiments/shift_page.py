"""The page of the superficiality experiment: shares, places, tokens, and the answers in colour."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib import style
from matplotlib.figure import Figure

from limakit.experiments.page import Page, render
from limakit.experiments.shift_numbers import KINDS, Traced, kind, reckon
from limakit.records import Prompt
from limakit.report.figures import BLUE, GREY, LOOK, ORANGE, WIDTH
from limakit.report.svg import to_svg
from limakit.report.untrusted import MAX_CHARACTERS
from limakit.report.words import percent

SHOWN = 30
"""Answers shown in colour; all are in tokens.jsonl."""


def build(
    study: str,
    traced: Sequence[Traced],
    names: Mapping[int, str],
    asked: Mapping[str, Prompt],
    *,
    base: str,
    resamples: int,
    seed: int,
    confidence: float,
) -> Page:
    """Numbers, figure and page."""
    numbers = {"format": 1, "study": study, "base": base, "seed": seed, "confidence": confidence}
    numbers |= reckon(traced, names, resamples=resamples, seed=seed, confidence=confidence)
    numbers["said"] = readings(numbers)
    shown = [{"prompt": asked[one.prompt_id], "pieces": _pieces(one)} for one in traced[:SHOWN]]
    return render(
        "superficiality.html",
        numbers,
        {"places": places(numbers["by_place"])},
        shown=shown,
        kinds=KINDS,
        level=percent(confidence, 1).replace(".0", ""),
        readings=numbers["said"],
    )


def _pieces(one: Traced) -> list[dict[str, str]]:
    """The answer cut where the kind changes from token to token: text, kind, and what to say of it."""
    found, size = [], 0
    for piece, rank, chance in zip(one.pieces, one.ranks, one.chances, strict=True):
        if not piece:
            continue
        size += len(piece)
        if size > MAX_CHARACTERS:
            break
        found.append({"text": piece, "kind": kind(rank), "told": f"rank {rank:,}, {percent(chance, 2)} for the base"})
    return found


def readings(numbers: Mapping[str, Any]) -> list[str]:
    """What the numbers say, in words."""
    written, first = numbers["written"]["shares"], numbers["first_choices"]["shares"]
    rows = numbers["by_place"]
    early = [row for row in rows if row["to"] <= 16] or rows[:1]
    late = [row for row in rows if row["from"] > 16] or rows[-1:]
    ends = [
        100 * sum(row["shifted"] for row in part) / max(1, sum(row["tokens"] for row in part)) for part in (early, late)
    ]
    said = [
        f"Of the {numbers['tokens']:,} tokens that the tuned model wrote, {percent(written['unshifted'])} are what the "
        f"base model would have said first, {percent(written['marginal'])} are its second or third choice, and "
        f"{percent(written['shifted'])} are further down.",
        f"{percent(numbers['own_first'])} of them are the tuned model's own first choice; the others were drawn by "
        f"sampling.",
    ]
    if first["unshifted"] is not None:
        said.append(
            f"Taking its first choice at each place instead, {percent(first['unshifted'])} are the base model's first "
            f"choice too, and {percent(first['shifted'])} are shifted. Lin et al. (2023) found 5 to 8 % for models of "
            f"7 billion parameters that were tuned on far more."
        )
    said.append(
        f"In the first {early[-1]['to']} tokens of the answers {ends[0]:.0f} % of its first choices are shifted, after "
        f"them {ends[1]:.0f} %: "
        + ("what tuning changes shows most at the start." if ends[0] > ends[1] else "there is no early excess.")
    )
    return said


def places(rows: Sequence[Mapping[str, Any]]) -> str:
    """Shares of the three kinds by place in the answer."""
    colours = {"unshifted": (BLUE, "white"), "marginal": (GREY, "black"), "shifted": (ORANGE, "black")}
    high = 0.55 + 0.34 * len(rows)
    with style.context(["default", LOOK]):
        figure = Figure(figsize=(WIDTH, high))
        axes = figure.add_axes((0.2, 0.38 / high, 0.78, 1 - 0.75 / high))
        for place, row in enumerate(rows):
            left = 0.0
            for name, (colour, ink) in colours.items():
                width = 100 * row[name] / max(1, row["tokens"])
                axes.barh(place, width, left=left, height=0.72, color=colour, edgecolor="white", linewidth=0.6)
                if width >= 9:
                    axes.text(
                        left + width / 2, place, f"{width:.0f} %", ha="center", va="center", color=ink, fontsize=8.5
                    )
                left += width
        labels = [f"{row['from']}" if row["from"] == row["to"] else f"{row['from']}–{row['to']}" for row in rows]
        axes.set_yticks(range(len(rows)), labels)
        axes.set(xlim=(0, 100), ylim=(len(rows) - 0.5, -0.5), ylabel="tokens of the answer", xticks=[])
        axes.spines[["left", "bottom"]].set_visible(False)
        axes.tick_params(length=0)
        for number, (name, (colour, _)) in enumerate(colours.items()):
            axes.text(33 * number + 3, -0.85, name, va="center")
            axes.plot([33 * number + 0.8], [-0.85], "s", color=colour, ms=8, clip_on=False)
        described = " ".join(
            f"Tokens {label}: " + ", ".join(f"{row[name] / max(1, row['tokens']):.0%} {name}" for name in colours) + "."
            for label, row in zip(labels, rows, strict=True)
        )
        return to_svg(figure, name="places", title="Shifted tokens by place in the answer", description=described)
