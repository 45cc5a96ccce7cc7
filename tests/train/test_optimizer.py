"""8-bit moments are near AdamW's and survive a kill; updates in the backward pass are those at the end, bit by bit."""

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from limakit.errors import TrainingError
from limakit.recipe_train import Train
from limakit.train import eight_bit, loss
from limakit.train.eight_bit import BLOCK, AdamW8bit
from limakit.train.optimizer import InBackward, make_optimizer
from tests.train.test_run import EXAMPLES, SETTINGS, content, rows, run


@pytest.mark.parametrize("signed", [True, False])
def test_the_levels_are_seven_decades(signed: bool):
    levels = eight_bit._levels(signed, torch.device("cpu"))
    assert levels.unique().tolist() == levels.tolist()
    assert len(levels) == 256
    assert (levels.min().item(), levels.max().item()) == (pytest.approx(-0.993, abs=1e-3) if signed else 0.0, 1.0)
    assert 0.0 in levels.tolist()
    for decade in range(7):
        inside = ((levels > 10.0 ** (decade - 7)) & (levels < 10.0 ** (decade - 6))).sum().item()
        assert inside == 2 ** (decade + (not signed))


@given(width=st.integers(1, 700), signed=st.booleans(), seed=st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_what_is_encoded_comes_back_as_the_nearest_level(width: int, signed: bool, seed: int):
    values = torch.randn(3, width, generator=torch.Generator().manual_seed(seed))
    values = values if signed else values.square()
    codes, scale = eight_bit.encode(values, signed)
    assert (codes.shape, scale.shape) == (values.shape, (3, -(-width // BLOCK)))
    levels = eight_bit._levels(signed, values.device)
    found = eight_bit.decode(codes, scale, signed)
    spread = scale.repeat_interleave(BLOCK, 1)[:, :width]
    nearest = (values[..., None] - levels * spread[..., None]).abs().min(-1).values
    torch.testing.assert_close((found - values).abs(), nearest, atol=1e-6, rtol=0)


def test_nothing_encodes_as_nothing():
    codes, scale = eight_bit.encode(torch.zeros(2, 300), True)
    assert not eight_bit.decode(codes, scale, True).any()


def test_updates_are_near_those_of_fp32_moments(monkeypatch: pytest.MonkeyPatch):
    """Rows taken a few at a time; vectors and small matrices exactly as torch does."""
    monkeypatch.setitem(eight_bit._AT_ONCE, "cpu", 1000)
    generator = torch.Generator().manual_seed(0)
    shapes = [(64, 300), (2, 40, 100), (64,), (8, 8)]
    ours = [torch.nn.Parameter(torch.randn(shape, generator=generator)) for shape in shapes]
    theirs = [torch.nn.Parameter(p.detach().clone()) for p in ours]
    start = [p.detach().clone() for p in ours]
    eight = AdamW8bit(ours, 1e-3, (0.9, 0.95), weight_decay=0.1)
    plain = torch.optim.AdamW(theirs, lr=1e-3, betas=(0.9, 0.95), weight_decay=0.1)
    for _ in range(20):
        for a, b in zip(ours, theirs, strict=True):
            a.grad = torch.randn(a.shape, generator=generator) + 0.5
            b.grad = a.grad.clone()
        eight.step()
        plain.step()
    off = [((a - b).norm() / (b - s).norm()).item() for a, b, s in zip(ours, theirs, start, strict=True)]
    assert [eight_bit.quantized(p) for p in ours] == [True, True, False, False]
    assert max(off[:2]) < 0.03
    assert max(off[2:]) < 1e-5
    held = sum(x.numel() * x.element_size() for p in ours[:2] for x in eight.state[p].values())
    assert held < 2.2 * sum(p.numel() for p in ours[:2])


def stop(what: str, done: float, *rest: Any) -> None:
    if done == 8:
        raise KeyboardInterrupt


@pytest.mark.parametrize(
    "change", [{"optimizer": "adamw-8bit"}, {"optimizer": "adamw-8bit", "update_in_backward": True}]
)
def test_a_killed_run_goes_on_exactly(tiny_model: Path, tmp_path: Path, change: dict[str, Any]):
    settings = SETTINGS.model_copy(update=change)
    run(tiny_model, tmp_path / "whole", settings)
    with pytest.raises(KeyboardInterrupt):
        run(tiny_model, tmp_path / "killed", settings, progress=stop)
    run(tiny_model, tmp_path / "killed", settings)
    assert content(tmp_path / "killed") == content(tmp_path / "whole")
    plain = rows_of_a_plain_run(tiny_model, tmp_path)
    assert [row["loss"] for row in plain] != [row["loss"] for row in rows(tmp_path / "whole")]
    assert rows(tmp_path / "whole")[-1]["loss"] == pytest.approx(plain[-1]["loss"], abs=0.02)


def rows_of_a_plain_run(base: Path, folder: Path) -> list[dict[str, Any]]:
    run(base, folder / "plain")
    return rows(folder / "plain")


@pytest.mark.parametrize("change", [{}, {"gradient_checkpointing": True, "precision": "bf16"}])
@pytest.mark.parametrize("tie", [True, False])
def test_updating_in_the_backward_pass_is_updating_at_the_end(tmp_path: Path, tie: bool, change: dict[str, Any]):
    from tests.conftest import build_model

    base = build_model(tmp_path / "base", tie=tie)
    settings = SETTINGS.model_copy(update={"epochs": 2, **change})
    run(base, tmp_path / "end", settings)
    run(base, tmp_path / "early", settings.model_copy(update={"update_in_backward": True}))
    end, early = content(tmp_path / "end"), content(tmp_path / "early")
    told = {"run.json", "preflight.json", "preflight.txt"}  # settings, and less memory
    assert {name for name in end if end[name] != early[name]} <= told
    assert end["metrics.jsonl"] == early["metrics.jsonl"]


def test_gradients_are_gone_after_the_backward_pass(tiny_model: Path):
    from limakit.train.base import load
    from limakit.train.batches import Document, concatenate

    model, _ = load(tiny_model, torch.device("cpu"))
    optimizer = make_optimizer(model, Train(update_in_backward=True))
    assert isinstance(optimizer, InBackward)
    loss.backward(model, concatenate([Document("", "", list(range(3, 30)), [True] * 27, 0)]), 26)
    head = set(model.get_output_embeddings().parameters())
    assert {p for p in model.parameters() if p.grad is not None} == head
    assert optimizer.norm() > 0
    optimizer.step()
    optimizer.zero_grad()
    assert all(p.grad is None for p in model.parameters())


def test_a_batch_of_several_micro_batches_is_refused_with_the_number_to_set(tiny_model: Path, tmp_path: Path):
    settings = SETTINGS.model_copy(update={"update_in_backward": True, "tokens_per_microbatch": 20})
    with pytest.raises(TrainingError, match=r"largest has (\d+) tokens. Set train.tokens_per_microbatch to \1") as told:
        run(tiny_model, tmp_path / "run", settings)
    needed = int(str(told.value).split("largest has ")[1].split()[0].replace(",", ""))
    run(tiny_model, tmp_path / "run", settings.model_copy(update={"tokens_per_microbatch": needed, "epochs": 1}))
    one = settings.model_copy(update={"batch_size": 1, "epochs": 1})
    assert run(tiny_model, tmp_path / "one", one)["steps"] == len(EXAMPLES)


def test_out_of_memory_in_the_backward_pass_stops_the_run(tiny_model: Path, tmp_path: Path, monkeypatch):
    """Some weights have moved, so the step cannot be done again with a smaller micro-batch."""

    def full(*_: Any) -> None:
        raise torch.OutOfMemoryError("no more")

    monkeypatch.setattr(loss, "backward", full)
    with pytest.raises(TrainingError, match=r"out of memory with a batch of \d+ tokens.*update_in_backward = false"):
        run(tiny_model, tmp_path / "run", SETTINGS.model_copy(update={"update_in_backward": True}))


@pytest.mark.parametrize("change", [{"max_grad_norm": 1.0}, {"method": "lora"}])
def test_what_does_not_go_together_is_refused_in_the_recipe(change: dict[str, Any]):
    with pytest.raises(ValidationError, match="update_in_backward"):
        Train(update_in_backward=True, **change)
