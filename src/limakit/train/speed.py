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


def peak(device: torch.device, dtype: torch.dtype, size: int) -> float:
    """Operations a second of the best of four matrix products of this size. Processor time on a CPU, times its threads,
    since other work there would make it look slow."""
    a, best = torch.ones(size, size, dtype=dtype, device=device), float("inf")
    for _ in range(4):
        torch.mm(a, a)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        clock = time.perf_counter if device.type == "cuda" else time.process_time
        start = clock()
        torch.mm(a, a)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        best = min(best, clock() - start)
    return 2 * size**3 / best * (torch.get_num_threads() if device.type == "cpu" else 1)


def matrix_speed(settings: Train, device: torch.device) -> float:
    """Operations a second of a large matrix product in the recipe's precision on this device, measured now."""
    dtype = torch.bfloat16 if settings.precision == "bf16" else torch.float32
    return peak(device, dtype, 8192 if device.type == "cuda" else 384)


def bf16_slowdown(device: torch.device, size: int = 192) -> float:
    """How many times longer a bf16 matrix product takes than one in fp32; 1 on a GPU. A CPU without AMX, AVX512-bf16 or
    Arm's bf16 instructions needs tens of times as long. Measured, since capabilities have many names."""
    if device.type != "cpu":
        return 1.0
    return peak(device, torch.float32, size) / peak(device, torch.bfloat16, size)


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
