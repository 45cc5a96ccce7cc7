"""The ramp is right, the branches are the right ones, and evaluation is untouched."""

from typing import Any

import pytest
import torch
from torch import nn

from limakit.errors import ModelError
from limakit.train import dropout, loss
from limakit.train.batches import microbatches
from tests.train import families


@pytest.mark.parametrize("family", families.FAMILIES)
def test_the_branches_are_those_that_join_the_residual_stream(family: str):
    found = dropout.residual_branches(families.build(family))
    after = ["post_attention_layernorm", "post_feedforward_layernorm"]
    expected = after if family in families.POST_NORM else ["self_attn", "mlp"]
    assert found == [[*expected, *families.THIRD.get(family, [])]] * 3


@pytest.mark.parametrize("family", families.FAMILIES)
def test_silencing_all_but_one_branch_leaves_a_multiple_of_it(family: str):
    model = families.build(family).eval()
    layer, names = dropout.decoder_layers(model)[1], dropout.residual_branches(model)[1]
    for kept in names:
        seen: dict[str, torch.Tensor] = {}
        handles = [layer.get_submodule(n).register_forward_hook(_silence) for n in names if n != kept]
        handles.append(layer.get_submodule(kept).register_forward_hook(lambda m, a, o, s=seen: s.update(out=_first(o))))
        handles.append(
            layer.register_forward_hook(
                lambda m, a, k, o, s=seen: s.update(change=_change(m, a[0] if a else k["hidden_states"], _first(o))),
                with_kwargs=True,
            )
        )
        model(torch.arange(3, 15)[None])
        torch.testing.assert_close(seen["change"], seen["out"], atol=1e-5, rtol=1e-4)
        for handle in handles:
            handle.remove()


@pytest.mark.parametrize("family", families.FAMILIES)
def test_evaluation_is_bit_equal(family: str):
    plain, dropped = families.build(family).eval(), families.build(family).eval()
    dropout.install(dropped, 0.3)
    ids = torch.arange(3, 40)[None]
    assert torch.equal(plain(ids).logits, dropped(ids).logits)
    assert plain.state_dict().keys() == dropped.state_dict().keys()


@pytest.mark.parametrize("family", ["llama", "gemma3"])
def test_the_share_of_zeros_is_the_ramp_and_the_mean_is_kept(family: str):
    model = families.build(family)
    branches = dropout.install(model, 0.3)
    model.train()
    shares: dict[tuple[int, str], torch.Tensor] = {}
    for index, (layer, names) in enumerate(zip(dropout.decoder_layers(model), branches, strict=True)):
        for name in names:
            layer.get_submodule(name).register_forward_hook(
                lambda m, a, o, key=(index, name): shares.update({key: _first(o).eq(0).float().mean()})
            )
    torch.manual_seed(0)
    model(torch.randint(3, families.VOCAB, (1, 500)))
    assert len(shares) == 6
    for (index, _), share in shares.items():
        assert share.item() == pytest.approx(0.3 * index / 2, abs=0.02)
    kept = dropout._drop(_module(0.25), (), torch.ones(200_000))
    assert kept.mean().item() == pytest.approx(1.0, abs=0.01)
    assert kept.unique().tolist() == pytest.approx([0.0, 4 / 3])


def test_masks_are_a_pure_function_of_seed_epoch_step_and_number():
    module, ones = _module(0.5), torch.ones(1000)

    def mask(*parts: int) -> torch.Tensor:
        dropout.reseed(*parts)
        return dropout._drop(module, (), ones)

    assert torch.equal(mask(0, 1, 2, 3), mask(0, 1, 2, 3))
    others = [(1, 1, 2, 3), (0, 2, 2, 3), (0, 1, 3, 3), (0, 1, 2, 4)]
    assert all(not torch.equal(mask(0, 1, 2, 3), mask(*other)) for other in others)


def test_it_works_with_gradient_checkpointing():
    batch = families.documents()
    (piece,) = microbatches(batch, 1000)
    found = []
    for checkpointing in (False, True):
        model = families.build("llama")
        dropout.install(model, 0.3)
        model.train()
        if checkpointing:
            model.gradient_checkpointing_enable()
        dropout.reseed(0, 1, 1, 0)
        found.append((loss.backward(model, piece, 10).item(), model.get_input_embeddings().weight.grad))
    assert found[0][0] == found[1][0]
    torch.testing.assert_close(found[0][1], found[1][1])


def test_it_compiles_to_one_graph_and_still_drops():
    graphs = []

    def backend(graph, inputs):
        graphs.append(graph)
        return graph

    torch._dynamo.reset()
    compiled = torch.compile(_drop_all, backend=backend)
    shares = [compiled(_module(p), torch.ones(20_000)).eq(0).float().mean().item() for p in (0.0, 0.1, 0.2, 0.3)]
    assert shares == pytest.approx([0.0, 0.1, 0.2, 0.3], abs=0.02)
    assert len(graphs) == 1


@pytest.mark.parametrize(("numbers", "count"), [((0.1, 0.2, 0.3), 3), ((0.0, 0.1, 0.2), 0)])
def test_a_number_in_place_of_the_tensor_would_compile_a_graph_a_layer_or_nothing(
    numbers: tuple[float, ...], count: int
):
    """The trap: a float is part of the graph, and a hook that is skipped at 0 is given up if the 0 comes first."""
    graphs = []

    def backend(graph, inputs):
        graphs.append(graph)
        return graph

    def numbered(x: torch.Tensor, p: float) -> torch.Tensor:
        return x * ((torch.rand_like(x) >= p) / (1 - p)) if p else x

    torch._dynamo.reset()
    compiled = torch.compile(numbered, backend=backend, dynamic=False)
    for p in numbers:
        compiled(torch.ones(20), p)
    assert len(graphs) == count


def test_a_model_whose_branches_cannot_be_told_is_refused():
    class Odd(nn.Module):
        def __init__(self, inner: nn.Module):
            super().__init__()
            self.inner = inner

        def forward(self, hidden_states, **kwargs):
            return self.inner(hidden_states, **kwargs) * hidden_states.sigmoid()

    model = families.build("llama")
    layers = dropout.decoder_layers(model)
    for index in range(len(layers)):
        layers[index] = Odd(layers[index])
    with pytest.raises(ModelError, match=r"cannot tell which modules.*residual_dropout to 0"):
        dropout.install(model, 0.3)


def _change(layer: Any, start: torch.Tensor, out: torch.Tensor) -> torch.Tensor:
    """What a layer added to the stream, without the factor by which Gemma 4 multiplies both."""
    return out / getattr(layer, "layer_scalar", 1.0) - start


def _first(output: Any) -> torch.Tensor:
    return output[0] if isinstance(output, tuple) else output


def _silence(module, args, output):
    zero = torch.zeros_like(_first(output))
    return (zero, *output[1:]) if isinstance(output, tuple) else zero


def _module(p: float) -> nn.Module:
    module = nn.Identity().train()
    module.register_buffer("residual_dropout", torch.tensor(p), persistent=False)
    return module


def _drop_all(module, x):
    return dropout._drop(module, (), x)
