"""How many examples a recipe will train on, before anything is curated: what its quotas and its own files come to."""

from limakit.pipeline.sourcing import place
from limakit.recipe import Recipe
from limakit.recipe_sources import Authored, Conversations, StackExchange
from limakit.store.study import Study

TEST_ONLY = "ask_reddit"
"""Group whose quota counts test prompts."""
FROM_COMMENTS = "dialogues"
"""Group that is there only where a source asks for it."""
PAPER_AUTHORED = 200
"""Examples that the paper's authors wrote; for files of one's own that are not there yet."""


def expected(study: Study) -> int:
    """The quotas of all groups to train on, and the examples that are taken whole, less what is held out of them. A
    group that turns out smaller than its quota makes it fewer. Raises RecipeError."""
    recipe = study.recipe
    quotas = {group: quota for group, quota in recipe.curate.quotas.items() if group != TEST_ONLY}
    if not any(isinstance(source, StackExchange) and source.dialogues for source in recipe.sources):
        quotas.pop(FROM_COMMENTS, None)
    held = recipe.curate.hold_out_dev + recipe.curate.hold_out_test
    return max(0, sum(quotas.values()) + _whole(study, recipe) - held)


def _whole(study: Study, recipe: Recipe) -> int:
    """Examples of the sources that no quota bounds, line by line where they are JSON lines."""
    total = 0
    for source in recipe.sources:
        if not isinstance(source, Authored | Conversations):
            continue
        if (source.group or source.kind) in recipe.curate.quotas:
            continue
        path = place(study, source)
        lines = [path] if path.is_file() else sorted(path.rglob("*.jsonl"))
        found = [one for one in lines if one.suffix == ".jsonl"]
        if found:
            total += sum(bool(line.strip()) for one in found for line in one.read_bytes().splitlines())
        elif isinstance(source, Authored):
            total += PAPER_AUTHORED
    return total
