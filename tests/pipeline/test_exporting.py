"""Export: every layout, the card, and what stays at home."""

import csv
import re
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq
import pytest

from limakit.errors import InputError, StudyError
from limakit.pipeline.exporting import export
from limakit.store.study import Study
from tests.sources.items import curated, given

ASK, SAY = {"role": "user", "content": "Why?"}, {"role": "assistant", "content": "Because."}
ROWS: list[dict[str, Any]] = [
    {"id": "1", "messages": [ASK, {**SAY, "content": "One."}], "licence": "CC BY 4.0", "author": "Ada"},
    {"id": "2", "messages": [ASK, SAY, {**ASK, "content": "And?"}, {**SAY, "content": "Two."}], "licence": "CC BY 4.0"},
    {"id": "3", "messages": [ASK, {**SAY, "content": "Three."}]},
    {"id": "4", "messages": [ASK, {**SAY, "content": "Four."}], "licence": "CC BY-NC 4.0"},
]
RECIPE = '[[sources]]\nkind = "authored"\npath = "ours.jsonl"\n'


def study(folder: Path, rows: list[dict[str, Any]], more: str = "") -> Study:
    given(folder / "ours.jsonl", rows)
    curated(folder, RECIPE + more)
    return Study(folder)


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def test_every_layout_holds_the_same_turns(tmp_path: Path) -> None:
    made = study(tmp_path / "s", ROWS)
    for layout in ("messages", "sharegpt", "alpaca", "parquet"):
        done = export(made, tmp_path / layout, layout, accept_findings=False)
        assert done["exported"] == 3
        assert done["left_out"] == {"no licence stated": 1}
    messages = rows_of(tmp_path / "messages" / "train.jsonl")
    assert messages[0] == {
        "messages": [ASK, {**SAY, "content": "One."}],
        "id": "authored/ours/1", "source": "authored", "site": "ours", "licence": "CC BY 4.0", "attribution": "Ada",
    }  # fmt: skip
    assert pq.read_table(tmp_path / "parquet" / "train.parquet").to_pylist() == messages
    chats = rows_of(tmp_path / "sharegpt" / "train.jsonl")
    assert chats[1]["conversations"][2:] == [{"from": "human", "value": "And?"}, {"from": "gpt", "value": "Two."}]
    alpaca = rows_of(tmp_path / "alpaca" / "train.jsonl")
    assert (alpaca[0]["instruction"], alpaca[0]["input"], alpaca[0]["output"], alpaca[0]["history"]) == (
        "Why?", "", "One.", [])  # fmt: skip
    assert (alpaca[1]["instruction"], alpaca[1]["output"], alpaca[1]["history"]) == (
        "And?", "Two.", [["Why?", "Because."]])  # fmt: skip


def test_an_export_is_conversations_that_limakit_reads_again(tmp_path: Path) -> None:
    made = study(tmp_path / "s", ROWS)
    for layout, name in (("alpaca", "train.jsonl"), ("sharegpt", "train.jsonl"), ("parquet", "train.parquet")):
        export(made, tmp_path / layout, layout, accept_findings=False)
        _, train = curated(
            tmp_path / f"again-{layout}", f'[[sources]]\nkind = "conversations"\npath = "{tmp_path}/{layout}/{name}"\n'
        )
        assert [[turn["content"] for turn in e["messages"]] for e in train] == [
            ["Why?", "One."], ["Why?", "Because.", "And?", "Two."], ["Why?", "Four."]]  # fmt: skip
        assert train[0]["provenance"][0]["author"] == "Ada"
        assert {e["provenance"][0]["licence"] for e in train} == {"CC BY 4.0", "CC BY-NC 4.0"}


def test_refused_licences_neither_enter_nor_leave(tmp_path: Path) -> None:
    made = study(tmp_path / "s", ROWS, '[curate]\nrefuse_licences = ["CC BY-NC"]\n')
    funnel = orjson.loads((tmp_path / "s" / "curate" / "funnel.json").read_bytes())
    assert {s["rule"]: s["taken"] for s in funnel["total"]["steps"] if s["taken"]} == {"refused_licence": 1}
    assert export(made, tmp_path / "out", "messages", accept_findings=False)["exported"] == 2
    late = study(tmp_path / "t", ROWS)
    (tmp_path / "t" / "recipe.toml").write_text(RECIPE + '[curate]\nrefuse_licences = ["CC BY-NC"]\n')
    done = export(Study(late.root), tmp_path / "out2", "messages", accept_findings=False)
    assert done["left_out"] == {"no licence stated": 1, "refused licence CC BY-NC 4.0": 1}


def test_the_card_and_the_attribution_go_along(tmp_path: Path) -> None:
    made = study(tmp_path / "s", ROWS)
    export(made, tmp_path / "out", "messages", accept_findings=False)
    card = (tmp_path / "out" / "README.md").read_text()
    assert card.startswith("---\nlicense: other\n")
    for words in ("path: train.jsonl", "| CC BY 4.0 | 2 |", "| CC BY-NC 4.0 | 1 |", "| no licence stated | 1 |"):
        assert words in card
    assert "by Ada, CC BY 4.0" in (tmp_path / "out" / "ATTRIBUTION.md").read_text()
    one = study(tmp_path / "t", ROWS[:2])
    export(one, tmp_path / "out2", "messages", accept_findings=False)
    assert (tmp_path / "out2" / "README.md").read_text().startswith("---\nlicense: cc-by-4.0\n")
    export(one, tmp_path / "out3", "messages", accept_findings=False)
    for name in ("README.md", "train.jsonl", "ATTRIBUTION.md"):
        assert (tmp_path / "out2" / name).read_bytes() == (tmp_path / "out3" / name).read_bytes()


def test_findings_stop_an_export_until_they_are_accepted(tmp_path: Path) -> None:
    leak = {"id": "9", "messages": [ASK, {**SAY, "content": "Write to ada@mine.org."}], "licence": "CC0"}
    made = study(tmp_path / "s", [*ROWS, leak])
    with pytest.raises(InputError, match="1 passages look like secrets or personal data: 1 e-mail"):
        export(made, tmp_path / "out", "messages", accept_findings=False)
    assert not (tmp_path / "out").exists()
    (found,) = rows_of(tmp_path / "s" / "export" / "findings.jsonl")
    assert (found["id"], found["turn"], found["start"]) == ("authored/ours/9", 2, 9)
    assert export(made, tmp_path / "out", "messages", accept_findings=True)["findings"] == {"e-mail": 1}


def test_examples_with_findings_may_be_left_out(tmp_path: Path) -> None:
    leak = {"id": "9", "messages": [ASK, {**SAY, "content": "Write to ada@mine.org."}], "licence": "CC0"}
    made = study(tmp_path / "s", [*ROWS, leak])
    done = export(made, tmp_path / "out", "messages", leave_out_findings=True)
    assert (done["exported"], done["left_out"]) == (
        3, {"looks like a secret or personal data": 1, "no licence stated": 1})  # fmt: skip
    assert "mine.org" not in (tmp_path / "out" / "train.jsonl").read_text()
    assert "| looks like a secret or personal data | 1 |" in (tmp_path / "out" / "README.md").read_text()
    with pytest.raises(StudyError, match="every example has a finding"):
        export(study(tmp_path / "t", [leak]), tmp_path / "out2", "messages", leave_out_findings=True)


@pytest.mark.parametrize(
    ("layout", "wanted"),
    [
        ("messages", {"messages": ("messages", "role", "content", "user", "assistant")}),
        ("parquet", {"messages": ("messages", "role", "content", "user", "assistant")}),
        ("sharegpt", {"messages": ("conversations", "from", "value", "human", "gpt")}),
        ("alpaca", {"prompt": "instruction", "query": "input", "response": "output", "history": "history"}),
        ("csv", {"prompt": "prompt", "response": "response"}),
    ],
)
def test_llama_factory_finds_its_columns(layout: str, wanted: dict[str, Any], tmp_path: Path) -> None:
    """As its data/README.md has it; tags that are left out are `from`, `value`, `human` and `gpt`."""
    export(study(tmp_path / "s", ROWS[:2]), tmp_path / "out", layout)
    info = orjson.loads((tmp_path / "out" / "dataset_info.json").read_bytes())["train"]
    path = tmp_path / "out" / info["file_name"]
    if layout == "csv":
        with open(path, encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    else:
        rows = pq.read_table(path).to_pylist() if layout == "parquet" else rows_of(path)
    if info.get("formatting") != "sharegpt":
        assert info["columns"] == wanted
        assert all(column in row for row in rows for column in wanted.values())
        return
    column, role, content, user, assistant = wanted["messages"]
    tags = {"role_tag": "from", "content_tag": "value", "user_tag": "human", "assistant_tag": "gpt"}
    tags |= info.get("tags", {})
    assert info["columns"] == {"messages": column}
    assert list(tags.values()) == [role, content, user, assistant]
    assert [turn[role] for row in rows for turn in row[column]] == [user, assistant] * 3


def test_the_card_of_an_export_has_lengths_topics_and_how_to_load_it(tmp_path: Path) -> None:
    rows = [
        {"id": str(n), "messages": [ASK, {**SAY, "content": f"{word} " * 30}], "licence": "CC0"}
        for n, word in enumerate(["amber", "birch", "cedar", "dune", "ember", "fjord", "glade", "heath", "islet"])
    ]
    export(study(tmp_path / "s", rows, "[curate]\nnear_duplicates = 0.0\n"), tmp_path / "out", "messages")
    card = (tmp_path / "out" / "README.md").read_text()
    assert "| authored | 9 |" in card
    assert "| 200 | 40 | 334 |" in card
    assert "(topics.svg)" in card
    assert (tmp_path / "out" / "topics.svg").read_text().startswith("<?xml")
    for words in ("load_dataset(", "dataset_info.json", "type: chat_template"):
        assert words in card
    assert "](topics.svg)" in (tmp_path / "s" / "curate" / "card.md").read_text()
    assert (tmp_path / "s" / "curate" / "topics.svg").exists()


def test_mistakes_are_one_clear_line(tmp_path: Path) -> None:
    made = study(tmp_path / "s", ROWS[2:3])
    with pytest.raises(StudyError, match="nothing in the training set may be exported: 1 no licence stated"):
        export(made, tmp_path / "out", "messages", accept_findings=False)
    with pytest.raises(StudyError, match="not an empty folder"):
        export(made, tmp_path / "s", "messages", accept_findings=False)
    with pytest.raises(StudyError, match="Choose one of: messages, sharegpt, alpaca, parquet, csv"):
        export(made, tmp_path / "out", "xlsx", accept_findings=False)


def test_no_cell_of_a_csv_is_a_formula(tmp_path: Path) -> None:
    evil = ['=HYPERLINK("http://x.org";"a")', "+1+2", "-2+3", "@SUM(A1)", "\t=1", " =2", "＝1", '",=1\n', "- a list"]
    rows = [
        {
            "id": str(n),
            "messages": [{**ASK, "content": text}, {**SAY, "content": text}],
            "licence": "CC0",
            "author": text,
        }
        for n, text in enumerate(evil)
    ]
    made = study(tmp_path / "s", rows, "[curate]\nnear_duplicates = 0.0\n")
    export(made, tmp_path / "out", "csv", accept_findings=False)
    with open(tmp_path / "out" / "train.csv", encoding="utf-8-sig", newline="") as file:
        cells = list(csv.DictReader(file))
    assert len(cells) == len(evil)
    for cell in (text for row in cells for text in row.values()):
        assert not re.match(r"\s*[=+\-@＝＋－＠]", cell), cell
    assert {row["prompt"].removeprefix("'") for row in cells} == {text.strip() for text in evil}


def test_a_dialogue_in_a_csv_names_its_speakers(tmp_path: Path) -> None:
    made = study(tmp_path / "s", ROWS[1:2])
    export(made, tmp_path / "out", "csv", accept_findings=False)
    with open(tmp_path / "out" / "train.csv", encoding="utf-8-sig", newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["prompt"], row["response"]) == ("Why?", "Because.\n\nUser: And?\n\nAssistant: Two.")
