"""The recipe's `[train]`: the paper's fine-tuning (section 3), and that of an Alpaca-style baseline."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from limakit.recipe_sources import Section

Probability = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]


class Train(Section):
    """`[train]`: the paper's fine-tuning (section 3)."""

    method: Literal["full", "lora", "qlora"] = "full"
    """What is trained: all weights, as in the paper, or adapters beside frozen ones, whole (`lora`) or in 4 bits
    (`qlora`, CUDA only). Adapters want about ten times the learning rate: 1e-4 to 2e-4."""
    lora_rank: Annotated[int, Field(ge=1)] = 16
    """Rank of the adapters."""
    lora_alpha: Positive = 32.0
    """The adapters' product is scaled by this over `lora_rank`."""
    lora_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Dropout on what goes into the adapters, besides the residual one."""
    lora_targets: list[str] = []
    """Last names of the layers that get adapters, `q_proj` for example; empty for all linear layers but the head."""
    epochs: Annotated[int, Field(ge=1)] = 15
    """Passes over the training set; one checkpoint each."""
    batch_size: Annotated[int, Field(ge=1)] = 32
    """Examples an optimiser step; the paper takes 32, and 64 for smaller models."""
    learning_rate: Positive = 1e-5
    """Of the first step; there is no warm-up."""
    final_learning_rate: Annotated[float, Field(ge=0)] = 1e-6
    """Of the last step; linear in between."""
    beta1: Probability = 0.9
    """AdamW beta 1."""
    beta2: Probability = 0.95
    """AdamW beta 2."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.1
    """AdamW decoupled weight decay."""
    max_grad_norm: Annotated[float, Field(ge=0)] = 0.0
    """Gradient norm to clip at; 0 for none. The paper names no clipping."""
    optimizer: Literal["adamw", "adamw-8bit"] = "adamw"
    """`adamw-8bit` keeps both moments of matrices in 8 bits, 2 bytes a weight instead of 8 (Dettmers et al. 2022). Not
    the paper's; weights stay fp32."""
    update_in_backward: bool = False
    """Update each weight in the backward pass as soon as its gradient is there, so that gradients take no memory. The
    result is the same. Only where a batch is one micro-batch (`tokens_per_microbatch`), in one process, with
    `method = "full"` and without clipping."""
    max_tokens: Annotated[int, Field(ge=8)] = 2048
    """Longest sequence; longer ones are trimmed and counted."""
    residual_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.3
    """p at the top layer, rising linearly from 0 at the bottom; the paper takes 0.3, and 0.2 for smaller models."""
    loss_on: Literal["response", "all"] = "response"
    """Tokens that count in the loss. The paper does not say; ours is the response and its end-of-turn token."""
    tokens_per_microbatch: Annotated[int, Field(ge=8)] = 4096
    """Most tokens that go through the model at once; bounds memory. It shrinks when memory runs out. Gradients stay the
    same but for rounding and, with dropout, other masks."""
    gradient_checkpointing: bool = False
    """Compute activations again in the backward pass instead of keeping them: a third slower, much less memory. The
    result is the same."""
    compile: bool = False
    """Compile every layer (torch.compile): faster after a minute or more of compiling, so for long runs. Changes
    rounding, and with dropout the masks. Needs a C++ compiler."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """Of the forward and backward pass; the weights that are updated are fp32 in either case."""

    @model_validator(mode="after")
    def _check(self) -> "Train":
        if self.final_learning_rate > self.learning_rate:
            raise ValueError("final_learning_rate must not exceed learning_rate")
        if self.update_in_backward and self.max_grad_norm:
            raise ValueError("update_in_backward and max_grad_norm exclude each other: the norm is known too late")
        if self.update_in_backward and self.method != "full":
            raise ValueError("update_in_backward is for method = 'full': the gradients of adapters are small")
        return self


class InstructionTrain(Train):
    """`[systems.NAME.train]`: as `[train]`, with the settings of Alpaca (Taori et al. 2023) where they are left out."""

    epochs: Annotated[int, Field(ge=1)] = 3
    """Passes over the instruction data."""
    batch_size: Annotated[int, Field(ge=1)] = 128
    """Examples an optimiser step."""
    learning_rate: Positive = 2e-5
    """Of the first step."""
    final_learning_rate: Annotated[float, Field(ge=0)] = 0.0
    """Of the last step; linear in between, where Alpaca's was a cosine."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    """AdamW decoupled weight decay."""
    max_tokens: Annotated[int, Field(ge=8)] = 512
    """Longest sequence."""
    residual_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """None, as in Alpaca."""
