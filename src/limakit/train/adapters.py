"""LoRA (Hu et al. 2021, https://arxiv.org/abs/2106.09685) and QLoRA (Dettmers et al. 2023, 2305.14314), by peft.

The base stays frozen; what is trained are two thin matrices beside every linear layer of the decoder, and the row of
EOT, which is new and would stay untrained otherwise. With bf16 the frozen matrices are stored in it, with QLoRA they
are 4-bit NormalFloats; what is trained is fp32 always. Checkpoints hold the merged weights (`weights.merged`).
"""

import importlib.util
from typing import Any

import torch
from torch import Tensor, nn

from limakit.errors import MissingExtra, ModelError
from limakit.recipe_train import Train
from limakit.train.batches import derive

ADAPTER = "default"
EOT_DELTA = "eot_delta"


def check(settings: Train, device: torch.device, processes: int) -> None:
    """Raise MissingExtra or ModelError where the recipe's method cannot run here."""
    if settings.method != "full" and not importlib.util.find_spec("peft"):
        raise MissingExtra(f"train.method = {settings.method!r} needs peft", "train")
    if settings.method == "qlora":
        if device.type != "cuda":
            raise ModelError("train.method = 'qlora' needs a CUDA GPU", fix="Set train.method to 'lora' or 'full'.")
        if not importlib.util.find_spec("bitsandbytes"):
            raise MissingExtra("train.method = 'qlora' needs bitsandbytes", "qlora")
        if processes > 1:
            raise ModelError("train.method = 'qlora' runs in one process only", fix="Set train.method to 'lora'.")


def quantization(settings: Train) -> Any | None:
    """How the base is quantised while it is loaded (nf4, double quantisation), or None where it is not."""
    if settings.method != "qlora":
        return None
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )


def add(model: Any, settings: Train, eot: int, seed: int) -> None:
    """Freeze the model and put adapters in place; they change nothing until they are trained.

    Raises ModelError where `lora_targets` names no layer of the model.
    """
    from peft import LoraConfig, inject_adapter_in_model

    torch.manual_seed(derive(seed, "lora"))
    config = LoraConfig(
        task_type="CAUSAL_LM",
        r=settings.lora_rank,
        lora_alpha=settings.lora_alpha,  # type: ignore[arg-type]
        lora_dropout=settings.lora_dropout,
        target_modules=settings.lora_targets or _linear(model),
    )
    model.requires_grad_(False)
    try:
        inject_adapter_in_model(config, model, ADAPTER)
    except ValueError as error:
        raise ModelError(
            f"train.lora_targets: {str(error).split('. ')[0]}", fix="Name layers such as 'q_proj', or leave it empty."
        ) from None
    for layer in lora_layers(model).values():
        if settings.precision == "bf16" and layer.base_layer.weight.is_floating_point():
            layer.base_layer.to(torch.bfloat16)
    _train_eot(model, eot)


def lora_layers(model: Any) -> dict[str, Any]:
    """Every linear layer with an adapter, by name."""
    return {name: module for name, module in model.named_modules() if hasattr(module, "lora_A")}


def _linear(model: Any) -> list[str]:
    """Last names of all linear layers of the decoder; the head is not among them."""
    names = {name.rpartition(".")[2] for name, m in model.get_decoder().named_modules() if isinstance(m, nn.Linear)}
    return sorted(names)


def _train_eot(model: Any, eot: int) -> None:
    """Give EOT's row in the embedding, and in a head of its own, a trained difference that starts at zero."""
    embedding, head = model.get_input_embeddings(), model.get_output_embeddings()
    tied = embedding.weight is head.weight
    for table in [embedding] if tied else [embedding, head]:
        row = torch.zeros(1, table.weight.shape[1], dtype=torch.float32, device=table.weight.device)
        table.register_parameter(EOT_DELTA, nn.Parameter(row))
    scale = getattr(embedding, "embed_scale", 1.0)  # Gemma scales what it looks up
    owner = embedding if tied else head

    def look_up(module: nn.Module, args: tuple[Any, ...], out: Tensor) -> Tensor:
        return out + (args[0] == eot)[..., None] * (module.get_parameter(EOT_DELTA) * scale).to(out.dtype)

    def predict(module: nn.Module, args: tuple[Any, ...], out: Tensor) -> Tensor:
        difference = args[0] @ owner.get_parameter(EOT_DELTA).to(args[0].dtype).T
        return out.index_add(-1, torch.tensor([eot], device=out.device), difference.to(out.dtype))

    embedding.register_forward_hook(look_up)
    head.register_forward_hook(predict)
    model.eot_row = eot
