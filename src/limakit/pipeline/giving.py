"""Prompts and answers that somebody brings in files: the prompts of a study that learns nothing, and systems whose
answers are there already."""

import logging
from collections import Counter
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path

import orjson

from limakit.engine import Progress
from limakit.errors import InputError, RecipeError
from limakit.generate import given
from limakit.pipeline.outcome import Outcome, published, unchanged
from limakit.records import Prompt, Response, Turn
from limakit.store.files import read_jsonl, write_jsonl
from limakit.store.study import Study

CODE = ["generate/given.py", "pipeline/giving.py", "records.py"]


def read_prompts(path: Path) -> list[Prompt]:
    """The prompts of a file: limakit's own layout, or any of `generate/given.py`, where a prompt that is there twice
    counts once. Raises InputError."""
    if _ours(path):
        return read_jsonl(path, Prompt)
    rows = given.read(path)
    found = _prompts(rows)
    if len(found) < len(rows):
        left = len(rows) - len(found)
        logging.getLogger("limakit").warning(f"{path}: {left:,} of {len(rows):,} prompts are there before: left out")
    return found


def file_of(study: Study, name: str) -> Path | None:
    """The file that holds a system's answers, None where somebody has to be asked."""
    system = study.recipe.system(name)
    return study.resolve(system.answers) if system.answers is not None else None


def gather(study: Study, test: Path | None) -> Outcome:
    """Curation of a study that learns nothing: its prompts alone, curate/test.jsonl. They are those of the file `test`
    or, without one, all that the systems' files have answers to, in the order of the systems.

    Raises RecipeError where there is neither, InputError where a file is wrong.
    """
    recipe = study.recipe
    answered = {name: path for name in recipe.generate.systems if (path := file_of(study, name))}
    if test is None and not answered:
        raise RecipeError(
            "there is nothing to ask", where=study.path("recipe.toml"),
            fix="Name a file of prompts: curate.test_prompts, or of answers: systems.NAME.answers.",
        )  # fmt: skip
    read = {"test_prompts": test} if test else answered
    for path in read.values():
        if not path.is_file():
            raise InputError("no such file", where=path, fix="Put it there, or change the path in recipe.toml.")
    most = recipe.curate.max_test_prompts
    work = study.begin("curate", settings={"only": "prompts", "most": most}, inputs=read, code=CODE)
    if work.done:
        return unchanged(work)
    prompts = read_prompts(test) if test else _prompts(row for path in answered.values() for row in given.read(path))
    if not prompts:
        raise InputError("holds no prompts", where=test, fix="Name a file that does: curate.test_prompts.")
    write_jsonl(work.path("test.jsonl"), prompts[:most])
    return published(work, {"test": len(prompts[:most]), "beyond_max_test_prompts": len(prompts) - len(prompts[:most])})


def take(study: Study, stage: str, name: str, path: Path, prompts: Path, progress: Progress) -> Outcome:
    """One system's answers from a file, to the prompts of the study: responses.jsonl.

    Counts: rows = responses + surplus (to no prompt of the study) + further (beyond `generate.samples`) + unanswered
    (rows without an answer); `without`, answers that the prompts want and the file does not have; `empty` and `misread`
    among the responses. Raises InputError where a row is wrong, nothing fits or several systems speak.
    """
    samples = study.recipe.generate.samples
    work = study.begin(
        stage,
        settings={"system": name, "samples": samples},
        inputs={"test.jsonl": prompts, "answers": path},
        code=CODE,
    )
    if work.done:
        return unchanged(work)
    asked, rows = read_jsonl(prompts, Prompt), given.read(path)
    speakers = sorted({row.by for row in rows if row.by})
    if len(speakers) > 1:
        raise InputError(
            f"holds answers of {len(speakers)} systems: {', '.join(speakers[:5])}",
            where=path,
            fix="Split it into a file each, and name each under [systems.NAME].",
        )
    responses, counts = _matched(name, asked, rows, samples)
    if not responses:
        raise InputError(
            f"has no answer to any of the {len(asked):,} prompts of {prompts}: its first row answers "
            f"{_short(rows[0])}, their first is {asked[0].messages[-1].content[:60]!r}",
            where=path,
            fix="Name the file of answers to these prompts.",
        )
    write_jsonl(work.path("responses.jsonl"), responses)
    progress(f"answers of {name}", len(responses), len(asked) * samples, "answers")
    return published(work, {"file": path.name, **counts})


def _matched(
    name: str, asked: list[Prompt], rows: list[given.Row], samples: int
) -> tuple[list[Response], dict[str, int]]:
    """Answers in the order of prompts and samples. A row that quotes its prompt is matched by the text, else by id; of
    prompts with one text each gets its turn."""
    by_text: dict[str, list[str]] = {}
    for prompt in asked:
        by_text.setdefault(given.key(prompt.messages), []).append(prompt.id)
    ids = {prompt.id for prompt in asked}
    had, found = Counter[str](), dict[tuple[str, int], Response]()
    counts = {"rows": len(rows), "responses": 0, "surplus": 0, "further": 0, "unanswered": 0}
    for row in rows:
        same = by_text.get(given.key(row.asked), []) if row.asked else [row.name] if row.name in ids else []
        if not same:
            counts["surplus"] += 1
        elif row.answer is None:
            counts["unanswered"] += 1
        else:
            prompt = min((one for one in same if one), key=lambda one: had[one])
            sample, had[prompt] = had[prompt], had[prompt] + 1
            if sample < samples:
                found[prompt, sample] = Response(
                    prompt_id=prompt, system=name, text=row.answer, finish="unknown", tokens=None, sample=sample
                )
            else:
                counts["further"] += 1
    responses = [found[one.id, n] for one in asked for n in range(samples) if (one.id, n) in found]
    counts |= {
        "responses": len(responses),
        "without": len(asked) * samples - len(responses),
        "empty": sum(not one.text.strip() for one in responses),
        "misread": sum(given.misread(one.text) for one in responses),
    }
    return responses, counts


def _prompts(rows: Iterable[given.Row]) -> list[Prompt]:
    """Every prompt once, under its id where it has one of its own, in the order of the rows. Rows of a file of prompts
    may hold it in the field that is an answer's elsewhere (`question_id` and `text`)."""
    found: dict[str, Prompt] = {}
    names: dict[str, str] = {}
    for row in rows:
        asked = row.asked or (Turn(role="user", content=row.answer or ""),)
        text = given.key(asked)
        name = row.name if row.name and names.setdefault(row.name, text) == text else text[:16]
        if text not in found:
            found[text] = Prompt(
                id=name, messages=asked, category=row.category, reference=row.reference, sensitive=None
            )
    return list(found.values())


def _ours(path: Path) -> bool:
    """Whether a file's first row is a prompt as limakit writes it; a file without rows is one too."""
    try:
        with open(path, "rb") as lines:
            line = next((line for line in lines if line.strip()), None)
        first = orjson.loads(line.removeprefix(b"\xef\xbb\xbf")) if line else None
    except (OSError, orjson.JSONDecodeError):
        return False
    if line is None:
        return True
    known = {field.name for field in fields(Prompt)}
    return isinstance(first, dict) and {"id", "messages"} <= first.keys() <= known and _asks(first["messages"])


def _asks(messages: object) -> bool:
    last = messages[-1] if isinstance(messages, list) and messages else None
    return isinstance(last, dict) and last.get("role") == "user"


def _short(row: given.Row) -> str:
    return repr(row.asked[-1].content[:60]) if row.asked else f"prompt {row.name!r}"
