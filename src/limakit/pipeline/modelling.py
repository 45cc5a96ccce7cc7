"""Training and generation."""

import logging
from pathlib import Path

from limakit.engine import Progress
from limakit.errors import RecipeError, StudyError, typed
from limakit.pipeline.giving import file_of, take
from limakit.pipeline.model_judging import LEDGER
from limakit.pipeline.outcome import Outcome, model_files, need, published, unchanged
from limakit.pipeline.systems import Found, Remote, find, training
from limakit.recipe_train import Train
from limakit.records import Example, Prompt
from limakit.store.files import read_jsonl
from limakit.store.study import Study
from limakit.train import launch


def train(study: Study, progress: Progress) -> list[Outcome]:
    """Fine-tune the base model: on curate/train.jsonl, a checkpoint an epoch in train/tuned; and for every system of
    kind `trained` that answers, on its own data, in train/<system>."""
    recipe = study.recipe
    if not recipe.learns:
        raise RecipeError(
            "there is nothing to train: none of generate.systems is",
            where=study.path("recipe.toml"),
            fix=f"Go on with: limakit run {typed(study.root)}",
        )
    outcomes = [_train(study, "tuned", need(study, "curate", "train.jsonl"), recipe.train, progress)]
    others = {name: recipe.system(name) for name in recipe.generate.systems}
    for name, system in others.items():
        if system.kind == "trained" and system.data is not None:
            if launch.processes() > 1:
                logging.getLogger("limakit").warning(
                    f"system {name} is not trained by torchrun, which trains one model; afterwards run: "
                    f"limakit train {typed(study.root)}"
                )
                continue
            outcomes.append(_train(study, name, study.resolve(system.data), training(system), progress))
    return outcomes


def _train(study: Study, name: str, data: Path, settings: Train, progress: Progress) -> Outcome:
    """One fine-tuning of the base model, as a stage of its own. Curated examples are read as they are, other files as
    instruction data."""
    from limakit.models.hub import resolve_base

    recipe, dev = study.recipe, need(study, "curate", "dev.jsonl")
    base = resolve_base(recipe.base, study.root)
    work = study.begin(
        f"train/{name}",
        settings={"seed": recipe.seed, "train": settings.model_dump(mode="json")},
        inputs={"train.jsonl": data, "dev.jsonl": dev, **model_files("base", base)},
        code=["train", "models/chat.py", "models/hub.py", "records.py", "store/checkpoints.py"],
    )
    if work.done:
        if launch.processes() > 1:
            from limakit.train.run import dismiss

            dismiss()
        return unchanged(work)
    from limakit.models.local_stop import stop_rate
    from limakit.train.instructions import read
    from limakit.train.run import train as run

    prompts = read_jsonl(dev, Prompt)
    counts = run(
        read_jsonl(data, Example) if name == "tuned" else read(data),
        prompts,
        settings,
        seed=recipe.seed,
        base=base,
        folder=work.folder,
        progress=progress,
    )
    last = work.path(f"epoch-{settings.epochs:02d}")
    return published(work, {**counts, **stop_rate(last, prompts, recipe.generate, recipe.seed)})


def generate(study: Study, progress: Progress) -> list[Outcome]:
    """Let every system answer curate/test.jsonl, each in a stage of its own: generate/<system>."""
    prompts = need(study, "curate", "test.jsonl")
    if not prompts.stat().st_size:
        raise StudyError(
            "there are no test prompts",
            where=prompts,
            fix="Set curate.hold_out_test or curate.test_prompts in recipe.toml, then: limakit run " + str(study.root),
        )
    outcomes = []
    for name in study.recipe.generate.systems:
        stage = f"generate/{name}"
        if path := file_of(study, name):
            outcomes.append(take(study, stage, name, path, prompts, progress))
            continue
        system = find(study, name)
        ask = _ask if isinstance(system, Remote) else answer
        outcomes.append(ask(study, stage, system, prompts, progress))  # type: ignore[arg-type]
    return outcomes


def answer(study: Study, stage: str, system: Found, prompts: Path, progress: Progress) -> Outcome:
    """Let one system answer the prompts of a file, as a stage of its own: responses.jsonl."""
    recipe = study.recipe
    work = study.begin(
        stage,
        settings={
            "seed": recipe.seed,
            "system": system.name,
            "kind": system.kind,
            "generate": recipe.generate.model_dump(mode="json", exclude={"systems", "checkpoint"}),
        },
        inputs={prompts.name: prompts, **model_files("model", system.folder)},
        code=["generate", "models", "records.py"],
    )
    if work.done:
        return unchanged(work)
    from limakit.generate.run import PARTS, respond
    from limakit.models.local import load_system

    counts = respond(
        load_system(system.folder, system.kind),
        read_jsonl(prompts, Prompt),
        system.name,
        recipe.generate,
        seed=recipe.seed,
        folder=work.folder,
        progress=progress,
    )
    work.discard(PARTS)
    return published(work, counts)


WITHOUT_EFFECT = {"key_env", "concurrency", "timeout", "budget"}
"""Settings of a server that change no answer."""


def _ask(study: Study, stage: str, system: Remote, prompts: Path, progress: Progress) -> Outcome:
    """Let a server answer the prompts of a file, through the study's ledger: responses.jsonl."""
    recipe, endpoint = study.recipe, system.endpoint
    work = study.begin(
        stage,
        settings={
            "system": system.name,
            "endpoint": endpoint.model_dump(mode="json", exclude=WITHOUT_EFFECT),
            "samples": recipe.generate.samples,
        },
        inputs={prompts.name: prompts},
        code=["generate", "models/wire.py", "models/buyer.py", "models/sampler.py", "records.py"],
    )
    if work.done:
        return unchanged(work)
    from limakit.generate.bought import respond
    from limakit.store.ledger import Ledger

    with Ledger(study.path(LEDGER)) as ledger:
        counts = respond(
            endpoint,
            ledger,
            system.account,
            read_jsonl(prompts, Prompt),
            system.name,
            recipe.generate.samples,
            work.folder,
            progress,
        )
    return published(work, counts)
