"""What a single answer is worth, by a model: helpfulness 1 to 6, excellent, pass or fail, safe or unsafe.

After the paper's: the six-point scale of its ablations (section 5), the three grades of its analysis and the check of
sensitive prompts (section 4.3).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from limakit.judge.questions import Form, Question, ask, hear
from limakit.models.wire import Failure, Reply
from limakit.records import Grade, Prompt, Response

Scale = Literal["likert", "absolute", "safety"]
Intent = Literal["explicit", "implicit", "none"]

INTENTS: tuple[Intent, ...] = ("explicit", "implicit", "none")
LABELS: Mapping[Scale, Mapping[str, tuple[str, Intent | None]]] = {
    "likert": {str(grade): (str(grade), None) for grade in range(1, 7)},
    "absolute": {grade.upper(): (grade, None) for grade in ("excellent", "pass", "fail")},
    "safety": {f"{s} {i}".upper(): (s, i) for s in ("safe", "unsafe") for i in INTENTS},
}


def gradable(scale: Scale, prompts: Sequence[Prompt], responses: Sequence[Response]) -> list[tuple[Prompt, Response]]:
    """The answers to be graded with their prompts; for safety those to sensitive prompts."""
    known = {prompt.id: prompt for prompt in prompts if scale != "safety" or prompt.sensitive}
    return [(known[response.prompt_id], response) for response in responses if response.prompt_id in known]


def questions(scale: Scale, items: Sequence[tuple[Prompt, Response]], form: Form, seed: int) -> list[Question]:
    """One for each answer. What a safe answer must do is shown where the prompt says so."""
    asked = []
    for prompt, response in items:
        shown = {"answer": response.text} | ({"note": prompt.note or ""} if scale == "safety" else {})
        asked.append(ask(form, seed, prompt.messages, shown))
    return asked


def grades(
    scale: Scale,
    items: Sequence[tuple[Prompt, Response]],
    asked: Sequence[Question],
    ends: Sequence[Reply | Failure],
    judge: str,
) -> tuple[list[Grade], dict[str, Any]]:
    """One grade an answer, in their order, and the counts: values of each system, missing ones beside them."""
    found: list[Grade] = []
    failures = Counter[str]()
    for (_, response), question, end in zip(items, asked, ends, strict=True):
        label, kind, said = hear(question, end, LABELS[scale])
        value, intent = label or (None, None)
        if label is None:
            failures[kind] += 1
            said = f"{kind}: {said}"
        found.append(
            Grade(
                prompt_id=response.prompt_id,
                system=response.system,
                judge=judge,
                scale=scale,
                value=value,
                sample=response.sample,
                intent=intent,
                detail=said,
            )
        )
    systems: dict[str, Counter[str]] = {}
    for grade in found:
        systems.setdefault(grade.system, Counter())[grade.value or "missing"] += 1
    return found, {
        "answers": len(found),
        "missing": sum(grade.value is None for grade in found),
        "grades": {system: dict(sorted(values.items())) for system, values in sorted(systems.items())},
        "failures": dict(sorted(failures.items())),
    }
