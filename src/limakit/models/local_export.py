"""Is an exported folder the model that was trained? Opened as anybody would open it, and compared."""

from pathlib import Path
from typing import Any

import torch

from limakit.errors import ModelError
from limakit.models.chat import Chat
from limakit.models.local import load
from limakit.models.local_decode import quiet
from limakit.records import Turn

TOLERANCE = 1e-4
"""Largest difference of two logits, as a share of the largest logit."""
DIALOGUES = (
    (Turn(role="user", content="How do I keep basil alive?\n\n- light\n- water"),),
    (
        Turn(role="user", content="Add 1,5 and 2,25 €."),
        Turn(role="assistant", content="3,75 €.\n\n```python\n1.5 + 2.25\n```"),
        Turn(role="user", content="Très bien! 再来一次?"),
    ),
)


def check_export(folder: Path, checkpoint: Path) -> float:
    """The largest difference between the logits of both on some dialogues, as a share of the largest logit.

    `folder` is asked through its chat template, `checkpoint` through limakit's own renderer. Raises ModelError where
    the ids or the logits differ, or the generation config does not end an answer at EOT.
    """
    wanted, eot = _logits(checkpoint, templated=False)
    got, stops = _logits(folder, templated=True)
    if not eot <= stops:
        raise ModelError("the generation config does not end answers at the end-of-turn token", where=folder)
    if [ids for ids, _ in wanted] != [ids for ids, _ in got]:
        raise ModelError("the chat template gives other ids than the model was trained on", where=folder)
    differences = [
        ((ours - theirs).abs().max() / ours.abs().max()).item()
        for (_, ours), (_, theirs) in zip(wanted, got, strict=True)
    ]
    if not max(differences) <= TOLERANCE:  # nan is not small
        raise ModelError(f"the exported model differs by {max(differences):.2g} of a logit", where=folder)
    return max(differences)


def _logits(folder: Path, *, templated: bool) -> tuple[list[tuple[list[int], torch.Tensor]], set[int]]:
    """Ids and logits (T, V) of each dialogue, and the ids that must (or, by the template, do) end an answer. One model
    at a time, so that a large one is not held twice."""
    model, tokenizer = load(folder)
    found = []
    with quiet(model):
        for dialogue in DIALOGUES:
            ids = _templated(tokenizer, dialogue) if templated else Chat(tokenizer).prompt(dialogue)
            logits = model(torch.tensor([ids], device=model.device), use_cache=False).logits[0]
            found.append((ids, logits.float().cpu()))
    stops = model.generation_config.eos_token_id if templated else Chat(tokenizer).eot_id
    return found, set(stops if isinstance(stops, list) else [stops])


def _templated(tokenizer: Any, dialogue: tuple[Turn, ...]) -> list[int]:
    messages = [{"role": turn.role, "content": turn.content} for turn in dialogue]
    return list(tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False))
