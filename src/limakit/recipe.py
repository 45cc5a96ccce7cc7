"""The recipe: one model, a section a stage. Sparse TOML in, every default the paper's, unknown keys refused.

Defaults follow Zhou et al. 2023 (arXiv 2305.11206), sections 2 and 3; where the paper is silent the field says so.
"""

import difflib
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from limakit.errors import RecipeError

Probability = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=0)]


class Section(BaseModel):
    """Shared behaviour of all sections: unknown keys fail, values are frozen, docstrings are the documentation."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True)


class Base(Section):
    """`[base]`: the pretrained model to start from."""

    model: str = "embedded"
    """`embedded`, a folder (relative to the recipe), or a name on the Hugging Face hub."""
    revision: str | None = None
    """Commit of a hub model. Required for hub names, so that the study can be repeated."""


class Source(Section):
    """`[[sources]]`: one body of questions and answers that you lawfully hold."""

    kind: Literal["stackexchange"]
    """What it is: `stackexchange` reads the data dump (Posts.xml or .7z)."""
    path: str
    """A file, or a folder searched for dumps; relative to the recipe. `embedded` is the sample community,
    `embedded/tinker.example` one of its sites."""
    group: str | None = None
    """Stratum of every site found here; by default `stem` or `other` from the table of known sites."""


class Curate(Section):
    """`[curate]`: which answers are worth learning from (paper, section 2.1)."""

    min_score: int = 10
    """Lowest score of an answer that is kept."""
    min_chars: Count = 1200
    """Shortest response, in characters of text."""
    max_chars: Count = 4096
    """Longest response, in characters of text."""
    drop_first_person: bool = True
    """Drop responses that speak in the first person ("I", "my") outside code."""
    drop_references: bool = True
    """Drop responses that point at other answers or at the site ("as mentioned", "stack exchange")."""
    min_prose_chars: Count = 200
    """Fewest characters outside code blocks. Ours: a code-only answer passes every rule of the paper."""
    near_duplicates: Probability = 0.5
    """Drop responses at least this similar to a better one: Jaccard similarity of their runs of five words; 0 drops
    the rule. Ours."""
    contamination_run: Count = 13
    """Words in a row that a training candidate must not share with a dev or test prompt or its reference (Brown et al.
    2020); 0 drops the rule. The same thread and the same text are refused in any case. Ours."""
    contamination_cosine: Probability = 0.6
    """TF-IDF cosine from which a training candidate is too close to a dev or test prompt, or to its reference; 0 drops
    the rule. Ours."""
    same_author: Literal["report", "reject"] = "report"
    """Training candidates by somebody who wrote for dev or test: count them in contamination.json, or drop them."""
    temperature: Positive = 3.0
    """tau of the site sampling: p(site) is proportional to candidates^(1/tau)."""
    select: Literal["top", "diverse", "random", "longest"] = "top"
    """Which candidates of a site to take: `top` those with most votes (the paper's); `diverse` such as stand for the
    whole stratum; `random` and `longest` are controls to compare with. How many of each site is the same for all."""
    diversity: Literal["facility_location", "k_centre"] = "facility_location"
    """What `diverse` looks for: examples that lie near all the others, or far from each other. Ours."""
    quality: dict[Literal["votes", "length", "readability"], Probability] = {
        "votes": 0.3,
        "length": 0.1,
        "readability": 0.1,
    }
    """Share of each signal in what `diverse` decides by; the rest, to 1, is diversity. Ours."""
    shortlist: Count = 20
    """How many of a site `diverse` looks at, best by quality, for each that it takes; 0 for all of them. Ours."""
    embeddings: str = "tfidf"
    """Vectors for `diverse`: `tfidf` is light and needs no download; or the folder of a sentence-transformers model."""
    quotas: dict[str, Count] = {"stem": 200, "other": 200}
    """Examples to take from each group, training, dev and test together when the latter are held out."""
    hold_out_dev: Count = 0
    """Selected examples to hold out as dev prompts, their response becoming the reference answer."""
    hold_out_test: Count = 0
    """Selected examples to hold out as test prompts, their response becoming the reference answer."""
    dev_prompts: str | None = None
    """JSONL file of further dev prompts, or `embedded`."""
    test_prompts: str | None = None
    """JSONL file of further test prompts, or `embedded`."""
    max_dev_prompts: Count | None = None
    """Use only the first so many of `dev_prompts`."""
    max_test_prompts: Count | None = None
    """Use only the first so many of `test_prompts`."""

    @model_validator(mode="after")
    def _check(self) -> "Curate":
        if sum(self.quality.values()) > 1:
            raise ValueError("the shares in quality must not exceed 1 together")
        return self


class Train(Section):
    """`[train]`: the paper's fine-tuning (section 3)."""

    epochs: Annotated[int, Field(ge=1)] = 15
    """Passes over the training set; one checkpoint each."""
    batch_size: Annotated[int, Field(ge=1)] = 32
    """Examples an optimiser step; the paper takes 32, and 64 for smaller models."""
    learning_rate: Positive = 1e-5
    """Of the first step; there is no warm-up."""
    final_learning_rate: Annotated[float, Field(ge=0)] = 1e-6
    """Of the last step; linear in between."""
    beta1: Probability = 0.9
    """AdamW beta 1."""
    beta2: Probability = 0.95
    """AdamW beta 2."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.1
    """AdamW decoupled weight decay."""
    max_grad_norm: Annotated[float, Field(ge=0)] = 0.0
    """Gradient norm to clip at; 0 for none. The paper names no clipping."""
    max_tokens: Annotated[int, Field(ge=8)] = 2048
    """Longest sequence; longer ones are trimmed and counted."""
    residual_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.3
    """p at the top layer, rising linearly from 0 at the bottom; the paper takes 0.3, and 0.2 for smaller models."""
    loss_on: Literal["response", "all"] = "response"
    """Tokens that count in the loss. The paper does not say; ours is the response and its end-of-turn token."""
    tokens_per_microbatch: Annotated[int, Field(ge=8)] = 4096
    """Tokens that go through the model at once; bounds memory and does not change the result beyond rounding."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """Of the forward and backward pass; the weights that are updated are fp32 in either case."""

    @model_validator(mode="after")
    def _check(self) -> "Train":
        if self.final_learning_rate > self.learning_rate:
            raise ValueError("final_learning_rate must not exceed learning_rate")
        return self


class Generate(Section):
    """`[generate]`: one answer per prompt (paper, section 3)."""

    systems: list[Literal["tuned", "base"]] = ["tuned", "base"]
    """Who answers: `tuned` is the fine-tuned checkpoint, `base` the plain base model."""
    checkpoint: Annotated[int, Field(ge=1)] | Literal["last"] = "last"
    """Epoch of the tuned model. The paper chose by hand between epochs 5 and 10."""
    temperature: Annotated[float, Field(ge=0)] = 0.7
    """Softmax temperature; 0 is greedy."""
    top_p: Annotated[float, Field(gt=0, le=1)] = 0.9
    """Nucleus: the smallest set of tokens with at least this probability."""
    repetition_penalty: Annotated[float, Field(ge=1)] = 1.2
    """On tokens already generated (Keskar et al. 2019); prompt tokens are not penalised."""
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


class Judge(Section):
    """`[judge]`: the automatic judge."""

    metric: Literal["chrf"] = "chrf"
    """chrF (Popović 2015, by sacrebleu) against the written reference answer: a smoke test, not a preference."""
    tie_band: Annotated[float, Field(ge=0)] = 1.0
    """Difference of the metric, in its own points (0-100), up to which neither answer is called better."""


class Report(Section):
    """`[report]`: the statistics."""

    resamples: Annotated[int, Field(ge=100)] = 10_000
    """Bootstrap resamples, drawn over prompts."""
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    """Level of every interval."""


class Recipe(Section):
    """A whole study. Every section may be left out; what is left out is the paper's."""

    seed: Count = 0
    """Of everything random in the study."""
    base: Base = Base()
    sources: list[Source] = []
    curate: Curate = Curate()
    train: Train = Train()
    generate: Generate = Generate()
    compare: Compare = Compare()
    judge: Judge = Judge()
    report: Report = Report()

    @model_validator(mode="after")
    def _check(self) -> "Recipe":
        for name in [self.compare.candidate, *self.compare.baselines]:
            if name not in self.generate.systems:
                raise ValueError(f"compare: system {name!r} is not in generate.systems")
        if self.compare.candidate in self.compare.baselines:
            raise ValueError(f"compare: {self.compare.candidate!r} cannot be its own baseline")
        return self

    def resolved(self) -> dict[str, Any]:
        """Every setting, defaults included, as plain JSON values."""
        return self.model_dump(mode="json")


def load_recipe(path: Path) -> Recipe:
    """Read a recipe. Raises RecipeError with file, key and remedy in one line."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise RecipeError("no recipe here", where=path, fix="Start a study with: limakit new FOLDER") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"not valid TOML: {error}", where=path, fix="Mend that line and run again.") from None
    try:
        return Recipe.model_validate(data)
    except ValidationError as error:
        errors = sorted(error.errors(), key=lambda e: e["type"] != "extra_forbidden")
        raise RecipeError(_explain(errors[0]), where=path, fix="Mend that key and run again.") from None


def _explain(error: Any) -> str:
    """One line for pydantic's first error: the key as written in the file, and the nearest known name."""
    places = error["loc"]
    key = ".".join(f"[{p}]" if isinstance(p, int) else str(p) for p in places).replace(".[", "[")
    if error["type"] == "extra_forbidden":
        known = _known_keys(places[:-1])
        near = difflib.get_close_matches(str(places[-1]), known, n=1, cutoff=0.0)
        return f"unknown key {key!r}; the nearest known name is {near[0]!r}" if near else f"unknown key {key!r}"
    message = error["msg"].removeprefix("Value error, ")
    value = error["input"]
    return f"{key}: {message}" + ("" if isinstance(value, dict | list) else f" (got {value!r})") if key else message


def _known_keys(places: tuple[Any, ...]) -> list[str]:
    """Names allowed in the section at `places`."""
    section: Any = Recipe
    for place in places:
        if isinstance(place, int):
            continue
        section = Source if place == "sources" else section.model_fields[place].annotation
    return list(section.model_fields)
