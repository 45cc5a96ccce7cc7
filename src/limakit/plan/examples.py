"""How many examples a recipe will train on, before anything is curated: what its quotas and its own files come to."""

import csv
from pathlib import Path

from limakit.pipeline.sourcing import place
from limakit.recipe import Recipe
from limakit.recipe_sources import Authored, Conversations, Reddit, Source, StackExchange
from limakit.store.study import Study

TEST_ONLY = "ask_reddit"
"""Group whose quota counts test prompts."""
FROM_COMMENTS = "dialogues"
"""Group that is there only where a source asks for it."""
PAPER_AUTHORED = 200
"""Examples that the paper's authors wrote; for files of one's own that are not there yet."""


def expected(study: Study) -> int:
    """The quotas, where a source can fill any of them, and the examples that are taken whole, less what is held out of
    them. A group that turns out smaller than its quota makes it fewer. Raises RecipeError."""
    recipe = study.recipe
    filled = {group for source in recipe.sources for group in _groups(source)}
    quotas = {group: quota for group, quota in recipe.curate.quotas.items() if group != TEST_ONLY}
    if FROM_COMMENTS not in filled:
        quotas.pop(FROM_COMMENTS, None)
    held = recipe.curate.hold_out_dev + recipe.curate.hold_out_test
    return max(0, (sum(quotas.values()) if filled & quotas.keys() else 0) + _whole(study, recipe) - held)


def _groups(source: Source) -> set[str]:
    """The groups that a source's examples may belong to."""
    if isinstance(source, StackExchange):
        sites = {source.group} if source.group else {"stem", "other", "meta"}
        return sites | set(source.groups.values()) | ({FROM_COMMENTS} if source.dialogues else set())
    if isinstance(source, Reddit):
        return {"writing_prompts", TEST_ONLY}
    return {source.group or source.kind}


def _whole(study: Study, recipe: Recipe) -> int:
    """Examples of the sources that no quota bounds, counted where they are JSON lines or CSV."""
    total = 0
    for source in recipe.sources:
        if not isinstance(source, Authored | Conversations) or _groups(source) <= recipe.curate.quotas.keys():
            continue
        path = place(study, source)
        files = [path] if path.is_file() else sorted(path.rglob("*"))
        found = [file for file in files if file.suffix in {".jsonl", ".csv"}]
        if found:
            total += sum(_rows(file) for file in found)
        elif isinstance(source, Authored):
            total += PAPER_AUTHORED
    return total


def _rows(path: Path) -> int:
    """Records of a file, whatever they are worth."""
    if path.suffix == ".jsonl":
        return sum(bool(line.strip()) for line in path.read_bytes().splitlines())
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        return max(0, sum(bool(row) for row in csv.reader(file)) - 1)
