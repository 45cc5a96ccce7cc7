"""What a model is made of, from its config.json alone: built on torch's meta device, where no weight has any bytes."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM
from transformers.utils import logging

from limakit.errors import ModelError
from limakit.models.local_text import DAMAGES, brief, text_config


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Sizes of a causal language model. Counts are parameters, widths are elements a token, of a layer on average: in
    Gemma 4 they differ."""

    parameters: int
    """All of them; an embedding that is also the head counts once."""
    linear: int
    """Those in the layers' matrices: what adapters attach to and 4-bit weights are made of."""
    linear_widths: int
    """Inputs and outputs of these matrices together: parameters of adapters a unit of rank."""
    head: int
    """Of the output head, vocabulary times width, whether or not it is also the embedding."""
    layers: int
    hidden: int
    feed_forward: int
    queries: int
    """Width of all query heads together."""
    keys: int
    """Width of all key heads together."""
    vocabulary: int


def read_shape(folder: Path) -> Shape:
    """The shape of the model whose config.json lies in `folder`. Raises ModelError where it describes none."""
    logging.set_verbosity_error()
    config = text_config(folder)
    try:
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
        head = model.get_output_embeddings()
        matrices = [m for m in model.modules() if isinstance(m, torch.nn.Linear) and m is not head]
        layers = list(config.per_layer_config)
        return Shape(
            parameters=sum(p.numel() for p in model.parameters()),
            linear=sum(m.weight.numel() for m in matrices),
            linear_widths=sum(m.in_features + m.out_features for m in matrices),
            head=head.weight.numel(),
            layers=len(layers),
            hidden=config.hidden_size,
            feed_forward=_mean(getattr(layer, "intermediate_size", None) or 4 * layer.hidden_size for layer in layers),
            queries=_mean(layer.num_attention_heads * _width(layer) for layer in layers),
            keys=_mean(
                (getattr(layer, "num_key_value_heads", None) or layer.num_attention_heads) * _width(layer)
                for layer in layers
            ),
            vocabulary=config.vocab_size,
        )
    except DAMAGES as error:
        raise ModelError(f"describes no causal language model: {brief(error)}", where=folder / "config.json") from None


def _width(layer: Any) -> int:
    """Of one head."""
    return getattr(layer, "head_dim", None) or layer.hidden_size // layer.num_attention_heads


def _mean(sizes: Iterable[int]) -> int:
    found = list(sizes)
    return round(sum(found) / len(found))
