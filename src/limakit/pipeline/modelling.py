"""Training and generation."""

from pathlib import Path

from limakit.engine import Progress
from limakit.errors import StudyError
from limakit.pipeline.outcome import Outcome, model_files, need, published, unchanged
from limakit.pipeline.systems import Found, find
from limakit.records import Example, Prompt
from limakit.store.files import read_jsonl
from limakit.store.study import Study
from limakit.train import launch


def train(study: Study, progress: Progress) -> list[Outcome]:
    """Fine-tune the base model on curate/train.jsonl: a checkpoint an epoch in train/tuned."""
    from limakit.models.hub import resolve_base

    recipe = study.recipe
    examples, dev = need(study, "curate", "train.jsonl"), need(study, "curate", "dev.jsonl")
    base = resolve_base(recipe.base, study.root)
    work = study.begin(
        "train/tuned",
        settings={"seed": recipe.seed, "train": recipe.train.model_dump(mode="json")},
        inputs={"train.jsonl": examples, "dev.jsonl": dev, **model_files("base", base)},
        code=["train", "models/chat.py", "models/hub.py", "records.py", "store/checkpoints.py"],
    )
    if work.done:
        if launch.processes() > 1:
            from limakit.train.run import dismiss

            dismiss()
        return [unchanged(work)]
    from limakit.train.run import train as run

    counts = run(
        read_jsonl(examples, Example),
        read_jsonl(dev, Prompt),
        recipe.train,
        seed=recipe.seed,
        base=base,
        folder=work.folder,
        progress=progress,
    )
    return [published(work, counts)]


def generate(study: Study, progress: Progress) -> list[Outcome]:
    """Let every system answer curate/test.jsonl, each in a stage of its own: generate/<system>."""
    prompts = need(study, "curate", "test.jsonl")
    if not prompts.stat().st_size:
        raise StudyError(
            "there are no test prompts",
            where=prompts,
            fix="Set curate.hold_out_test or curate.test_prompts in recipe.toml, then: limakit run " + str(study.root),
        )
    return [
        answer(study, f"generate/{name}", find(study, name), prompts, progress)
        for name in study.recipe.generate.systems
    ]


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
