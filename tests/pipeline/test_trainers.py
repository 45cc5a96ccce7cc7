"""What curation and export write is what other trainers read as it is: `datasets` loads it, TRL prepares and trains."""

from pathlib import Path
from typing import Any

import pytest

from limakit.pipeline.exporting import export
from limakit.store.study import Study
from tests.pipeline.test_exporting import ASK, SAY, study

datasets = pytest.importorskip("datasets", reason="datasets is a development dependency")
trl = pytest.importorskip("trl", reason="trl is a development dependency")

FILES = {"messages": "train.jsonl", "sharegpt": "train.jsonl", "alpaca": "train.jsonl", "parquet": "train.parquet"}
FILES["csv"] = "train.csv"
LAST = ["One.", "Two.", "Three."]
TEMPLATE = (
    "{% for m in messages %}{% if m.role == 'assistant' %}{% generation %}{{ m.content }}{{ eos_token }}"
    "{% endgeneration %}{% else %}[{{ m.content }}]{% endif %}{% endfor %}"
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A study with a dialogue and two single exchanges."""
    rows: list[dict[str, Any]] = [
        {"id": str(n), "messages": [ASK, {**SAY, "content": text}], "licence": "CC BY 4.0", "author": "Ada"}
        for n, text in enumerate(LAST)
    ]
    rows[1]["messages"] = [ASK, SAY, {**ASK, "content": "And?"}, {**SAY, "content": "Two."}]
    return study(tmp_path_factory.mktemp("made"), rows)


def loaded(path: Path, cache: Path) -> Any:
    """A file by `datasets`, the builder chosen by its ending alone."""
    kind = {".jsonl": "json", ".parquet": "parquet", ".csv": "csv"}[path.suffix]
    return datasets.load_dataset(kind, data_files=str(path), split="train", cache_dir=str(cache))


@pytest.mark.parametrize("layout", FILES)
def test_datasets_loads_every_layout(layout: str, made: Study, tmp_path: Path) -> None:
    export(made, tmp_path / "out", layout, accept_findings=False)
    rows = loaded(tmp_path / "out" / FILES[layout], tmp_path / "cache")
    said = {
        "messages": lambda row: row["messages"][-1]["content"],
        "parquet": lambda row: row["messages"][-1]["content"],
        "sharegpt": lambda row: row["conversations"][-1]["value"],
        "alpaca": lambda row: row["output"],
        "csv": lambda row: row["response"].rpartition(": ")[2],
    }[layout]
    assert sorted(map(said, rows)) == sorted(LAST)
    assert set(rows["licence"]) == {"CC BY 4.0"}


@pytest.mark.parametrize("layout", ["messages", "sharegpt", "alpaca"])
def test_datasets_loads_files_of_many_blocks(layout: str, made: Study, tmp_path: Path) -> None:
    """It takes the types of a file from its first block, ten megabytes; here a block is a line. Of the curated file,
    whose origins may lack anything, that holds for one block: docs/sharing.md says so."""
    export(made, tmp_path / "out", layout)
    path = str(tmp_path / "out" / FILES[layout])
    rows = datasets.load_dataset("json", data_files=path, split="train", cache_dir=str(tmp_path / "c"), chunksize=10)
    assert len(rows) == len(LAST)


@pytest.mark.parametrize("layout", ["curated", "messages", "parquet", "sharegpt", "alpaca"])
def test_trl_trains_on_it(layout: str, made: Study, tiny_model: Path, tmp_path: Path) -> None:
    """TRL's own preparation, one step: the loss is finite and counts the assistant's tokens alone."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    if layout == "curated":
        rows = loaded(made.path("curate", "train.jsonl"), tmp_path / "cache").select_columns(["messages"])
    else:
        export(made, tmp_path / "out", layout, accept_findings=False)
        rows = loaded(tmp_path / "out" / FILES[layout], tmp_path / "cache")
    if layout == "sharegpt":
        names = {"human": "user", "gpt": "assistant"}
        rows = rows.map(
            lambda r: {"messages": [{"role": names[t["from"]], "content": t["value"]} for t in r["conversations"]]}
        )
        rows = rows.select_columns(["messages"])
    elif layout == "alpaca":
        rows = rows.map(lambda r: {"prompt": r["instruction"] + "\n", "completion": r["output"]})
        rows = rows.select_columns(["prompt", "completion"])
    else:
        rows = rows.select_columns(["messages"])
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    tokenizer.chat_template = TEMPLATE
    tokenizer.pad_token = tokenizer.eos_token
    settings = trl.SFTConfig(
        output_dir=str(tmp_path / "trl"),
        max_steps=1,
        per_device_train_batch_size=3,
        report_to=[],
        use_cpu=True,
        bf16=False,
        save_strategy="no",
        disable_tqdm=True,
        max_length=512,
        assistant_only_loss=layout != "alpaca",
        dataloader_pin_memory=False,
    )
    trainer = trl.SFTTrainer(
        AutoModelForCausalLM.from_pretrained(tiny_model), args=settings, train_dataset=rows, processing_class=tokenizer
    )
    batch = next(iter(trainer.get_train_dataloader()))
    counted = [
        tokenizer.decode(ids[labels != -100]) for ids, labels in zip(batch["input_ids"], batch["labels"], strict=True)
    ]
    end = tokenizer.eos_token
    two = f"Two.{end}" if layout == "alpaca" else f"Because.{end}Two.{end}"
    assert sorted(counted) == sorted([f"One.{end}", two, f"Three.{end}"])
    done = trainer.train()
    assert torch.isfinite(torch.tensor(done.training_loss))
