"""The topic map: every example and prompt as a point, near those that use the same words, with words for the regions.

The layout is t-SNE (van der Maaten and Hinton 2008) of the light vectors: neighbours mean something, distances between
regions do not. Colours are Okabe and Ito's (https://jfly.uni-koeln.de/color/), and every kind has a mark of its own.
"""

import io
import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from limakit.curate.attribution import FEWEST_POINTS
from limakit.curate.lengths import response
from limakit.curate.select import Splits
from limakit.curate.vectors import Latent, whole
from limakit.curate.words import words_of
from limakit.records import Example, Prompt

MOST = 2000
"""Points drawn of each split; further ones are left out evenly."""
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
_MARKS = ("o", "v", "P", "D", "^", "X")
_LABEL = re.compile(r"[a-z\u00df-\u024f\u0370-\u03ff\u0400-\u04ff]{4,20}")
"""Words that may stand on the map: letters that its font has, and nothing else."""
_LOOK = {"svg.hashsalt": "limakit", "svg.fonttype": "none", "text.parse_math": False, "font.family": "DejaVu Sans"}


@dataclass(frozen=True, slots=True)
class Topics:
    """A topic map, drawn and as numbers."""

    svg: str
    points: list[dict[str, Any]]
    """Of each point `id`, `kind` (train, dev or test), `x` and `y` in the plane, and the number of its `region`."""
    regions: list[dict[str, Any]]
    """Of each region the `words` that most tell it from the rest (maybe none) and where they stand."""


def topic_map(splits: Splits) -> Topics | None:
    """The map, the same for the same splits; None where there is too little to show."""
    kinds: list[tuple[str, Sequence[Example | Prompt]]] = []
    for group in sorted({example.group for example in splits.train}):
        kinds.append((f"train, {group}", [example for example in splits.train if example.group == group]))
    kinds += [("dev", splits.dev), ("test", splits.test)]
    drawn = [(name, item) for name, items in kinds for item in items[:: -(-len(items) // MOST) or 1]]
    if len(drawn) < FEWEST_POINTS:
        return None
    from sklearn.cluster import KMeans  # with what is imported below, two seconds that only a map takes
    from threadpoolctl import threadpool_limits

    texts = ["\n".join((item.messages[0].content, response(item))) for _, item in drawn]
    vectors = whole(Latent(texts)(texts)).astype(np.float64)
    with threadpool_limits(1):  # sums in parallel come out differently each time
        places = _layout(vectors)
        regions = KMeans(min(12, max(2, len(texts) // 12)), random_state=0).fit_predict(vectors)
    labels = _labels(texts, regions, places)
    told = zip(drawn, _rounded(places), regions.tolist(), strict=True)
    return Topics(
        svg=_drawing([name for name, _ in drawn], places, [label for label in labels if label[0]]),
        points=[
            {"id": item.id, "kind": name.partition(",")[0], "x": x, "y": y, "region": region}
            for (name, item), (x, y), region in told
        ],
        regions=[{"words": words, "x": x, "y": y} for words, x, y in labels],
    )


def _rounded(places: Any) -> list[list[float]]:
    return np.round(places.astype(np.float64), 2).tolist()


def _layout(vectors: Any) -> Any:
    """Places in the plane, (points, 2)."""
    from sklearn.manifold import TSNE

    perplexity = min(30.0, (len(vectors) - 1) / 3)
    return TSNE(2, perplexity=perplexity, init="pca", random_state=0, n_jobs=1).fit_transform(vectors)


def _labels(texts: Sequence[str], regions: Any, places: Any) -> list[tuple[str, float, float]]:
    """For each region the two words that most tell it from the rest, or none, and where they stand."""
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    sets = [
        {word for word in words_of(text) if _LABEL.fullmatch(word) and word not in ENGLISH_STOP_WORDS} for text in texts
    ]
    everywhere = Counter(word for found in sets for word in found)
    labels = []
    for region in range(int(regions.max()) + 1):
        members = np.flatnonzero(regions == region)
        if not len(members):  # where there are fewer texts that differ than regions
            labels.append(("", 0.0, 0.0))
            continue
        here = Counter(word for at in members for word in sets[at])
        telling = {
            word: n / len(members) * math.log(n / len(members) * len(texts) / everywhere[word])
            for word, n in here.items()
            if n > 1
        }
        best: list[str] = []
        for word in sorted(telling, key=lambda word: (-telling[word], word)):
            if len(best) < 2 and not any(word[:4] == other[:4] for other in best):
                best.append(word)
        x, y = _rounded(np.median(places[members], axis=0)[None])[0]
        labels.append((", ".join(best), x, y))
    return labels


def _drawing(kinds: Sequence[str], places: Any, labels: Sequence[tuple[str, float, float]]) -> str:
    from matplotlib import style
    from matplotlib.figure import Figure

    with style.context(["default", _LOOK]):
        figure = Figure(figsize=(7.2, 5.6))
        axes = figure.add_axes((0.01, 0.09, 0.98, 0.9))
        axes.axis("off")
        names = list(dict.fromkeys(kinds))
        for number, name in enumerate(names):
            own = places[[kind == name for kind in kinds]]
            train = name.startswith("train")
            colour = _COLOURS[number % len(_COLOURS)] if train else "#000000"
            mark = _MARKS[number % len(_MARKS)] if train else {"dev": "s", "test": "*"}[name]
            face = colour if train else "none"
            axes.scatter(
                own[:, 0], own[:, 1], s=16 if train else 26, marker=mark, facecolors=face, edgecolors=colour,
                linewidths=0 if train else 0.7, alpha=0.75, label=f"{name} ({len(own):,})",
            )  # fmt: skip
        box = {"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 1.2}
        for words, x, y in labels:
            axes.text(x, y, words, ha="center", va="center", fontsize=8.5, bbox=box)
        figure.legend(loc="lower center", ncols=min(4, len(names)), frameon=False, fontsize=9)
        buffer = io.BytesIO()
        told = {"Title": "Topic map", "Description": "Examples and prompts; those near each other share words."}
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, **told})
    return buffer.getvalue().decode()
