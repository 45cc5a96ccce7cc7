"""Which prompts are unlike anything that was trained on: by the nearest training example's prompt.

The paper (section 4.3) marked by hand the prompts without any related training example. Here a prompt is out of
distribution where its nearest training prompt is less like it than nine in ten training prompts are to their own
nearest neighbour. Likeness is the TF-IDF cosine: it sees shared words and no meaning, so the mark is a rough one.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from limakit.records import Example, Prompt

SHARE = 0.1
"""Training prompts that count as far from the others."""
BLOCK = 1000
"""Rows that are compared with all targets at once, to bound memory."""


def out_of_distribution(examples: Sequence[Example], prompts: Sequence[Prompt]) -> dict[str, bool]:
    """For each prompt's id whether it is far from all training examples; empty with fewer than two of these."""
    from limakit.curate.tfidf import Weights
    from limakit.curate.words import hashed

    if len(examples) < 2 or not prompts:
        return {}
    known = [example.messages[0].content for example in examples]
    weights = Weights(known)
    rows_T = weights.rows(hashed(known))
    bound = float(np.quantile(_nearest(rows_T, rows_T, themselves=True), SHARE))
    asked_P = weights.rows(hashed([prompt.messages[-1].content for prompt in prompts]))
    nearest_P = _nearest(asked_P, rows_T, themselves=False)
    return {prompt.id: bool(near < bound) for prompt, near in zip(prompts, nearest_P, strict=True)}


def _nearest(rows: Any, targets: Any, *, themselves: bool) -> Any:
    """Cosine of each row's nearest target; where the targets are the rows themselves, of its nearest other one."""
    found = []
    for start in range(0, rows.shape[0], BLOCK):
        cosines = (rows[start : start + BLOCK] @ targets.T).toarray()
        if themselves:
            np.fill_diagonal(cosines[:, start:], 0)
        found.append(cosines.max(1))
    return np.concatenate(found)
