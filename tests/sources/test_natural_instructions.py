"""Natural Instructions: one example of every generation task."""

import contextlib
from pathlib import Path
from typing import Any

import orjson
from hypothesis import given as holds
from hypothesis import strategies as st

from limakit.recipe_sources import NaturalInstructions
from limakit.sources.given import Given, find
from limakit.sources.natural_instructions.read import ENDINGS, EXPECTED, read
from limakit.sources.natural_instructions.task import task
from tests.sources.items import Sorted, curated, given, sort

SETTINGS = NaturalInstructions(kind="natural_instructions", path="x")
FINAL: dict[str, Any] = {
    "Contributors": ["Ada", "Bo"],
    "Source": ["x"],
    "URL": ["https://example.org/data"],
    "Categories": ["Summarization"],
    "Definition": ["Sum it up.", "In one line."],
    "Input_language": ["English"],
    "Output_language": ["English"],
    "Instances": [{"id": f"task1-{n}", "input": f"Text {n}", "output": [f"Sum {n}", "other"]} for n in range(9)],
    "Instance License": ["MIT"],
}
EARLY = {k: v for k, v in FINAL.items() if k in ("Contributors", "Source", "Categories", "Instances")}
EARLY["Definition"] = "Sum it up."


def run(*files: Given, seed: int = 0, settings: NaturalInstructions = SETTINGS) -> Sorted:
    return sort(read(files, settings, seed=seed))


def write(path: Path, data: object) -> Given:
    return given(path, orjson.dumps(data))


def test_one_instance_of_each_schema(tmp_path: Path) -> None:
    got = run(write(tmp_path / "task1_final.json", FINAL), write(tmp_path / "task2_early.json", EARLY))
    final, early = got.candidates
    assert (final.id, final.site, final.group) == (
        "natural_instructions/Summarization/task1_final", "Summarization", "natural_instructions")  # fmt: skip
    number = final.prompts[0].removeprefix("Sum it up.\nIn one line.\n\nText ")
    assert final.replies[0].content == f"Sum {number}"
    assert early.prompts[0].startswith("Sum it up.\n\nText ")
    (origin,) = final.provenance
    assert (origin.author, origin.licence, origin.url) == ("Ada, Bo", "MIT", "https://example.org/data")
    assert early.provenance[0].licence is None
    assert got.passed["other"] == 16


def test_the_draw_is_a_function_of_seed_and_name(tmp_path: Path) -> None:
    files = [write(tmp_path / f"task{n}.json", FINAL) for n in range(30)]
    first = [c.prompts for c in run(*files, seed=1).candidates]
    assert first == [c.prompts for c in run(*files, seed=1).candidates]
    assert first[3:] == [c.prompts for c in run(*files[3:], seed=1).candidates]
    assert first != [c.prompts for c in run(*files, seed=2).candidates]
    assert len(set(first)) > 5


def test_choices_other_languages_and_empty_tasks_are_rejected(tmp_path: Path) -> None:
    same = [{"input": f"{n}", "output": ["yes" if n % 2 else "no"]} for n in range(9)]
    files = {
        "a": {**FINAL, "Categories": ["Textual Entailment"]},
        "b": {**FINAL, "Instances": same},
        "c": {**FINAL, "Output_language": ["German"]},
        "d": {**FINAL, "Instances": [{"input": "", "output": []}, 3, {"output": ["x"]}]},
        "e": {**FINAL, "Instances": [{"input": "x" * 5000, "output": ["x"]}]},
    }
    got = run(*[write(tmp_path / f"{name}.json", data) for name, data in files.items()])
    assert got.rules == {"not_generation": 2, "not_english": 1, "no_example": 2}


def test_licences_unknown_to_the_task_come_from_the_recipe(tmp_path: Path) -> None:
    file = write(tmp_path / "t.json", {**FINAL, "Instance License": ["Unknown"]})
    settings = SETTINGS.model_copy(update={"licence": "Apache-2.0"})
    assert run(file, settings=settings).candidates[0].provenance[0].licence == "Apache-2.0"
    assert run(file).candidates[0].provenance[0].licence is None


def test_what_is_no_task_is_quarantined(tmp_path: Path) -> None:
    bad = [b"", b"{", b"[]", b"{}", b'{"Definition": 3, "Instances": []}', b"\xff"]
    got = run(*[given(tmp_path / f"{n}.json", data) for n, data in enumerate(bad)])
    assert len(got.damaged) == len(bad)


values = st.none() | st.integers() | st.text(max_size=4) | st.lists(st.text(max_size=4) | st.none(), max_size=3)


@holds(st.dictionaries(st.sampled_from(sorted(FINAL)), values | st.just([{"input": "a", "output": ["b"]}])))
def test_any_json_is_a_task_or_none(data: dict[str, Any]) -> None:
    with contextlib.suppress(ValueError):
        assert task(data).definition


def test_public_tasks(tmp_path: Path, real_data: Path) -> None:
    folder = real_data / "natural_instructions"
    got = run(*find(folder, ENDINGS, EXPECTED))
    assert sorted(c.provenance[0].id[:7] for c in got.candidates) == ["task306", "task307"]
    assert got.rules == {"not_generation": 5}
    assert not got.damaged
    source = f'[[sources]]\nkind = "natural_instructions"\npath = "{folder}"\n'
    funnel, train = curated(tmp_path, source)
    assert len(train) == 2
    assert funnel["total"]["answers"] == 7
    _, one = curated(tmp_path, source + "[curate]\nquotas = { natural_instructions = 1 }\n")
    assert len(one) == 1
