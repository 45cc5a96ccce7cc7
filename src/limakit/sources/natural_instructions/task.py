"""One task file of Natural Instructions, in the early schema (`Definition` is a text) or the final one (a list)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

GENERATIVE = frozenset(
    {
        "Code to Text",
        "Data to Text",
        "Explanation",
        "Grammar Error Correction",
        "Information Extraction",
        "Misc.",
        "Paraphrasing",
        "Question Rewriting",
        "Sentence Composition",
        "Sentence Compression",
        "Sentence Expansion",
        "Sentence Perturbation",
        "Story Composition",
        "Style Transfer",
        "Summarization",
        "Text Completion",
        "Text Modification",
        "Text Simplification",
        "Word Semantics",
    }
)
"""Categories whose answer is a text of one's own; those whose name ends in "Generation" are too. Ours, after the
collection's list (https://github.com/allenai/natural-instructions, doc/task-hierarchy.md)."""
LEAST_VARIETY = 0.5
"""Share of different outputs below which a task asks for a choice, whatever its category."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What a file says of its task, and its instances with an input and at least one output."""

    definition: str
    categories: tuple[str, ...]
    languages: frozenset[str]
    contributors: str | None
    url: str | None
    licence: str | None
    instances: tuple[tuple[str, str], ...]
    """(input, first output)."""

    @property
    def category(self) -> str:
        """The first category, or `uncategorised`."""
        return self.categories[0] if self.categories else "uncategorised"

    def choice(self) -> str | None:
        """Why this is no generation task, or None."""
        if not any(name in GENERATIVE or name.endswith(" Generation") for name in self.categories):
            return ", ".join(self.categories) or "no category"
        different = len({output.lower() for _, output in self.instances})
        if different < LEAST_VARIETY * len(self.instances):
            return f"{different} different outputs in {len(self.instances)} instances"
        return None


def task(data: object) -> Task:
    """Read a file's JSON. Raises ValueError where it is no task."""
    if not isinstance(data, dict) or "Definition" not in data or not isinstance(data.get("Instances"), list):
        raise ValueError("no task: it has no Definition or no Instances")
    definition = "\n".join(_texts(data["Definition"])).strip()
    if not definition:
        raise ValueError("an empty Definition")
    return Task(
        definition=definition,
        categories=tuple(_texts(data.get("Categories"))),
        languages=frozenset([*_texts(data.get("Input_language")), *_texts(data.get("Output_language"))]),
        contributors=", ".join(_texts(data.get("Contributors"))) or None,
        url=next((url for url in _texts(data.get("URL")) if url.startswith(("https://", "http://"))), None),
        licence="; ".join(n for n in _texts(data.get("Instance License")) if n.lower() != "unknown") or None,
        instances=tuple(found for row in data["Instances"] if (found := _instance(row)) is not None),
    )


def _texts(value: object) -> list[str]:
    """A text, or the texts of a list, as a list; nothing for anything else."""
    found = value if isinstance(value, list) else [value]
    return [text.strip() for text in found if isinstance(text, str) and text.strip()]


def _instance(row: object) -> tuple[str, str] | None:
    if not isinstance(row, Mapping):
        return None
    fields: Mapping[str, Any] = row
    given, outputs = _texts(fields.get("input")), _texts(fields.get("output"))
    return (given[0], outputs[0]) if given and outputs else None
