"""What reaches the GPU's kernel, checked without a GPU: a stand-in computes what its documentation says it computes."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch.nn.attention import varlen

from limakit.train import attention, loss
from limakit.train.batches import microbatches
from tests.train import families


def documented(
    q_THD: torch.Tensor,
    k_THD: torch.Tensor,
    v_THD: torch.Tensor,
    ends_q: torch.Tensor,
    ends_k: torch.Tensor,
    longest_q: int,
    longest_k: int,
    *,
    scale: float | None,
    window_size: tuple[int, int],
    enable_gqa: bool,
) -> torch.Tensor:
    """`varlen_attn` by its documentation: a document from end to end, `window_size` tokens to the left and right."""
    assert ends_q.dtype == ends_k.dtype == torch.int32
    assert longest_q == longest_k == ends_q.diff().max()
    parts = []
    for start, end in zip(ends_q.tolist(), ends_q.tolist()[1:], strict=False):
        q, k, v = (x[start:end].transpose(0, 1) for x in (q_THD, k_THD, v_THD))
        places = torch.arange(end - start)
        away = places[:, None] - places
        left, right = window_size
        allowed = (away >= -right) & ((away <= left) if left >= 0 else True)
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=allowed, scale=scale, enable_gqa=enable_gqa)
        parts.append(out.transpose(0, 1))
    return torch.cat(parts)


@pytest.mark.parametrize("family", ["llama", "smollm", "mistral", "qwen2 with windows", "gemma3", "olmo2", "phi3"])
def test_the_kernel_is_asked_for_what_we_compute_ourselves(family: str, monkeypatch: pytest.MonkeyPatch):
    model = families.build(family)
    (piece,) = microbatches(families.documents(4), 1000)
    expected = loss.hidden(model, piece)
    asked: list[Any] = []

    def kernel(*given: Any, **named: Any) -> torch.Tensor:
        asked.append(named)
        return documented(*given, **named)

    def always(module: Any, q: Any, k: Any, v: Any, mask: Any, ends: Any = None, **rest: Any) -> tuple[Any, None]:
        sizes, window = ends.diff().tolist(), rest.get("sliding_window")
        window = window if window is not None and window < max(sizes) else None
        return attention._varlen(q, k, v, sizes, rest.get("scaling"), window), None

    monkeypatch.setattr(varlen, "varlen_attn", kernel)
    monkeypatch.setitem(__import__("transformers").AttentionInterface._global_mapping, attention.NAME, always)
    torch.testing.assert_close(loss.hidden(model, piece), expected, atol=1e-5, rtol=1e-4)
    assert len(asked) == 3


@pytest.mark.parametrize("family", families.FAMILIES)
def test_with_bf16_the_kernel_takes_every_family_but_those_with_a_soft_cap(
    family: str, monkeypatch: pytest.MonkeyPatch
):
    """Rotary embeddings make queries and keys fp32 under autocast, which would keep the kernel from all of them."""
    taken, one = [], attention._one

    def looked_at(q: Any, k: Any, v: Any, scale: Any, window: Any, cap: Any) -> torch.Tensor:
        taken.append(attention.takes_kernel(q, k, v, cap))
        return one(q, k, v, scale, window, cap)

    monkeypatch.setattr(attention, "_one", looked_at)
    model = families.build(family)
    (piece,) = microbatches(families.documents(2), 1000)
    with torch.autocast("cpu", torch.bfloat16):
        loss.hidden(model, piece)
    assert set(taken) == {family != "gemma2"}
    taken.clear()
    loss.hidden(model, piece)
    assert set(taken) == {False}, "fp32 has no kernel"
