"""The whole vocabulary: frozen records that every stage takes and yields. No I/O here.

On disk a record is one JSON object with exactly these fields. `messages` is the layout that TRL, Axolotl and
LLaMA-Factory read as it is: a list of `{"role", "content"}`.
"""

from dataclasses import dataclass, replace
from typing import Literal, TypeVar, dataclass_transform

T = TypeVar("T")
Role = Literal["user", "assistant"]
Label = Literal["a", "b", "tie"]


@dataclass_transform(frozen_default=True, kw_only_default=True)
def record(cls: type[T]) -> type[T]:
    """A frozen dataclass that refuses unknown fields when it is read from a file."""
    cls.__pydantic_config__ = {"extra": "forbid"}  # type: ignore[attr-defined]
    return dataclass(frozen=True, slots=True, kw_only=True)(cls)


@record
class Turn:
    """One utterance of a dialogue."""

    role: Role
    content: str


@record
class Provenance:
    """Where a text came from and who may be asked about it: one for each post that went into an example."""

    source: str
    """Kind of source, for example `stackexchange`."""
    site: str
    """Site or file within the source, for example `coffee`."""
    id: str
    """Identity within the site."""
    url: str | None = None
    title: str | None = None
    author: str | None = None
    author_url: str | None = None
    licence: str | None = None
    """As the source states it, for example `CC BY-SA 4.0`; None where it states nothing."""
    created: str | None = None
    """ISO 8601, as in the source."""
    edited: str | None = None
    """Time of the last edit by anybody, where there was one."""


@record
class Candidate:
    """One question with the answer worth learning from: it passed its source's rules and may be selected."""

    id: str
    """`source/site/id`, unique in a study."""
    source: str
    group: str
    """Stratum for sampling, for example `stem` or `other`."""
    site: str
    prompts: tuple[str, ...]
    """Alternatives for the first user turn, for example title and description; one is drawn."""
    replies: tuple[Turn, ...]
    """Everything after the prompt: the response, for dialogues further turns."""
    score: int
    """The source's own vote for the response; candidates of a site are ranked by it."""
    provenance: tuple[Provenance, ...]


@record
class Reject:
    """One answer that was read and not kept, and why."""

    id: str
    source: str
    site: str
    rule: str
    """Name of the rule that took it, as in the funnel."""
    detail: str = ""
    score: int | None = None
    author: str | None = None
    """Who wrote it, where that is known; not in the log, which must not tell of somebody forgotten."""
    author_url: str | None = None


@record
class Example:
    """One dialogue to train on, alternating user and assistant, ending with the assistant."""

    id: str
    messages: tuple[Turn, ...]
    source: str
    group: str
    site: str
    provenance: tuple[Provenance, ...] = ()
    score: int | None = None


@record
class Prompt:
    """One dialogue to be answered, ending with the user."""

    id: str
    messages: tuple[Turn, ...]
    category: str = ""
    group: str = ""
    reference: str | None = None
    """A written answer to compare with, where there is one."""
    sensitive: Literal["malicious", "sensitive"] | None = None
    note: str | None = None
    """For sensitive prompts: what a safe answer must do."""
    provenance: tuple[Provenance, ...] = ()


@record
class Response:
    """One system's answer to one prompt."""

    prompt_id: str
    system: str
    text: str
    finish: Literal["eot", "length", "unknown"]
    """Whether the model ended its turn itself or hit the limit; unknown where the answer comes from a file."""
    tokens: int | None
    """Generated tokens, the end-of-turn token included; None where nobody counted them."""
    sample: int = 0
    """Number of the sample where several are drawn per prompt."""
    sampling: str = ""
    """How it was drawn: temperature, nucleus, and on which tokens the repetition penalty fell."""


@record
class Pair:
    """One blind item: a prompt and two answers in the seeded order in which a judge sees them."""

    id: str
    prompt_id: str
    messages: tuple[Turn, ...]
    a: Response
    b: Response
    reference: str | None = None
    category: str = ""

    def swap(self) -> "Pair":
        """The same item with the answers in the other order."""
        return replace(self, a=self.b, b=self.a)


@record
class Verdict:
    """What a judge, model or person, said of a pair."""

    pair_id: str
    prompt_id: str
    judge: str
    """`metric:rouge-l`, `model:…` or `person:a1`."""
    a: str
    """System whose answer was shown first."""
    b: str
    label: Label | None
    """Which answer is significantly better, `tie` for neither; None where the judge gave no usable answer."""
    detail: str = ""
    """Reasons, the scores behind the label, or why there is none."""

    @property
    def winner(self) -> str | None:
        """System that won, or None for a tie or a missing verdict."""
        return {"a": self.a, "b": self.b}.get(self.label or "")


@record
class Grade:
    """What a judge said of a single response."""

    prompt_id: str
    system: str
    judge: str
    scale: Literal["likert", "absolute", "safety"]
    value: str | None
    """`1`…`6`, `excellent`/`pass`/`fail`, `safe`/`unsafe`; None where the judge gave no usable answer."""
    sample: int = 0
    intent: Literal["explicit", "implicit", "none"] | None = None
    """Of the prompt, where safety was judged."""
    detail: str = ""
