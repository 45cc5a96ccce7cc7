"""An example in the layouts that trainers read: messages, ShareGPT, Alpaca."""

from typing import Any, Literal

from limakit.records import Example

Layout = Literal["messages", "sharegpt", "alpaca", "parquet"]


def row(example: Example, layout: Layout) -> dict[str, Any]:
    """One JSON object or Parquet row: the turns in the layout's own fields, then what is known of the origin.

    Alpaca holds one exchange; earlier ones go to `history`, a list of pairs, as LLaMA-Factory reads it.
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
    return {"messages": [{"role": t.role, "content": t.content} for t in example.messages], **origin}


def _credit(post: Any) -> str:
    return " ".join(part for part in (post.author, f"<{post.url}>" if post.url else None) if part)
