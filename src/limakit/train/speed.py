"""What makes training faster or smaller on the machine it runs on: activations computed again for memory, compiled
layers for time, memory kept instead of given back, and a word where a precision is slow here."""

import ctypes
import sys
import time
from typing import Any

import torch

from limakit.recipe_train import Train
from limakit.train.dropout import decoder_layers

SLOW = 1.5
"""A bf16 matrix product that takes this many times as long as one in fp32 is worth a word."""
_MMAP_THRESHOLD, _TRIM_THRESHOLD, _KEPT = -3, -1, 1 << 30
"""glibc's M_MMAP_THRESHOLD and M_TRIM_THRESHOLD (malloc.h), and the bytes up to which it keeps what is freed."""


def install(model: Any, settings: Train) -> None:
    """Put recomputation and compiling in place where the recipe asks for them. After hooks and adapters, before
    `parallel.shard`."""
    if settings.gradient_checkpointing:
        model.activation_checkpointing_enable({"use_reentrant": False})
    if settings.compile:
        torch.compiler.reset()
        for layer in decoder_layers(model):
            layer.compile(dynamic=True)


def keep_memory() -> None:
    """Let glibc keep freed blocks for the next micro-batch. By default it gives every large tensor back to the system,
    which must then fill each page with zeros anew."""
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt:
            mallopt(_MMAP_THRESHOLD, _KEPT)
            mallopt(_TRIM_THRESHOLD, _KEPT)


def bf16_slowdown(device: torch.device, size: int = 192) -> float:
    """How many times longer a bf16 matrix product takes than one in fp32; 1 on a GPU. A CPU without AMX, AVX512-bf16 or
    Arm's bf16 instructions needs tens of times as long. Measured, since capabilities have many names."""
    if device.type != "cpu":
        return 1.0
    seconds = {}
    for dtype in (torch.float32, torch.bfloat16):
        a = torch.ones(size, size, dtype=dtype)
        best = float("inf")
        for _ in range(4):
            start = time.process_time()
            torch.mm(a, a)
            best = min(best, time.process_time() - start)
        seconds[dtype] = best
    return seconds[torch.bfloat16] / seconds[torch.float32]


def advice(settings: Train, device: torch.device) -> str | None:
    """One line for the user where the recipe's precision is slow on this machine, else None. Nothing is changed."""
    if settings.precision != "bf16":
        return None
    times = bf16_slowdown(device)
    if times < SLOW:
        return None
    return (
        f"this CPU multiplies matrices in bf16 {times:.0f} times slower than in fp32. Going on as the recipe says; to "
        "train faster, stop, set train.precision = 'fp32' and run again"
    )
