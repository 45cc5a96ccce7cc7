"""Conversations from scripts: the user's side is written, the system answers after each turn and hears itself."""

import csv
import hashlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from limakit.engine import Progress
from limakit.errors import InputError
from limakit.pipeline.outcome import Outcome, model_files, published, unchanged
from limakit.pipeline.systems import Found
from limakit.records import Grade, Prompt, Response, Turn, record
from limakit.store import files
from limakit.store.files import read_jsonl, write_jsonl
from limakit.store.study import PACKAGE, Study

STARTER = PACKAGE / "starter" / "dialogues"
GRADES = ("excellent", "pass", "fail")
COLUMNS = ("item", "conversation so far", "answer", "grade")


@record
class Script:
    """The user's side of a test conversation."""

    id: str
    turns: tuple[str, ...]
    title: str = ""


def scripts(study: Study) -> Path:
    """The file of the recipe's scripts."""
    named = study.recipe.dialogue.scripts
    return STARTER / "scripts.jsonl" if named == "embedded" else study.resolve(named)


def read_scripts(path: Path, most: int | None) -> list[Script]:
    """The first `most` scripts. Raises InputError where there is none, or one has no turn or another's id."""
    found = read_jsonl(path, Script)[:most]
    if not found:
        raise InputError("holds no scripts", where=path, fix="One a line: docs/experiments.md says what is in it.")
    for number, script in enumerate(found, 1):
        if not script.turns or not all(turn.strip() for turn in script.turns):
            raise InputError("a turn is empty", where=f"{path}, line {number}", fix="Mend that line and run again.")
        if script.id in [other.id for other in found[: number - 1]]:
            raise InputError(
                f"a second script {script.id!r}", where=f"{path}, line {number}", fix="Give it its own id."
            )
    return found


def turn_id(script: str, sample: int, turn: int) -> str:
    """Name of one turn of one conversation, counted from 1: `script-01/1/3` is the third turn of the first."""
    return f"{script}/{sample}/{turn}"


def parts(turn: str) -> tuple[str, int]:
    """Script and number of a turn's name."""
    script, _, number = turn.rsplit("/", 2)
    return script, int(number)


def talk(study: Study, stage: str, name: str, system: Found, progress: Progress) -> Outcome:
    """Hold every conversation with one system: prompts.jsonl (what it had heard each time), responses.jsonl."""
    settings, path = study.recipe.dialogue, scripts(study)
    generate = study.recipe.generate.model_copy(update={"samples": 1})
    work = study.begin(
        stage,
        settings={
            "seed": study.recipe.seed,
            "name": name,
            "samples": settings.samples,
            "max_scripts": settings.max_scripts,
            "generate": generate.model_dump(mode="json", exclude={"systems", "checkpoint"}),
        },
        inputs={"scripts.jsonl": path, **model_files("model", system.folder)},
        code=["experiments/talks.py", "generate", "models", "records.py"],
    )
    if work.done:
        return unchanged(work)
    from limakit.generate.run import RESPONSES, respond
    from limakit.models.local import load_system

    written = read_scripts(path, settings.max_scripts)
    said = {(s.id, n): list[Turn]() for s in written for n in range(1, settings.samples + 1)}
    heard, answers = list[Prompt](), list[Response]()
    sampler = load_system(system.folder, system.kind)
    totals = {"responses": 0, "eot": 0, "length": 0, "empty": 0, "trimmed_prompts": 0}
    for turn in range(1, max(len(script.turns) for script in written) + 1):
        prompts = []
        for script in written:
            for sample in range(1, settings.samples + 1):
                if turn <= len(script.turns):
                    so_far = said[script.id, sample]
                    so_far.append(Turn(role="user", content=script.turns[turn - 1]))
                    prompts.append(Prompt(id=turn_id(script.id, sample, turn), messages=tuple(so_far)))
        folder = work.path("turns", f"{turn:02d}")
        counts = respond(sampler, prompts, name, generate, study.recipe.seed, folder, progress)
        for key in totals:
            totals[key] += counts[key]
        given = read_jsonl(folder / RESPONSES, Response)
        for answer in given:
            script, sample, _ = answer.prompt_id.rsplit("/", 2)
            said[script, int(sample)].append(Turn(role="assistant", content=answer.text))
        heard += prompts
        answers += given
    write_jsonl(work.path("prompts.jsonl"), heard)
    write_jsonl(work.path("responses.jsonl"), answers)
    work.discard("turns")
    return published(work, {"conversations": len(said), "turns": len(answers), **totals})


def items(folder: Path) -> list[tuple[Prompt, Response]]:
    """Every answer of one system with the conversation before it."""
    prompts = {prompt.id: prompt for prompt in read_jsonl(folder / "prompts.jsonl", Prompt)}
    return [(prompts[r.prompt_id], r) for r in read_jsonl(folder / "responses.jsonl", Response)]


def item_code(system: str, turn: str, seed: int) -> str:
    """Name under which people see an answer: it does not tell whose it is."""
    return hashlib.sha256(f"{seed}\0{system}\0{turn}".encode()).hexdigest()[:10]


def sheet(talks: Sequence[Path], seed: int) -> str:
    """All answers as a CSV table to be graded by people: blind, the systems mixed in seeded order."""
    rows = [
        (item_code(answer.system, answer.prompt_id, seed), prompt, answer) for t in talks for prompt, answer in items(t)
    ]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for code, prompt, answer in sorted(rows, key=lambda row: row[0]):
        so_far = "\n\n".join(f"{turn.role.upper()}: {turn.content}" for turn in prompt.messages)
        writer.writerow([code, so_far, _cell(answer.text), ""])
    return out.getvalue()


def read_sheet(path: Path, talks: Sequence[Path], seed: int) -> list[Grade]:
    """What a person wrote into the sheet; an answer without a grade is missing. Raises InputError for another's item,
    one that is there twice, and a word that is no grade."""
    known = {
        item_code(answer.system, answer.prompt_id, seed): answer for folder in talks for _, answer in items(folder)
    }
    found: dict[str, Grade] = {}
    try:
        text = path.read_text(encoding="utf-8-sig")
        rows = list(csv.DictReader(io.StringIO(text, newline="")))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"cannot be read: {error}", where=path, fix="Save dialogue/sheet.csv as CSV in UTF-8."
        ) from None
    for number, row in enumerate(rows, 1):
        where = f"{path}, item {number}"
        code, value = (row.get("item") or "").strip(), (row.get("grade") or "").strip().lower()
        if code not in known:
            raise InputError(f"no item {code!r} in these conversations", where=where, fix="Fill in a new sheet.csv.")
        if code in found:
            raise InputError(f"item {code!r} is there twice", where=where, fix="Remove one of them.")
        if value and value not in GRADES:
            raise InputError(f"{value!r} is no grade", where=where, fix=f"Write one of: {', '.join(GRADES)}.")
        answer = known[code]
        found[code] = Grade(
            prompt_id=answer.prompt_id,
            system=answer.system,
            judge=f"person:{path.stem}",
            scale="absolute",
            value=value or None,
        )
    return list(found.values())


def _cell(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def publish_sheet(study: Study, stage: str, talks: Sequence[Path]) -> Outcome:
    """sheet.csv, for people to fill in."""
    inputs = {
        f"{folder.name}/{name}": folder / name for folder in talks for name in ("prompts.jsonl", "responses.jsonl")
    }
    work = study.begin(stage, settings={"seed": study.recipe.seed}, inputs=inputs, code=["experiments/talks.py"])
    if work.done:
        return unchanged(work)
    text = sheet(talks, study.recipe.seed)
    files.publish_text(work.path("sheet.csv"), text)
    counts: dict[str, Any] = {"items": sum(len(items(folder)) for folder in talks)}
    return published(work, counts)
