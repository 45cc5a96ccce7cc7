"""A tiny Llama of Hugging Face's format as one GGUF file, in fp32: enough for llama.cpp to serve the tests' model.

The layout is that of https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, version 3.
"""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np

ALIGNED = 32
UINT32, FLOAT32, BOOL, STRING, ARRAY, INT32 = 4, 6, 7, 8, 9, 5
CONTROL, NORMAL = 3, 1
LAYER = {
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def write_gguf(folder: Path, path: Path, chat_template: str) -> Path:
    """The model in `folder` (byte-level BPE with GPT-2's pattern, tied embeddings or not) at `path`."""
    from safetensors.numpy import load_file

    config = json.loads((folder / "config.json").read_text())
    facts = _model(config) + _tokenizer(folder, config) + [("tokenizer.chat_template", STRING, chat_template)]
    tensors = _tensors(load_file(folder / "model.safetensors"), config)
    head = [struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), len(facts))]
    head += [_string(name) + struct.pack("<I", kind) + _value(kind, value) for name, kind, value in facts]
    data, offset = [], 0
    for name, array in tensors.items():
        raw = np.ascontiguousarray(array, np.float32).tobytes()
        shape = array.shape[::-1]
        head.append(_string(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, 0, offset))
        data.append(raw + bytes(-len(raw) % ALIGNED))
        offset += len(data[-1])
    start = b"".join(head)
    path.write_bytes(start + bytes(-len(start) % ALIGNED) + b"".join(data))
    return path


def _model(config: dict[str, Any]) -> list[tuple[str, int, Any]]:
    counts = {
        "block_count": config["num_hidden_layers"],
        "context_length": config["max_position_embeddings"],
        "embedding_length": config["hidden_size"],
        "feed_forward_length": config["intermediate_size"],
        "attention.head_count": config["num_attention_heads"],
        "attention.head_count_kv": config["num_key_value_heads"],
        "rope.dimension_count": config["hidden_size"] // config["num_attention_heads"],
        "vocab_size": config["vocab_size"],
    }
    theta = config.get("rope_theta") or config["rope_parameters"]["rope_theta"]
    return [
        ("general.architecture", STRING, "llama"),
        *((f"llama.{name}", UINT32, count) for name, count in counts.items()),
        ("llama.attention.layer_norm_rms_epsilon", FLOAT32, config["rms_norm_eps"]),
        ("llama.rope.freq_base", FLOAT32, theta),
    ]


def _tokenizer(folder: Path, config: dict[str, Any]) -> list[tuple[str, int, Any]]:
    told = json.loads((folder / "tokenizer.json").read_text())
    special = {token["content"]: token["id"] for token in told["added_tokens"]}
    tokens = sorted(told["model"]["vocab"] | special, key=(told["model"]["vocab"] | special).__getitem__)
    merges = [one if isinstance(one, str) else " ".join(one) for one in told["model"]["merges"]]
    return [
        ("tokenizer.ggml.model", STRING, "gpt2"),
        ("tokenizer.ggml.pre", STRING, "gpt-2"),
        ("tokenizer.ggml.tokens", ARRAY, (STRING, tokens)),
        ("tokenizer.ggml.token_type", ARRAY, (INT32, [CONTROL if t in special else NORMAL for t in tokens])),
        ("tokenizer.ggml.merges", ARRAY, (STRING, merges)),
        ("tokenizer.ggml.bos_token_id", UINT32, config["bos_token_id"]),
        ("tokenizer.ggml.eos_token_id", UINT32, config["eos_token_id"]),
        ("tokenizer.ggml.add_bos_token", BOOL, False),
    ]


def _tensors(weights: dict[str, Any], config: dict[str, Any]) -> dict[str, Any]:
    found = {
        "token_embd.weight": weights["model.embed_tokens.weight"],
        "output_norm.weight": weights["model.norm.weight"],
    }
    if not config["tie_word_embeddings"]:
        found["output.weight"] = weights["lm_head.weight"]
    heads = {"self_attn.q_proj": config["num_attention_heads"], "self_attn.k_proj": config["num_key_value_heads"]}
    for layer in range(config["num_hidden_layers"]):
        for theirs, ours in LAYER.items():
            array = weights[f"model.layers.{layer}.{theirs}.weight"]
            if theirs in heads:  # llama.cpp turns neighbouring pairs where Hugging Face turns the two halves
                rows, columns = array.shape
                array = array.reshape(heads[theirs], 2, -1, columns).swapaxes(1, 2).reshape(rows, columns)
            found[f"blk.{layer}.{ours}.weight"] = array
    return found


def _string(text: str) -> bytes:
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw


def _value(kind: int, value: Any) -> bytes:
    if kind == STRING:
        return _string(value)
    if kind == ARRAY:
        inner, items = value
        return struct.pack("<IQ", inner, len(items)) + b"".join(_value(inner, item) for item in items)
    return struct.pack({UINT32: "<I", INT32: "<i", FLOAT32: "<f", BOOL: "<?"}[kind], value)
