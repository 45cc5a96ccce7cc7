"""What curation asks of the base model: how long texts are in its tokens, and how difficult answers are to it."""

from collections.abc import Callable, Sequence
from pathlib import Path

from limakit.curate.lengths import WORDS, Measure
from limakit.models.hub import EMBEDDED, resolve_base
from limakit.models.tokens import token_counter
from limakit.pipeline.outcome import model_files
from limakit.store.study import Study


def measure(study: Study) -> Measure:
    """Tokens of the base model where it lies on this machine, else words. Raises ModelError."""
    folder = _folder(study)
    count = token_counter(folder) if folder else None
    name = study.recipe.base.model
    return Measure("tokens", "the embedded model" if name == "embedded" else name, count) if count else WORDS


def difficulty(study: Study) -> Callable[[Sequence[tuple[str, str]]], list[float]] | None:
    """Prompts and answers to difficulties, where `curate.quality` gives them a share; else None. Raises ModelError,
    MissingExtra."""
    if not _asked(study):
        return None
    from limakit.models.local_difficulty import load_difficulty

    return load_difficulty(resolve_base(study.recipe.base, study.root))


def inputs(study: Study) -> dict[str, Path]:
    """The model's files that decide the result, by a name that does not depend on where they lie. Raises ModelError."""
    if _asked(study):
        return model_files("base", resolve_base(study.recipe.base, study.root))
    folder = _folder(study)
    path = folder / "tokenizer.json" if folder else None
    return {"base/tokenizer.json": path} if path and path.is_file() else {}


def _asked(study: Study) -> bool:
    settings = study.recipe.curate
    return settings.select == "diverse" and settings.quality.get("difficulty", 0) > 0


def _folder(study: Study) -> Path | None:
    """The base model's folder; None for a model of a hub, which curation does not fetch for its tokenizer alone."""
    name = study.recipe.base.model
    folder = EMBEDDED if name == "embedded" else study.root / Path(name).expanduser()
    return folder if folder.is_dir() else None
