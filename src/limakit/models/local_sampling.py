"""From logits to the next token: repetition penalty, temperature, nucleus, one uniform draw a row.

Shapes: B rows (one an answer), V vocabulary, T generated tokens, K candidates. Every row is treated by itself, so what
it gets does not depend on its neighbours.

Where Hugging Face's `generate` differs: it penalises the tokens of the prompt too (ours only generated ones, as in
Keskar et al. 2019, https://arxiv.org/abs/1909.05858, section 4.1, unless `generate.penalty_on = "hf"`), keeps only the
50 likeliest tokens unless told `top_k=0`, and draws from one random stream for the whole batch. The order is the same:
penalty, temperature, nucleus.
"""

import torch
from torch import Tensor

from limakit.errors import ModelError
from limakit.recipe import Generate

FIRST_CANDIDATES = 128
GROWTH = 8


def choose(logits_BV: Tensor, history_BT: Tensor, counts_B: Tensor, draws_B: Tensor, settings: Generate) -> Tensor:
    """The next token of each row, int64 of shape (B,).

    `history_BT` holds the tokens of each row on which the penalty falls, `counts_B` of them valid; `draws_B` are
    uniform in [0, 1). Temperature 0 takes the likeliest token. Raises ModelError where the model's output is not
    finite.
    """
    logits_BV = penalise(logits_BV.float(), history_BT, counts_B, settings.repetition_penalty)
    top_B1 = logits_BV.max(dim=-1, keepdim=True).values
    if not bool(torch.isfinite(top_B1).all()):
        raise ModelError("the model's output is not finite", fix="Its weights are damaged or need another precision.")
    if settings.temperature == 0:
        return logits_BV.argmax(dim=-1)
    return draw((logits_BV - top_B1) / settings.temperature, draws_B, settings.top_p)


def penalise(logits_BV: Tensor, history_BT: Tensor, counts_B: Tensor, penalty: float) -> Tensor:
    """Logits with those of the tokens in the history divided by `penalty` where positive, multiplied where negative.

    However often a token came, it is penalised once. The argument is left as it was.
    """
    if penalty == 1 or history_BT.shape[1] == 0:
        return logits_BV
    positions_T = torch.arange(history_BT.shape[1], device=history_BT.device)
    valid_BT = positions_T < counts_B[:, None]
    first_B1 = history_BT[:, :1].clamp(min=0)
    tokens_BT = torch.where(valid_BT, history_BT, first_B1)
    old_BT = logits_BV.gather(1, tokens_BT)
    new_BT = torch.where(old_BT > 0, old_BT / penalty, old_BT * penalty)
    new_BT = torch.where(counts_B[:, None] > 0, new_BT, old_BT)
    return logits_BV.scatter(1, tokens_BT, new_BT)


def draw(logits_BV: Tensor, draws_B: Tensor, top_p: float) -> Tensor:
    """One token a row from its nucleus: the first, by id, at which the cumulative probability exceeds draw × mass.

    By id and not by rank, because rounding may swap the ranks of two tokens but hardly ever moves a sum across a draw.
    """
    tokens_B = torch.empty(len(logits_BV), dtype=torch.int64, device=logits_BV.device)
    rows_B = torch.arange(len(logits_BV), device=logits_BV.device)
    log_total_B1 = logits_BV.logsumexp(dim=-1, keepdim=True)
    width = FIRST_CANDIDATES
    while len(rows_B):
        ids_BK, probabilities_BK, certain_B = nucleus(logits_BV[rows_B], log_total_B1[rows_B], top_p, width)
        sums_BK = probabilities_BK.cumsum(dim=-1)
        mass_B1 = sums_BK[:, -1:]
        place_B1 = (sums_BK <= draws_B[rows_B, None] * mass_B1).sum(dim=-1, keepdim=True)
        last_B1 = (sums_BK < mass_B1).sum(dim=-1, keepdim=True)
        chosen_B = ids_BK.gather(1, torch.minimum(place_B1, last_B1))[:, 0]
        tokens_B[rows_B[certain_B]] = chosen_B[certain_B]
        rows_B = rows_B[~certain_B]
        width *= GROWTH
    return tokens_B


def nucleus(logits_BV: Tensor, log_total_B1: Tensor, top_p: float, width: int) -> tuple[Tensor, Tensor, Tensor]:
    """The smallest set of tokens with probability of at least `top_p` (Holtzman et al. 2020,
    https://arxiv.org/abs/1904.09751), looked for among the `width` likeliest; of equal ones the lower id comes first.

    Returns candidates ids_BK in rising order; their probabilities, float64, 0 outside the set; and whether the set is
    certain, (B,): not where it reaches beyond the candidates, or may hold a token exactly as likely as the last of
    them. With `width` of V or more it always is, and where it is, `width` does not change it.
    """
    whole = width >= logits_BV.shape[1]
    if whole:
        ids_BK = torch.arange(logits_BV.shape[1], device=logits_BV.device).expand(len(logits_BV), -1)
    else:
        ids_BK = logits_BV.topk(width, dim=-1, sorted=False).indices.sort(dim=-1).values
    values_BK, order_BK = logits_BV.gather(1, ids_BK).sort(dim=-1, descending=True, stable=True)
    ranked_BK = (values_BK - log_total_B1).double().exp()
    before_BK = ranked_BK.cumsum(dim=-1) - ranked_BK
    ranked_BK = ranked_BK.where(before_BK < top_p, 0)
    probabilities_BK = torch.zeros_like(ranked_BK).scatter(1, order_BK, ranked_BK)
    if whole:
        certain_B = torch.ones(len(logits_BV), dtype=torch.bool, device=logits_BV.device)
    else:
        certain_B = ranked_BK.where(values_BK > values_BK[:, -1:], 0).sum(dim=-1) >= top_p
    return ids_BK, probabilities_BK, certain_B
