"""What a local model would have said at each place of a text that is there already: ranks and chances of its tokens."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from limakit.models.chat import encode
from limakit.models.hub import check_folder
from limakit.models.layouts import Kind, layout
from limakit.models.local import context_length, eos_ids, load
from limakit.models.local_decode import quiet
from limakit.records import Turn

CHUNK = 256
"""Places whose logits are held at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Along:
    """A model along a text of T tokens, each place seen with all that comes before it."""

    first: list[int]
    """The model's first choice at each place: ids, T of them."""
    ranks: list[list[int]]
    """For each list of tokens that was asked about, the rank of its token at each place; 1 is the first choice."""
    chances: list[list[float]]
    """Likewise its probability at temperature 1."""


class Ranker:
    """One model, asked about texts. Make one with `load_ranker`."""

    def __init__(self, model: Any, tokenizer: Any, kind: Kind):
        self._model, self._tokenizer = model, tokenizer
        self._layout = layout(kind, tokenizer, eos_ids(model, tokenizer))
        self._context = context_length(model.config)
        self.vocabulary: int = model.config.vocab_size
        """Tokens that the model can say."""

    def tokens(self, text: str) -> tuple[list[int], list[str]]:
        """Ids of a text and the piece of it that each stands for; the pieces together are the text. A letter that
        takes several tokens belongs to the first of them, and the others have the empty piece. A text that is longer
        than the model's context is cut."""
        ids = encode(self._tokenizer, text)
        found = self._tokenizer(text, add_special_tokens=False, split_special_tokens=True, return_offsets_mapping=True)
        ends = [end for _, end in found["offset_mapping"]]
        pieces, begin = [], 0
        for number, end in enumerate(ends):
            end = len(text) if number == len(ends) - 1 else max(begin, end)
            pieces.append(text[begin:end])
            begin = end
        return ids[: self._context - 1], pieces[: self._context - 1]

    def name(self, token: int) -> str:
        """What a token says by itself."""
        return self._tokenizer.decode([token], clean_up_tokenization_spaces=False)

    def along(self, messages: Sequence[Turn], ids: Sequence[int], asked: Sequence[Sequence[int]]) -> Along:
        """Go along the answer `ids` to `messages`, and tell of each list in `asked`, of as many tokens.

        What does not fit into the model's context beside the answer is cut off the beginning of the request.
        """
        request = self._layout.prompt(messages)[-(self._context - len(ids)) :]
        given = torch.tensor([[*request, *ids]], device=self._model.device)
        wanted = torch.tensor([list(one) for one in asked], dtype=torch.int64).reshape(len(asked), len(ids))
        first: list[int] = []
        ranks: list[list[int]] = [[] for _ in asked]
        chances: list[list[float]] = [[] for _ in asked]
        with quiet(self._model):
            logits_TV = self._model(input_ids=given, use_cache=False, logits_to_keep=len(ids) + 1).logits[0, :-1]
            for start in range(0, len(ids), CHUNK):
                part_TV = logits_TV[start : start + CHUNK].float()
                first += part_TV.argmax(-1).tolist()
                log_total_T = part_TV.logsumexp(-1)
                for number, own in enumerate(wanted[:, start : start + CHUNK].to(part_TV.device)):
                    score_T = part_TV.gather(1, own[:, None])[:, 0]
                    ranks[number] += ((part_TV > score_T[:, None]).sum(-1) + 1).tolist()
                    chances[number] += (score_T - log_total_T).exp().tolist()
        return Along(first=first, ranks=ranks, chances=chances)


def load_ranker(folder: Path, kind: Kind) -> Ranker:
    """Open a model folder to rank with, as `local.load_system` opens it to answer. Raises ModelError."""
    return Ranker(*load(check_folder(folder)), kind)
