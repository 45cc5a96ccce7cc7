"""Two ways to trade: activations computed again for memory, compiled layers for time."""

from typing import Any

import torch

from limakit.recipe import Train
from limakit.train.dropout import decoder_layers


def install(model: Any, settings: Train) -> None:
    """Put both in place where the recipe asks for them. After hooks and adapters, before `parallel.shard`."""
    if settings.gradient_checkpointing:
        model.activation_checkpointing_enable({"use_reentrant": False})
    if settings.compile:
        torch.compiler.reset()
        for layer in decoder_layers(model):
            layer.compile(dynamic=True)
