"""Cross-entropy on the tokens that count: head and softmax on those positions only, and in chunks.

Letters after the underscore: T tokens of a micro-batch, N of them predicted, C channels, V vocabulary.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from limakit.train.batches import Microbatch

_LOGITS = {"cpu": 2**22, "cuda": 2**27}
"""Logits held at once: on a CPU what a cache can still help with, on a GPU enough to keep it busy."""


def hidden(model: Any, batch: Microbatch) -> Tensor:
    """Last hidden states of the predicting positions, (N, C). `decode` is there where `parallel.shard` put it."""
    out = getattr(model, "decode", model.get_decoder())(
        input_ids=batch.ids_T[None],
        position_ids=batch.positions_T[None],
        ends=torch.tensor((0, *batch.lengths)).cumsum(0),
        use_cache=False,
    )
    return out.last_hidden_state[0, batch.rows_N]


def head(model: Any, hidden_NC: Tensor) -> Tensor:
    """Logits in fp32, (N, V), with the soft-cap of families that have one (Gemma 2)."""
    logits_NV = model.get_output_embeddings()(hidden_NC).float()
    cap = getattr(model.config, "final_logit_softcapping", None)
    return logits_NV if cap is None else cap * torch.tanh(logits_NV / cap)


def backward(model: Any, batch: Microbatch, total: float) -> Tensor:
    """Add the gradients of this micro-batch's summed loss divided by `total`; returns that loss, 0-d.

    `total` is the number of predicted tokens in the whole optimiser batch, so that every token weighs the same
    however the batch is cut. Each chunk of the head runs backward at once: its logits are gone before the next.
    """
    hidden_NC = hidden(model, batch)
    loss, grads = hidden_NC.new_zeros((), dtype=torch.float32), []
    for chunk_NC, targets_N in _chunks(model, hidden_NC.detach(), batch.targets_N):
        chunk_NC.requires_grad_()
        logits_NV = head(model, chunk_NC)
        slope_NV = torch.log_softmax(logits_NV.detach(), -1)
        rows_N = torch.arange(len(targets_N), device=targets_N.device)
        loss -= slope_NV[rows_N, targets_N].sum() / total
        # The gradient of cross-entropy, written over the log-probabilities: (softmax − one-hot) / total.
        slope_NV.exp_()[rows_N, targets_N] -= 1
        logits_NV.backward(slope_NV.div_(total))
        grads.append(chunk_NC.grad)
    hidden_NC.backward(torch.cat(grads))
    return loss


@torch.no_grad()
def evaluate(model: Any, batch: Microbatch) -> Tensor:
    """The summed loss of a micro-batch, 0-d, without gradients."""
    hidden_NC = hidden(model, batch)
    parts = [
        F.cross_entropy(head(model, chunk_NC), targets_N, reduction="sum")
        for chunk_NC, targets_N in _chunks(model, hidden_NC, batch.targets_N)
    ]
    return torch.stack(parts).sum()


def _chunks(model: Any, hidden_NC: Tensor, targets_N: Tensor) -> Any:
    """Pairs of hidden states and targets small enough for their logits to be held at once."""
    size = max(1, _LOGITS[hidden_NC.device.type] // model.get_output_embeddings().weight.shape[0])
    return zip(hidden_NC.split(size), targets_N.split(size), strict=True)
