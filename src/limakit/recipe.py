"""The recipe: one model, a section a stage. Sparse TOML in, every default the paper's, unknown keys refused.

Defaults follow Zhou et al. 2023 (arXiv 2305.11206), sections 2 and 3; where the paper is silent the field says so.
"""

import difflib
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, model_validator

from limakit.errors import RecipeError
from limakit.recipe_sources import KINDS, Count, Section, Source

Probability = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Price = Annotated[float, Field(ge=0, le=1e4)]
Checkpoint = Annotated[int, Field(ge=1)] | Literal["last", "chosen"]
SystemName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")]


class Base(Section):
    """`[base]`: the pretrained model to start from."""

    model: str = "embedded"
    """`embedded`, a folder (relative to the recipe), or a name on the Hugging Face hub."""
    revision: str | None = None
    """Commit of a hub model. Required for hub names, so that the study can be repeated."""


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
    quotas: dict[str, Count] = {
        "stem": 200,
        "other": 200,
        "wikihow": 200,
        "writing_prompts": 150,
        "natural_instructions": 50,
        "ask_reddit": 70,
    }
    """Examples to take from each group, training, dev and test together when the latter are held out; `ask_reddit`
    counts test prompts. Groups of authored examples and conversations that are not named are taken whole."""
    even_groups: list[str] = ["wikihow"]
    """Groups that are sampled evenly: a site (for wikiHow, a category) with equal probability, then one of its
    candidates, whatever temperature and score."""
    refuse_licences: list[str] = []
    """Licences whose posts are neither taken nor exported, by how they begin: `CC BY-NC` refuses `CC BY-NC-SA 3.0`."""
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

    method: Literal["full", "lora", "qlora"] = "full"
    """What is trained: all weights, as in the paper, or adapters beside frozen ones, whole (`lora`) or in 4 bits
    (`qlora`, CUDA only). Adapters want about ten times the learning rate: 1e-4 to 2e-4."""
    lora_rank: Annotated[int, Field(ge=1)] = 16
    """Rank of the adapters."""
    lora_alpha: Positive = 32.0
    """The adapters' product is scaled by this over `lora_rank`."""
    lora_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Dropout on what goes into the adapters, besides the residual one."""
    lora_targets: list[str] = []
    """Last names of the layers that get adapters, `q_proj` for example; empty for all linear layers but the head."""
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
    """Most tokens that go through the model at once; bounds memory. It shrinks when memory runs out. Gradients stay the
    same but for rounding and, with dropout, other masks."""
    gradient_checkpointing: bool = False
    """Compute activations again in the backward pass instead of keeping them: a third slower, much less memory. The
    result is the same."""
    compile: bool = False
    """Compile every layer (torch.compile): faster after a minute or more of compiling, so for long runs. Changes
    rounding, and with dropout the masks. Needs a C++ compiler."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """Of the forward and backward pass; the weights that are updated are fp32 in either case."""

    @model_validator(mode="after")
    def _check(self) -> "Train":
        if self.final_learning_rate > self.learning_rate:
            raise ValueError("final_learning_rate must not exceed learning_rate")
        return self


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

    kind: Literal["tuned", "base", "few_shot", "folder"]
    """`tuned`: a checkpoint of this study; `base`: the base model, which continues the plain text; `few_shot`: the base
    model after three worked examples (Lin et al. 2023); `folder`: any model, asked through its chat template if it has
    one."""
    model: str | None = None
    """For `folder`: a model folder (relative to the recipe), or a name on the Hugging Face hub."""
    revision: str | None = None
    """For `folder`: commit of a hub model."""
    checkpoint: Checkpoint | None = None
    """For `tuned`: the epoch, where it is not that of `generate.checkpoint`."""

    @model_validator(mode="after")
    def _check(self) -> "System":
        if (self.model is not None) != (self.kind == "folder"):
            raise ValueError("a system of kind folder needs its model, and no other kind takes one")
        if self.revision is not None and self.kind != "folder":
            raise ValueError("revision belongs to systems of kind folder")
        if self.checkpoint is not None and self.kind != "tuned":
            raise ValueError("checkpoint belongs to systems of kind tuned")
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


class Endpoint(Section):
    """A server that answers over HTTP, and what it may cost. Prices and budget are in one currency of your choice."""

    api: Literal["openai", "anthropic"] = "openai"
    """`openai` for every server with `/chat/completions` (OpenAI, vLLM, llama.cpp, Gemini's compatible URL, …)."""
    base_url: str
    """Up to and without `/chat/completions` or `/v1/messages`, for example `http://127.0.0.1:8000/v1`."""
    model: str
    """Name under which the server knows the model; name a dated version where there is one."""
    key_env: str | None = None
    """Environment variable that holds the key; none for a server that asks for none. The key itself is never stored."""
    input_price: Price
    """Per million tokens sent; 0 for a server of your own."""
    output_price: Price
    """Per million tokens answered."""
    cached_price: Price | None = None
    """Per million tokens sent that the server found in its cache; by default `input_price`."""
    budget: Annotated[float, Field(ge=0, le=1e6)]
    """Most that may ever be spent under this name in this study. A call that could pass it is not made."""
    temperature: Annotated[float, Field(ge=0)] | Literal["default"] = 0.0
    """Of the answers; `default` sends none, for models that refuse one."""
    max_tokens: Annotated[int, Field(ge=1)] = 1024
    """Longest answer. One that is cut here has no usable end and counts as missing."""
    concurrency: Annotated[int, Field(ge=1, le=256)] = 8
    """Calls under way at once."""
    timeout: Positive = 120.0
    """Seconds until a call is given up and tried again; its price then counts as spent, since nobody knows."""

    @model_validator(mode="after")
    def _check_endpoint(self) -> "Endpoint":
        # Errors on the whole section do not repeat its values: one of them may be a secret in the wrong place.
        url = urlsplit(self.base_url)
        if url.scheme not in ("http", "https") or not url.hostname or url.port == 0:
            raise ValueError("base_url must begin with http:// or https:// and name a server")
        if url.username or url.password or url.query or url.fragment:
            raise ValueError("base_url must not hold a password, a query or a fragment; keys belong in key_env")
        if self.key_env is not None and not re.fullmatch(r"[A-Z_][A-Z0-9_]*", self.key_env):
            raise ValueError("key_env is the NAME of an environment variable in capitals, never the key itself")
        return self


class ModelJudge(Endpoint):
    """`[[judges]]`: language models that judge, beside the reference metric. See docs/judges.md."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")]
    """Yours to choose; its verdicts are in `judge/<name>`, by `model:<name>`."""
    task: Literal["pairwise", "likert", "absolute", "safety"] = "pairwise"
    """`pairwise`: which of two answers, in both orders; `likert`: helpfulness 1 to 6; `absolute`: excellent, pass or
    fail; `safety`: safe or unsafe and the kind of intent, for sensitive prompts."""
    prompt: str | None = None
    """File that replaces the judge's instructions, relative to the recipe; by default limakit's own."""


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
    report: Report = Report()

    @model_validator(mode="after")
    def _check(self) -> "Recipe":
        for name in self.generate.systems:
            if name not in DEFAULT_SYSTEMS | self.systems.keys():
                raise ValueError(f"generate.systems: there is no [systems.{name}]")
        for name in [self.compare.candidate, *self.compare.baselines]:
            if name not in self.generate.systems:
                raise ValueError(f"compare: system {name!r} is not in generate.systems")
        if self.compare.candidate in self.compare.baselines:
            raise ValueError(f"compare: {self.compare.candidate!r} cannot be its own baseline")
        names = [judge.name for judge in self.judges]
        for name in names:
            if names.count(name) > 1 or name.startswith("metric-"):
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
    written = places if places[:1] != ("sources",) else (*places[:2], *places[3:])  # pydantic adds the kind
    key = ".".join(f"[{p}]" if isinstance(p, int) else str(p) for p in written).replace(".[", "[")
    if error["type"] == "extra_forbidden":
        known = _known_keys(places[:-1])
        near = difflib.get_close_matches(str(places[-1]), known, n=1, cutoff=0.0)
        return f"unknown key {key!r}; the nearest known name is {near[0]!r}" if near else f"unknown key {key!r}"
    message = error["msg"].removeprefix("Value error, ")
    value = error["input"]
    return f"{key}: {message}" + ("" if isinstance(value, dict | list) else f" (got {value!r})") if key else message


def _known_keys(places: tuple[Any, ...]) -> list[str]:
    """Names allowed in the section at `places`."""
    if places[:1] == ("sources",):
        return list(KINDS[places[2]].model_fields)
    section: Any = Recipe
    for place in places:
        if isinstance(place, int):
            continue
        field = section.model_fields.get(place)
        if field is not None:
            kinds = (field.annotation, *get_args(field.annotation))
            section = next((kind for kind in kinds if hasattr(kind, "model_fields")), section)
    return list(section.model_fields)
