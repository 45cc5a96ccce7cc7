"""Whether a model may be driven through the slots: its logits must be those of its own plain forward pass.

Families differ in what they hand to attention (sinks, position biases, chunks, mixed layer types). Instead of a list of
supported names, every model is asked when it is opened, and one that would be answered for wrongly is refused.
"""

from typing import Any

import torch

from limakit.errors import ModelError
from limakit.models.local_attention import Slots
from limakit.models.local_decode import Decoder, quiet

PROBE = 12
TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 6e-2, torch.float16: 1e-2}


def reference_logits(model: Any) -> tuple[list[int], torch.Tensor]:
    """A probe of token ids and the logits (PROBE, V) of the model's own forward pass. Call before making a Decoder."""
    random = torch.Generator().manual_seed(0)
    ids = torch.randint(0, model.get_input_embeddings().num_embeddings, (PROBE,), generator=random)
    with quiet(model):
        return ids.tolist(), model(input_ids=ids[None].to(model.device), use_cache=False).logits[0]


def check(decoder: Decoder, model: Any, ids: list[int], wanted: torch.Tensor) -> None:
    """Raise ModelError unless prompts of different lengths, taken in at different times and continued side by side,
    give the reference logits, and every layer asked for the sliding window that its configuration names."""
    config, slots = model.config, Slots(2, PROBE)
    try:
        with quiet(model):
            first = decoder.forward(slots, ids[:7], [], [7])
            second = decoder.forward(slots, [ids[7], *ids[:4]], [7], [4])
            third = decoder.forward(slots, [ids[8], ids[4]], [8, 4], [])
    except (TypeError, ValueError, RuntimeError, AttributeError) as error:
        raise _refusal(config, f"its layers do not take our attention: {error}") from None
    if not slots.windows:
        raise _refusal(config, "its layers do not take our attention")
    got, wanted = torch.cat([first, second, third]).float(), wanted[[6, 7, 3, 8, 4]].float()
    bound = TOLERANCE[model.dtype] * (1 + wanted.abs().max())
    if not bool(((got - wanted).abs() <= bound).all()):
        raise _refusal(config, "decoding with a cache does not give the logits of its plain forward pass")
    for layer, window in slots.windows.items():
        if window != _window(config, layer):
            raise _refusal(config, f"layer {layer} does not pass on its sliding window")


def _window(config: Any, layer: int) -> int | None:
    """Sliding window of a layer by the configuration. Raises ModelError for a kind of layer that we do not know."""
    window = getattr(config, "sliding_window", None)
    kinds = getattr(config, "layer_types", None)
    if kinds is None:
        return window
    if kinds[layer] not in ("full_attention", "sliding_attention"):
        raise _refusal(config, f"layer {layer} is of kind {kinds[layer]!r}")
    return window if kinds[layer] == "sliding_attention" else None


def _refusal(config: Any, why: str) -> ModelError:
    return ModelError(f"models of type {config.model_type!r} cannot be decoded here: {why}", fix="Take another base.")
