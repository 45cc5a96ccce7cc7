"""A sentence-transformers model from a folder: texts → vectors. Nothing is fetched, no code of the folder's run."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from limakit.errors import MissingExtra, ModelError
from limakit.store.files import read_json

BATCH = 32
_OURS = "sentence_transformers."
_PICKLES = {".bin", ".pt", ".pth", ".pkl", ".ckpt"}


def load_embedder(folder: Path) -> Callable[[Sequence[str]], Any]:
    """A function from texts to an array (texts, dimensions), float32; texts too long for the model are cut by it.

    Raises ModelError where the folder is not one that sentence-transformers wrote, keeps weights in anything but
    safetensors, or asks for classes from elsewhere; MissingExtra where sentence-transformers is not installed.
    """
    check_embedder(folder)
    try:
        import torch
        from sentence_transformers import SentenceTransformer  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise MissingExtra(f"curate.embeddings names a model, and {error.name} is not installed", "embed") from None
    # Whatever precision the file has: a CPU without bf16 instructions takes tens of times as long in it.
    wanted = {"use_safetensors": True, "dtype": "auto" if torch.cuda.is_available() else torch.float32}
    try:
        model = SentenceTransformer(str(folder), trust_remote_code=False, local_files_only=True, model_kwargs=wanted)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise ModelError(f"sentence-transformers cannot load it: {error}", where=folder) from None
    return lambda texts: model.encode(list(texts), batch_size=BATCH, show_progress_bar=False, convert_to_numpy=True)


def check_embedder(folder: Path) -> None:
    """Refuse a folder that holds no model, or one that would run code or unpickle on loading. Raises ModelError."""
    fix = "Name a folder that SentenceTransformer.save_pretrained has written, or set curate.embeddings to 'tfidf'."
    if not folder.is_dir():
        raise ModelError("no such model folder", where=folder, fix=fix)
    if not (folder / "modules.json").is_file():
        raise ModelError("not a sentence-transformers model: it has no modules.json", where=folder, fix=fix)
    modules = read_json(folder / "modules.json")
    if not isinstance(modules, list) or not all(isinstance(part, dict) for part in modules):
        raise ModelError("modules.json is not a list of modules", where=folder, fix=fix)
    for part in modules:
        # Before version 6, sentence-transformers ran any other class from the folder, trust_remote_code or not.
        if not str(part.get("type", "")).startswith(_OURS):
            raise ModelError(f"modules.json asks for the class {part.get('type')!r}", where=folder, fix=fix)
        place = (folder / str(part.get("path", ""))).resolve()
        if not place.is_relative_to(folder.resolve()):
            raise ModelError(f"modules.json points outside the folder: {part.get('path')!r}", where=folder, fix=fix)
        names = [path.suffix for path in place.iterdir()] if place.is_dir() else []
        if ".safetensors" not in names and _PICKLES & set(names):
            raise ModelError("has weights only as a pickle, which may run code", where=place, fix=fix)
