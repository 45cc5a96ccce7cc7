"""A base model made ready for training: loaded in fp32, checked, and taught one new token, EOT.

Weights come from safetensors only and code that lies beside them is never run. Which folder it is, `models.hub`
decides.
"""

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from tokenizers import AddedToken
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging

from limakit.errors import ModelError
from limakit.models.chat import EOT
from limakit.models.hub import check_folder
from limakit.train.attention import NAME as PER_DOCUMENT


def load(folder: Path, device: torch.device, quantization: Any | None = None) -> tuple[Any, Any]:
    """The model (fp32 or quantised, attention per document, EOT added) and its tokenizer from a checked local folder.

    Raises ModelError where the folder does not hold a whole causal language model.
    """
    logging.disable_progress_bar()
    check_folder(folder)
    tokenizer = load_tokenizer(folder)
    model = _load_model(folder, device, quantization)
    add_eot(model, tokenizer)
    for module in model.modules():  # the only dropout is the residual one, as in the paper
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    return model if quantization else model.to(device), tokenizer


def load_tokenizer(folder: Path) -> Any:
    """The folder's tokenizer, without the traces of where it was loaded from. Raises ModelError."""
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"the tokenizer cannot be loaded: {_brief(error)}", where=folder) from None
    if not tokenizer.is_fast:
        raise ModelError("the model has no fast tokenizer", where=folder, fix="Put its tokenizer.json there.")
    for name in ("is_local", "local_files_only", "name_or_path"):
        tokenizer.init_kwargs.pop(name, None)
    return tokenizer


def add_eot(model: Any, tokenizer: Any) -> int:
    """Add EOT to tokenizer, embedding and head where they lack it, and return its id.

    The vocabulary grows only where no unused row is left. The new row, in the embedding and in an untied head, starts
    as a copy of the EOS row, or as the mean of all rows where there is no EOS. The paper is silent on this; both keep
    the model's other predictions as they were (Hewitt 2021, https://nlp.stanford.edu/~johnhew/vocab-expansion.html),
    and from EOS the head already knows where texts end, which a learning rate of 1e-5 is slow to teach. No noise is
    needed to part EOT from EOS: only one of them is ever a target.
    """
    if EOT in tokenizer.get_vocab():
        eot = tokenizer.convert_tokens_to_ids(EOT)
        if eot >= model.get_input_embeddings().weight.shape[0]:
            raise ModelError(f"the tokenizer knows {EOT} but the model has no row for it")
        return eot
    tokens = [AddedToken(EOT, special=True, normalized=False)]
    tokenizer.add_tokens(tokens, special_tokens=True)
    eot, eos = tokenizer.convert_tokens_to_ids(EOT), tokenizer.eos_token_id
    rows = model.get_input_embeddings().weight.shape[0]
    known = min(eot, rows)
    if eot >= rows:
        model.resize_token_embeddings(eot + 1, mean_resizing=False)
    tables = {id(m.weight): m for m in (model.get_input_embeddings(), model.get_output_embeddings())}
    with torch.no_grad():
        for table in tables.values():
            for part in (table.weight, getattr(table, "bias", None)):
                if part is not None:
                    part[eot] = part[eos] if eos is not None else part[:known].mean(0)
    return eot


def _load_model(folder: Path, device: torch.device, quantization: Any | None) -> Any:
    """The causal language model of a folder, in fp32; its linear layers quantised on the device where asked for."""
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"the configuration cannot be loaded: {_brief(error)}", where=folder / "config.json") from None
    kinds = config.architectures or []
    if not any(kind.endswith("ForCausalLM") for kind in kinds):
        named = ", ".join(kinds) or config.model_type
        raise ModelError(f"not a causal language model but {named}", where=folder, fix="Set base.model to one.")
    try:
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=torch.float32,
            attn_implementation=PER_DOCUMENT,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            output_loading_info=True,
            **({"quantization_config": quantization, "device_map": {"": str(device)}} if quantization else {}),
        )
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise ModelError(f"the model cannot be loaded: {_brief(error)}", where=folder) from None
    model, info = loaded
    lacking = sorted(info["missing_keys"]) + sorted(str(key) for key in info["mismatched_keys"])
    if lacking:
        raise ModelError(f"weights are missing or misshapen, the first is {lacking[0]}", where=folder)
    return model


def _brief(error: Exception) -> str:
    """The first sentence of an error from elsewhere."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].split(". ")[0][:200]
