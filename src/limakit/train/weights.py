"""A model's tensors as files hold them: whole, merged with their adapters, under the names of the base model."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from limakit.train.adapters import ADAPTER, EOT_DELTA, lora_layers
from limakit.train.parallel import whole


def trained(model: Any) -> dict[str, Any]:
    """What is trained, by name."""
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


@torch.no_grad()
def merged(model: Any, dtype: torch.dtype) -> Iterator[tuple[str, Tensor]]:
    """The state of the plain model, adapters and EOT's row added in fp32, then rounded to `dtype`, on the CPU.

    A tied head is left out, as it is in files. All processes of a run must go through it together.
    """
    layers = lora_layers(model)
    state: dict[str, Tensor] = model.state_dict()
    head = _tied_head(model)
    for name, value in state.items():
        owner, _, leaf = name.rpartition(".")
        layer = layers.get(owner.removesuffix(".base_layer"))
        if ".lora_" in name or leaf == EOT_DELTA or ".base_layer.weight." in name:  # the last: of a quantisation
            continue
        if owner == head and leaf == "weight":
            continue
        if layer and leaf == "weight":
            value = _dequantized(layer.base_layer, whole(value)).float() + _difference(layer)
            name = f"{owner.removesuffix('.base_layer')}.weight"
        elif layer:
            name = f"{owner.removesuffix('.base_layer')}.{leaf}"
        value = whole(value)
        difference = state.get(f"{owner}.{EOT_DELTA}")
        if leaf == "weight" and difference is not None:
            value = value.float().index_add(0, torch.tensor([model.eot_row], device=value.device), whole(difference))
        yield name, value.to("cpu", dtype)


def _tied_head(model: Any) -> str | None:
    """Name of the head where it shares its weights with the embedding."""
    head = model.get_output_embeddings()
    if head.weight is not model.get_input_embeddings().weight:
        return None
    return next(name for name, module in model.named_modules() if module is head)


def _difference(layer: Any) -> Tensor:
    """What the adapter adds to the layer's weight: scaling · B A."""
    a, b = whole(layer.lora_A[ADAPTER].weight), whole(layer.lora_B[ADAPTER].weight)
    return layer.scaling[ADAPTER] * (b @ a)


def _dequantized(module: Any, weight: Tensor) -> Tensor:
    """The weight as the forward pass uses it."""
    if weight.is_floating_point():
        return weight
    from bitsandbytes.functional import dequantize_4bit  # type: ignore[import-not-found]

    return dequantize_4bit(module.weight.data, module.weight.quant_state)
