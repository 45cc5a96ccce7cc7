"""What training takes, part by part, by formula. Bytes on one device, of our own loop in `train/`.

Weights are updated in fp32. With `precision = "bf16"` a bf16 copy of them does the work, so a parameter costs 18 bytes:
2 copy, 4 master, 4 gradient, 8 for Adam's two moments; in fp32 16. Adapters leave the base model frozen: 2 bytes a
parameter, or about half a byte in 4 bits (nf4 with a second quantisation of its scales: 4.127 bits; Dettmers et al.
2023, https://arxiv.org/abs/2305.14314). FSDP divides all of this by the devices and gathers a layer at a time.

Activations a token and layer are counted off the tensors that a gated layer keeps for its backward pass; with
recomputation only a layer's input stays, and one layer at a time is whole.
"""

from dataclasses import dataclass

from limakit.models.local_shape import Shape
from limakit.recipe_train import Train

NF4_BYTES = 4.127 / 8
RANK = 16
"""Rank of the adapters that are planned for."""
LOGITS = {"cpu": 2**22, "cuda": 2**27}
"""Logits that the loss holds at once, as in `train/loss.py`."""


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


def memory(shape: Shape, settings: Train, strategy: Strategy, *, device: str) -> Memory:
    """Bytes of a strategy on each device of kind `cpu` or `cuda`, at the peak of a step with several micro-batches."""
    half = settings.precision == "bf16"
    n = strategy.devices
    if strategy.method == "full":
        learned, weights = shape.parameters, 2 * shape.parameters if half else 0
    else:
        learned = RANK * shape.linear_widths
        rest = shape.parameters - shape.linear
        width = 2 if half else 4
        small = strategy.method == "qlora"
        weights = int(shape.linear * (NF4_BYTES if small else width)) + rest * width + (2 * learned if half else 0)
    gathered = 2 * shape.linear // shape.layers * (2 if half else 4) if n > 1 else 0
    master = 4 * learned // n
    return Memory(
        weights=(weights // n if n > 1 else weights) + gathered,
        master=master,
        gradients=4 * learned // n,
        optimizer=8 * learned // n,
        activations=activations(shape, settings, strategy),
        logits=_logits(shape, settings, device),
    )


def activations(shape: Shape, settings: Train, strategy: Strategy) -> int:
    """Bytes kept for the backward pass of one micro-batch.

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
        layer += 7 * RANK * (2 if half else 4)
    tokens = max(settings.tokens_per_microbatch, settings.max_tokens)
    norm = 3 * h * 4
    whole = layer * shape.layers if not strategy.recompute else layer + 4 * h * shape.layers
    return tokens * (whole + norm)


def _logits(shape: Shape, settings: Train, device: str) -> int:
    """Logits of one chunk, their softmax and their gradient, fp32."""
    tokens = max(settings.tokens_per_microbatch, settings.max_tokens)
    return 3 * 4 * min(tokens * shape.vocabulary, max(LOGITS[device], shape.vocabulary))
