"""A study that learns nothing: its prompts and its systems' answers come from files, and all counts add up."""

import json
from pathlib import Path
from typing import Any

import pytest

from limakit.engine import silent
from limakit.errors import InputError, RecipeError
from limakit.pipeline.curating import curate
from limakit.pipeline.giving import read_prompts
from limakit.pipeline.judging import compare, judge, report
from limakit.pipeline.modelling import generate, train
from limakit.records import Pair, Prompt, Response
from limakit.store.files import read_json, read_jsonl
from limakit.store.study import Study

SYSTEM = '[systems.{name}]\nkind = "answers"\nanswers = "{name}.jsonl"\n'


def study(folder: Path, names: str = "one two", more: str = "", generate_more: str = "") -> Study:
    first, *others = names.split()
    folder.mkdir(exist_ok=True)
    (folder / "recipe.toml").write_text(
        "".join(SYSTEM.format(name=name) for name in names.split())
        + f"[generate]\nsystems = {names.split()!r}\n{generate_more}\n[compare]\ncandidate = {first!r}\n"
        f"baselines = {others!r}\n[report]\nresamples = 200\n{more}"
    )
    return Study(folder)


def write(path: Path, *rows: Any) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def rows(*said: tuple[str, str | None], **more: str) -> list[dict[str, Any]]:
    return [{"prompt": asked, "response": answer, **more} for asked, answer in said]


def answers(one: Study, name: str) -> dict[str, str]:
    prompts = {p.id: p.messages[-1].content for p in read_jsonl(one.path("curate", "test.jsonl"), Prompt)}
    found = read_jsonl(one.path("generate", name, "responses.jsonl"), Response)
    return {prompts[r.prompt_id]: r.text for r in found}


def test_prompts_are_all_that_the_files_answer_and_every_row_is_accounted_for(tmp_path: Path) -> None:
    one = study(tmp_path)
    write(tmp_path / "one.jsonl", *rows(("a", "1"), ("b", "2"), ("b", "twice"), ("c", None), ("d", ""), ("e", "cafÃ©")))
    write(tmp_path / "two.jsonl", *rows((" a\r\n", "1"), ("b", "zwei"), ("f", "6")))
    (gathered,) = curate(one, silent)
    first, second = generate(one, silent)
    assert gathered.counts == {"test": 6, "beyond_max_test_prompts": 0}
    assert answers(one, "one") == {"a": "1", "b": "2", "d": "", "e": "cafÃ©"}
    assert first.counts == {
        "file": "one.jsonl", "rows": 6, "responses": 4, "surplus": 0, "further": 1, "unanswered": 1, "without": 2,
        "empty": 1, "misread": 1,
    }  # fmt: skip
    assert (second.counts["responses"], second.counts["without"]) == (3, 3)
    (paired,) = compare(one, silent)
    assert paired.counts == {
        "asked": 6, "pairs": 2, "not_paired": 4, "missing_answers": {"one": 2, "two": 3}, "identical": 1,
    }  # fmt: skip
    assert judge(one, silent) == []
    (told,) = report(one, silent)
    page = (told.folder / "index.html").read_text()
    assert "Nothing has been judged yet" in page
    assert "one.jsonl" in page
    assert [o.state for o in [*curate(one, silent), *generate(one, silent), *report(one, silent)]] == ["unchanged"] * 4


def test_a_file_of_prompts_decides_what_is_asked_and_what_is_surplus(tmp_path: Path) -> None:
    one = study(tmp_path, more='[curate]\ntest_prompts = "prompts.csv"\nmax_test_prompts = 2\n')
    (tmp_path / "prompts.csv").write_text("id,prompt,reference\nx,a,1\ny,b,\ny,b,\nz,c,3\n")
    write(tmp_path / "one.jsonl", *rows(("a", "1"), ("b", "2"), ("c", "3")))
    write(tmp_path / "two.jsonl", {"prompt_id": "y", "response": "B"}, {"prompt_id": "x", "response": "A"})
    assert curate(one, silent)[0].counts == {"test": 2, "beyond_max_test_prompts": 1}
    first, second = generate(one, silent)
    assert (first.counts["responses"], first.counts["surplus"], second.counts["surplus"]) == (2, 1, 0)
    assert answers(one, "two") == {"a": "A", "b": "B"}
    compare(one, silent)
    (by_metric,) = judge(one, silent)
    assert (by_metric.counts["pairs"], by_metric.counts["missing"]) == (2, 1), "one prompt has a reference"
    numbers = read_json(report(one, silent)[0].folder / "report.json")
    assert numbers["comparison"]["judges"][0]["judge"] == "metric:rouge-l"
    assert [row["mean_tokens"] for row in numbers["answers"]] == [None, None]


def test_several_samples_several_systems_and_a_licence(tmp_path: Path) -> None:
    one = study(tmp_path, "one two three", generate_more="samples = 2")
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(recipe.read_text().replace('"three.jsonl"', '"three.jsonl"\nlicence = "CC BY <4.0>"'))
    for name in ("one", "two", "three"):
        write(tmp_path / f"{name}.jsonl", *rows(("a", f"{name} 1"), ("a", f"{name} 2"), ("b", f"{name} 3")))
    curate(one, silent)
    assert [o.counts["without"] for o in generate(one, silent)] == [1, 1, 1]
    (paired,) = compare(one, silent)
    pairs = read_jsonl(one.path("compare", "pairs.jsonl"), Pair)
    assert (paired.counts["asked"], len(pairs)) == (8, 6)
    assert {frozenset((p.a.system, p.b.system)) for p in pairs} == {
        frozenset(("one", "two")),
        frozenset(("one", "three")),
    }
    page = (report(one, silent)[0].folder / "index.html").read_text()
    assert "CC BY &lt;4.0&gt;" in page


def test_markup_in_answers_is_text_in_the_report(tmp_path: Path) -> None:
    one = study(tmp_path)
    write(tmp_path / "one.jsonl", *rows(("<b>a</b>", "<script>alert(1)</script>"), ("b", "[x](javascript:alert(1))")))
    write(tmp_path / "two.jsonl", *rows(("<b>a</b>", "<img src=x onerror=alert(1)>"), ("b", "y")))
    for stage in (curate, generate, compare, report):
        stage(one, silent)
    page = one.path("report", "index.html").read_text()
    assert "<script>alert" not in page
    assert "<img" not in page
    assert 'href="javascript' not in page


def test_a_file_that_fits_nothing_or_is_of_several_systems_is_one_line(tmp_path: Path) -> None:
    one = study(tmp_path, more='[curate]\ntest_prompts = "prompts.jsonl"\n')
    write(tmp_path / "prompts.jsonl", {"prompt": "a"})
    write(tmp_path / "one.jsonl", *rows(("other", "1")))
    curate(one, silent)
    with pytest.raises(InputError, match=r"no answer to any of the 1 prompts.*'other'.*'a'"):
        generate(one, silent)
    write(tmp_path / "one.jsonl", *rows(("a", "1"), generator="m"), *rows(("a", "2"), generator="n"))
    with pytest.raises(InputError, match="answers of 2 systems: m, n"):
        generate(one, silent)
    assert not one.path("generate").exists()


def test_what_does_not_apply_says_so(tmp_path: Path) -> None:
    one = study(tmp_path)
    with pytest.raises(InputError, match=r"one\.jsonl: no such file"):
        curate(one, silent)
    with pytest.raises(RecipeError, match="nothing to train"):
        train(one, silent)
    (tmp_path / "recipe.toml").write_text('[generate]\nsystems = ["base"]\n[compare]\ncandidate = "base"\nbaselines=[]')
    with pytest.raises(RecipeError, match=r"nothing to ask.*curate.test_prompts"):
        curate(Study(tmp_path), silent)


def test_prompts_in_limakits_own_layout_keep_all_they_say(tmp_path: Path) -> None:
    prompt = {"id": "s", "messages": [{"role": "user", "content": "x"}], "sensitive": "malicious", "note": "refuses"}
    write(tmp_path / "p.jsonl", prompt, {**prompt, "id": "t"})
    assert [(p.id, p.note) for p in read_prompts(tmp_path / "p.jsonl")] == [("s", "refuses"), ("t", "refuses")]
    write(tmp_path / "q.jsonl", {"question_id": 1, "text": "What?", "category": "c"})
    (one,) = read_prompts(tmp_path / "q.jsonl")
    assert (one.id, one.messages[0].content, one.category) == ("1", "What?", "c")
