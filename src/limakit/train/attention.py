"""Causal attention confined to each of several documents that lie one after another in one row.

Registered with transformers under `NAME`; `model(..., ends=torch.tensor([0, 12, 19]))` then attends within the first 12
tokens and within the next 7. The ends are a tensor, on the CPU and with the 0, and this function is no part of compiled
graphs, for otherwise other documents would be another graph. No padding, no mask over the whole row. Windows (Mistral,
Gemma) and soft-caps (Gemma 2) are honoured; attention sinks are refused. On CUDA with 16-bit inputs PyTorch's
variable-length kernel takes the whole row at once.
Letters after the underscore: B batch (always 1), H heads, T tokens, D head width.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import AttentionInterface

from limakit.errors import ModelError

NAME = "limakit_per_document"


def attend(
    module: torch.nn.Module,
    query_BHTD: Tensor,
    key_BHTD: Tensor,
    value_BHTD: Tensor,
    attention_mask: Tensor | None,
    ends: Tensor | None = None,
    scaling: float | None = None,
    sliding_window: int | None = None,
    softcap: float | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Attention as transformers calls it; returns (1, T, H, D). `ends` are where documents end, 0 first and T last.

    Raises ModelError for what it does not do: attention sinks.
    """
    if kwargs.get("s_aux") is not None:
        raise ModelError(f"attention sinks ({type(module).__name__}) are not supported")
    sizes = [query_BHTD.shape[2]] if ends is None else ends.diff().tolist()
    window = sliding_window if sliding_window is not None and sliding_window < max(sizes) else None
    kind = query_BHTD.device.type
    if torch.is_autocast_enabled(kind):  # rotary embeddings have made queries and keys fp32 again
        half = torch.get_autocast_dtype(kind)
        query_BHTD, key_BHTD, value_BHTD = (x.to(half) for x in (query_BHTD, key_BHTD, value_BHTD))
    if kind == "cuda" and takes_kernel(query_BHTD, key_BHTD, value_BHTD, softcap):
        return _varlen(query_BHTD, key_BHTD, value_BHTD, sizes, scaling, window), None
    groups = query_BHTD.shape[1] // key_BHTD.shape[1]
    if groups > 1:
        key_BHTD, value_BHTD = (x.repeat_interleave(groups, 1) for x in (key_BHTD, value_BHTD))
    parts = [
        _one(q, k, v, scaling, window, softcap)
        for q, k, v in zip(*(x.split(sizes, 2) for x in (query_BHTD, key_BHTD, value_BHTD)), strict=True)
    ]
    return torch.cat(parts, 2).transpose(1, 2), None


def takes_kernel(query_BHTD: Tensor, key_BHTD: Tensor, value_BHTD: Tensor, softcap: float | None) -> bool:
    """Whether PyTorch's variable-length kernel computes this attention: 16 bits, one width up to 256, no soft-cap."""
    half = query_BHTD.dtype == key_BHTD.dtype == value_BHTD.dtype != torch.float32
    return half and not softcap and query_BHTD.shape[-1] == value_BHTD.shape[-1] <= 256


def _one(q: Tensor, k: Tensor, v: Tensor, scale: float | None, window: int | None, softcap: float | None) -> Tensor:
    """One document, (1, H, T, D)."""
    length = q.shape[2]
    if softcap is None and (window is None or window >= length):
        return F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=scale)
    allowed_TT = torch.ones(length, length, dtype=torch.bool, device=q.device).tril()
    if window is not None:
        allowed_TT = allowed_TT.triu(1 - window)
    if softcap is None:
        return F.scaled_dot_product_attention(q, k, v, attn_mask=allowed_TT, scale=scale)
    scores_BHTT = (q @ k.transpose(2, 3)).float() * (q.shape[-1] ** -0.5 if scale is None else scale)
    scores_BHTT = (softcap * torch.tanh(scores_BHTT / softcap)).masked_fill(~allowed_TT, -torch.inf)
    return torch.softmax(scores_BHTT, -1).to(v.dtype) @ v


def _varlen(q: Tensor, k: Tensor, v: Tensor, sizes: list[int], scale: float | None, window: int | None) -> Tensor:
    """All documents in one call of the CUDA kernel; (1, T, H, D)."""
    from torch.nn.attention.varlen import varlen_attn

    ends = torch.tensor([0, *sizes], dtype=torch.int32).cumsum(0, dtype=torch.int32).to(q.device)
    q_THD, k_THD, v_THD = (x[0].transpose(0, 1) for x in (q, k, v))
    out_THD = varlen_attn(
        q_THD,
        k_THD,
        v_THD,
        ends,
        ends,
        max(sizes),
        max(sizes),
        scale=scale,
        window_size=(-1 if window is None else window - 1, 0),
        enable_gqa=q.shape[1] != k.shape[1],
    )
    assert isinstance(out_THD, Tensor)
    return out_THD[None]


AttentionInterface.register(NAME, torch.compiler.disable(attend))
