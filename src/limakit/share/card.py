"""README.md of an exported data set: a card with front matter as the Hugging Face hub reads it."""

import re
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from limakit.records import Example

_IDS = {
    "cc0": "cc0-1.0",
    "mit": "mit",
    "apache-2.0": "apache-2.0",
    "apache 2.0": "apache-2.0",
}
_CREATIVE = re.compile(r"cc (by(?:-nc)?(?:-sa|-nd)?) (\d\.\d)", re.IGNORECASE)
_MARKS = re.compile(r"([\\`*\[\]<>|#]|(?<!\w)_|_(?!\w))")


def card(
    examples: Sequence[Example],
    *,
    name: str,
    file: str,
    left_out: Mapping[str, int],
    lengths: Sequence[Sequence[str]] = (),
    picture: str = "",
) -> str:
    """The card. `file` is the data file's name, `left_out` counts examples that were not exported, by reason;
    `lengths` is a table beside the paper's, its head first, and `picture` the file of a topic map."""
    posts = Counter(post.licence or "" for example in examples for post in example.provenance)
    sources = Counter((example.source, example.group) for example in examples)
    prompts = [len(example.messages[0].content) for example in examples]
    answers = [len(turn.content) for example in examples for turn in example.messages if turn.role == "assistant"]
    lines = [
        "---",
        f"license: {_identifier(posts)}",
        "configs:",
        "- config_name: default",
        "  data_files:",
        "  - split: train",
        f"    path: {file}",
        "---",
        "",
        f"# {_plain(name)}",
        "",
        f"{len(examples):,} examples for instruction tuning, curated by limakit after LIMA (Zhou et al. 2023).",
        f"Prompts have {statistics.fmean(prompts):,.0f} characters on average, answers "
        f"{statistics.fmean(answers):,.0f}.",
        "",
        "The texts are adapted from their sources. Who wrote each of them, where, and under which licence is in "
        "[ATTRIBUTION.md](ATTRIBUTION.md); keep it with the data.",
        "",
        "## Licences",
        "",
        *_table(("licence", "posts"), sorted(posts.items())),
        "",
        "An example is under the licence of each of its posts.",
        "",
        "## Sources",
        "",
        *_table(("source", "stratum", "examples"), [(*key, count) for key, count in sorted(sources.items())]),
    ]
    if lengths:
        lines += ["", "## Lengths beside the paper's", "", *_table(lengths[0], lengths[1:])]
    if picture:
        lines += ["", "## Topics", "", f"![Every example as a point, near those that share its words]({picture})"]
    lines += ["", "## Loading", "", *_loading(file)]
    if left_out:
        lines += ["", "## Left out", "", *_table(("reason", "examples"), sorted(left_out.items()))]
    return "\n".join(lines) + "\n"


def _loading(file: str) -> list[str]:
    """How trainers read the file."""
    kind = {"jsonl": "json", "parquet": "parquet", "csv": "csv"}[file.rpartition(".")[2]]
    return [
        f'- TRL and everything built on `datasets`: `load_dataset("{kind}", data_files="{file}", split="train")`',
        "- LLaMA-Factory: `dataset_dir` this folder, `dataset: train`; `dataset_info.json` names the columns",
        f"- Axolotl, for `messages`: `datasets: [{{path: {file}, ds_type: {kind}, type: chat_template, "
        "field_messages: messages}]`",
    ]


def _identifier(licences: Iterable[str]) -> str:
    """The hub's name for the licence where there is only one and it is known, else `other`."""
    found = {licence.strip().lower() for licence in licences}
    if len(found) != 1:
        return "other"
    text = found.pop()
    match = _CREATIVE.fullmatch(text)
    return f"cc-{match[1]}-{match[2]}" if match else _IDS.get(text, "other")


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    return lines + [f"| {' | '.join(_plain(str(cell)) for cell in row)} |" for row in rows]


def _plain(text: str) -> str:
    return _MARKS.sub(r"\\\1", " ".join(text.split()))
