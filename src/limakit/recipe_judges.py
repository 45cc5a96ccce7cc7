"""The recipe's `[[judges]]`: language models that judge, on servers at a price or on this machine."""

import re
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Discriminator, Field, Tag, model_validator

from limakit.recipe_sources import Section

Price = Annotated[float, Field(ge=0, le=1e4)]
Positive = Annotated[float, Field(gt=0)]


OURS = ("model", "messages", "system", "temperature", "top_p", "max_tokens", "max_completion_tokens")
"""Fields of a request that other settings fill in."""
DEARER = ("n", "best_of", "stream", "stream_options", "tools", "functions", "web_search_options", "service_tier")
"""Fields that change what comes back, or what it costs, in a way that answers and budget do not know."""


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
    extra_body: dict[str, Any] = {}
    """Further fields of every request, as this server takes them: `{ reasoning_effort = "low" }`, or
    `{ top_k = 0, min_p = 0.0, repeat_penalty = 1.0 }` for llama.cpp, which else applies its own."""

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
        for name in sorted(self.extra_body):
            if name in OURS:
                raise ValueError(f"extra_body must not hold {name}, which is set elsewhere in this section")
            if name in DEARER:
                raise ValueError(f"extra_body must not hold {name}: the answer, or its price, would be another")
        return self


class SystemEndpoint(Endpoint):
    """`[systems.NAME.endpoint]`: a server that answers the prompts as one of the study's systems. Where `temperature`
    and `max_tokens` are left out, they are those of `[generate]`. See docs/systems.md."""

    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    """Nucleus; sent only where it is set, as some servers refuse it beside a temperature."""

    def sampled(self, temperature: float, max_new_tokens: int) -> "SystemEndpoint":
        """The same with the recipe's sampling where this section leaves it out."""
        given = {"temperature": temperature, "max_tokens": max_new_tokens}
        return self.model_copy(update={k: v for k, v in given.items() if k not in self.model_fields_set})


class Judging(Section):
    """What every judge has, wherever it runs."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")]
    """Yours to choose; its verdicts are in `judge/<name>`, by `model:<name>`."""
    task: Literal["pairwise", "likert", "absolute", "safety"] = "pairwise"
    """`pairwise`: which of two answers, in both orders; `likert`: helpfulness 1 to 6; `absolute`: excellent, pass or
    fail; `safety`: safe or unsafe and the kind of intent, for sensitive prompts."""
    prompt: str | None = None
    """File that replaces the judge's instructions, relative to the recipe; by default limakit's own."""


class ServedJudge(Endpoint, Judging):
    """`[[judges]]`: language models that judge, beside the reference metric, over HTTP. See docs/judges.md."""


class LocalJudge(Judging):
    """`[[judges]] api = "local"`: a model on this machine that judges; it costs nothing. See docs/judges.md."""

    api: Literal["local"]
    """Says that no server is asked."""
    model: str
    """Folder of an instruction-tuned model in Hugging Face format, relative to the recipe, or a name on the hub. It is
    asked through its own chat template."""
    revision: str | None = None
    """Commit on the hub; required with a name."""
    temperature: Annotated[float, Field(ge=0)] = 0.0
    """Of the answers; 0 is greedy."""
    max_tokens: Annotated[int, Field(ge=1)] = 1024
    """Longest answer. One that is cut here has no usable end and counts as missing."""
    slots: Annotated[int, Field(ge=1)] = 8
    """Answers decoded side by side."""


def _where(given: Any) -> str:
    """Whether a judge, as given or made, is `local` or `served`."""
    api = given.get("api") if isinstance(given, dict) else getattr(given, "api", None)
    return "local" if api == "local" else "served"


JUDGES: dict[str, type[Judging]] = {"served": ServedJudge, "local": LocalJudge}
ModelJudge = Annotated[
    Annotated[ServedJudge, Tag("served")] | Annotated[LocalJudge, Tag("local")], Discriminator(_where)
]
"""Any of the recipe's `[[judges]]`."""
