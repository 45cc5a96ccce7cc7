"""The topic map as a small drawing with one place marked; prompts for testing are not on it."""

from collections.abc import Mapping
from html import escape
from typing import Any

WIDTH, HEIGHT, EDGE = 360, 280, 16
LETTER, LINE = 5.6, 12
"""About how wide a letter is and how high a line: words that would cover others are left out."""


def drawing(topics: Mapping[str, Any], name: str | None) -> str:
    """SVG of the training examples, that of Id `name` marked, with words for the regions; fit for dark and light."""
    points = [point for point in topics["points"] if point["kind"] == "train"]
    look = f'viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="10"'
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" {look}>']
    if points:
        xs, ys = [point["x"] for point in points], [point["y"] for point in points]
        place = _scaled(min(xs), max(xs), min(ys), max(ys))
        parts += [_dot(*place(point["x"], point["y"]), 2, "#7a879480") for point in points if point["id"] != name]
        taken: list[tuple[float, float, float]] = []
        for region in topics["regions"]:
            x, y = place(region["x"], region["y"])
            half = len(region["words"]) * LETTER / 2
            x = min(max(x, half), WIDTH - half)
            if all(abs(x - other) > half + size or abs(y - height) > LINE for other, height, size in taken):
                taken.append((x, y, half))
                words = escape(region["words"])
                parts.append(f'<text x="{x:.1f}" y="{y}" text-anchor="middle" fill="#66727e">{words}</text>')
        for point in points:
            if point["id"] == name:
                x, y = place(point["x"], point["y"])
                parts += [_dot(x, y, 6, "#D55E00"), f'<circle cx="{x}" cy="{y}" r="10" fill="none" stroke="#D55E00"/>']
    return "".join([*parts, "</svg>"])


def region_of(topics: Mapping[str, Any], name: str) -> tuple[str, int] | None:
    """Words for the region of a training example, and how many examples are in it; None where it is not on the map."""
    point = next((point for point in topics["points"] if point["id"] == name), None)
    if point is None:
        return None
    size = sum(p["region"] == point["region"] and p["kind"] == "train" for p in topics["points"])
    return topics["regions"][point["region"]]["words"] or "no words of its own", size


def _dot(x: float, y: float, radius: float, colour: str) -> str:
    return f'<circle cx="{x}" cy="{y}" r="{radius}" fill="{colour}"/>'


def _scaled(left: float, right: float, low: float, high: float):
    def place(x: float, y: float) -> tuple[float, float]:
        across = (x - left) / ((right - left) or 1)
        up = (y - low) / ((high - low) or 1)
        return round(EDGE + across * (WIDTH - 2 * EDGE), 1), round(HEIGHT - EDGE - up * (HEIGHT - 2 * EDGE), 1)

    return place
