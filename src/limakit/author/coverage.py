"""What there is already while somebody writes: the nearest existing prompts, and the topics with few examples."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Rows = Callable[[Sequence[str]], Any]
"""Texts → sparse matrix (texts, features) of unit rows, whose products are cosines."""
CLOSE = 0.6
"""Cosine of two prompts from which they ask for much the same; `curate.contamination_cosine` has the same default."""
LEAST = 0.15
"""Cosine below which a prompt is not near at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Near:
    """An existing prompt beside a new one."""

    id: str
    text: str
    cosine: float

    @property
    def close(self) -> bool:
        """Whether the two ask for much the same."""
        return self.cosine >= CLOSE


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """A region of the topic map."""

    words: str
    """What most tells it from the others."""
    examples: int
    """In the training set and among the drafts."""
    asked: int
    """Dev prompts there. Test prompts are not counted: whoever writes must not know them."""


class Coverage:
    """Existing prompts, to be asked about a new one.

    `prompts` maps Ids to texts, `rows` makes them comparable, `regions` says in which region of the topic map an Id
    lies, `labels` what the regions are called, `asked` how many dev prompts are in each.
    """

    def __init__(
        self,
        prompts: Mapping[str, str],
        rows: Rows,
        *,
        regions: Mapping[str, int] | None = None,
        labels: Sequence[str] = (),
        asked: Mapping[int, int] | None = None,
    ):
        self._ids, self._texts, self._rows = list(prompts), list(prompts.values()), rows
        self._known = rows(self._texts) if self._texts else None
        self._regions, self._labels, self._asked = dict(regions or {}), list(labels), dict(asked or {})

    def nearest(
        self, text: str, *, without: str | None = None, others: Mapping[str, str] | None = None, most: int = 3
    ) -> list[Near]:
        """The most similar prompts, nearest first, `others` (Ids and texts) among them; `without` is the Id of the text
        itself."""
        if not text.strip():
            return []
        row, found = self._rows([text]), []
        parts = [(self._ids, self._texts, self._known)] if self._known is not None else []
        if others:
            texts = list(others.values())
            parts.append((list(others), texts, self._rows(texts)))
        for ids, texts, rows in parts:
            cosines = np.asarray((rows @ row.T).todense(), np.float64).ravel()
            for at in np.argsort(-cosines, kind="stable")[: most + 1].tolist():
                if cosines[at] >= LEAST and ids[at] != without:
                    found.append(Near(id=ids[at], text=texts[at], cosine=float(cosines[at])))
        return sorted(found, key=lambda near: -near.cosine)[:most]

    def topic(self, text: str, *, without: str | None = None) -> str | None:
        """Words for the region in which a text would lie, after its nearest neighbour; None if unknown."""
        number = self._region(text, without)
        return self._labels[number] if number is not None and number < len(self._labels) else None

    def thin(self, drafts: Mapping[str, str] | None = None, most: int = 4) -> list[Topic]:
        """Topics with the fewest examples for what dev prompts ask of them, thinnest first; drafts count too."""
        counts = Counter(self._regions[name] for name in self._ids if name in self._regions)
        counts.update(
            number for name, text in (drafts or {}).items() if (number := self._region(text, name)) is not None
        )
        topics = [
            Topic(words=words, examples=counts[number], asked=self._asked.get(number, 0))
            for number, words in enumerate(self._labels)
            if words
        ]
        return sorted(topics, key=lambda topic: ((topic.examples + 1) / (topic.asked + 1), topic.words))[:most]

    def _region(self, text: str, without: str | None) -> int | None:
        near = self.nearest(text, without=without)
        return next((self._regions[one.id] for one in near if one.id in self._regions), None)
