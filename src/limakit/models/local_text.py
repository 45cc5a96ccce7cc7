"""The causal language model in a folder, and its tokenizer: alone there, or inside a model that also sees or hears.

Such a model's config.json holds the language model's as a section, and its weights lie a level deeper. Only these are
read; the rest of the weights stays in the file. Whether text alone gives the same logits either way, the tests ask of
each family.
"""

from pathlib import Path
from typing import Any

from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from transformers import CONFIG_MAPPING, MODEL_FOR_CAUSAL_LM_MAPPING, AutoConfig, AutoModelForCausalLM, AutoTokenizer
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
from transformers.utils import logging

from limakit.errors import ModelError

DAMAGES = (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, ImportError)
DAMAGES += (ArithmeticError, SafetensorError, StrictDataclassError)
"""What transformers raises for a folder that it cannot make a model of."""
_AGAIN = "Fetch or copy the model's files again."
LONGEST = 200
"""Characters of an error from elsewhere that are shown."""
_INSIDE = r"^(?:model\.)?(?:language_model|text_model)\."
_NAMES = {rf"{_INSIDE}model\.": "model.", rf"{_INSIDE}lm_head\.": "lm_head.", _INSIDE: "model."}
"""Where wrappers keep the weights of their language model, and what it calls them by itself."""
_PLAIN = {"qwen2_vl_text": "qwen2", "qwen2_5_vl_text": "qwen2", "qwen3_vl_text": "qwen3"}
"""Language models that differ from a plain one only in taking three positions a token, which are the same in text."""


def text_config(folder: Path) -> Any:
    """Configuration of the causal language model in a folder. Raises ModelError where it describes none."""
    try:
        config: Any = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        inner = getattr(config, "text_config", None)
        if inner is not None:
            found = _alone(inner, config)
        else:
            kinds = set(config.architectures or ())
            found = None if kinds.isdisjoint(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.values()) and kinds else config
    except DAMAGES as error:
        raise ModelError(f"the configuration cannot be loaded: {brief(error)}", where=folder / "config.json") from None
    if found is None or type(found) not in MODEL_FOR_CAUSAL_LM_MAPPING:
        named = ", ".join(config.architectures or []) or config.model_type
        raise ModelError(
            f"not a causal language model but {named}", where=folder / "config.json", fix="Name one that is."
        )
    return found


def open_model(folder: Path, **how: Any) -> Any:
    """The causal language model of a checked folder, `how` as `from_pretrained` takes it. Only safetensors are read and
    no code of the folder is run. Raises ModelError where there is none, or weights are missing or misshapen."""
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    config = text_config(folder)
    try:
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            folder,
            config=config,
            key_mapping=_NAMES,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            output_loading_info=True,
            **how,
        )
    except DAMAGES as error:
        raise ModelError(f"the model cannot be loaded: {brief(error)}", where=folder) from None
    model, info = loaded
    for what in ("missing", "mismatched"):
        names = sorted(map(str, info[f"{what}_keys"]))
        if names:
            raise ModelError(f"{len(names)} weights {what} ({', '.join(names[:3])})", where=folder)
    # Some configurations say that the head is tied although it has weights of its own, which then count.
    model.config.tie_word_embeddings = model.get_output_embeddings().weight is model.get_input_embeddings().weight
    return model


def open_tokenizer(folder: Path, model: Any) -> Any:
    """The folder's tokenizer. Raises ModelError where it cannot be loaded, or is that of another model: it has tokens,
    not counting added ones, for which the model has no row."""
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        highest = max(set(tokenizer.get_vocab().values()) - set(tokenizer.get_added_vocab().values()), default=-1)
    except DAMAGES as error:
        raise ModelError(f"the tokenizer cannot be loaded: {brief(error)}", where=folder, fix=_AGAIN) from None
    rows = model.get_input_embeddings().weight.shape[0]
    if highest >= rows:
        raise ModelError(
            f"the tokenizer has a token {highest:,} and the model {rows:,} rows: they do not belong together",
            where=folder,
            fix=_AGAIN,
        )
    return tokenizer


def brief(error: Exception) -> str:
    """The first sentence of an error from elsewhere."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].split(". ")[0][:LONGEST]


def _alone(inner: Any, outer: Any) -> Any | None:
    """A wrapper's language model as a configuration of its own, None where it has none; whether its head is tied, the
    wrapper says."""
    given = inner.to_dict()
    kind = _PLAIN.get(inner.model_type)
    if kind is not None:
        given = {key: value for key, value in given.items() if key not in ("model_type", "architectures")}
        given["rope_parameters"] = {"rope_type": "default", "rope_theta": inner.rope_parameters["rope_theta"]}
        inner = CONFIG_MAPPING[kind](**given)
    if outer.is_encoder_decoder or type(inner) not in MODEL_FOR_CAUSAL_LM_MAPPING:
        return None
    inner.tie_word_embeddings = getattr(outer, "tie_word_embeddings", inner.tie_word_embeddings)
    return inner
