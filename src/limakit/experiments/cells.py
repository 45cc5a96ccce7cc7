"""Variants of a study, each a study of its own in a folder below it: its recipe is the study's with what differs.

Whatever stages two variants have in common (curation, a training, the base model's answers) is done once: a variant
borrows every stage that another one, or the study itself, has finished with the same settings, inputs and code.
"""

import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from limakit.choose import choose, wanted
from limakit.engine import Progress
from limakit.errors import RecipeError, StudyError
from limakit.experiments.toml import dumps
from limakit.pipeline.curating import curate
from limakit.pipeline.modelling import generate, train
from limakit.pipeline.outcome import Outcome
from limakit.pipeline.sourcing import find
from limakit.recipe import check_recipe
from limakit.store import files, forgotten
from limakit.store.study import Study

EXPERIMENTS = ("ablate", "dialogue", "judges")
"""Sections that variants do not take over: the experiment itself, and its judges, who spend from one ledger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """What is to be different, and the study that it makes."""

    name: str
    system: str
    change: Mapping[str, Any]
    study: Study


def merge(settings: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """`settings` with `change` over it: tables are merged, anything else is replaced."""
    merged = dict(settings)
    for key, item in change.items():
        old = merged.get(key)
        merged[key] = merge(old, item) if isinstance(old, Mapping) and isinstance(item, Mapping) else item
    return merged


def settings_of(study: Study) -> dict[str, Any]:
    """The study's recipe as it was written, sparse. Raises RecipeError."""
    _ = study.recipe
    return tomllib.loads(study.path("recipe.toml").read_text(encoding="utf-8-sig"))


def prepare(
    study: Study,
    folder: str,
    plans: Sequence[tuple[str, str, Mapping[str, Any]]],
    prompts: str,
    where: str,
    samples: int = 1,
) -> list[Variant]:
    """Write the recipe of every variant (name, system, change) to `<folder>/<name>/recipe.toml` and open them.

    All have the prompts of `<prompts>/test.jsonl` and `dev.jsonl`, and answer each `samples` times. Raises
    RecipeError that names `where` and the variant, and what reading its sources raises, before anything is spent.
    """
    base = {key: item for key, item in settings_of(study).items() if key not in EXPERIMENTS}
    base = merge(base, {"curate": {"quotas": study.recipe.curate.quotas}})
    roots = [study.path(folder, name) for name, _, _ in plans]
    memory = forgotten.load(study.root)
    found = []
    for (name, system, change), root in zip(plans, roots, strict=True):
        fixed = _fixed(os.path.relpath(study.path(prompts), root), system, samples)
        sparse = merge(_relocated(merge(base, change), study.root, root), fixed)
        for limit in ("max_dev_prompts", "max_test_prompts"):
            sparse["curate"].pop(limit, None)
        check_recipe(sparse, f"{study.path('recipe.toml')}, {where} {name!r}")
        text = f"# Written by limakit for {where} {name!r}; what you change here is overwritten.\n\n{dumps(sparse)}"
        path = root / "recipe.toml"
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            files.publish_text(path, text)
        if memory:
            forgotten.save(root, memory)
        lenders = [study.root, *(other for other in roots if other != root)]
        found.append(
            Variant(
                name=name, system=system, change=change, study=Study(root, lenders, f"limakit {folder} {study.root}")
            )
        )
    for variant in found:
        if variant.system == "tuned":
            find(variant.study)
    return found


def _fixed(prompts: str, system: str, samples: int) -> dict[str, Any]:
    """What is the same for all variants."""
    return {
        "curate": {
            "dev_prompts": f"{prompts}/dev.jsonl",
            "test_prompts": f"{prompts}/test.jsonl",
            "hold_out_dev": 0,
            "hold_out_test": 0,
            "quotas": {"ask_reddit": 0},
        },
        "generate": {"systems": [system], "samples": samples},
        "compare": {"candidate": system, "baselines": []},
        **({"systems": {system: {"kind": system}}} if system == "few_shot" else {}),
    }


def learn(variant: Variant, progress: Progress) -> list[Outcome]:
    """Curate a variant's training set, or find it done."""
    if variant.system != "tuned":
        return []
    with variant.study.lock():
        return [_named(variant, outcome) for outcome in curate(variant.study, progress)]


def answer(variant: Variant, prompts: Path, progress: Progress) -> Iterator[Outcome]:
    """Train a variant and let it answer, or find it done; yields as stages finish. One that trains nothing answers
    `prompts` as they are."""
    with variant.study.lock():
        stages = [train, choose, generate] if wanted(variant.study.recipe) else [train, generate]
        if variant.system != "tuned":
            _without_training(variant.study, prompts)
            stages = [generate]
        for stage in stages:
            for outcome in stage(variant.study, progress):
                yield _named(variant, outcome)


def _named(variant: Variant, outcome: Outcome) -> Outcome:
    return renamed(outcome, f"{variant.study.root.parent.name}/{variant.name}")


def renamed(outcome: Outcome, where: str) -> Outcome:
    """The outcome under a name that tells variants apart: `ablate/<cell>/train/tuned`."""
    return replace(outcome, stage=f"{where}/{outcome.stage}")


def responses(variant: Variant) -> Path:
    """Where its answers are. Raises StudyError where they are not there yet."""
    path = variant.study.path("generate", variant.system, "responses.jsonl")
    if not path.is_file():
        raise StudyError("has not answered yet", where=variant.study.root, fix=f"Run: {variant.study.again}")
    return path


def distinct(study: Study, variants: Sequence[Variant]) -> list[Variant]:
    """Those that nothing else, the study itself included, does already: one of each kind of training."""
    seen = {_key(study)} if study.manifest("train/tuned") else set()
    found = []
    for variant in variants:
        key = (variant.system, *_key(variant.study)) if variant.system == "tuned" else (variant.system,)
        if key[1:] in seen or key in seen:
            continue
        seen.add(key)
        found.append(variant)
    return [v for v in found if v.system == "tuned"]


def _key(study: Study) -> tuple[Any, ...]:
    """What decides a training."""
    recipe = study.recipe
    base = study.resolve(recipe.base.model)
    name = str(base.resolve()) if base.is_dir() else recipe.base.model
    return (
        recipe.train.model_dump_json(),
        recipe.seed,
        name,
        recipe.base.revision,
        *(files.sha256(study.path("curate", split)) for split in ("train.jsonl", "dev.jsonl")),
    )


def _without_training(study: Study, prompts: Path) -> None:
    """The stage from which `generate` takes its prompts, for a variant that curates nothing."""
    work = study.begin("curate", settings={"only": "prompts"}, inputs={"test.jsonl": prompts}, code=["records.py"])
    if not work.done:
        files.copy(prompts, work.path("test.jsonl"), link=False)
        work.publish({"test": sum(1 for line in prompts.read_bytes().splitlines() if line.strip())})


def _relocated(settings: Mapping[str, Any], old: Path, new: Path) -> dict[str, Any]:
    """The recipe with every path that is relative to the folder `old` made relative to `new`."""
    way = Path(os.path.relpath(old, new))

    def moved(text: Any) -> Any:
        if not isinstance(text, str) or text.split("/")[0] in ("embedded", "tfidf") or text.startswith(("~", "/")):
            return text
        return (way / text).as_posix()

    def model(part: Mapping[str, Any]) -> dict[str, Any]:
        """A model is a folder where there is one, else a name on the hub."""
        name = part.get("model")
        local = isinstance(name, str) and (old / Path(name).expanduser()).is_dir()
        return {**part, "model": moved(name)} if local else dict(part)

    result = dict(settings)
    if isinstance(result.get("base"), Mapping):
        result["base"] = model(result["base"])
    if isinstance(result.get("systems"), Mapping):
        result["systems"] = {name: model(part) for name, part in result["systems"].items()}
    if isinstance(result.get("sources"), list):
        result["sources"] = [{**part, "path": moved(part.get("path"))} for part in result["sources"]]
    if isinstance(result.get("curate"), Mapping) and "embeddings" in result["curate"]:
        result["curate"] = {**result["curate"], "embeddings": moved(result["curate"]["embeddings"])}
    return result


def refuse_empty(study: Study, names: Sequence[str], only: str | None) -> None:
    """Raise RecipeError where there is nothing to do."""
    if not names:
        raise RecipeError(
            "there are no [[ablate.cells]]",
            where=study.path("recipe.toml"),
            fix="Add some, or start from the paper's: limakit new FOLDER --recipe ablations. See docs/experiments.md.",
        )
    if only is not None and only not in names:
        raise RecipeError(f"there is no grid {only!r}", fix=f"Choose one of: {', '.join(sorted(set(names)))}.")
