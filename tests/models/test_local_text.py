"""Language models inside models that also see images: opened alone, they are what they were inside."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

import transformers as hf  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402

from limakit.errors import ModelError  # noqa: E402
from limakit.models.local import load_system  # noqa: E402
from limakit.models.local_shape import read_shape  # noqa: E402
from limakit.models.local_text import open_model  # noqa: E402
from limakit.models.sampler import Request  # noqa: E402
from limakit.recipe import Generate  # noqa: E402
from limakit.records import Prompt, Turn  # noqa: E402
from tests.conftest import build_model  # noqa: E402
from tests.train.families import SHAPE  # noqa: E402
from tests.train.test_run import SETTINGS, rows, run  # noqa: E402

VOCAB = 384
TEXT = {**SHAPE, "vocab_size": VOCAB, "bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0}
SEES = {
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "image_size": 28,
    "patch_size": 14,
}
QWEN_SEES = {
    "depth": 1,
    "embed_dim": 16,
    "hidden_size": 32,
    "num_heads": 2,
    "intermediate_size": 16,
    "out_hidden_size": 32,
    "fullatt_block_indexes": [0],
    "deepstack_visual_indexes": [0],
}
THREE = {"rope_parameters": {"rope_type": "default", "rope_theta": 5e4, "mrope_section": [1, 1, 2]}}
NO_WIDTH = {key: value for key, value in TEXT.items() if key != "head_dim"}
WRAPPERS: dict[str, Callable[[], Any]] = {
    "Gemma3": lambda: hf.Gemma3Config(
        text_config={**TEXT, "sliding_window": 5, "query_pre_attn_scalar": 8},  # pyright: ignore[reportArgumentType]
        vision_config=SEES,  # pyright: ignore[reportArgumentType]
        mm_tokens_per_image=4,
        image_token_index=VOCAB - 1,
    ),
    "Gemma4": lambda: hf.Gemma4Config(
        text_config={  # pyright: ignore[reportArgumentType]
            **TEXT,
            "num_hidden_layers": 4,
            "layer_types": ["sliding_attention", "full_attention"] * 2,
            "sliding_window": 5,
            "hidden_size_per_layer_input": 8,
            "vocab_size_per_layer_input": VOCAB,
            "num_kv_shared_layers": 2,
            "global_head_dim": 16,
        },
        vision_config={**SEES, "num_key_value_heads": 2, "head_dim": 8},  # pyright: ignore[reportArgumentType]
        audio_config=None,
    ),
    "Mistral3": lambda: hf.Mistral3Config(
        text_config={"model_type": "mistral", **TEXT, "sliding_window": None},
        vision_config={"model_type": "pixtral", **SEES},
        image_token_index=VOCAB - 1,
        tie_word_embeddings=False,
    ),
    "Qwen2VL": lambda: hf.Qwen2VLConfig(text_config={**NO_WIDTH, **THREE}, vision_config=QWEN_SEES),
    "Qwen2_5_VL": lambda: hf.Qwen2_5_VLConfig(text_config={**NO_WIDTH, **THREE}, vision_config=QWEN_SEES),
    "Qwen3VL": lambda: hf.Qwen3VLConfig(text_config={**TEXT, **THREE}, vision_config=QWEN_SEES),  # pyright: ignore[reportArgumentType]
    "Llava": lambda: hf.LlavaConfig(
        text_config={"model_type": "llama", **TEXT},
        vision_config={"model_type": "clip_vision_model", **SEES},
        image_token_index=VOCAB - 1,
    ),
    "SmolVLM": lambda: hf.SmolVLMConfig(
        text_config={"model_type": "llama", **TEXT},
        vision_config=SEES,  # pyright: ignore[reportArgumentType]
        image_token_id=VOCAB - 1,
        tie_word_embeddings=True,
    ),
}
OWN, LEGACY, DEEP = "as transformers writes it", "language_model.model", "model.language_model"
"""Names of the weights in a wrapper's file: libraries have changed them over the years."""


def build(folder: Path, kind: str) -> Any:
    """A tiny wrapper with a tokenizer, and the model itself."""
    build_model(folder)
    torch.manual_seed(0)
    model = hf.AutoModelForImageTextToText.from_config(WRAPPERS[kind](), dtype=torch.float32).eval()
    for name, parameter in model.named_parameters():
        if parameter.ndim == 1:
            torch.nn.init.normal_(parameter, 0.0 if "bias" in name else 1.0, 0.1)
    model.save_pretrained(folder)
    return model


def rename(folder: Path, names: str) -> None:
    """The same weights by other names."""
    path = folder / "model.safetensors"
    inside = (("model.language_model.", ""), ("language_model.model.", ""), ("model.text_model.", ""))
    found = {}
    for name, weight in load_file(path).items():
        bare = next((name.removeprefix(old) for old, _ in inside if name.startswith(old)), None)
        if bare is not None:
            found[f"{names}.{bare}"] = weight
        elif name.endswith("lm_head.weight"):
            found["language_model.lm_head.weight" if names == LEGACY else "lm_head.weight"] = weight
        else:
            found[name] = weight
    save_file(found, path, {"format": "pt"})


@pytest.mark.parametrize("names", [OWN, LEGACY, DEEP])
@pytest.mark.parametrize("kind", WRAPPERS)
def test_the_language_model_alone_says_of_text_what_the_whole_says(tmp_path: Path, kind: str, names: str) -> None:
    whole = build(tmp_path / "base", kind)
    if names != OWN:
        rename(tmp_path / "base", names)
    alone = open_model(tmp_path / "base", dtype=torch.float32).eval()
    ids = torch.arange(3, 60)[None]
    with torch.no_grad():
        assert torch.equal(alone(ids).logits, whole(input_ids=ids).logits)
    assert type(alone).__name__.endswith("ForCausalLM")
    assert not any("vis" in name for name, _ in alone.named_parameters())
    tied = alone.get_output_embeddings().weight is alone.get_input_embeddings().weight
    assert tied == whole.config.tie_word_embeddings == alone.config.tie_word_embeddings
    assert read_shape(tmp_path / "base").parameters == sum(p.numel() for p in alone.parameters())


@pytest.mark.parametrize("kind", ["Gemma3", "Gemma4", "Mistral3", "Qwen2_5_VL"])
def test_it_is_trained_exported_as_text_alone_and_answers(tmp_path: Path, kind: str) -> None:
    build(tmp_path / "base", kind)
    counts = run(tmp_path / "base", tmp_path / "run", SETTINGS.model_copy(update={"epochs": 1}))
    assert counts["steps"] == len(rows(tmp_path / "run"))
    last = tmp_path / "run/epoch-01"
    config = json.loads((last / "config.json").read_text())
    assert config["architectures"][0].endswith("ForCausalLM")
    assert "vision_config" not in config
    plain: Any = hf.AutoModelForCausalLM.from_pretrained(last, dtype=torch.float32, output_loading_info=True)
    assert not any(plain[1][what] for what in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    request = Request(prompt=Prompt(id="p", messages=(Turn(role="user", content="How bake?"),)))
    for system in (load_system(tmp_path / "base", "base"), load_system(last, "tuned")):
        ((_, answer),) = system.answer([request], Generate(max_new_tokens=5), 0)
        assert answer.tokens > 0


def test_a_head_of_its_own_counts_although_the_configuration_says_that_it_is_tied(tmp_path: Path) -> None:
    """As in some files of Mistral's, whose configuration leaves it out."""
    whole = build(tmp_path / "base", "Mistral3")
    path = tmp_path / "base/config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps({**config, "tie_word_embeddings": True}))
    alone = open_model(tmp_path / "base", dtype=torch.float32).eval()
    ids = torch.arange(3, 30)[None]
    with torch.no_grad():
        assert torch.equal(alone(ids).logits, whole(input_ids=ids).logits)
    assert alone.config.tie_word_embeddings is False


def test_a_wrapper_whose_language_model_cannot_be_had_is_refused_by_name(tmp_path: Path) -> None:
    folder = tmp_path / "base"
    build_model(folder)
    for config, said in (
        (hf.CLIPConfig(), "not a causal language model but CLIPModel"),
        (hf.T5Config(), "not a causal language model but T5ForConditionalGeneration"),
    ):
        config.architectures = [said.rsplit(maxsplit=1)[1]]
        config.save_pretrained(folder)
        with pytest.raises(ModelError, match=rf"{said}\. Name one that is"):
            open_model(folder)
