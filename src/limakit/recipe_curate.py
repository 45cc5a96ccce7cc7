"""The recipe's `[curate]`: which answers are worth learning from (paper, section 2.1)."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from limakit.recipe_sources import Count, Section

Probability = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]


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
    drop_missing_images: bool = True
    """Drop responses that speak of an image or announce one, since images are removed. Ours."""
    near_duplicates: Probability = 0.5
    """Drop responses at least this similar to a better one: Jaccard similarity of their runs of five words; 0 drops
    the rule. Ours."""
    contamination_run: Count = 13
    """Words in a row that a training candidate must not share with a dev or test prompt or its reference (Brown et al.
    2020); 0 drops the rule. The same thread and the same text are refused in any case. Ours."""
    contamination_cosine: Probability = 0.6
    """TF-IDF cosine from which a training candidate is too close to a dev or test prompt, or to its reference; 0 drops
    the rule. Ours."""
    contamination_meaning: Probability = 0.7
    """Cosine of sentence vectors from which a training example is too close to a dev or test prompt, or to its
    reference. Looked at only where `embeddings` names a model, since words alone tell no paraphrase, and only for what
    would be taken; 0 drops the rule. Measured for all-MiniLM-L6-v2 (docs/log.md); a model whose cosines lie higher
    wants a higher threshold. Ours."""
    same_author: Literal["report", "reject"] = "report"
    """Training candidates by somebody who wrote for dev or test: count them in contamination.json, or drop them."""
    temperature: Positive = 3.0
    """tau of the site sampling: p(site) is proportional to candidates^(1/tau)."""
    select: Literal["top", "diverse", "random", "longest"] = "top"
    """Which candidates of a site to take: `top` those with most votes (the paper's); `diverse` such as stand for the
    whole stratum; `random` and `longest` are controls to compare with. How many of each site is the same for all."""
    diversity: Literal["facility_location", "k_centre"] = "facility_location"
    """What `diverse` looks for: examples that lie near all the others, or far from each other. Ours."""
    quality: dict[Literal["votes", "length", "readability", "difficulty"], Probability] = {
        "votes": 0.3,
        "length": 0.1,
        "readability": 0.1,
    }
    """Share of each signal in what `diverse` decides by; the rest, to 1, is diversity. `difficulty` asks the base model
    how little the prompt helps it to foresee the answer (IFD, Li et al. 2023): two passes for each of the shortlist,
    so a GPU is wanted. Ours."""
    shortlist: Count = 20
    """How many of a site `diverse` looks at, best by quality, for each that it takes; 0 for all of them. Ours."""
    embeddings: str = "tfidf"
    """Vectors for `diverse` and `contamination_meaning`: `tfidf` is light and needs no download, but knows words only;
    or the folder of a sentence-transformers model."""
    quotas: dict[str, Count] = {
        "stem": 200,
        "other": 200,
        "wikihow": 200,
        "writing_prompts": 150,
        "natural_instructions": 50,
        "dialogues": 20,
        "ask_reddit": 70,
    }
    """Examples to take from each group, training, dev and test together when the latter are held out; `ask_reddit`
    counts test prompts, `dialogues` those made of comments where a source asks for them. Groups of authored examples
    and conversations that are not named are taken whole."""
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
