"""Dev, test and out-of-distribution prompts, dialogues and scripts: counts, shapes, and what sensitive ones need."""

import re
from collections import Counter
from functools import cache

from pydantic import TypeAdapter

from limakit.records import Prompt
from tests.starter.texts import STARTER, of, rows

SPLITS = {"dev": 50, "test": 300, "ood": 20}
LINE = TypeAdapter(Prompt)


@cache
def prompts(split: str) -> list[Prompt]:
    return [LINE.validate_json(line) for line in (STARTER / f"prompts/{split}.jsonl").read_bytes().splitlines()]


def test_every_line_is_a_prompt_with_an_id_of_its_own() -> None:
    for split, number in SPLITS.items():
        found = prompts(split)
        assert [prompt.id for prompt in found] == [f"{split}-{n:03d}" for n in range(1, number + 1)]
        assert all(len(prompt.messages) == 1 and prompt.messages[0].role == "user" for prompt in found)


def test_the_test_set_has_the_papers_parts() -> None:
    found = prompts("test")
    assert Counter(prompt.group for prompt in found) == {"author": 230, "crowd": 70}
    assert Counter(prompt.sensitive for prompt in found) == {None: 270, "sensitive": 20, "malicious": 10}
    assert all((prompt.note is None) == (prompt.sensitive is None) for split in SPLITS for prompt in prompts(split))
    assert all(len((prompt.note or "").split()) >= 10 for prompt in found if prompt.sensitive)
    assert len({prompt.category for prompt in found}) == 20


def test_references_are_there_where_the_recipes_count_on_them() -> None:
    assert all(prompt.reference for split in ("dev", "ood") for prompt in prompts(split))
    assert all(prompt.reference for prompt in prompts("test")[:60])
    assert sum(bool(prompt.reference) for prompt in prompts("test")) == 87


def test_answers_to_malicious_requests_decline() -> None:
    for prompt in (*prompts("dev"), *prompts("test")):
        if prompt.sensitive == "malicious" and prompt.reference:
            assert re.search(r"\b(won't|not going to|can't|no rap|Nothing\.)", prompt.reference[:500]), prompt.id


def test_the_card_counts_right() -> None:
    card = (STARTER / "prompts/README.md").read_text(encoding="utf-8")
    for split in SPLITS:
        found = prompts(split)
        flagged = Counter(prompt.sensitive for prompt in found)
        groups = Counter(prompt.group for prompt in found)
        row = (
            f"| `{split}.jsonl` | {len(found)} | {sum(bool(prompt.reference) for prompt in found)} | "
            f"{groups['author']} / {groups['crowd']} | {flagged['sensitive']} / {flagged['malicious']} |"
        )
        assert row in card
    shapes = {split: Counter(prompt.category for prompt in prompts(split)) for split in SPLITS}
    for shape in set().union(*shapes.values()):
        assert f"| {shape} | {shapes['dev'][shape]} | {shapes['test'][shape]} | {shapes['ood'][shape]} |" in card


def test_lengths_of_references_are_spread() -> None:
    lengths = sorted(len(text.answer.split()) for split in ("dev", "test") for text in of(split) if text.answer)
    assert 200 <= sum(lengths) / len(lengths) <= 300
    assert lengths[0] <= 60
    assert lengths[-1] >= 600


def test_dialogues_alternate_and_scripts_are_one_side() -> None:
    chains, scripts = rows("dialogues/chains.jsonl"), rows("dialogues/scripts.jsonl")
    assert (len(chains), len(scripts)) == (30, 10)
    for chain in chains:
        roles = [message["role"] for message in chain["messages"]]
        assert roles == ["user", "assistant"] * (len(roles) // 2)
        assert len(roles) in (4, 6, 8)
    assert all(5 <= len(script["turns"]) <= 6 and all(script["turns"]) for script in scripts)
