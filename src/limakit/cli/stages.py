"""Stages of a study, run in order, each outcome shown."""

from pathlib import Path

from limakit.cli.show import Screen
from limakit.engine import Executor


def run_stages(
    folder: Path,
    stages: list[str],
    quiet: bool,
    as_json: bool,
    *,
    executor: Executor | None = None,
    only_wanted: bool = False,
) -> None:
    """Run stages of a study in order and show each outcome; curation on `executor` where there is one.

    With `only_wanted`, skip those that its recipe skips. A further process of torchrun only helps to train.
    """
    from limakit.train import launch

    if "train" in stages and launch.follows():
        from limakit.train.run import follow

        follow()
        return
    from limakit.choose import choose, wanted
    from limakit.cli import say
    from limakit.pipeline.curating import curate
    from limakit.pipeline.story import STAGES
    from limakit.store.study import Study

    screen, study = Screen(quiet=quiet, as_json=as_json), Study(folder)
    if only_wanted:
        skipped = (set() if wanted(study.recipe) else {"choose"}) | (set() if study.recipe.learns else {"train"})
        stages = [stage for stage in stages if stage not in skipped]
    if {"curate", "train"} <= set(stages):
        from limakit.models.hub import resolve_config

        resolve_config(study.recipe.base, study.root)  # a model that is not there is told before anything is redone
    _ = study.recipe
    with study.lock():
        for stage in stages:
            with screen.progress() as progress:
                if stage == "curate" and executor is not None:
                    outcomes = curate(study, progress, executor)
                else:
                    outcomes = {**STAGES, "choose": choose}[stage](study, progress)
            for outcome in outcomes:
                screen.result(say.line(outcome), say.data(outcome))
                if stage == "curate" and (few := say.too_few(outcome, study)):
                    screen.say(few)
    screen.say(f"Next: {say.next_step(folder, stages[-1], study.recipe)}")
