"""The recipe: one model, a section a stage. Sparse TOML in, every default the paper's, unknown keys refused.

Defaults follow Zhou et al. 2023 (arXiv 2305.11206), sections 2 and 3; where the paper is silent the field says so.
"""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, ValidationError, model_validator

from limakit.errors import RecipeError, typed
from limakit.recipe_annotate import Annotate
from limakit.recipe_curate import Curate
from limakit.recipe_experiments import Ablate, Dialogue
from limakit.recipe_judges import JUDGES, ModelJudge, SystemEndpoint
from limakit.recipe_mistakes import mistake
from limakit.recipe_sources import KINDS, Count, Section, Source
from limakit.recipe_train import InstructionTrain, Train

Probability = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Checkpoint = Annotated[int, Field(ge=1)] | Literal["last", "chosen"]
SystemName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")]


class Base(Section):
    """`[base]`: the pretrained model to start from."""

    model: str = "embedded"
    """`embedded`, a folder (relative to the recipe), or a name on the Hugging Face hub."""
    revision: str | None = None
    """Commit of a hub model. Required for hub names, so that the study can be repeated."""


class Choose(Section):
    """`[choose]`: which epoch's checkpoint to keep, by blind comparison on the dev prompts (paper, section 3)."""

    epochs: Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=2)] = [5, 6, 7, 8, 9, 10]
    """Epochs that answer the dev prompts, every two of them compared; the paper looked at 5 to 10."""

    @model_validator(mode="after")
    def _check(self) -> "Choose":
        if len(set(self.epochs)) < len(self.epochs):
            raise ValueError("choose.epochs names an epoch twice")
        return self


class System(Section):
    """`[systems.NAME]`: somebody who answers. `tuned` and `base` are there without an entry."""

    kind: Literal["tuned", "base", "few_shot", "folder", "trained", "endpoint", "answers"]
    """`tuned`: a checkpoint of this study; `base`: the base model, which continues the plain text; `few_shot`: the base
    model after three worked examples (Lin et al. 2023); `folder`: any model, asked through its chat template if it has
    one; `trained`: the base model fine-tuned on other instruction data, as the paper did for Alpaca; `endpoint`: a
    server, as the paper's other baselines were; `answers`: nobody, as its answers are in a file."""
    model: str | None = None
    """For `folder`: a model folder (relative to the recipe), or a name on the Hugging Face hub."""
    revision: str | None = None
    """For `folder`: commit of a hub model."""
    checkpoint: Checkpoint | None = None
    """For `tuned`: the epoch, where it is not that of `generate.checkpoint`."""
    data: str | None = None
    """For `trained`: file of instruction data (relative to the recipe), JSON or JSONL with `instruction`, `input` and
    `output`, or with `messages`."""
    train: InstructionTrain | None = None
    """For `trained`: its settings, in `[systems.NAME.train]`."""
    endpoint: SystemEndpoint | None = None
    """For `endpoint`: the server, in `[systems.NAME.endpoint]`."""
    answers: str | None = None
    """For `answers`: the file (relative to the recipe), in a layout of docs/compare.md."""
    licence: str | None = None
    """For `answers`: under which the file may be used, told in the report."""

    @model_validator(mode="after")
    def _check(self) -> "System":
        for key, kind, needed in (
            ("model", "folder", True),
            ("revision", "folder", False),
            ("checkpoint", "tuned", False),
            ("data", "trained", True),
            ("train", "trained", False),
            ("endpoint", "endpoint", True),
            ("answers", "answers", True),
            ("licence", "answers", False),
        ):
            there = getattr(self, key) is not None
            if there and self.kind != kind:
                raise ValueError(f"{key} belongs to systems of kind {kind}")
            if needed and not there and self.kind == kind:
                raise ValueError(f"a system of kind {kind} needs its {key}")
        return self


class Generate(Section):
    """`[generate]`: one answer per prompt (paper, section 3)."""

    systems: list[str] = ["tuned", "base"]
    """Who answers the test prompts: `tuned`, `base`, or names of `[systems.NAME]` entries."""
    checkpoint: Checkpoint = "last"
    """Epoch of the tuned model: `last`, `chosen` by `limakit choose`, or a number, which overrules both. The paper
    chose by hand between epochs 5 and 10."""
    temperature: Annotated[float, Field(ge=0)] = 0.7
    """Softmax temperature; 0 is greedy."""
    top_p: Annotated[float, Field(gt=0, le=1)] = 0.9
    """Nucleus: the smallest set of tokens with at least this probability."""
    repetition_penalty: Annotated[float, Field(ge=1)] = 1.2
    """Divides the logits of tokens that came before (Keskar et al. 2019), once however often they came."""
    penalty_on: Literal["generated", "hf"] = "generated"
    """Tokens it falls on: those `generated`, as in the paper, or also those of the prompt, as Hugging Face's `generate`
    does (`hf`). EOT ends every user turn, so with `hf` answers end later. Kept with every response."""
    max_new_tokens: Annotated[int, Field(ge=1)] = 2048
    """Longest answer, the end-of-turn token included."""
    samples: Annotated[int, Field(ge=1)] = 1
    """Answers per prompt and system."""
    slots: Annotated[int, Field(ge=1)] = 32
    """Sequences decoded side by side."""


class Compare(Section):
    """`[compare]`: who is set against whom, blind (paper, section 4)."""

    candidate: str = "tuned"
    """The system whose wins are counted."""
    baselines: list[str] = ["base"]
    """Systems it is compared with, one pair a prompt and baseline."""


METRIC = "metric-"
"""How the folder of a metric begins, so that no model judge's name is one."""


class Judge(Section):
    """`[judge]`: the automatic judge."""

    metric: Literal["rouge-l"] = "rouge-l"
    """ROUGE-L (Lin 2004) against the written reference answer: a smoke test, not a preference."""
    tie_band: Annotated[float, Field(ge=0)] = 2.5
    """Difference of the metric, in its own points (0-100), up to which neither answer is called better."""

    @property
    def folder(self) -> str:
        """Where its verdicts and scores are, under `judge/` and `ablate/score/`."""
        return f"{METRIC}{self.metric}"


class Report(Section):
    """`[report]`: the statistics."""

    resamples: Annotated[int, Field(ge=100)] = 10_000
    """Bootstrap resamples, drawn over prompts."""
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    """Level of every interval."""


DEFAULT_SYSTEMS: frozenset[Literal["tuned", "base"]] = frozenset({"tuned", "base"})
"""Names that stand for themselves unless an entry says otherwise."""


class Recipe(Section):
    """A whole study. Every section may be left out; what is left out is the paper's."""

    seed: Count = 0
    """Of everything random in the study."""
    base: Base = Base()
    sources: list[Source] = []
    """What to curate from."""
    curate: Curate = Curate()
    train: Train = Train()
    choose: Choose = Choose()
    systems: dict[SystemName, System] = {}
    generate: Generate = Generate()
    compare: Compare = Compare()
    judge: Judge = Judge()
    judges: list[ModelJudge] = []
    """Language models that judge, on servers or on this machine."""
    annotate: Annotate = Annotate()
    report: Report = Report()
    ablate: Ablate = Ablate()
    dialogue: Dialogue = Dialogue()

    @model_validator(mode="after")
    def _check(self) -> "Recipe":
        for name in self.generate.systems:
            if name not in DEFAULT_SYSTEMS | self.systems.keys():
                raise ValueError(f"generate.systems: there is no [systems.{name}]")
        for name in [self.compare.candidate, *self.compare.baselines]:
            if name not in self.generate.systems:
                raise ValueError(f"compare: system {name!r} is not in generate.systems")
        if "tuned" in self.systems and self.systems["tuned"].kind == "trained":
            raise ValueError("systems.tuned: the name is that of this study's own training, choose another")
        if self.compare.candidate in self.compare.baselines:
            raise ValueError(f"compare: {self.compare.candidate!r} cannot be its own baseline")
        names = [judge.name for judge in self.judges]
        for name in names:
            if names.count(name) > 1 or name.startswith(METRIC):
                raise ValueError(f"judges: the name {name!r} is taken, choose another")
        return self

    def system(self, name: str) -> System:
        """Who answers under this name. Raises RecipeError where nobody does."""
        if name in self.systems:
            return self.systems[name]
        if name not in DEFAULT_SYSTEMS:
            known = ", ".join(sorted({*DEFAULT_SYSTEMS, *self.systems}))
            raise RecipeError(f"there is no system {name!r}", fix=f"Choose one of: {known}.")
        return System(kind=name)

    @property
    def learns(self) -> bool:
        """Whether there is anything to curate or to train; else the study compares systems that are there already."""
        kinds = {self.system(name).kind for name in self.generate.systems}
        return bool(self.sources or kinds & {"tuned", "trained"})

    def resolved(self) -> dict[str, Any]:
        """Every setting, defaults included, as plain JSON values."""
        return self.model_dump(mode="json")


KINDED: dict[tuple[str], dict[str, Any]] = {("sources",): KINDS, ("judges",): JUDGES}
"""Sections of which there are several kinds, by their place."""


def load_recipe(path: Path) -> Recipe:
    """Read a recipe. Raises RecipeError with file, key and remedy in one line."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise RecipeError(
            "no recipe here", where=path, fix=f"Start a study with: limakit new {typed(path.parent)}"
        ) from None
    except UnicodeDecodeError:
        raise RecipeError("not UTF-8 text", where=path, fix="Save it as UTF-8 in your editor and run again.") from None
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"not valid TOML: {error}", where=path, fix="Mend that line and run again.") from None
    return check_recipe(data, path)


def check_recipe(data: dict[str, Any], where: object) -> Recipe:
    """The recipe that `data`, read from TOML, describes. Raises RecipeError with `where`, key and remedy."""
    try:
        return Recipe.model_validate(data)
    except ValidationError as error:
        errors = sorted(error.errors(), key=lambda e: e["type"] != "extra_forbidden")
        raise RecipeError(_explain(errors[0]), where=where, fix="Mend that key and run again.") from None


def _explain(error: Any) -> str:
    """One line for pydantic's first error."""
    places = error["loc"]
    written = (*places[:2], *places[3:]) if places[:1] in KINDED else places  # pydantic adds the kind
    if error["type"].startswith("union_tag"):
        return mistake(error, written, list(KINDED[places[:1]]))
    return mistake(error, written, _known_keys(places[:-1]) if error["type"] == "extra_forbidden" else [])


def _known_keys(places: tuple[Any, ...]) -> list[str]:
    """Names allowed in the section at `places`."""
    if places[:1] in KINDED:
        return list(KINDED[places[:1]][places[2]].model_fields)
    section: Any = Recipe
    for place in places:
        if isinstance(place, int):
            continue
        field = section.model_fields.get(place)
        if field is not None:
            kinds = (field.annotation, *get_args(field.annotation))
            section = next((kind for kind in kinds if hasattr(kind, "model_fields")), section)
    return list(section.model_fields)
