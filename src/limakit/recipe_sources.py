"""The recipe's `[[sources]]`: one section a kind, and what all sections share."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=0)]


class Section(BaseModel):
    """Shared behaviour of all sections: unknown keys fail, values are frozen, docstrings are the documentation."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class StackExchange(Section):
    """`kind = "stackexchange"`: the data dump. The paper's rules for answers, in `[curate]`, are for it alone."""

    kind: Literal["stackexchange"]
    """Posts.xml or .7z."""
    path: str
    """A file, or a folder searched for dumps; relative to the recipe. `embedded` is the sample community,
    `embedded/tinker.example` one of its sites."""
    group: str | None = None
    """Stratum of every site found here; by default that in the table of known sites (docs/sources.md)."""
    groups: dict[str, str] = {}
    """Strata of single sites, before `group` and the table: `{ coffee = "stem", pets = "dropped" }`."""
    dialogues: bool = False
    """Make dialogues too, of answers whose author and asker went on talking in the comments beneath (Comments.xml
    beside Posts.xml, or in the archive): stratum `dialogues`."""


class WikiHow(Section):
    """`kind = "wikihow"`: how-to articles; the title becomes the prompt, the article the response."""

    kind: Literal["wikihow"]
    """Article pages as served (.html), or tables (.csv) of title, heading and paragraph or of title and result."""
    path: str
    """A file, or a folder searched for them; relative to the recipe. `embedded` are the sample articles."""
    group: str = "wikihow"
    """Stratum of all of them; within it a category is drawn first, each with equal probability, then an article."""
    licence: str | None = None
    """Licence of the articles, where the page itself states none; tables never do."""
    min_chars: Count = 600
    """Shortest article, in characters. Ours."""


class Reddit(Section):
    """`kind = "reddit"`: r/WritingPrompts gives prompts with their best reply, stratum `writing_prompts`;
    r/AskReddit gives titles for the test set only, stratum `ask_reddit`. Other communities are passed over."""

    kind: Literal["reddit"]
    """Pushshift files (.ndjson, .jsonl or .zst) of submissions and of comments, or tables (.csv) of submissions."""
    path: str
    """A file, or a folder searched for them; relative to the recipe. `embedded` is the sample forum."""
    licence: str | None = None
    """Licence under which you hold the posts; the files state none."""
    min_score: int = 10
    """Lowest score of a prompt, of a reply and of a title. Ours: the paper chose by hand."""
    min_chars: Count = 1200
    """Shortest reply, in characters. Ours."""
    max_chars: Count = 8000
    """Longest reply, in characters. Ours: about what 2,048 tokens hold."""
    large_windows: bool = False
    """Read .zst files whose window is up to 2 GiB, as the monthly files have; takes as much memory."""


class NaturalInstructions(Section):
    """`kind = "natural_instructions"`: one example, drawn by the seed, of every generation task."""

    kind: Literal["natural_instructions"]
    """Task files (.json) of the early or the final schema."""
    path: str
    """A task file, or a folder of them; relative to the recipe. `embedded` are the sample tasks."""
    group: str = "natural_instructions"
    """Stratum of all of them."""
    licence: str | None = None
    """Licence of tasks that state none."""


class Conversations(Section):
    """`kind = "conversations"`: ready-made instruction data; the layout is detected."""

    kind: Literal["conversations"]
    """.jsonl, .json, .parquet or .csv in the layout of messages, ShareGPT, Alpaca, Dolly, or prompt and response."""
    path: str
    """A file, or a folder of them; relative to the recipe. `embedded/chains.jsonl` are the sample dialogues."""
    group: str = "conversations"
    """Stratum of all of them; taken whole unless `curate.quotas` names it."""
    licence: str | None = None
    """Licence of records that state none."""


class Authored(Section):
    """`kind = "authored"`: examples that people wrote for the purpose."""

    kind: Literal["authored"]
    """.jsonl, one example a line: `messages`, and what else is known of it (docs/sources.md)."""
    path: str
    """A file, or a folder of them; relative to the recipe. `embedded` are the sample examples."""
    group: str | None = None
    """Stratum of all of them; by default the line's own `group`, else `authored`. Taken whole unless
    `curate.quotas` names it; the paper has 200."""
    licence: str | None = None
    """Licence of lines that state none."""
    author: str | None = None
    """Author of lines that name none."""


Source = Annotated[
    StackExchange | WikiHow | Reddit | NaturalInstructions | Conversations | Authored, Field(discriminator="kind")
]
"""One body of texts that you lawfully hold."""
KINDS: dict[str, type[Section]] = {
    "stackexchange": StackExchange,
    "wikihow": WikiHow,
    "reddit": Reddit,
    "natural_instructions": NaturalInstructions,
    "conversations": Conversations,
    "authored": Authored,
}
"""The section of each kind."""
