"""Attention over a slotted cache, put under Hugging Face's modules: one forward pass for old and new answers together.

A forward pass sees one packed sequence without padding: first the newest token of each answer under way, then the whole
prompts of those that begin. All of a model's layers but attention work token by token and need not know; attention
looks here, where each answer has a slot: a row of one static tensor a layer.

Shapes: N packed tokens, B answers under way, H query heads, G query heads for each of K key-value heads, D head size,
S slots, T places in a slot.
"""

import itertools
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface

NAME = "limakit_slots"


class Slots:
    """Keys and values of up to `slots` answers, `places` tokens each, and the plan of the coming forward pass."""

    def __init__(self, slots: int, places: int):
        self._shape = (slots, places)
        self._keys: dict[int, Tensor] = {}
        self._values: dict[int, Tensor] = {}
        self.windows: dict[int, int | None] = {}
        """Sliding window that each layer asked for, by layer."""

    def plan(self, lengths: list[int], prompts: list[int], device: torch.device) -> tuple[Tensor, Tensor]:
        """Say what the next pass holds: answers whose slots hold `lengths` tokens, then new prompts of these sizes,
        which take the slots behind. Returns the tokens' positions (1, N) and the places of each one's last token."""
        self._count = len(lengths)
        self._ends = list(itertools.accumulate(prompts, initial=self._count))
        self._lengths_B = torch.tensor(lengths, dtype=torch.int64, device=device)
        self._rows_B = torch.arange(self._count, device=device)
        self._reach = max(lengths, default=-1) + 1
        self._masks: dict[int | None, Tensor] = {}
        positions = [self._lengths_B, *(torch.arange(size, device=device) for size in prompts)]
        last = [*range(self._count), *(end - 1 for end in self._ends[1:])]
        return torch.cat(positions)[None], torch.tensor(last, device=device)

    def move(self, source: int, target: int, length: int) -> None:
        """Copy the first `length` places of one slot over another's."""
        for cache in (*self._keys.values(), *self._values.values()):
            cache[target, :, :length] = cache[source, :, :length]

    def attend(
        self, layer: int, query: Tensor, key: Tensor, value: Tensor, scale: float, window: int | None, cap: float | None
    ) -> Tensor:
        """Store keys and values (1, K, N, D) and attend with queries (1, H, N, D). Returns (1, N, H, D)."""
        self.windows[layer] = window
        if layer not in self._keys:
            slots, places = self._shape
            self._keys[layer] = key.new_zeros(slots, key.shape[1], places, key.shape[3])
            self._values[layer] = value.new_zeros(slots, value.shape[1], places, value.shape[3])
        parts = []
        if self._count:
            parts.append(self._continue(layer, query, key, value, scale, window, cap))
        for slot, (start, end) in enumerate(itertools.pairwise(self._ends), self._count):
            q, k, v = (t[:, :, start:end] for t in (query, key, value))
            self._keys[layer][slot, :, : end - start] = k[0]
            self._values[layer][slot, :, : end - start] = v[0]
            parts.append(_attend_prompt(q, k, v, scale, window, cap).transpose(1, 2))
        return torch.cat(parts, dim=1)

    def _continue(
        self, layer: int, query: Tensor, key: Tensor, value: Tensor, scale: float, window: int | None, cap: float | None
    ) -> Tensor:
        """Answers under way: one query each against its slot. Returns (1, B, H, D)."""
        count, reach, keys, values = self._count, self._reach, self._keys[layer], self._values[layer]
        keys[self._rows_B, :, self._lengths_B] = key[0, :, :count].transpose(0, 1)
        values[self._rows_B, :, self._lengths_B] = value[0, :, :count].transpose(0, 1)
        q_BHD = query[0, :, :count].transpose(0, 1)
        q_BKGD = q_BHD.reshape(count, keys.shape[1], -1, q_BHD.shape[-1])
        mask = self._mask(window, query.dtype)
        out = _attend(q_BKGD, keys[:count, :, :reach], values[:count, :, :reach], mask, scale, cap)
        return out.reshape(1, count, q_BHD.shape[1], -1)

    def _mask(self, window: int | None, dtype: torch.dtype) -> Tensor:
        """What each answer may look at, to be added to scores: (B, 1, 1, T), 0 or minus infinity."""
        if window not in self._masks:
            places_T = torch.arange(self._reach, device=self._lengths_B.device)
            hidden_BT = places_T > self._lengths_B[:, None]
            if window is not None:
                hidden_BT |= places_T <= self._lengths_B[:, None] - window
            mask_BT = torch.zeros(hidden_BT.shape, dtype=dtype, device=hidden_BT.device)
            self._masks[window] = mask_BT.masked_fill_(hidden_BT, float("-inf"))[:, None, None]
        return self._masks[window]


def _attend_prompt(
    query: Tensor, key: Tensor, value: Tensor, scale: float, window: int | None, cap: float | None
) -> Tensor:
    """Causal attention within one prompt, (1, H, N, D) against (1, K, N, D)."""
    size, groups = query.shape[2], query.shape[1] // key.shape[1]
    if cap is None and (window is None or window >= size):
        return scaled_dot_product_attention(query, key, value, is_causal=True, scale=scale, enable_gqa=groups > 1)
    places_N = torch.arange(size, device=query.device)
    hidden_NN = places_N > places_N[:, None]
    if window is not None:
        hidden_NN |= places_N <= places_N[:, None] - window
    mask = torch.zeros(size, size, dtype=query.dtype, device=query.device).masked_fill_(hidden_NN, float("-inf"))
    key, value = (t.repeat_interleave(groups, dim=1) for t in (key, value))
    return _attend(query, key, value, mask, scale, cap)


def _attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor, scale: float, cap: float | None) -> Tensor:
    """Softmax attention with an additive mask; with `cap`, scores are first bent to ±cap (Gemma 2)."""
    if cap is None:
        return scaled_dot_product_attention(query, key, value, attn_mask=mask, scale=scale)
    scores = torch.tanh(query @ key.transpose(-1, -2) * (scale / cap)) * cap + mask
    return scores.softmax(dim=-1, dtype=torch.float32).to(query.dtype) @ value


def _forward(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    slots: Slots,
    scaling: float | None = None,
    sliding_window: int | None = None,
    softcap: float | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """Hugging Face's attention interface. What a family passes beyond these is found out by `local_check`."""
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    layer: Any = module.layer_idx
    return slots.attend(layer, query, key, value, scale, sliding_window, softcap), None


AttentionInterface.register(NAME, _forward)
