"""AdamW whose moments are 8-bit numbers (Dettmers et al. 2022, https://arxiv.org/abs/2110.02861): 2 bytes a weight
instead of 8.

Each row of a matrix is cut into blocks of 256, and each block has one fp32 scale, its largest number. What is stored
are 256 levels between −1 and 1 (0 and 1 for the second moment), close together near zero. Blocks stay within rows, so
FSDP2, which spreads matrices by rows, changes nothing in them. Vectors and small matrices keep fp32 moments.

Every operation is a pure function of its inputs, so a run that is resumed ends in the same bits.
Letters after the underscore: R rows of a matrix, W its width, B blocks in a row.
"""

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributed.tensor import DTensor

BLOCK = 256
SMALLEST = 4096
"""Matrices with fewer numbers keep fp32 moments."""
_AT_ONCE = {"cpu": 2**18, "cuda": 2**24}
"""Numbers decoded at once, which bounds what an update takes besides the moments."""
MOMENTS = {"exp_avg": True, "exp_avg_sq": False}
"""Adam's two moments, and whether they have signs."""


class AdamW8bit(torch.optim.Optimizer):
    """AdamW without AMSGrad, in the arithmetic of `torch.optim.AdamW` between decoding and encoding."""

    def __init__(
        self, params: Iterable[Any], lr: float, betas: tuple[float, float], eps: float = 1e-8, weight_decay: float = 0.0
    ):
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Update every parameter that has a gradient. Closures are not supported."""
        assert closure is None
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    if not self.state[parameter]:
                        self.state[parameter].update(blank(parameter))
                    _update(parameter, self.state[parameter], group)


def blank(parameter: Tensor) -> dict[str, Tensor]:
    """The state of a parameter before its first step: `exp_avg` and `exp_avg_sq`, uint8 with `…_scale` (R, B) beside
    them where they are quantised, and `step`. Spread over processes as the parameter is."""
    state = {"step": torch.zeros((), dtype=torch.float32)}
    for kind in MOMENTS:
        if quantized(parameter):
            state[kind] = torch.zeros_like(parameter, dtype=torch.uint8)
            state[f"{kind}_scale"] = _zeros(parameter, (*parameter.shape[:-1], -(-parameter.shape[-1] // BLOCK)))
        else:
            state[kind] = torch.zeros_like(parameter, dtype=torch.float32)
    return state


def quantized(parameter: Tensor) -> bool:
    """Whether its moments are stored in 8 bits."""
    return parameter.ndim >= 2 and parameter.numel() >= SMALLEST


def encode(values_RW: Tensor, signed: bool) -> tuple[Tensor, Tensor]:
    """The nearest levels, uint8 (R, W), and the blocks' scales, fp32 (R, B)."""
    width = values_RW.shape[-1]
    blocks = F.pad(values_RW, (0, -width % BLOCK)).unflatten(-1, (-1, BLOCK))
    scale_RB = blocks.abs().amax(-1)
    shares = blocks / scale_RB.clamp(min=torch.finfo(torch.float32).tiny)[..., None]
    levels = _levels(signed, values_RW.device)
    codes = torch.bucketize(shares, (levels[1:] + levels[:-1]) / 2, out_int32=True, right=True)
    return codes.to(torch.uint8).flatten(-2)[..., :width], scale_RB


def decode(codes_RW: Tensor, scale_RB: Tensor, signed: bool) -> Tensor:
    """The numbers that codes stand for, fp32 (R, W)."""
    width = codes_RW.shape[-1]
    shares = _levels(signed, codes_RW.device)[codes_RW.int()]
    return (
        F.pad(shares, (0, -width % BLOCK)).unflatten(-1, (-1, BLOCK)).mul(scale_RB[..., None]).flatten(-2)[..., :width]
    )


def _update(parameter: Tensor, state: dict[str, Tensor], group: dict[str, Any]) -> None:
    """One step of one parameter, this process's part of it, some rows at a time."""
    state["step"] += 1
    names = [name for name in state if name != "step"]
    tensors = [_rows(x) for x in (parameter, cast(Tensor, parameter.grad), *(state[name] for name in names))]
    rows = max(1, _AT_ONCE[tensors[0].device.type] // tensors[0].shape[-1])
    for weight_RW, gradient_RW, *parts in zip(*(x.split(rows) for x in tensors), strict=True):
        held = dict(zip(names, parts, strict=True))
        first_RW, second_RW = (_load(held, kind, signed) for kind, signed in MOMENTS.items())
        _adamw(weight_RW, gradient_RW.float(), first_RW, second_RW, state["step"].item(), group)
        for (kind, signed), moment_RW in zip(MOMENTS.items(), (first_RW, second_RW), strict=True):
            _store(held, kind, signed, moment_RW)


def _adamw(weight: Tensor, gradient: Tensor, first: Tensor, second: Tensor, step: float, group: dict[str, Any]) -> None:
    """The weight and its moments after one step, in place (Loshchilov and Hutter 2019,
    https://arxiv.org/abs/1711.05101)."""
    beta1, beta2 = group["betas"]
    first.lerp_(gradient, 1 - beta1)
    second.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
    weight.mul_(1 - group["lr"] * group["weight_decay"])
    spread = (second.sqrt() / (1 - beta2**step) ** 0.5).add_(group["eps"])
    weight.addcdiv_(first, spread, value=-group["lr"] / (1 - beta1**step))


def _load(held: dict[str, Tensor], kind: str, signed: bool) -> Tensor:
    scale = held.get(f"{kind}_scale")
    return held[kind] if scale is None else decode(held[kind], scale, signed)


def _store(held: dict[str, Tensor], kind: str, signed: bool, moment: Tensor) -> None:
    scale = held.get(f"{kind}_scale")
    if scale is not None:
        codes, scales = encode(moment, signed)
        held[kind].copy_(codes)
        scale.copy_(scales)


@cache
def _levels(signed: bool, device: torch.device) -> Tensor:
    """The 256 levels in rising order: seven decades, each with twice as many as the one below it, and 0 and 1 (dynamic
    tree quantisation, section 1.3 of the paper)."""
    levels = [0.0, 1.0]
    for decade in range(7):
        edges = torch.linspace(0.1, 1, 2 ** (decade + (not signed)) + 1, dtype=torch.float64)
        found = ((edges[1:] + edges[:-1]) / 2 * 10.0 ** (decade - 6)).tolist()
        levels += [*found, *(-level for level in found)] if signed else found
    return torch.tensor(sorted(levels), dtype=torch.float32, device=device)


def _rows(value: Tensor) -> Tensor:
    """This process's part of a tensor as rows, sharing its memory; a vector is one row."""
    part = value.to_local() if isinstance(value, DTensor) else value
    return part.view(1, -1) if part.ndim < 2 else part.flatten(0, -2)


def _zeros(like: Tensor, shape: tuple[int, ...]) -> Tensor:
    """fp32 zeros, spread over processes as `like` is."""
    if not isinstance(like, DTensor):
        return torch.zeros(shape, device=like.device)
    from torch.distributed.tensor import zeros

    return zeros(*shape, device_mesh=like.device_mesh, placements=like.placements)
