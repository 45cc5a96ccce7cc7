"""`limakit judge --estimate`: what every judge has still to do, before anything is sent."""

from dataclasses import asdict
from pathlib import Path

from limakit.cli import say
from limakit.cli.show import Screen
from limakit.errors import typed


def quotes(folder: Path, quiet: bool, as_json: bool) -> None:
    """Pair the answers and show what each of the recipe's judges would be asked and cost; nothing is asked."""
    from limakit.pipeline.judging import compare
    from limakit.pipeline.model_judging import quote
    from limakit.store.study import Study

    screen, study = Screen(quiet=quiet, as_json=as_json), Study(folder)
    judges, enough = study.recipe.judges, True
    with study.lock():
        with screen.progress() as progress:
            outcomes = compare(study, progress)
        for outcome in outcomes:
            screen.result(say.line(outcome), say.data(outcome))
        for judge in judges:
            found = quote(study, judge)
            enough = enough and (found.left is None or found.about <= found.left)
            screen.result(say.quote(found), {"estimate": asdict(found)})
    if not judges:
        screen.say("No model judges here: the recipe has no [[judges]]. The reference metric costs nothing.")
    raised = "" if enough else f"raise the budget in {study.path('recipe.toml')}, then "
    screen.say(f"Next: {raised}`limakit judge {typed(folder)}`")
