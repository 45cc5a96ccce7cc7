"""Examples → token ids and loss masks → optimiser batches → micro-batches without padding.

The order of the examples is a pure function of (seed, epoch), so no random state needs saving.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from limakit.errors import TrainingError
from limakit.models.chat import Chat
from limakit.records import Example


@dataclass(frozen=True, slots=True)
class Document:
    """One rendered example."""

    id: str
    source: str
    ids: list[int]
    mask: list[bool]
    trimmed: int
    """Tokens cut off at the end."""

    @property
    def targets(self) -> int:
        """Tokens that count in the loss; the first token of a document is never predicted."""
        return sum(self.mask[1:])


@dataclass(frozen=True, slots=True)
class Microbatch:
    """Documents one after another in one row of T tokens; N of them are predicted."""

    ids_T: Tensor
    positions_T: Tensor
    """Restarting at 0 with each document."""
    lengths: tuple[int, ...]
    rows_N: Tensor
    """Positions whose next token counts in the loss."""
    targets_N: Tensor
    """Those next tokens."""

    def to(self, device: torch.device) -> "Microbatch":
        """The same on another device."""
        tensors = (self.ids_T, self.positions_T, self.rows_N, self.targets_N)
        ids, positions, rows, targets = (x.to(device, non_blocking=True) for x in tensors)
        return Microbatch(ids, positions, self.lengths, rows, targets)


def render(examples: Sequence[Example], chat: Chat, *, max_tokens: int, loss_on: str) -> list[Document]:
    """Every example as a document, in the order given."""
    documents = []
    for example in examples:
        rendered = chat.render(example.messages, max_tokens=max_tokens, loss_on=loss_on)
        documents.append(Document(example.id, example.source, rendered.ids, rendered.mask, rendered.trimmed))
    return documents


def usable(documents: Sequence[Document]) -> list[Document]:
    """Those with something to learn: trimming can cut off the whole response. Raises TrainingError where none is."""
    kept = [document for document in documents if document.targets]
    if not kept:
        raise TrainingError(
            "there is nothing to learn from: no example has a response within train.max_tokens",
            fix="Curate more examples or raise train.max_tokens.",
        )
    return kept


def derive(*parts: int | str) -> int:
    """A 63-bit seed that is a pure function of its parts."""
    text = "/".join(map(str, parts)).encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big") >> 1


def order(count: int, seed: int, epoch: int) -> list[int]:
    """The order of `count` examples in an epoch: a random permutation that depends on nothing else."""
    return sorted(range(count), key=lambda index: (derive(seed, "order", epoch, index), index))


def batches(documents: Sequence[Document], seed: int, epoch: int, size: int) -> Iterator[list[Document]]:
    """The optimiser batches of an epoch. The last one is smaller where `size` does not divide the count."""
    indices = order(len(documents), seed, epoch)
    for start in range(0, len(indices), size):
        yield [documents[index] for index in indices[start : start + size]]


def microbatches(batch: Sequence[Document], max_tokens: int) -> Iterator[Microbatch]:
    """Consecutive documents of a batch as long as they fit into `max_tokens`; a longer document goes alone."""
    group: list[Document] = []
    for document in batch:
        if group and sum(len(d.ids) for d in group) + len(document.ids) > max_tokens:
            yield concatenate(group)
            group = []
        group.append(document)
    if group:
        yield concatenate(group)


def concatenate(documents: Sequence[Document]) -> Microbatch:
    """One row without padding."""
    ids, positions, rows, targets = [], [], [], []
    for document in documents:
        start = len(ids)
        ids += document.ids
        positions += range(len(document.ids))
        for place in range(1, len(document.ids)):
            if document.mask[place]:
                rows.append(start + place - 1)
                targets.append(document.ids[place])
    lengths = tuple(len(document.ids) for document in documents)
    return Microbatch(torch.tensor(ids), torch.tensor(positions), lengths, torch.tensor(rows), torch.tensor(targets))
