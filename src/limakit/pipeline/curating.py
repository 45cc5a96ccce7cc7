"""Curation: sources → candidates → train, dev, test, rejects and the funnel."""

import os
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Literal

from limakit.engine import Executor, LocalExecutor, Progress
from limakit.errors import RecipeError
from limakit.pipeline.giving import gather, read_prompts
from limakit.pipeline.outcome import Outcome, published, unchanged
from limakit.records import Prompt
from limakit.store.forgotten import FILE as FORGOTTEN
from limakit.store.forgotten import Forgotten
from limakit.store.forgotten import load as load_forgotten
from limakit.store.study import PACKAGE, Study

STARTER = PACKAGE / "starter"
CODE = ["sources", "curate", "pipeline/sourcing.py", "pipeline/sifting.py", "share/licences.py", "records.py"]
CODE += ["store/rejects.py", "store/forgotten.py", "store/spill.py", "store/pieces.py", "store/scratch.py"]
CODE += ["models/local_embed.py"]
CODE += ["models/local_difficulty.py", "models/tokens.py", "pipeline/consulting.py"]
CODE += ["pipeline/reviews.py", "pipeline/giving.py", "generate/given.py", "store/decisions.py"]
Split = Literal["dev", "test"]


def curate(study: Study, progress: Progress, executor: Executor | None = None) -> list[Outcome]:
    """Choose the examples worth learning from: sources → candidates → train, dev, test, rejects and the funnel.

    `executor` decides where dumps are read and candidates compared, by default a pool with a process for each core;
    never what comes out.
    """
    from limakit.curate.asked import take
    from limakit.curate.editor import Editor
    from limakit.curate.select import select, split
    from limakit.curate.write import write, write_topics
    from limakit.pipeline import consulting, embedding, reviews, sourcing
    from limakit.pipeline.sifting import sift
    from limakit.sources.stackexchange.users import name_authors
    from limakit.store.rejects import RejectLog, hide

    recipe = study.recipe
    given: dict[Split, Path | None] = {"dev": _given(study, "dev"), "test": _given(study, "test")}
    if not recipe.learns:
        return [gather(study, given["test"])]
    if not recipe.sources:
        raise RecipeError(
            "no [[sources]] to curate from",
            where=study.path("recipe.toml"),
            fix="Add one (docs/recipe.md), or compare systems that are there already (docs/compare.md).",
        )
    found = sourcing.find(study)
    forgotten = load_forgotten(study.root)
    memory = {FORGOTTEN: study.path(FORGOTTEN)} if forgotten else {}
    reviewed = reviews.read(study)
    work = study.begin(
        "curate",
        settings={
            "seed": recipe.seed,
            "sources": sourcing.settings(found),
            "curate": recipe.curate.model_dump(mode="json", exclude={"dev_prompts", "test_prompts", "embeddings"}),
        },
        inputs={
            **sourcing.inputs(found),
            **memory,
            **embedding.inputs(study),
            **consulting.inputs(study),
            **reviews.inputs(study),
            **{f"{name}_prompts": path for name, path in given.items() if path},
        },
        code=CODE,
    )
    if work.done:
        return [unchanged(work)]
    limits = {"dev": recipe.curate.max_dev_prompts, "test": recipe.curate.max_test_prompts}
    prompts = {name: _prompts(path, forgotten)[: limits[name]] for name, path in given.items()}
    executor = executor or LocalExecutor(len(os.sched_getaffinity(0)))
    with RejectLog(work.path("rejects.parquet")) as rejects:
        stock = sourcing.read(
            found,
            recipe,
            Editor.of(recipe.curate),
            executor=executor,
            folder=work.path("scratch"),
            rejects=rejects,
            progress=progress,
            forgotten=forgotten,
        )
        theirs = sift(
            stock,
            recipe.curate.refuse_licences,
            forgotten,
            executor=executor,
            folder=work.path("scratch"),
            rejects=rejects,
        )
        if reviews.forget(study, theirs):
            reviewed = reviews.read(study)
        decided = reviews.apply(stock, reviewed, folder=work.path("scratch"), rejects=rejects)
        settings = recipe.curate.model_copy(update={"quotas": {**stock.whole, **recipe.curate.quotas}})
        asked, unasked = take(stock.asked, settings.quotas, rejects=rejects)
        chosen = select(
            stock.candidates,
            settings,
            seed=recipe.seed,
            rejects=rejects,
            folder=work.path("scratch"),
            executor=executor,
            progress=progress,
            given={"dev": prompts["dev"], "test": [*prompts["test"], *asked]},
            embed=embedding.embedder(study),
            difficulty=consulting.difficulty(study),
            wanted=reviewed.wanted,
        )
    hide(work.path("rejects.parquet"), theirs)
    reviews.keep_spare(stock.candidates, {pick.id for pick in chosen.picks}, work.folder)
    picks = name_authors(chosen.picks, stock.dumps, executor=executor)
    splits = split(picks, chosen.held, seed=recipe.seed)
    splits = replace(splits, test=(*splits.test, *asked))
    counts = write(
        work.folder,
        splits,
        dev=prompts["dev"],
        test=prompts["test"],
        sites=stock.sites,
        rejected={
            site: chosen.rejected.get(site, Counter()) + unasked.get(site, Counter())
            for site in {*chosen.rejected, *unasked}
        },
        quarantine=stock.quarantine,
        settings=recipe.curate,
        contamination=chosen.contamination,
        measure=consulting.measure(study),
    )
    write_topics(work.folder, splits, prompts["dev"], prompts["test"])
    work.discard("scratch")
    return [published(work, counts | decided)]


def _given(study: Study, name: Split) -> Path | None:
    """The file of further dev or test prompts that the recipe names."""
    text = getattr(study.recipe.curate, f"{name}_prompts")
    if text is None:
        return None
    return STARTER / "prompts" / f"{name}.jsonl" if text == "embedded" else study.resolve(text)


def _prompts(path: Path | None, forgotten: Forgotten) -> list[Prompt]:
    """The prompts of a file but those of a person who is forgotten."""
    return [prompt for prompt in read_prompts(path) if not forgotten.covers(prompt.provenance)] if path else []
