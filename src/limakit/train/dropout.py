"""The paper's residual dropout: p rises linearly from 0 at the bottom layer to its full value at the top (section 3).

It acts on what attention and feed-forward add to the residual stream, p_i = p · i / (L − 1). Which modules add to the
stream differs between families (attention and MLP in Llama, the norms after them in Gemma 2 and OLMo 2), so it is
found out by measurement: those whose outputs, added up with what came in, are exactly what the layer puts out.

One forward hook is shared by all of them and reads p from a 0-d tensor on the module: a Python float would compile one
graph a layer, and skipping p = 0 would drop nothing at all under torch.compile.
"""

from itertools import combinations
from typing import Any

import torch
from torch import Tensor, nn

from limakit.errors import ModelError
from limakit.train.batches import derive

_P = "residual_dropout"
_IN, _OUT = "layer's input", "layer's output"
_TOLERANCE = 1e-3


def install(model: Any, top: float) -> list[list[str]]:
    """Put residual dropout on every layer of a causal language model, active in training mode only.

    Returns the names of the modules hooked, a list a layer. Raises ModelError where a layer's residual branches
    cannot be found.
    """
    branches = residual_branches(model)
    layers = decoder_layers(model)
    for index, (layer, names) in enumerate(zip(layers, branches, strict=True)):
        p = top * index / max(1, len(layers) - 1)
        for name in names:
            module = layer.get_submodule(name)
            module.register_buffer(_P, torch.tensor(p, device=next(layer.parameters()).device), persistent=False)
            module.register_forward_hook(_drop)
    return branches


def reseed(seed: int, epoch: int, step: int, number: int) -> None:
    """Make the masks of one micro-batch a pure function of these four."""
    torch.manual_seed(derive(seed, "dropout", epoch, step, number))


def decoder_layers(model: Any) -> nn.ModuleList:
    """The model's list of layers. Raises ModelError where there is none."""
    for module in model.get_decoder().modules():
        if isinstance(module, nn.ModuleList) and len(module) == model.config.num_hidden_layers:
            return module
    raise ModelError(f"{type(model).__name__} has no list of layers")


@torch.no_grad()
def residual_branches(model: Any) -> list[list[str]]:
    """For each layer the names of the child modules whose outputs join the residual stream.

    One short pass in evaluation mode records what goes in and out of every layer and of its children. The branches
    are the fewest children for which the layer's output is a multiple of its input plus a multiple of their sum; the
    multiples are 1 but in families that scale (the whole layer in Gemma 4).
    """
    layers = decoder_layers(model)
    seen: list[dict[str, Tensor]] = [{} for _ in layers]
    handles = []
    for index, layer in enumerate(layers):
        handles.append(layer.register_forward_pre_hook(_taker(seen[index]), with_kwargs=True))
        handles.append(layer.register_forward_hook(_recorder(seen[index], _OUT)))
        for name, child in layer.named_children():
            handles.append(child.register_forward_hook(_recorder(seen[index], name)))
    training = model.training
    model.eval()
    rows = model.get_input_embeddings().weight
    probe = torch.tensor([[derive("probe", place) % rows.shape[0] for place in range(16)]], device=rows.device)
    model.get_decoder()(input_ids=probe, use_cache=False)
    model.train(training)
    for handle in handles:
        handle.remove()
    kinds: dict[tuple[str, ...], list[dict[str, Tensor]]] = {}
    for taken in seen:
        kinds.setdefault(tuple(taken), []).append(taken)
    found = {kind: _explain(kind, layers, type(model).__name__) for kind, layers in kinds.items()}
    return [found[tuple(taken)] for taken in seen]


def _explain(names: tuple[str, ...], layers: list[dict[str, Tensor]], model: str) -> list[str]:
    """The children that explain every layer with these children: one layer alone may mislead."""
    width = layers[0][_OUT].shape
    children = [name for name in names if name not in (_IN, _OUT) and layers[0][name].shape == width]
    for count in range(1, len(children) + 1):
        for chosen in combinations(children, count):
            if all(_adds_up(layer, chosen) for layer in layers):
                return list(chosen)
    raise ModelError(
        f"cannot tell which modules of {model} add to the residual stream", fix="Set train.residual_dropout to 0."
    )


def _adds_up(layer: dict[str, Tensor], chosen: tuple[str, ...]) -> bool:
    """Whether output = a · input + b · sum of the chosen, a and b by least squares, with an error that is small beside
    what the chosen add, for the median token: a few have huge values."""
    start, out = (layer[name].double().flatten(0, -2) for name in (_IN, _OUT))
    total = torch.stack([layer[name].double().flatten(0, -2) for name in chosen]).sum(0)
    terms = torch.stack([start.flatten(), total.flatten()], 1)
    weights = torch.linalg.lstsq(terms, out.reshape(-1, 1)).solution[:, 0]
    added = weights[1] * total
    error = out - weights[0] * start - added
    return bool((error.norm(dim=-1) / added.norm(dim=-1)).median() <= _TOLERANCE)


def _taker(taken: dict[str, Tensor]) -> Any:
    """A hook that notes what goes into a layer."""

    def note(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        taken[_IN] = (args[0] if args else kwargs["hidden_states"]).clone()  # some layers change it in place

    return note


def _recorder(taken: dict[str, Tensor], name: str) -> Any:
    """A hook that notes an output."""

    def note(module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        taken[name] = output[0] if isinstance(output, tuple) else output

    return note


def _drop(module: nn.Module, args: tuple[Any, ...], output: Any) -> Any:
    """Zero a share p of the output and scale the rest by 1 / (1 − p), in training mode."""
    if not module.training:
        return output
    out = output[0] if isinstance(output, tuple) else output
    p = module.get_buffer(_P).to(out.dtype)
    dropped = out * ((torch.rand_like(out) >= p) / (1 - p))
    return (dropped, *output[1:]) if isinstance(output, tuple) else dropped
