"""What training takes, part by part, by formula: bytes on one device, and operations. Of our own loop in this package.

Weights are updated in fp32. With `precision = "bf16"` a bf16 copy of them does the work, so a parameter costs 18 bytes:
2 copy, 4 master, 4 gradient, 8 for Adam's two moments; in fp32 16. Moments in 8 bits are 2 bytes and their scales, and
with updates in the backward pass only the head's gradient is there at the peak. Adapters leave the base model frozen:
2 bytes a parameter, or about half a byte in 4 bits (nf4 with a second quantisation of its scales: 4.127 bits; Dettmers
et al. 2023, https://arxiv.org/abs/2305.14314). FSDP divides all of this by the devices and gathers a layer at a time.

Activations a token and layer are counted off the tensors that a gated layer keeps for its backward pass; with
recomputation only a layer's input stays, and one layer at a time is whole.
"""

from dataclasses import dataclass

from limakit.models.local_shape import Shape
from limakit.recipe_train import Train
from limakit.train.eight_bit import BLOCK

NF4_BYTES = 4.127 / 8
LOGITS = {"cpu": 2**22, "cuda": 2**27}
"""Logits that the loss holds at once, as in `loss.py`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Bytes on each device."""

    weights: int
    """What the forward pass multiplies with."""
    master: int
    """The fp32 weights that are updated, where they are not the same."""
    gradients: int
    optimizer: int
    activations: int
    logits: int

    @property
    def total(self) -> int:
        return self.weights + self.master + self.gradients + self.optimizer + self.activations + self.logits


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """One way to train."""

    method: str
    """`full`, `lora` or `qlora`."""
    devices: int = 1
    recompute: bool = False

    @property
    def name(self) -> str:
        shards = f", FSDP over {self.devices}" if self.devices > 1 else ""
        return self.method + shards + (", layers recomputed" if self.recompute else "")


def memory(shape: Shape, settings: Train, strategy: Strategy, *, device: str, tokens: int | None = None) -> Memory:
    """Bytes of a strategy on each device of kind `cpu` or `cuda`, at the peak of a step with several micro-batches of
    `tokens`, by default the most that the settings allow."""
    tokens = tokens or max(settings.tokens_per_microbatch, settings.max_tokens)
    half = settings.precision == "bf16"
    n = strategy.devices
    early = settings.update_in_backward and n == 1 and strategy.method == "full"
    if strategy.method == "full":
        learned, weights = shape.parameters, 2 * shape.parameters if half else 0
    else:
        learned = settings.lora_rank * shape.linear_widths
        rest = shape.parameters - shape.linear
        width = 2 if half else 4
        small = strategy.method == "qlora"
        weights = int(shape.linear * (NF4_BYTES if small else width)) + rest * width + (2 * learned if half else 0)
    gathered = 2 * shape.linear // shape.layers * (2 if half else 4) if n > 1 else 0
    moments = 2 + 8 / BLOCK if settings.optimizer == "adamw-8bit" else 8
    return Memory(
        weights=(weights // n if n > 1 else weights) + gathered,
        master=4 * learned // n,
        gradients=4 * (shape.head if early else learned) // n,
        optimizer=int(moments * learned) // n,
        activations=activations(shape, settings, strategy, tokens),
        logits=_logits(shape, tokens, device),
    )


def step_flops(shape: Shape, strategy: Strategy, length: float) -> float:
    """Operations a token, forward and backward: 2 for each matrix entry forward, as many for the gradient of the input
    and as many for that of the weight (Kaplan et al. 2020, https://arxiv.org/abs/2001.08361), which a frozen weight
    does not need; attention over half of `length` tokens, on average, counts likewise. Recomputation adds a forward
    pass."""
    matrices, attention = shape.linear + shape.head, 2 * shape.layers * shape.queries * length / 2
    passes = 3 if strategy.method == "full" else 2
    again = 1 if strategy.recompute else 0
    return 2 * matrices * (passes + again) + 2 * attention * (3 + again)


def activations(shape: Shape, settings: Train, strategy: Strategy, tokens: int) -> int:
    """Bytes kept for the backward pass of one micro-batch of `tokens`.

    fp32, elements a token and layer: two norms 6h (input, normalised, output), attention 5q (query, key, value, its
    result, the copy that the output matrix multiplies), feed-forward 4f. With bf16 the stream and the norms stay fp32
    and every matrix keeps a bf16 copy of its own input: 26h + 10q + 8f bytes. Dropout keeps a mask for each of a
    layer's two branches, and adapters their inner results.
    """
    h, q, f = shape.hidden, shape.queries, shape.feed_forward
    kept = 2 * shape.keys + 3 * q if shape.keys == q else 5 * q
    half = settings.precision == "bf16"
    layer = 26 * h + 2 * kept + 8 * f if half else 4 * (6 * h + kept + 4 * f)
    if settings.residual_dropout:
        layer += 2 * h * (2 if half else 4)
    if strategy.method != "full":
        layer += 7 * settings.lora_rank * (2 if half else 4)
    norm = 3 * h * 4
    whole = layer * shape.layers if not strategy.recompute else layer + 4 * h * shape.layers
    return tokens * (whole + norm)


def _logits(shape: Shape, tokens: int, device: str) -> int:
    """Logits of one chunk, their softmax and their gradient, fp32."""
    return 3 * 4 * min(tokens * shape.vocabulary, max(LOGITS[device], shape.vocabulary))
