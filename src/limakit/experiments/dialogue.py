"""Does a handful of dialogues teach a model to converse? The paper's section 6: 1,000 examples against 1,030.

`without` is the study's own tuned model. `with` is trained from the base model on the study's training set and the
dialogues. Both hold the conversations of the scripts and are graded turn by turn, by models, by people, or by both.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from limakit.choose import choose, wanted
from limakit.engine import Progress
from limakit.errors import InputError, RecipeError
from limakit.experiments import cells, talks
from limakit.pipeline.annotating import STAGE, TALKS, TURNS, annotate
from limakit.pipeline.curating import curate
from limakit.pipeline.model_judging import grade
from limakit.pipeline.modelling import train
from limakit.pipeline.outcome import Outcome, need, published, unchanged
from limakit.pipeline.systems import find_local
from limakit.records import Example, Grade, Prompt, Response, Turn
from limakit.store.files import read_jsonl, write_jsonl
from limakit.store.study import Study

FOLDER = "dialogue"
WITHOUT, WITH = "without", "with"
GROUP = "dialogue-chains"


def dialogue(study: Study, progress: Progress) -> Iterator[Outcome]:
    """Curate and train both, let them converse, grade and report; yields as stages finish, and finds done what is.

    Raises RecipeError where the candidate is not tuned, and what the stages raise.
    """
    recipe = study.recipe
    if recipe.system(recipe.compare.candidate).kind != "tuned":
        raise RecipeError(
            f"compare.candidate is {recipe.compare.candidate!r}, which is not tuned",
            where=study.path("recipe.toml"),
            fix='Name a system of kind "tuned".',
        )
    talks.read_scripts(talks.scripts(study), recipe.dialogue.max_scripts)
    yield from curate(study, progress)
    yield from train(study, progress)
    if wanted(recipe):
        yield from choose(study, progress)
    yield _prompts(study)
    more, chained = _studies(study)
    with more.lock():
        yield from (_under(more, outcome) for outcome in curate(more, progress))
    with chained.lock():
        yield _under(chained, _joined(study, more, chained))
        for stage in [train, choose] if wanted(chained.recipe) else [train]:
            yield from (_under(chained, outcome) for outcome in stage(chained, progress))
    held = []
    for name, own in ((WITHOUT, study), (WITH, chained)):
        outcome = talks.talk(study, f"{TALKS}/{name}", name, find_local(own, recipe.compare.candidate), progress)
        held.append(outcome.folder)
        yield outcome
    yield talks.publish_sheet(study, f"{FOLDER}/sheet", held)
    yield from annotate(study, progress)
    graded: dict[str, Path] = {}
    inputs = {f"{folder.name}/{n}": folder / n for folder in held for n in ("prompts.jsonl", "responses.jsonl")}
    for judge in recipe.judges:
        if judge.task == "absolute":
            items = partial(_items, held)
            outcome = grade(study, f"{FOLDER}/score/{judge.name}", judge, items, inputs, progress)
            graded[judge.name] = outcome.folder / "grades.jsonl"
            yield outcome
    yield _report(study, held, inputs, graded, progress)


def _items(held: list[Path]) -> list[tuple[Prompt, Response]]:
    return [item for folder in held for item in talks.items(folder)]


def _prompts(study: Study) -> Outcome:
    """What no dialogue to train on may share a text with: the study's test and dev prompts, and the scripts."""
    path = talks.scripts(study)
    inputs = {name: need(study, "curate", name) for name in ("test.jsonl", "dev.jsonl")}
    work = study.begin(
        f"{FOLDER}/prompts", settings={}, inputs={**inputs, "scripts.jsonl": path}, code=["experiments/dialogue.py"]
    )
    if work.done:
        return unchanged(work)
    written = [
        Prompt(id=talks.turn_id(script.id, 0, number), messages=(Turn(role="user", content=turn),))
        for script in talks.read_scripts(path, None)
        for number, turn in enumerate(script.turns, 1)
    ]
    write_jsonl(work.path("test.jsonl"), [*read_jsonl(inputs["test.jsonl"], Prompt), *written])
    write_jsonl(work.path("dev.jsonl"), read_jsonl(inputs["dev.jsonl"], Prompt))
    return published(work, {"prompts": len(written), "sensitive": 0})


def _studies(study: Study) -> tuple[Study, Study]:
    """The dialogues by themselves, to be curated, and the study that learns from everything."""
    settings, candidate = study.recipe.dialogue, study.recipe.compare.candidate
    source = {"kind": "conversations", "path": settings.chains, "group": GROUP, "licence": settings.licence}
    if settings.chains == "embedded":
        source |= {"path": "embedded/chains.jsonl", "licence": settings.licence or "CC BY 4.0"}
    plans: list[tuple[str, str, Mapping]] = [("chains", candidate, {"sources": [source]}), (WITH, candidate, {})]
    found = cells.prepare(study, FOLDER, plans, f"{FOLDER}/prompts", "dialogue")
    return found[0].study, found[1].study


def _joined(study: Study, more: Study, chained: Study) -> Outcome:
    """The stage from which `train` takes its examples: the study's, then the dialogues."""
    parts = {name: need(study, "curate", name) for name in ("train.jsonl", "dev.jsonl", "test.jsonl")}
    chains = need(more, "curate", "train.jsonl")
    work = chained.begin(
        "curate", settings={}, inputs={**parts, "chains.jsonl": chains}, code=["experiments/dialogue.py"]
    )
    if work.done:
        return unchanged(work)
    own, added = read_jsonl(parts["train.jsonl"], Example), read_jsonl(chains, Example)
    known = {example.id for example in own}
    added = [example for example in added if example.id not in known]
    if not added:
        raise RecipeError(
            "none of the dialogues can be added: the study learns from them already, or curation refused them",
            where=more.path("curate", "funnel.json"),
            fix="Name others in dialogue.chains.",
        )
    write_jsonl(work.path("train.jsonl"), [*own, *added])
    for name in ("dev.jsonl", "test.jsonl"):
        write_jsonl(work.path(name), read_jsonl(parts[name], Prompt))
    return published(work, {"examples": len(own), "dialogues": len(added)})


def _under(own: Study, outcome: Outcome) -> Outcome:
    return cells.renamed(outcome, f"{FOLDER}/{own.name}")


def _report(
    study: Study, held: list[Path], inputs: Mapping[str, Path], graded: Mapping[str, Path], progress: Progress
) -> Outcome:
    """The paper's table, by turn, with intervals: dialogue/report."""
    from limakit.experiments.dialogue_page import build

    recipe = study.recipe
    sheets = {f"sheet {number}": study.resolve(path) for number, path in enumerate(recipe.dialogue.grades)}
    joined = need(study, f"{FOLDER}/{WITH}/curate", "manifest.json")
    in_studio = {"studio": path} if (path := study.path(STAGE, TURNS)).is_file() else {}
    work = study.begin(
        f"{FOLDER}/report",
        settings={
            "study": study.name,
            "seed": recipe.seed,
            "names": [Path(path).stem for path in recipe.dialogue.grades],
            "report": recipe.report.model_dump(mode="json"),
            "base": recipe.base.model_dump(mode="json"),
        },
        inputs={**inputs, **graded, **sheets, **in_studio, "joined": joined},
        code=["experiments", "report", "records.py"],
    )
    if work.done:
        return unchanged(work)
    grades = [one for path in (*in_studio.values(), *graded.values()) for one in read_jsonl(path, Grade)]
    known = {one.judge for one in grades}
    for path in sheets.values():
        filled = talks.read_sheet(path, held, recipe.seed)
        if any(one.judge in known for one in filled):
            raise InputError(
                f"{path.stem!r} is graded by already, here or in the studio",
                where=path,
                fix="Name the file otherwise, or take it out of dialogue.grades.",
            )
        known |= {one.judge for one in filled}
        grades += filled
    page = build(study, _items(held), grades, joined)
    page.write(work)
    progress("dialogue", 1, 1, "page")
    return published(work, {"turns": page.numbers["turns"], "judges": len(page.numbers["judges"])})
