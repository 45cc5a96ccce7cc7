"""The whole starter recipe curated: sources give what their cards promise, nearly every rule has something to take."""

from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq

from tests.sources.items import curated
from tests.starter.texts import STARTER

NOTHING_TO_TAKE = {
    "fabricated": "only the dumps of June 2025 have these posts",
    "no_prompt": "every question can stand alone",
    "duplicate": "the near-duplicate pair is not a verbatim one",
    "same_thread": "no prompt to test on is a post",
    "same_text": "see test_sameness.py",
    "same_words": "see test_sameness.py",
    "same_author": "the prompts' authors are nobody in the sites",
    "not_selected": "the quotas are wide",
}
"""Rules that take nothing from the sample, and why."""


def test_the_sources_give_what_their_cards_promise(tmp_path: Path) -> None:
    funnel, train = curated(tmp_path, (STARTER / "recipes/starter.toml").read_text(encoding="utf-8"))
    assert Counter(example["group"] for example in train) == {
        "authored": 200,
        "natural_instructions": 50,
        "writing_prompts": 30,
        "dialogue": 30,
        "other": 29,
        "wikihow": 20,
        "stem": 14,
        "dialogues": 10,
    }
    assert {step["rule"] for step in funnel["total"]["steps"] if not step["taken"]} == set(NOTHING_TO_TAKE)
    refused = [
        row for row in pq.read_table(tmp_path / "curate/rejects.parquet").to_pylist() if row["rule"] == "same_run"
    ]
    assert {(row["id"].removesuffix("/dialogue"), row["detail"].split()[1].rstrip(":")) for row in refused} == {
        ("stackexchange/kitchen.example/30", "test-001"),
        ("stackexchange/tinker.example/71", "dev-047"),
    }
