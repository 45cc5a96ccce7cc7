"""A model's tensors as files hold them: whole, merged with their adapters, under the names of the base model."""

from typing import Any

import torch
from torch import Tensor

from limakit.train.adapters import ADAPTER, EOT_DELTA, lora_layers


def trained(model: Any) -> dict[str, Any]:
    """What is trained, by name."""
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


@torch.no_grad()
def merged(model: Any, dtype: torch.dtype) -> dict[str, Tensor]:
    """The state dict of the plain model, adapters and EOT's row added in fp32, then rounded to `dtype`."""
    layers = lora_layers(model)
    state: dict[str, Tensor] = model.state_dict()
    found = {}
    for name, value in state.items():
        owner, _, leaf = name.rpartition(".")
        layer = layers.get(owner.removesuffix(".base_layer"))
        if ".lora_" in name or leaf == EOT_DELTA or ".base_layer.weight." in name:  # the last: of a quantisation
            continue
        if layer and leaf == "weight":
            value = _dequantized(layer.base_layer, value).float() + _difference(layer)
            name = f"{owner.removesuffix('.base_layer')}.weight"
        elif layer:
            name = f"{owner.removesuffix('.base_layer')}.{leaf}"
        difference = state.get(f"{owner}.{EOT_DELTA}")
        if leaf == "weight" and difference is not None:
            value = value.float().clone()
            value[model.eot_row] += difference[0]
        found[name] = value.detach().to(dtype)
    return _tie(model, found)


def _tie(model: Any, found: dict[str, Tensor]) -> dict[str, Tensor]:
    """A tied head is the embedding, EOT's row included."""
    embedding, head = model.get_input_embeddings(), model.get_output_embeddings()
    if embedding.weight is head.weight:
        names = {id(module): name for name, module in model.named_modules()}
        found[f"{names[id(head)]}.weight"] = found[f"{names[id(embedding)]}.weight"]
    return found


def _difference(layer: Any) -> Tensor:
    """What the adapter adds to the layer's weight: scaling · B A."""
    a, b = layer.lora_A[ADAPTER].weight, layer.lora_B[ADAPTER].weight
    return layer.scaling[ADAPTER] * (b @ a)


def _dequantized(module: Any, weight: Tensor) -> Tensor:
    """The weight as the forward pass uses it."""
    if weight.is_floating_point():
        return weight
    from bitsandbytes.functional import dequantize_4bit  # type: ignore[import-not-found]

    return dequantize_4bit(module.weight.data, module.weight.quant_state)
