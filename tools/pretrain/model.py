"""The architecture, and a forward pass over the same weights that trains faster on a CPU than the library's.

Letters after the underscore name a tensor's axes: B batch, T time, C channel, D head width, H head, V vocabulary.
"""

import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional as F
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.models.llama.modeling_llama import LlamaDecoderLayer, LlamaRMSNorm

HEAD_WIDTH = 64
ROPE_THETA = 10000.0


def build(vocab: int, end: int) -> LlamaForCausalLM:
    """Return the untrained model: Llama with tied embeddings, in the library's own class so that saving is loading."""
    config = LlamaConfig(
        vocab_size=vocab,
        hidden_size=192,
        intermediate_size=480,
        num_hidden_layers=5,
        # Three wide heads, not six of 32: the score matrices are half as many, and attention dominates the time.
        num_attention_heads=3,
        num_key_value_heads=3,
        head_dim=HEAD_WIDTH,
        max_position_embeddings=2048,
        rms_norm_eps=1e-5,
        rope_parameters={"rope_type": "default", "rope_theta": ROPE_THETA},
        tie_word_embeddings=True,
        bos_token_id=end,
        eos_token_id=end,
        pad_token_id=None,
    )
    model = LlamaForCausalLM(config)
    for name, weight in model.named_parameters():
        if name.endswith(("o_proj.weight", "down_proj.weight")):
            torch.nn.init.normal_(weight, std=config.initializer_range / (2 * config.num_hidden_layers) ** 0.5)
    return model


def resume(folder: Path, tokenizer: Tokenizer) -> LlamaForCausalLM:
    """Return a published model to train further, in float32.

    Raises:
        SystemExit: its tokenizer is not the corpus's.
    """
    if Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab() != tokenizer.get_vocab():
        sys.exit(f"{folder}: its tokenizer is not the one that this corpus gives; train from nothing, without --start")
    return LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32)


def next_token_loss(model: LlamaForCausalLM, tokens_BT: Tensor, targets_BT: Tensor) -> Tensor:
    """Mean cross-entropy in nats, as `model(tokens)` would give it.

    Few large products instead of many small ones, and attention by the whole score matrix: at these lengths, compiled,
    on one core with AVX-512 bfloat16, this takes two thirds to four fifths of the library's time.
    """
    time = tokens_BT.shape[1]
    frequencies_D = ROPE_THETA ** (-torch.arange(0, HEAD_WIDTH, 2) / HEAD_WIDTH)
    angles_TD = torch.outer(torch.arange(time), frequencies_D).repeat(1, 2)
    mask_TT = torch.full((time, time), float("-inf")).triu(1)
    x_BTC = model.model.embed_tokens(tokens_BT)
    for layer in model.model.layers:
        assert isinstance(layer, LlamaDecoderLayer)
        x_BTC = block(layer, x_BTC, angles_TD.cos(), angles_TD.sin(), mask_TT)
    logits_BTV = F.linear(rms_norm(x_BTC, model.model.norm), model.model.embed_tokens.weight)
    return F.cross_entropy(logits_BTV.flatten(0, 1).float(), targets_BT.flatten())


def block(layer: LlamaDecoderLayer, x_BTC: Tensor, cos_TD: Tensor, sin_TD: Tensor, mask_TT: Tensor) -> Tensor:
    """One layer: attention, then the gated feed-forward, each after a norm and around a residual."""
    attention, feed_forward = layer.self_attn, layer.mlp
    qkv = torch.cat([attention.q_proj.weight, attention.k_proj.weight, attention.v_proj.weight])
    heads = F.linear(rms_norm(x_BTC, layer.input_layernorm), qkv).unflatten(-1, (3, -1, HEAD_WIDTH))
    q_BHTD, k_BHTD, v_BHTD = heads.permute(2, 0, 3, 1, 4).unbind(0)
    q_BHTD, k_BHTD = rotate(q_BHTD, cos_TD, sin_TD), rotate(k_BHTD, cos_TD, sin_TD)
    scores_BHTT = (q_BHTD @ k_BHTD.transpose(-1, -2)).float() * attention.scaling + mask_TT
    mixed_BHTD = torch.softmax(scores_BHTT, -1).to(v_BHTD.dtype) @ v_BHTD
    x_BTC = x_BTC + attention.o_proj(mixed_BHTD.transpose(1, 2).flatten(-2))
    gate_up = torch.cat([feed_forward.gate_proj.weight, feed_forward.up_proj.weight])
    gate, up = F.linear(rms_norm(x_BTC, layer.post_attention_layernorm), gate_up).chunk(2, -1)
    return x_BTC + feed_forward.down_proj(F.silu(gate) * up)


def rms_norm(x_BTC: Tensor, norm: LlamaRMSNorm) -> Tensor:
    """Divide by the root mean square and scale."""
    return F.rms_norm(x_BTC, (x_BTC.shape[-1],), norm.weight, norm.variance_epsilon)


def rotate(x_BHTD: Tensor, cos_TD: Tensor, sin_TD: Tensor) -> Tensor:
    """Rotary position embedding in the half-split order that Llama checkpoints use."""
    first, second = x_BHTD.chunk(2, -1)
    return (x_BHTD * cos_TD + torch.cat((-second, first), -1) * sin_TD).to(x_BHTD.dtype)
