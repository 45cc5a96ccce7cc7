"""The model of sentence vectors that `curate.embeddings` names: for diverse selection and contamination by meaning."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from limakit.store.study import Study


def embedder(study: Study) -> Callable[[Sequence[str]], Any] | None:
    """Texts to vectors by that model; None where the light vectors do. Raises ModelError, MissingExtra."""
    folder = _folder(study)
    if folder is None:
        return None
    from limakit.models.local_embed import load_embedder

    return load_embedder(folder)


def inputs(study: Study) -> dict[str, Path]:
    """The files of that model, by a name that does not depend on where it lies. Raises ModelError."""
    folder = _folder(study)
    if folder is None:
        return {}
    from limakit.models.local_embed import check_embedder

    check_embedder(folder)
    files = sorted(path for path in folder.rglob("*") if path.suffix in {".json", ".safetensors", ".txt", ".model"})
    return {f"embeddings/{path.relative_to(folder).as_posix()}": path for path in files}


def _folder(study: Study) -> Path | None:
    settings = study.recipe.curate
    used = settings.select == "diverse" or settings.contamination_meaning > 0
    return study.resolve(settings.embeddings) if used and settings.embeddings != "tfidf" else None
