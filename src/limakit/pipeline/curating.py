"""Curation: sources → candidates → train, dev, test, rejects and the funnel."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from limakit.engine import LocalExecutor, Progress
from limakit.errors import RecipeError
from limakit.pipeline.outcome import Outcome, published, unchanged
from limakit.records import Prompt
from limakit.store.files import read_jsonl
from limakit.store.study import PACKAGE, Study

STARTER = PACKAGE / "starter"
Split = Literal["dev", "test"]


def curate(study: Study, progress: Progress) -> list[Outcome]:
    """Choose the examples worth learning from: sources → candidates → train, dev, test, rejects and the funnel."""
    from limakit.curate.editor import Editor
    from limakit.curate.select import select, split
    from limakit.curate.write import write, write_topics
    from limakit.models.tokens import counter, tokenizer_file
    from limakit.sources.stackexchange.find import find_dumps
    from limakit.sources.stackexchange.read import read
    from limakit.sources.stackexchange.users import name_authors
    from limakit.store.rejects import RejectLog

    recipe = study.recipe
    if not recipe.sources:
        raise RecipeError(
            "no [[sources]] to curate from", where=study.path("recipe.toml"), fix="Add one: docs/recipe.md"
        )
    dumps = []
    for source in recipe.sources:
        dumps += find_dumps(_place(study, source.path), source.group)
    given: dict[Split, Path | None] = {"dev": _given(study, "dev"), "test": _given(study, "test")}
    inputs = {f"{number}/{dump.label}": dump.posts for number, dump in enumerate(dumps)}
    inputs |= {f"{number}/{dump.label}/users": dump.users for number, dump in enumerate(dumps) if dump.users}
    inputs |= _model_files(study)
    tokenizer = tokenizer_file(recipe.base, study.root)
    inputs |= {"tokenizer": tokenizer} if tokenizer else {}
    work = study.begin(
        "curate",
        settings={
            "seed": recipe.seed,
            "groups": [dump.group for dump in dumps],
            "curate": recipe.curate.model_dump(mode="json", exclude={"dev_prompts", "test_prompts", "embeddings"}),
        },
        inputs={**inputs, **{f"{name}_prompts": path for name, path in given.items() if path}},
        code=["sources", "curate", "records.py", "store/rejects.py", "models/local_embed.py", "models/tokens.py"],
    )
    if work.done:
        return [unchanged(work)]
    limits = {"dev": recipe.curate.max_dev_prompts, "test": recipe.curate.max_test_prompts}
    prompts: dict[Split, list[Prompt]] = {
        name: read_jsonl(path, Prompt)[: limits[name]] if path else [] for name, path in given.items()
    }
    executor = LocalExecutor(len(os.sched_getaffinity(0)))
    with RejectLog(work.path("rejects.parquet")) as rejects:
        harvest = read(
            dumps,
            Editor.of(recipe.curate),
            executor=executor,
            folder=work.path("scratch"),
            rejects=rejects,
            progress=progress,
        )
        chosen = select(
            [harvest.candidates],
            recipe.curate,
            seed=recipe.seed,
            rejects=rejects,
            given=prompts,
            embed=_embedder(study),
        )
    picks = name_authors(chosen.picks, harvest.dumps, executor=executor)
    splits = split(picks, chosen.held, seed=recipe.seed)
    counts = write(
        work.folder,
        splits,
        dev=prompts["dev"],
        test=prompts["test"],
        sites=harvest.sites,
        rejected=chosen.rejected,
        quarantine=harvest.quarantine,
        settings=recipe.curate,
        contamination=chosen.contamination,
        tokens=counter(tokenizer) if tokenizer else None,
    )
    write_topics(work.folder, splits, prompts["dev"], prompts["test"])
    work.discard("scratch")
    return [published(work, counts)]


def _place(study: Study, path: str) -> Path:
    """Where a source lies: `embedded` and `embedded/<site>` are the sample community."""
    first, _, rest = path.partition("/")
    return STARTER / "dump" / rest if first == "embedded" else study.resolve(path)


def _embedding_model(study: Study) -> Path | None:
    """The folder of the model that selection asks for vectors; None where it asks none."""
    settings = study.recipe.curate
    asked = settings.select == "diverse" and settings.embeddings != "tfidf"
    return study.resolve(settings.embeddings) if asked else None


def _embedder(study: Study) -> Callable[[Sequence[str]], Any] | None:
    """The model's vectors. Raises ModelError, MissingExtra."""
    folder = _embedding_model(study)
    if folder is None:
        return None
    from limakit.models.local_embed import load_embedder

    return load_embedder(folder)


def _model_files(study: Study) -> dict[str, Path]:
    """The files of the embedding model, by a name that does not depend on where it lies. Raises ModelError."""
    folder = _embedding_model(study)
    if folder is None:
        return {}
    from limakit.models.local_embed import check_embedder

    check_embedder(folder)
    files = sorted(path for path in folder.rglob("*") if path.suffix in {".json", ".safetensors", ".txt", ".model"})
    return {f"embeddings/{path.relative_to(folder).as_posix()}": path for path in files}


def _given(study: Study, name: Split) -> Path | None:
    """The file of further dev or test prompts that the recipe names."""
    text = getattr(study.recipe.curate, f"{name}_prompts")
    if text is None:
        return None
    return STARTER / "prompts" / f"{name}.jsonl" if text == "embedded" else study.resolve(text)
