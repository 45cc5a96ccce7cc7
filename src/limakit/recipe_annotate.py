"""The recipe's `[annotate]`: what people are asked in the studio."""

from typing import Annotated

from pydantic import Field

from limakit.recipe_sources import Count, Section


class Annotate(Section):
    """`[annotate]`: the test by people (paper, section 4), in the studio. What changes here changes what is handed out
    from then on; votes that were given stay."""

    shared: Count = 50
    """Items that everybody gets, so that agreement can be told; the paper took 50."""
    votes_per_item: Annotated[int, Field(ge=1)] = 1
    """People who are asked about each of the other items; one in the paper."""
    repeats: Annotated[float, Field(ge=0, le=0.5)] = 0.03
    """Share of a person's items that are asked again later with the answers swapped, to see who is consistent and who
    prefers a side. Ours."""
    break_every: Annotated[int, Field(ge=1)] = 50
    """Items after which the page proposes a pause. Ours."""
    graded: Count = 50
    """Test prompts whose answers, one of each system, are graded excellent, pass or fail; the paper took 50."""
