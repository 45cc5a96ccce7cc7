"""The recipe's `[ablate]` and `[dialogue]`: what the paper's experiments change, and what they hold fixed."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from limakit.recipe_sources import Count, Section

Positive = Annotated[float, Field(gt=0)]
CellName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
TAKEN = frozenset({"prompts", "report", "score"})
"""Names of the folders that stand beside the cells in ablate/."""
FIXED = {
    "ablate": None,
    "dialogue": None,
    "compare": None,
    "systems": None,
    "judges": None,
    "judge": None,
    "report": None,
    "curate": {"hold_out_dev", "hold_out_test", "dev_prompts", "test_prompts", "max_dev_prompts", "max_test_prompts"},
    "generate": {"systems", "samples"},
}
"""What no cell may change, whole sections or keys of one: all answer the same prompts and have the same judges."""


class Cell(Section):
    """`[[ablate.cells]]`: one variant of the study: what differs from its recipe."""

    name: CellName
    """Yours to choose; the variant is a study of its own in ablate/<name>."""
    grid: CellName
    """The question it belongs to. Its first cell is what the others are compared with."""
    system: Literal["tuned", "base", "few_shot"] = "tuned"
    """Who answers. `base` and `few_shot` train nothing (see `[systems.NAME]`)."""
    change: dict[str, Any] = {}
    """Settings that differ, as they would stand in a recipe: `change.curate.select = "random"`. Tables are merged,
    anything else is replaced."""


class Costs(Section):
    """`[ablate.costs]`: what more would cost and bring, in one currency, for the advice from a curve. Ours."""

    hours_per_example: Positive | None = None
    """Of writing, or choosing, and checking one more example."""
    hourly_rate: Positive | None = None
    """What such an hour costs."""
    grade: Annotated[float, Field(ge=0)] | None = None
    """What grading one answer costs; by default what the model judge was paid."""
    gain: Positive | None = None
    """What answers better by a tenth of a grade are worth to you (by ROUGE-L: by one point)."""

    @model_validator(mode="after")
    def _check(self) -> "Costs":
        if (self.hours_per_example is None) != (self.hourly_rate is None):
            raise ValueError("hours_per_example and hourly_rate belong together")
        return self


class Ablate(Section):
    """`[ablate]`: variants of the study, trained and graded alike (paper, section 5). See docs/experiments.md."""

    samples: Annotated[int, Field(ge=1)] = 5
    """Answers to each test prompt."""
    max_prompts: Annotated[int, Field(ge=1)] | None = None
    """Only the first so many prompts of curate/test.jsonl; all cells have the same."""
    change: dict[str, Any] = {}
    """Settings in which every cell differs from the study."""
    curves: list[CellName] = ["quantity"]
    """Grids whose scores are drawn, and reckoned on, over the number of training examples."""
    costs: Costs = Costs()
    cells: list[Cell] = []
    """The variants."""

    @model_validator(mode="after")
    def _check(self) -> "Ablate":
        names = [cell.name for cell in self.cells]
        for name in names:
            if name in TAKEN:
                raise ValueError(f"the name {name!r} is taken, choose another")
            if names.count(name) > 1:
                raise ValueError(f"two cells have the name {name!r}")
        for cell in self.cells:
            _refuse_fixed(cell.change, f"cell {cell.name!r}: change")
        _refuse_fixed(self.change, "change")
        return self


class Dialogue(Section):
    """`[dialogue]`: conversations, with dialogues in the training set and without (paper, section 6)."""

    scripts: str = "embedded"
    """JSONL file with the user's side of test conversations (`id`, `turns`), or `embedded`."""
    chains: str = "embedded"
    """File or folder of dialogues to train on beside the study's examples, as of a source of kind `conversations`."""
    licence: str | None = None
    """Licence of those dialogues."""
    samples: Annotated[int, Field(ge=1)] = 1
    """Conversations from each script."""
    max_scripts: Count | None = None
    """Only the first so many scripts."""
    grades: list[str] = []
    """Filled-in copies of dialogue/sheet.csv, one a person; beside the grades of `[[judges]]` with task `absolute`."""


def _refuse_fixed(change: dict[str, Any], where: str) -> None:
    for section, keys in FIXED.items():
        if section in change:
            if keys is None:
                raise ValueError(f"{where}.{section} would make cells differ in more than what they learn from")
            held = change[section] if isinstance(change[section], dict) else {}
            for key in sorted(keys & held.keys()):
                raise ValueError(f"{where}.{section}.{key} is the same for all cells: set it outside of them")
