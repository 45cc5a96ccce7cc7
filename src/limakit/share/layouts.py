"""An example in the layouts that trainers read: messages, ShareGPT, Alpaca; and as CSV, for a spreadsheet."""

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Any, Literal

from limakit.records import Example

Layout = Literal["messages", "sharegpt", "alpaca", "parquet", "csv"]


def row(example: Example, layout: Layout) -> dict[str, Any]:
    """One JSON object or Parquet row: the turns in the layout's own fields, then what is known of the origin.

    Alpaca holds one exchange; earlier ones go to `history`, a list of pairs, as LLaMA-Factory reads it. CSV holds the
    first prompt and all that follows it, later turns with the speaker before them.
    """
    origin = {
        "id": example.id,
        "source": example.source,
        "site": example.site,
        "licence": "; ".join(dict.fromkeys(post.licence or "" for post in example.provenance)),
        "attribution": "; ".join(dict.fromkeys(credit for post in example.provenance if (credit := _credit(post)))),
    }
    said = [turn.content for turn in example.messages]
    if layout == "sharegpt":
        names = {"user": "human", "assistant": "gpt"}
        return {"conversations": [{"from": names[t.role], "value": t.content} for t in example.messages], **origin}
    if layout == "alpaca":
        pairs = [list(pair) for pair in zip(said[:-2:2], said[1:-2:2], strict=True)]
        return {"instruction": said[-2], "input": "", "output": said[-1], "history": pairs, **origin}
    if layout == "csv":
        later = [f"{turn.role.capitalize()}: {turn.content}" for turn in example.messages[2:]]
        return {"prompt": said[0], "response": "\n\n".join([said[1], *later]), **origin}
    return {"messages": [{"role": t.role, "content": t.content} for t in example.messages], **origin}


def dataset_info(layout: Layout, file: str) -> dict[str, Any]:
    """What LLaMA-Factory must be told of the file, in a `dataset_info.json` beside it
    (https://github.com/hiyouga/LLaMA-Factory, data/README.md)."""
    if layout == "alpaca":
        return {"file_name": file, "columns": {**_ALPACA, "history": "history"}}
    if layout == "csv":
        return {"file_name": file, "columns": {"prompt": "prompt", "response": "response"}}
    if layout == "sharegpt":
        return {"file_name": file, "formatting": "sharegpt", "columns": {"messages": "conversations"}}
    tags = {"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant"}
    return {"file_name": file, "formatting": "sharegpt", "columns": {"messages": "messages"}, "tags": tags}


_ALPACA = {"prompt": "instruction", "query": "input", "response": "output"}


def _credit(post: Any) -> str:
    return " ".join(part for part in (post.author, f"<{post.url}>" if post.url else None) if part)


_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def csv_lines(rows: Iterable[dict[str, str]]) -> Iterator[bytes]:
    """A CSV table (RFC 4180, UTF-8 with a mark, as spreadsheets expect it) of rows with the same fields.

    A cell that a spreadsheet could take for a formula gets an apostrophe before it, which spreadsheets do not show
    (https://owasp.org/www-community/attacks/CSV_Injection).
    """
    for number, row in enumerate(rows):
        text = io.StringIO()
        writer = csv.writer(text)
        if number == 0:
            text.write("\ufeff")
            writer.writerow(row)
        writer.writerow(["'" + cell if cell.lstrip(" \ufeff").startswith(_FORMULA) else cell for cell in row.values()])
        yield text.getvalue().encode()
