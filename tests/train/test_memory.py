"""The formulas against what torch's allocator counted in a real training run, and against published sizes."""

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer  # noqa: E402

from limakit.engine import silent  # noqa: E402
from limakit.models.local_shape import read_shape  # noqa: E402
from limakit.recipe import Train  # noqa: E402
from limakit.records import Example, Turn  # noqa: E402
from limakit.train.memory import Strategy, memory  # noqa: E402
from limakit.train.run import train  # noqa: E402

# Two steps: Adam has no moments in the first.
EXAMPLES = [
    Example(
        id=f"e{number}",
        messages=(Turn(role="user", content="Why?"), Turn(role="assistant", content="for this and that reason " * 40)),
        source="s",
        group="g",
        site="x",
    )
    for number in range(8)
]


def peak(base: Path, settings: Train, folder: Path) -> int:
    """Most bytes that torch's CPU allocator held at once during a whole training run, by the profiler's own events."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        train(EXAMPLES, [], settings, seed=0, base=base, folder=folder, progress=silent)
    held = most = 0
    events = [event for event in profile.profiler.kineto_results.events() if event.name() == "[memory]"]
    for _, size in sorted((event.start_ns(), event.nbytes()) for event in events):
        held += size
        most = max(most, held)
    return most


@pytest.mark.parametrize(
    ("keys", "layers", "change"),
    [
        (4, 2, {}),
        (2, 3, {"residual_dropout": 0.3}),
        (2, 3, {"precision": "bf16"}),
        (4, 6, {"optimizer": "adamw-8bit", "tokens_per_microbatch": 192}),
        (4, 6, {"update_in_backward": True, "batch_size": 1, "tokens_per_microbatch": 192}),
    ],
)
def test_the_formula_is_within_a_tenth_of_the_measured_peak(
    keys: int, layers: int, change: dict[str, Any], tiny_model: Path, tmp_path: Path
) -> None:
    config = AutoConfig.from_pretrained(tiny_model)
    config.update(
        {
            "hidden_size": 128,
            "intermediate_size": 344,
            "head_dim": 32,
            "num_hidden_layers": layers,
            "num_attention_heads": 4,
            "num_key_value_heads": keys,
        }
    )
    base = tmp_path / "base"
    AutoModelForCausalLM.from_config(config).save_pretrained(base)
    AutoTokenizer.from_pretrained(tiny_model).save_pretrained(base)
    settings = Train(epochs=1, batch_size=4, max_tokens=192, tokens_per_microbatch=384, residual_dropout=0.0)
    settings = settings.model_copy(update=change)
    measured = peak(base, settings, tmp_path / "run")
    planned = memory(read_shape(base), settings, Strategy(method="full"), device="cpu").total
    assert planned == pytest.approx(measured, rel=0.1), f"planned {planned:,}, measured {measured:,}"


LLAMA = {"7B": ((4096, 11008, 32, 32), 6.74), "65B": ((8192, 22016, 80, 64), 65.3)}
"""Width, feed-forward width, layers and heads; parameters in billions."""
PAPER = Train(precision="bf16", tokens_per_microbatch=2048)


@pytest.fixture(params=LLAMA)
def llama(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, float]:
    """Folder with nothing but the config.json of a published shape, and its parameters in billions."""
    sizes, billions = LLAMA[request.param]
    names = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")
    config = AutoConfig.for_model("llama", vocab_size=32000, **dict(zip(names, sizes, strict=True)))
    config.architectures = ["LlamaForCausalLM"]
    config.save_pretrained(tmp_path)
    return tmp_path, billions


def test_published_sizes_from_config_alone(llama: tuple[Path, float]) -> None:
    folder, billions = llama
    shape = read_shape(folder)
    assert shape.parameters / 1e9 == pytest.approx(billions, rel=0.001)
    full = memory(shape, PAPER, Strategy(method="full"), device="cuda")
    assert full.weights + full.master + full.gradients + full.optimizer == 18 * shape.parameters
    qlora = memory(shape, PAPER, Strategy(method="qlora"), device="cuda")
    lora = memory(shape, PAPER, Strategy(method="lora"), device="cuda")
    assert qlora.weights < 0.3 * lora.weights < lora.weights < full.weights + full.master
    sharded = memory(shape, PAPER, Strategy(method="full", devices=8), device="cuda")
    assert sharded.master * 8 == full.master
    assert full.weights / 8 < sharded.weights < full.weights / 4, "a layer is gathered at a time"
    again = memory(shape, PAPER, Strategy(method="full", recompute=True), device="cuda")
    assert again.activations < full.activations / 5
    assert (again.weights, again.optimizer) == (full.weights, full.optimizer)


@pytest.mark.parametrize("change", [{"tokens_per_microbatch": 8192}, {"max_tokens": 8192}, {"precision": "fp32"}])
def test_what_bounds_memory_in_the_recipe_counts(llama: tuple[Path, float], change: dict[str, Any]) -> None:
    shape = read_shape(llama[0])
    before = memory(shape, PAPER, Strategy(method="full"), device="cuda")
    after = memory(shape, PAPER.model_copy(update=change), Strategy(method="full"), device="cuda")
    assert after.activations > before.activations
