"""Anybody's verdicts, read into ours: the layout is told from the file itself.

| layout | what it looks like |
|---|---|
| limakit | `verdicts.jsonl` as the judge stage writes it |
| AlpacaEval | `annotations.json`: a list with `generator_1`, `generator_2`, `preference` (1 to 2; 0 or 1.5 is a draw) |
| battles | JSON lines with `model_a`, `model_b`, `winner` (Arena-Hard, Chatbot Arena, MT-bench's human votes) |
| judgements | JSON lines with `games`, two a question (Arena-Hard's), or `g1_winner` and `g2_winner` (MT-bench's) |
| reviews | JSON lines with `score`, a list of two (FastChat's Vicuna reviews); systems from `review_A_B.jsonl` |
| CSV | columns `prompt`, `a`, `b`, `label`, and optionally `judge`, `pair`, `length_a`, `length_b` |

Every row becomes a verdict; a row without a usable label becomes a missing one, which the figures show. A row that is
not what its file claims to be stops the reading: half a file would be a wrong figure.
"""

import csv
import hashlib
import io
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from limakit.errors import InputError
from limakit.records import Label, Verdict
from limakit.store.files import read_json, read_jsonl

LAYOUTS = (
    "limakit verdicts, AlpacaEval annotations, Arena-Hard battles or judgements, FastChat reviews, MT-bench pairs, or "
    "CSV (prompt,a,b,label)"
)
CLEAR = 3
"""Rows that Arena-Hard makes of a clear win."""
GAMES: dict[str, tuple[Label, int]] = {"A>>B": ("a", CLEAR), "A>B": ("a", 1), "A=B": ("tie", 1)}
GAMES |= {"B>A": ("b", 1), "B>>A": ("b", CLEAR)}
TIES = {"tie", "tie (bothbad)", "tie (inconsistent)", "both_bad"}
_verdict = TypeAdapter(Verdict)

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class VerdictFile:
    """What one file says."""

    layout: str
    verdicts: list[Verdict]
    lengths: dict[str, dict[str, int]] = field(default_factory=dict)
    """Pair id to the characters of each system's answer, where the file knows."""
    preferences: dict[tuple[str, str], tuple[str, float]] = field(default_factory=dict)
    """(judge, pair id) to a system and its probability of being the better, where the judge gave probabilities."""


def read(path: Path) -> VerdictFile:
    """Read a file of verdicts. Raises InputError, in one line, where it is none of the layouts or a row is wrong."""
    rows: Any
    try:
        start = path.read_bytes()[:4096].removeprefix(b"\xef\xbb\xbf").lstrip()
    except FileNotFoundError:
        raise InputError("no such file", where=path) from None
    except IsADirectoryError:
        raise InputError("is a folder", where=path, fix="Name a file in it, such as verdicts.jsonl.") from None
    if not start:
        raise InputError("is empty", where=path, fix=f"Expected {LAYOUTS}.")
    if start.startswith(b"["):
        layouts, rows = _OF_LISTS, read_json(path)
    elif start.split(b"\n")[0].strip() == b"{":
        raise InputError("is one JSON object, not rows of verdicts", where=path, fix=f"Expected {LAYOUTS}.")
    elif start.startswith(b"{"):
        layouts, rows = _OF_LINES, read_jsonl(path, dict)
    else:
        layouts, rows = _OF_TABLES, _csv_rows(path)
    if not isinstance(rows, list) or not rows or not isinstance(rows[0], dict):
        raise InputError("holds no rows", where=path, fix=f"Expected {LAYOUTS}.")
    for needed, reader in layouts:
        if needed <= rows[0].keys():
            return reader(path, rows)
    found = ", ".join(map(repr, list(rows[0])[:8]))
    raise InputError(f"not a layout that is known: its first row has {found}", where=path, fix=f"Expected {LAYOUTS}.")


def _ours(path: Path, rows: list[Row]) -> VerdictFile:
    verdicts = []
    for number, row in enumerate(rows, 1):
        try:
            verdicts.append(_verdict.validate_python(row))
        except ValidationError as error:
            first = error.errors()[0]
            raise _bad(path, number, f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    return VerdictFile("limakit", verdicts)


def _alpaca_eval(path: Path, rows: list[Row]) -> VerdictFile:
    found, name = VerdictFile("AlpacaEval", []), _Naming()
    for number, row in enumerate(rows, 1):
        a, b = _text(path, number, row, "generator_1"), _text(path, number, row, "generator_2")
        judge = f"model:{row.get('annotator', path.parent.name)}"
        preference = row.get("preference")
        if preference is not None and not (isinstance(preference, int | float) and 0 <= preference <= 2):
            raise _bad(path, number, f"preference {preference!r} is not a number from 0 to 2")
        draw = preference in (0, 1.5)
        label: Label | None = None
        if preference is not None:
            label = "tie" if draw else "b" if preference > 1.5 else "a"
        prompt = hashlib.sha256(_text(path, number, row, "instruction").encode()).hexdigest()[:16]
        verdict = name.verdict(prompt, judge, a, b, label)
        found.verdicts.append(verdict)
        if label is not None and preference is not None:
            found.preferences[judge, verdict.pair_id] = (b, 0.5 if draw else max(0.0, preference - 1))
        if isinstance(row.get("output_1"), str) and isinstance(row.get("output_2"), str) and a != b:
            found.lengths[verdict.pair_id] = {a: len(row["output_1"]), b: len(row["output_2"])}
    return found


def _battles(path: Path, rows: list[Row]) -> VerdictFile:
    """Rows that Arena-Hard repeats to give a clear win more weight stay on one prompt, the unit of every interval."""
    found, name = VerdictFile("battles", []), _Naming()
    for number, row in enumerate(rows, 1):
        a, b = _text(path, number, row, "model_a"), _text(path, number, row, "model_b")
        winner = row["winner"]
        if winner in TIES:
            label: Label | None = "tie"
        elif winner in ("model_a", "model_b"):
            label = "a" if winner == "model_a" else "b"
        elif winner is None or winner in ("", "error"):
            label = None
        else:
            raise _bad(path, number, f"winner {winner!r} is none of model_a, model_b, tie")
        prompt = str(row.get("question_id", row.get("conversation_id", number)))
        turn = row.get("turn")
        item = f"{prompt}/{turn}" if turn else prompt
        found.verdicts.append(name.verdict(prompt, _judge(row), a, b, label, item=item))
    return found


def _judge(row: Row) -> str:
    """A name, or FastChat's list of model and template."""
    judge = row.get("judge") or "unnamed"
    return "-".join(map(str, judge)) if isinstance(judge, list) else str(judge)


def _games(path: Path, rows: list[Row]) -> VerdictFile:
    """Arena-Hard's two games a question: the baseline is shown first, then second. A clear win is `CLEAR` verdicts, as
    in its score; they stay on their prompt."""
    found, name = VerdictFile("Arena-Hard judgements", []), _Naming()
    for number, row in enumerate(rows, 1):
        model, base = _text(path, number, row, "model"), str(row.get("baseline") or "baseline")
        games = row["games"]
        if not (isinstance(games, list) and len(games) == 2 and all(isinstance(game, dict) for game in games)):
            raise _bad(path, number, "games is not a list of two")
        prompt, judge = str(row.get("question_id", row.get("uid", number))), str(row.get("judge") or "unnamed")
        for game, (a, b) in zip(games, ((base, model), (model, base)), strict=True):
            label, times = GAMES.get(str(game.get("score")), (None, 1))
            found.verdicts.extend(name.verdict(prompt, judge, a, b, label) for _ in range(times))
    return found


def _two_orders(path: Path, rows: list[Row]) -> VerdictFile:
    """MT-bench's pairs, asked in both orders: only the same winner twice has won, as it counts itself."""
    found, name = VerdictFile("MT-bench judgements", []), _Naming()
    labels: dict[str, Label | None] = {"model_1": "a", "model_2": "b", "tie": "tie", "error": None}
    for number, row in enumerate(rows, 1):
        a, b = _text(path, number, row, "model_1"), _text(path, number, row, "model_2")
        for key in ("g1_winner", "g2_winner"):
            if row[key] not in labels:
                raise _bad(path, number, f"{key} {row[key]!r} is none of {', '.join(labels)}")
        first, second = labels[row["g1_winner"]], labels[row["g2_winner"]]
        label = None if first is None or second is None else first if first == second else "tie"
        prompt, turn = str(row["question_id"]), row.get("turn")
        item = f"{prompt}/{turn}" if turn else prompt
        found.verdicts.append(name.verdict(prompt, _judge(row), a, b, label, item=item))
    return found


def _reviews(path: Path, rows: list[Row]) -> VerdictFile:
    found, name = VerdictFile("reviews", []), _Naming()
    parts = path.stem.split("_")
    a, b = parts[1:] if len(parts) == 3 and parts[0] == "review" else ("first", "second")
    for number, row in enumerate(rows, 1):
        score = row["score"]
        if not (isinstance(score, list) and len(score) == 2 and all(isinstance(x, int | float) for x in score)):
            raise _bad(path, number, "score is not a list of two numbers")
        one, two = score
        # -1 is what FastChat writes where it could not read the reviewer's answer.
        label: Label | None = None if min(one, two) < 0 else "a" if one > two else "b" if two > one else "tie"
        # Reviewers differ by the kind of question only (coding, math, …), so together they are one judge.
        prompt, detail = str(row["question_id"]), f"{one} : {two}, {row.get('reviewer_id', '')}"
        found.verdicts.append(name.verdict(prompt, "reviewer", a, b, label, detail))
    return found


def _table(path: Path, rows: list[Row]) -> VerdictFile:
    found, name = VerdictFile("CSV", []), _Naming()
    for number, row in enumerate(rows, 2):
        if None in row or None in row.values():
            raise _bad(path, number, "has not as many fields as the header")
        prompt, a, b = (_text(path, number, row, key) for key in ("prompt", "a", "b"))
        said = (row["label"] or "").strip()
        labels: dict[str, Label | None] = {b: "b", a: "a", "a": "a", "b": "b", "tie": "tie", "": None}
        if said not in labels:
            raise _bad(path, number, f"label {said!r} is none of a, b, tie, {a}, {b} or empty")
        verdict = name.verdict(
            prompt, row.get("judge") or "unnamed", a, b, labels[said], item=row.get("pair") or prompt
        )
        found.verdicts.append(verdict)
        if row.get("length_a") and row.get("length_b"):
            try:
                found.lengths[verdict.pair_id] = {a: int(row["length_a"]), b: int(row["length_b"])}
            except ValueError:
                raise _bad(path, number, "length_a and length_b must be whole numbers") from None
    return found


def _csv_rows(path: Path) -> list[Row]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError("is neither JSON nor UTF-8 text", where=path, fix=f"Expected {LAYOUTS}.") from None
    try:
        rows = list(csv.DictReader(io.StringIO(text, newline="")))
    except csv.Error as error:
        raise InputError(f"is not CSV: {error}", where=path, fix=f"Expected {LAYOUTS}.") from None
    return list(rows)


class _Naming:
    """Pair ids that the same item has in every file: prompt and both systems, and a number where that repeats."""

    def __init__(self) -> None:
        self._seen: Counter[tuple[str, str]] = Counter()

    def verdict(
        self, prompt: str, judge: str, a: str, b: str, label: Label | None, detail: str = "", *, item: str = ""
    ) -> Verdict:
        pair = "/".join((item or prompt, *sorted((a, b))))
        self._seen[judge, pair] += 1
        nth = self._seen[judge, pair]
        pair = pair if nth == 1 else f"{pair}#{nth}"
        return Verdict(pair_id=pair, prompt_id=prompt, judge=judge, a=a, b=b, label=label, detail=detail)


def _text(path: Path, number: int, row: Row, key: str) -> str:
    value = row.get(key)
    if not isinstance(value, str) or not value:
        raise _bad(path, number, f"{key} is not a name or text")
    return value


def _bad(path: Path, number: int, what: str) -> InputError:
    return InputError(what, where=f"{path}, row {number}", fix="Mend or remove that row and run again.")


Reader = Callable[[Path, list[Row]], VerdictFile]
_OF_LISTS: list[tuple[set[str], Reader]] = [({"generator_1", "generator_2", "preference", "instruction"}, _alpaca_eval)]
_OF_LINES: list[tuple[set[str], Reader]] = [
    ({"pair_id", "prompt_id", "judge", "a", "b", "label"}, _ours),
    ({"model_a", "model_b", "winner"}, _battles),
    ({"model", "games"}, _games),
    ({"question_id", "model_1", "model_2", "g1_winner", "g2_winner"}, _two_orders),
    ({"score", "question_id", "answer1_id"}, _reviews),
]
_OF_TABLES: list[tuple[set[str], Reader]] = [({"prompt", "a", "b", "label"}, _table)]
