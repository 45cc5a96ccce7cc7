"""Loss and gradients equal a plain padded reference, for every family and however the batch is cut."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from limakit.train import loss
from limakit.train.batches import microbatches
from tests.train import families


def gradients(model) -> dict[str, torch.Tensor]:
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def packed(model, batch, tokens: int) -> float:
    total = sum(document.targets for document in batch)
    return sum(loss.backward(model, piece, total).item() for piece in microbatches(batch, tokens))


@pytest.mark.parametrize("family", families.FAMILIES)
@pytest.mark.parametrize("tokens", [1, 24, 1000])
def test_parity_with_a_padded_reference(family: str, tokens: int):
    batch = families.documents()
    plain, ours = families.build(family, "eager"), families.build(family)
    expected = families.reference_loss(plain, batch)
    expected.backward()
    assert packed(ours, batch, tokens) == pytest.approx(expected.item(), abs=2e-5)
    wanted, got = gradients(plain), gradients(ours)
    assert wanted.keys() == got.keys()
    for name, grad in wanted.items():
        torch.testing.assert_close(got[name], grad, atol=2e-5, rtol=2e-4, msg=lambda text, n=name: f"{n}: {text}")


@pytest.mark.parametrize("family", ["mistral", "gemma2", "gemma3"])
def test_windows_and_caps_matter_in_these_tests(family: str):
    """Or the parity above would prove nothing about them."""
    batch = families.documents()
    model = families.build(family, "eager")
    before = families.reference_loss(model, batch).item()
    model.config.sliding_window = 64
    for layer in model.get_decoder().layers:
        layer.self_attn.sliding_window = 64
    assert abs(families.reference_loss(model, batch).item() - before) > 1e-3


def test_chunks_do_not_change_the_loss(monkeypatch):
    batch = families.documents(6)
    whole, chunked = families.build("llama"), families.build("llama")
    expected = packed(whole, batch, 1000)
    monkeypatch.setitem(loss._LOGITS, "cpu", 5 * families.VOCAB)
    assert packed(chunked, batch, 1000) == pytest.approx(expected, abs=1e-5)
    for name, grad in gradients(whole).items():
        torch.testing.assert_close(gradients(chunked)[name], grad, atol=1e-6, rtol=1e-4)


def test_evaluate_is_the_sum_of_what_backward_averages():
    batch = families.documents(5)
    model = families.build("gemma2").eval()
    (piece,) = microbatches(batch, 1000)
    total = sum(document.targets for document in batch)
    assert loss.evaluate(model, piece).item() / total == pytest.approx(
        loss.backward(model, piece, total).item(), abs=1e-5
    )


@given(seed=st.integers(0, 1000))
@settings(max_examples=10, deadline=None)
def test_a_document_is_not_seen_by_its_neighbours(seed: int):
    first, second, other = families.documents(3, seed)
    model = families.build("smollm").eval()
    (both,) = microbatches([first, second], 1000)
    (changed,) = microbatches([other, second], 1000)
    n = second.targets
    torch.testing.assert_close(loss.hidden(model, both)[-n:], loss.hidden(model, changed)[-n:], atol=1e-5, rtol=1e-4)


def test_bf16_is_close_to_fp32():
    batch = families.documents(6)
    expected = packed(families.build("llama"), batch, 1000)
    model = families.build("llama")
    with torch.autocast("cpu", torch.bfloat16):
        got = packed(model, batch, 1000)
    assert got == pytest.approx(expected, rel=0.02)
    assert all(p.dtype == p.grad.dtype == torch.float32 for p in model.parameters())
