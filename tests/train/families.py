"""Tiny models of the supported families, random weights, and a padded reference computed by transformers alone."""

from typing import Any

import torch
import transformers as hf
from torch.nn.utils.rnn import pad_sequence

from limakit.train.attention import NAME
from limakit.train.batches import Document

VOCAB, WINDOW = 96, 5
SHAPE: dict[str, Any] = {
    "vocab_size": VOCAB,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 128,
    "initializer_range": 0.15,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
FAMILIES: dict[str, tuple[type, dict[str, Any]]] = {
    "llama": (hf.LlamaConfig, {"tie_word_embeddings": False}),
    "smollm": (hf.LlamaConfig, {"tie_word_embeddings": True, "num_key_value_heads": 4}),
    "smollm3": (hf.SmolLM3Config, {}),
    "mistral": (hf.MistralConfig, {"sliding_window": WINDOW}),
    "qwen2": (hf.Qwen2Config, {"tie_word_embeddings": True}),
    "qwen2 with windows": (
        hf.Qwen2Config,
        {"use_sliding_window": True, "sliding_window": WINDOW, "max_window_layers": 1},
    ),
    "qwen3": (hf.Qwen3Config, {}),
    "gemma": (hf.GemmaConfig, {}),
    "gemma2": (
        hf.Gemma2Config,
        {
            "sliding_window": WINDOW,
            "query_pre_attn_scalar": 8,
            "attn_logit_softcapping": 2.0,
            "final_logit_softcapping": 3.0,
        },
    ),
    "gemma3": (hf.Gemma3TextConfig, {"sliding_window": WINDOW, "query_pre_attn_scalar": 8}),
    "gemma4": (
        hf.Gemma4TextConfig,
        {
            "layer_types": ["sliding_attention", "sliding_attention", "full_attention"],
            "sliding_window": WINDOW,
            "hidden_size_per_layer_input": 8,
            "vocab_size_per_layer_input": VOCAB,
            "num_kv_shared_layers": 0,
            "global_head_dim": 8,
        },
    ),
    "gemma4 with shared keys": (
        hf.Gemma4TextConfig,
        {
            "layer_types": ["full_attention"] * 3,
            "hidden_size_per_layer_input": 8,
            "vocab_size_per_layer_input": VOCAB,
            "num_kv_shared_layers": 1,
            "global_head_dim": 16,
        },
    ),
    "olmo": (hf.OlmoConfig, {}),
    "olmo2": (hf.Olmo2Config, {}),
    "olmo3": (hf.Olmo3Config, {"sliding_window": WINDOW}),
    "phi3": (hf.Phi3Config, {}),
}
GEMMA_4 = {"gemma4", "gemma4 with shared keys"}
POST_NORM = {"gemma2", "gemma3", *GEMMA_4, "olmo2", "olmo3"}
THIRD = {family: ["post_per_layer_input_norm"] for family in GEMMA_4}
"""What joins the residual stream besides attention and feed-forward."""


def build(family: str, attention: str = NAME) -> Any:
    """A model of the family; equal weights whatever the attention."""
    kind, changes = FAMILIES[family]
    config = kind(**{**SHAPE, **changes})
    torch.manual_seed(3)
    model = hf.AutoModelForCausalLM.from_config(config, attn_implementation=attention, dtype=torch.float32)
    for name, parameter in model.named_parameters():  # random norm gains and biases too, or they hide mistakes
        if parameter.ndim == 1:
            torch.nn.init.normal_(parameter, 0.0 if "bias" in name else 1.0, 0.1)
    for name, buffer in model.named_buffers():  # Gemma 4 multiplies what a layer puts out
        if name.endswith("layer_scalar"):
            torch.nn.init.uniform_(buffer, 0.5, 0.9)
    return model


def documents(count: int = 4, seed: int = 0) -> list[Document]:
    """Random documents of 7 to 16 tokens, longer than the window, the second half in the loss."""
    generator = torch.Generator().manual_seed(seed)
    made = []
    for index in range(count):
        length = int(torch.randint(7, 17, (), generator=generator))
        ids = torch.randint(3, VOCAB, (length,), generator=generator).tolist()
        made.append(Document(f"d{index}", "test", ids, [place >= length // 2 for place in range(length)], 0))
    return made


def reference_loss(model: Any, batch: list[Document]) -> torch.Tensor:
    """Mean loss over the batch's counted tokens by padding and `model(...).logits`, with its graph."""
    ids = pad_sequence([torch.tensor(d.ids) for d in batch], batch_first=True)
    mask = pad_sequence([torch.ones(len(d.ids), dtype=torch.long) for d in batch], batch_first=True)
    labels = pad_sequence(
        [torch.tensor(d.ids).where(torch.tensor(d.mask), -100) for d in batch], batch_first=True, padding_value=-100
    )
    logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits
    return torch.nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), ignore_index=-100)
