"""A base model made ready for training: loaded in fp32, checked, and taught one new token, EOT.

Weights come from safetensors only and code that lies beside them is never run. Which folder it is, `models.hub`
decides.
"""

from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken

from limakit.errors import ModelError
from limakit.models.chat import EOT
from limakit.models.hub import check_folder
from limakit.models.local_text import open_model, open_tokenizer
from limakit.store import files
from limakit.train.attention import NAME as PER_DOCUMENT


def load(folder: Path, device: torch.device, quantization: Any | None = None) -> tuple[Any, Any]:
    """The model (fp32 or quantised, attention per document, EOT added) and its tokenizer from a checked local folder.

    Raises ModelError where the folder does not hold a whole causal language model.
    """
    check_folder(folder)
    config = files.read_json(folder / "config.json")
    if isinstance(config, dict) and config.get("quantization_config"):
        raise ModelError(
            "its weights are quantised, and training starts from whole ones",
            where=folder,
            fix="Take the model that it was made from; train.method = 'qlora' quantises it while it is loaded.",
        )
    quantized = {"quantization_config": quantization, "device_map": {"": str(device)}} if quantization else {}
    model = open_model(folder, dtype=torch.float32, attn_implementation=PER_DOCUMENT, **quantized)
    tokenizer = load_tokenizer(folder, model)
    add_eot(model, tokenizer)
    for module in model.modules():  # the only dropout is the residual one, as in the paper
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    return model if quantization else model.to(device), tokenizer


def load_tokenizer(folder: Path, model: Any) -> Any:
    """The folder's tokenizer, without the traces of where it was loaded from. Raises ModelError."""
    tokenizer = open_tokenizer(folder, model)
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
    needed to part EOT from EOS: only one of them is ever a target. Tokens before it that have no row either, such as an
    image's in the text-only Gemma 3, get the mean.
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
                    mean = part[:known].mean(0)
                    part[known:eot] = mean
                    part[eot] = mean if eos is None else part[eos]
    return eot
