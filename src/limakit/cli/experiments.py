"""The commands of the paper's experiments: parse, call one function each, show."""

from pathlib import Path
from typing import Annotated

import typer

from limakit.cli.show import Screen
from limakit.errors import typed

StudyPath = Annotated[Path, typer.Argument(metavar="STUDY", help="Folder of the study.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")]
Json = Annotated[bool, typer.Option("--json", help="JSON lines for machines: results on stdout, progress on stderr.")]


def superficiality(
    study: StudyPath,
    prompts: Annotated[int, typer.Option(min=1, help="Trace the answers to the first so many test prompts.")] = 100,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Show what tuning changed: how far the tuned model's tokens shift from the base model's, in numbers and colour."""
    from limakit.cli import say, say_experiments
    from limakit.experiments.superficiality import superficiality as trace
    from limakit.store.study import Study

    screen, opened = Screen(quiet=quiet, as_json=as_json), Study(study)
    _ = opened.recipe
    with opened.lock(), screen.progress() as progress:
        outcome = trace(opened, prompts, progress)
    screen.result(say_experiments.line(outcome), say.data(outcome))
    screen.say(f"Next: open {(outcome.folder / 'index.html').resolve()}")


def dialogue(study: StudyPath, quiet: Quiet = False, as_json: Json = False) -> None:
    """Hold the test conversations with and without dialogues in the training set, graded turn by turn."""
    from limakit.cli import say, say_experiments
    from limakit.experiments.dialogue import dialogue as converse
    from limakit.store.study import Study

    screen, opened = Screen(quiet=quiet, as_json=as_json), Study(study)
    _ = opened.recipe
    with opened.lock(), screen.progress() as progress:
        for outcome in converse(opened, progress):
            screen.result(say_experiments.line(outcome), say.data(outcome))
    screen.say(
        f"Next: open {(study / 'dialogue' / 'report' / 'index.html').resolve()}\n"
        f"      for grades by people: `limakit studio {typed(study)}`, Grade, Conversations; then this command again"
    )


def ablate(
    study: StudyPath,
    grid: Annotated[str | None, typer.Option(help="Only the cells of this grid.")] = None,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Curate the cells, say what the rest would take, and stop.")
    ] = False,
    side_by_side: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Cells at a time; by default one for each GPU, else one.")
    ] = None,
    tflops: Annotated[float | None, typer.Option(min=0.001, help="What a GPU reaches in training, TFLOP/s.")] = None,
    price: Annotated[float | None, typer.Option(min=0, help="What the machine costs an hour for each cell.")] = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Re-curate, re-train and compare variants of a study: quality, diversity, quantity, dialogue, controls."""
    from limakit.cli import say, say_experiments
    from limakit.experiments import ablate as experiment
    from limakit.experiments import estimate as before
    from limakit.experiments import side
    from limakit.store.study import Study

    screen, opened = Screen(quiet=quiet, as_json=as_json), Study(study)
    workers = side_by_side or max(1, len(side.devices()))
    experiment.chosen(opened, grid)
    with opened.lock():
        with screen.progress() as progress:
            variants, outcomes = experiment.begin(opened, grid, progress)
        for outcome in outcomes:
            screen.result(say_experiments.line(outcome), say.data(outcome))
        found = before.estimate(
            opened,
            variants,
            opened.path(experiment.PROMPTS, "test.jsonl"),
            opened.recipe.ablate.samples,
            workers=workers,
            tflops=tflops,
            price=price,
        )
        screen.result("\n".join(before.said(found)), {"estimate": found.data()})
        if estimate:
            screen.say(f"Next: limakit ablate {typed(study)}")
            return
        with screen.progress() as progress:
            for outcome in experiment.run(opened, variants, grid, workers, progress, screen.say):
                screen.result(say_experiments.line(outcome), say.data(outcome))
    screen.say(f"Next: open {(study / 'ablate' / 'report' / 'index.html').resolve()}")
    if opened.path("report", "index.html").is_file():
        screen.say(f"      `limakit report {typed(study)}` puts its curves into the study's report too")
