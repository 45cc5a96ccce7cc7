"""Training and generation."""

from pathlib import Path
from typing import Literal

from limakit.engine import Progress
from limakit.errors import RecipeError, StudyError
from limakit.pipeline.outcome import Outcome, model_files, need, published, unchanged
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
    return [_generate(study, system, progress) for system in study.recipe.generate.systems]


def _generate(study: Study, system: Literal["tuned", "base"], progress: Progress) -> Outcome:
    from limakit.models.hub import resolve_base

    recipe = study.recipe
    prompts = need(study, "curate", "test.jsonl")
    if not prompts.stat().st_size:
        raise StudyError(
            "there are no test prompts",
            where=prompts,
            fix="Set curate.hold_out_test or curate.test_prompts in recipe.toml, then: limakit run " + str(study.root),
        )
    model = _checkpoint(study) if system == "tuned" else resolve_base(recipe.base, study.root)
    work = study.begin(
        f"generate/{system}",
        settings={
            "seed": recipe.seed,
            "generate": recipe.generate.model_dump(mode="json", exclude={"systems", "checkpoint"}),
        },
        inputs={"test.jsonl": prompts, **model_files("model", model)},
        code=["generate", "models", "records.py"],
    )
    if work.done:
        return unchanged(work)
    from limakit.generate.run import PARTS, respond
    from limakit.models.local import load_system

    counts = respond(
        load_system(model, system),
        read_jsonl(prompts, Prompt),
        system,
        recipe.generate,
        seed=recipe.seed,
        folder=work.folder,
        progress=progress,
    )
    work.discard(PARTS)
    return published(work, counts)


def _checkpoint(study: Study) -> Path:
    """Folder of the tuned model that the recipe chooses."""
    wanted, epochs = study.recipe.generate.checkpoint, study.recipe.train.epochs
    epoch = epochs if wanted == "last" else wanted
    if epoch > epochs:
        raise RecipeError(
            f"generate.checkpoint is epoch {epoch}, training has {epochs}",
            where=study.path("recipe.toml"),
            fix="Choose an epoch that is trained, or raise train.epochs.",
        )
    return need(study, "train/tuned", f"epoch-{epoch:02d}/config.json").parent
