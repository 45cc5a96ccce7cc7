"""Does a model that was just trained end its answers? Asked of a few prompts, at once, before anything builds on it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from limakit.models.local import load_system
from limakit.models.sampler import Request
from limakit.recipe import Generate
from limakit.records import Prompt

PROMPTS, LIMIT = 8, 256
"""Prompts asked, and tokens after which an answer counts as one that does not end: enough to notice an EOT that was
never learnt, cheap enough for every training."""


def stop_rate(folder: Path, prompts: Sequence[Prompt], settings: Generate, seed: int) -> dict[str, Any]:
    """`stop_prompts` asked, `stop_limit` tokens allowed, and `stop_rate`, the share of answers that ended by
    themselves; None where nothing was asked or the model does not fit into memory a second time."""
    limit = min(LIMIT, settings.max_new_tokens)
    asked = [Request(prompt=prompt) for prompt in prompts[:PROMPTS]]
    try:
        wanted = settings.model_copy(update={"max_new_tokens": limit, "slots": PROMPTS})
        ends = [a.finish for _, a in load_system(folder, "tuned").answer(asked, wanted, seed)] if asked else []
    except torch.OutOfMemoryError:
        ends = []
    rate = round(ends.count("eot") / len(ends), 4) if ends else None
    return {"stop_prompts": len(ends), "stop_limit": limit, "stop_rate": rate}
