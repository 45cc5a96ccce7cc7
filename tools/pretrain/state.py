"""What a run needs to go on after a kill: weights, both optimizers, and how far it is, in one file published last."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

TOLD = "told"
"""Key of the file's metadata under which the part that is no tensor stands, as JSON."""


@dataclass(frozen=True)
class State:
    """A run between two steps."""

    tensors: Mapping[str, Tensor]
    told: Mapping[str, Any]


def save(path: Path, state: State) -> None:
    """Write beside the destination, sync, rename: a kill leaves the state before or this one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    save_file(
        {name: tensor.contiguous() for name, tensor in state.tensors.items()}, partial, {TOLD: json.dumps(state.told)}
    )
    with partial.open("rb") as written:
        os.fsync(written.fileno())
    partial.rename(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def load(path: Path) -> State | None:
    """The state a run stopped in, or None where there is none."""
    if not path.exists():
        return None
    with safe_open(path, "pt") as file:
        names: list[str] = file.keys()
        return State({name: file.get_tensor(name) for name in names}, json.loads(file.metadata()[TOLD]))
