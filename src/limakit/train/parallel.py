"""One process or many: FSDP2 (`torch.distributed.fsdp.fully_shard`) over the decoder's layers.

Every process holds a slice of weights, gradients and moments and gathers a layer when it is its turn. An optimiser
batch is cut into the micro-batches of one process, which are dealt out, so that the result does not depend on the
number of processes except for rounding. Gradients are added up, never averaged: the loss is already divided by the
batch's count.
"""

import math
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.tensor import DTensor

from limakit.train.batches import Document, Microbatch, microbatches
from limakit.train.launch import processes

T = TypeVar("T")
_PATIENCE = timedelta(hours=3)
"""How long processes wait for each other: the first one hashes, exports and writes alone."""


@dataclass(frozen=True, slots=True)
class World:
    """The processes of a run, seen from one of them."""

    device: torch.device
    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process reads, writes and speaks."""
        return self.rank == 0

    def share(self, value: T) -> T:
        """The first process's value, in all of them."""
        if self.size == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box, src=0)
        return box[0]

    def sum(self, value: Tensor) -> Tensor:
        """The sum over all processes."""
        if self.size > 1:
            dist.all_reduce(value)
        return value

    def wait(self) -> None:
        """Go on when all processes are here."""
        self.share(None)
        self.sum(torch.zeros((), device=self.device))


@contextmanager
def join() -> Iterator[World]:
    """The world torchrun has made, or that of this process alone."""
    cuda = torch.cuda.is_available()
    if processes() == 1:
        yield World(torch.device("cuda" if cuda else "cpu"))
        return
    device = torch.device("cuda", int(os.environ["LOCAL_RANK"])) if cuda else torch.device("cpu")
    if cuda:
        torch.cuda.set_device(device)
    dist.init_process_group("cpu:gloo,cuda:nccl" if cuda else "gloo", timeout=_PATIENCE)
    try:
        yield World(device, dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()


def shard(model: Any, layers: Iterable[Any], world: World) -> None:
    """Spread the model over the processes. `decode` then runs the decoder with the root's weights gathered, which stay
    so until the backward pass: the head, called after it, needs them."""
    if world.size == 1:
        return
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method

    mesh = init_device_mesh(world.device.type, (world.size,))
    for module in (*layers, model):
        fully_shard(module, mesh=mesh, reshard_after_forward=module is not model)
        module.set_gradient_divide_factor(1.0)  # not recursive
        module.set_force_sum_reduction_for_comms(True)  # gloo knows no average
    model.decode = model.get_decoder().__call__
    register_fsdp_forward_method(model, "decode")


def settle(model: Any, world: World) -> None:
    """Let go of weights that a pass without a backward pass has gathered."""
    if world.size > 1:
        model.reshard()


def deal(documents: Sequence[Document], limit: int, world: World) -> Iterator[tuple[int, Microbatch, bool]]:
    """This process's micro-batches with their number in the whole batch; False for one that does not count.

    All processes get equally many, as gathering weights takes all of them. Where there are fewer micro-batches than
    processes, they are cut smaller.
    """
    pieces = list(microbatches(documents, limit))
    longest = max(len(document.ids) for document in documents)
    while len(pieces) < min(world.size, len(documents)) and limit > longest:
        limit = max(longest, limit // 2)
        pieces = list(microbatches(documents, limit))
    spare = min(pieces, key=lambda piece: len(piece.ids_T))
    for turn in range(math.ceil(len(pieces) / world.size)):
        number = turn * world.size + world.rank
        yield (number, pieces[number], True) if number < len(pieces) else (number, spare, False)


def whole(value: Tensor) -> Tensor:
    """A tensor gathered from all processes, which must all ask for it."""
    return value.full_tensor() if isinstance(value, DTensor) else value
