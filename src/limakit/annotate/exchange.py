"""Pairs and votes for annotation tools that others wrote, and back: Argilla and Label Studio JSON, and CSV to read.

Both tools get the answers as `a` and `b` in the stored blind order and never a system's name; the pair's id comes back
with the votes, so that who wrote what is known here only.

- Label Studio (labelstud.io/guide/task_format, /guide/export): tasks with `data`; `LABELING` is the matching set-up.
- Argilla 2 (docs.argilla.io, records): `fields`, `metadata`, and `responses` with a value and a user for each question.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from limakit.annotate.items import LABELS, SKIP
from limakit.errors import InputError
from limakit.records import Pair, Verdict

LABELING = """<View>
  <Text name="prompt" value="$prompt"/>
  <View style="display: flex; gap: 1em"><Text name="a" value="$a"/><Text name="b" value="$b"/></View>
  <Choices name="preference" toName="prompt" choice="single" required="true">
    <Choice value="a" hotkey="1"/><Choice value="b" hotkey="2"/><Choice value="tie" hotkey="3"/>
  </Choices>
</View>
"""
"""What Label Studio is to be told under "Labeling interface"."""
QUESTION = "preference"


@dataclass(frozen=True, slots=True)
class Vote:
    """One vote that was given elsewhere."""

    pair_id: str
    person: str
    """As the tool calls them; not yet a name of ours."""
    label: str


def to_label_studio(pairs: Iterable[Pair]) -> list[dict[str, Any]]:
    """Tasks for "Import"."""
    return [{"data": {"pair_id": pair.id, **_texts(pair)}} for pair in pairs]


def to_argilla(pairs: Iterable[Pair]) -> list[dict[str, Any]]:
    """Records for `Dataset.records.from_json`, with a label question `preference` (a, b, tie)."""
    return [
        {"id": pair.id, "fields": _texts(pair), "metadata": {}, "suggestions": {}, "responses": {}, "vectors": {}}
        for pair in pairs
    ]


def to_csv(verdicts: Sequence[Verdict]) -> str:
    """Votes as a table with the columns that `limakit stats` reads. A cell that a spreadsheet would take for a formula
    begins with an apostrophe."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(["prompt", "a", "b", "label", "judge", "pair"])
    for one in verdicts:
        row = (one.prompt_id, one.a, one.b, one.label or "", one.judge, one.pair_id)
        writer.writerow([_inert(cell) for cell in row])
    return out.getvalue()


def read(data: Any, where: object) -> list[Vote]:
    """Votes in an export of either tool, told from the file itself. Cancelled answers and drafts are left out, an
    answer without a label is `skip`. Raises InputError with the number of the first row that is not as it should be."""
    rows = data if isinstance(data, list) else None
    if not rows or not all(isinstance(row, dict) for row in rows):
        raise InputError(
            "is no list of tasks or records", where=where, fix="Export as JSON from Label Studio or Argilla."
        )
    reader = _argilla if "fields" in rows[0] else _label_studio if "data" in rows[0] else None
    if reader is None:
        raise InputError(
            "is neither Label Studio's export (data, annotations) nor Argilla's (fields, responses)",
            where=where,
            fix="Export as JSON, not JSON_MIN.",
        )
    votes = []
    for number, row in enumerate(rows, 1):
        try:
            votes += reader(row)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise InputError(
                f"is not as the tool writes it ({type(error).__name__}: {error})",
                where=f"{where}, row {number}",
                fix="Export it again as JSON.",
            ) from None
    return votes


def _texts(pair: Pair) -> dict[str, str]:
    said = [turn.content if turn.role == "user" else f"[reply] {turn.content}" for turn in pair.messages]
    return {"prompt": "\n\n".join(said), "a": pair.a.text, "b": pair.b.text}


def _label_studio(row: Mapping[str, Any]) -> list[Vote]:
    votes = []
    for given in row.get("annotations", []):
        by = given.get("completed_by", "unknown")
        person = by.get("email", by.get("id")) if isinstance(by, dict) else by
        chosen = [r["value"]["choices"][0] for r in given["result"] if r.get("from_name") == QUESTION]
        label = SKIP if given.get("was_cancelled") or not chosen else chosen[0]
        votes.append(Vote(row["data"]["pair_id"], str(person), _known(label)))
    return votes


def _argilla(row: Mapping[str, Any]) -> list[Vote]:
    answers = (row.get("responses") or {}).get(QUESTION, [])
    return [
        Vote(row["id"], str(given["user_id"]), _known(given["value"]))
        for given in answers
        if given.get("status", "submitted") == "submitted"
    ]


def _known(label: Any) -> str:
    if label not in (*LABELS["compare"], SKIP):
        raise ValueError(f"label {label!r} is none of {', '.join(LABELS['compare'])}")
    return label


def _inert(cell: str) -> str:
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell
