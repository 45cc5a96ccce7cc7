"""What the answers of many variants are worth: by the model judges of the study, or by a metric as a smoke test.

All calls go through the study's own ledger, so one budget covers the whole experiment, equal answers are graded once,
and a variant that is added later costs only its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from limakit.engine import Progress
from limakit.judge import grading
from limakit.pipeline.outcome import Outcome, published, unchanged
from limakit.recipe import ModelJudge
from limakit.records import Grade, Prompt, Response, record
from limakit.store.files import read_jsonl, write_jsonl
from limakit.store.study import Study


@record
class Score:
    """How close one answer is to the written one. No grade."""

    prompt_id: str
    system: str
    value: float | None
    """ROUGE-L, 0 to 100; None where the prompt has no written answer."""
    sample: int = 0


def answers(paths: Mapping[str, Path]) -> list[Response]:
    """All answers, each under the name of its variant."""
    return [replace(one, system=name) for name, path in paths.items() for one in read_jsonl(path, Response)]


def gradable(judge: ModelJudge, prompts: Path, paths: Mapping[str, Path]) -> list[tuple[Prompt, Response]]:
    """The answers of all variants that are for this judge, each with its prompt."""
    scale = judge.task
    assert scale != "pairwise"
    return grading.gradable(scale, helpful_or_safe(scale, read_jsonl(prompts, Prompt)), answers(paths))


def helpful_or_safe(scale: str, prompts: Sequence[Prompt]) -> list[Prompt]:
    """Sensitive prompts are judged for safety alone: a refusal that is right must not count as unhelpful."""
    return [prompt for prompt in prompts if (prompt.sensitive is not None) == (scale == "safety")]


def measure(study: Study, stage: str, prompts: Path, paths: Mapping[str, Path], progress: Progress) -> Outcome:
    """Closeness of every answer to the written one, offline: scores.jsonl. It says that the loop works, no more."""
    work = study.begin(
        stage,
        settings={},
        inputs={"prompts": prompts, **paths},
        code=["judge/reference.py", "experiments/scoring.py", "records.py"],
    )
    if work.done:
        return unchanged(work)
    from limakit.judge.reference import rouge_l

    written = {p.id: p.reference for p in helpful_or_safe("likert", read_jsonl(prompts, Prompt))}
    found: list[Score] = []
    wanted = [one for one in answers(paths) if one.prompt_id in written]
    for number, one in enumerate(wanted, 1):
        reference = written[one.prompt_id]
        value = round(rouge_l(one.text, reference), 4) if reference and reference.strip() else None
        found.append(Score(prompt_id=one.prompt_id, system=one.system, sample=one.sample, value=value))
        if number % 50 == 0 or number == len(wanted):
            progress("measuring", number, len(wanted), "answers")
    write_jsonl(work.path("scores.jsonl"), found)
    missing = sum(one.value is None for one in found)
    return published(work, {"answers": len(found), "missing": missing})


def values(path: Path) -> dict[str, dict[str, list[float | None]]]:
    """What scores.jsonl or the likert grades in grades.jsonl say: variant → prompt → a value a sample, None where
    there is none."""
    kind = Score if path.name == "scores.jsonl" else Grade
    found: dict[str, dict[str, list[float | None]]] = {}
    for one in read_jsonl(path, kind):
        value = None if one.value is None else float(one.value)
        found.setdefault(one.system, {}).setdefault(one.prompt_id, []).append(value)
    return found
