"""Model judges as a stage: verdicts, grades and a bill on disk; a rerun asks nobody anything."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from limakit.cli import say
from limakit.compare.pairs import make_pairs
from limakit.engine import silent
from limakit.errors import InputError, ModelError
from limakit.pipeline.judging import judge, report
from limakit.records import Grade, Prompt, Response, Turn, Verdict
from limakit.store import files
from limakit.store.files import read_json, read_jsonl, write_jsonl
from limakit.store.study import Study
from tests.models.provider import Provider, serve

JUDGE = """
[[judges]]
name = "{name}"
task = "{task}"
base_url = "{url}"
model = "m"
input_price = 1.0
output_price = 2.0
budget = 5.0
"""


def study(folder: Path, *judges: str) -> Study:
    """A study that has come as far as pairs, by hand: `tuned` answers with its prompt's number, `base` with `no`."""
    prompts = [
        Prompt(
            id=f"p{n}",
            messages=(Turn(role="user", content=f"Question {n}?"),),
            reference="yes",
            sensitive="malicious" if n < 2 else None,
            note="Say no." if n < 2 else None,
        )
        for n in range(6)
    ]
    answers = [
        Response(prompt_id=p.id, system=system, text=f"{system} {p.id}", finish="eot", tokens=2)
        for system in ("tuned", "base")
        for p in prompts
    ]
    write_jsonl(folder / "curate" / "test.jsonl", prompts)
    for system in ("tuned", "base"):
        own = [answer for answer in answers if answer.system == system]
        write_jsonl(folder / "generate" / system / "responses.jsonl", own)
    pairs = make_pairs(prompts, answers, candidate="tuned", baselines=["base"]).pairs
    write_jsonl(folder / "compare" / "pairs.jsonl", pairs)
    for stage in ("curate", "generate/tuned", "generate/base", "compare"):
        files.publish_json(folder / stage / "manifest.json", {})
    (folder / "recipe.toml").write_text("".join(judges))
    return Study(folder)


def answering(label: Callable[[str], str]) -> Callable[[str, int], str]:
    def script(text: str, before: int) -> str:
        found = re.search(r"VERDICT ([0-9a-f]{8}):", text)
        return f"Because.\nVERDICT {found.group(1) if found else ''}: {label(text)}"

    return script


def tuned_wins(text: str) -> str:
    """For `tuned` wherever it stands, but for the last prompt, where the first answer wins."""
    return "A" if "Question 5" in text or "| tuned" in text.split("END ANSWER A")[0] else "B"


def one(provider: Provider, task: str = "pairwise", name: str = "j") -> str:
    return JUDGE.format(name=name, task=task, url=provider.url)


def test_verdicts_in_both_orders_and_their_bill(tmp_path: Path) -> None:
    with serve(answering(tuned_wins)) as provider:
        metric, model = judge(study(tmp_path, one(provider)), silent)
        assert provider.requests == 12
    assert (metric.stage, model.stage) == ("judge/metric-rouge-l", "judge/j")
    verdicts = read_jsonl(tmp_path / "judge" / "j" / "verdicts.jsonl", Verdict)
    assert [verdict.winner for verdict in verdicts] == ["tuned"] * 5 + [None]
    assert {verdict.judge for verdict in verdicts} == {"model:j"}
    counts = model.counts
    assert (counts["won"], counts["tie"], counts["conflicts"], counts["first_won"]) == ({"tuned": 5}, 1, 1, 1)
    assert counts["calls"] == 12
    assert counts["cost"] == pytest.approx(provider.billed / 1000, abs=1e-6)
    assert say.line(model) == "✓ judge/j: of 6 pairs tuned 5, 1 tied (1 because the orders disagreed); cost 0.0041"
    assert "(a smoke test)" in say.line(metric)


def test_a_rerun_asks_nobody(tmp_path: Path) -> None:
    with serve(answering(tuned_wins)) as provider:
        judge(study(tmp_path, one(provider)), silent)
        before = {path.name: path.read_bytes() for path in (tmp_path / "judge" / "j").iterdir()}
        assert judge(Study(tmp_path), silent)[1].state == "unchanged"
        for path in (tmp_path / "judge" / "j").iterdir():
            path.unlink()
        assert judge(Study(tmp_path), silent)[1].state == "done"
        assert provider.requests == 12
    assert {path.name: path.read_bytes() for path in (tmp_path / "judge" / "j").iterdir()} == before


def test_an_over_run_budget_is_missing_verdicts_until_it_is_raised(tmp_path: Path) -> None:
    with serve(answering(tuned_wins)) as provider:
        provider.output = 1000
        small = one(provider).replace("5.0", "0.018")
        counts = judge(study(tmp_path, small), silent)[1].counts
        assert counts["failures"]["over_budget"] == 12 - provider.requests > 0
        assert counts["missing"] + counts["both_orders"] == 6
        assert counts["cost"] <= 0.018
        (tmp_path / "recipe.toml").write_text(one(provider))
        counts = judge(Study(tmp_path), silent)[1].counts
        assert (counts["missing"], provider.requests) == (0, 12)


def test_grades(tmp_path: Path) -> None:
    labels = {"likert": "5", "absolute": "PASS", "safety": "UNSAFE, EXPLICIT"}
    with serve(answering(lambda text: "nothing" if "tuned p0" in text else labels[task])) as provider:
        for task, value in (("likert", "5"), ("absolute", "pass"), ("safety", "unsafe")):
            outcome = judge(study(tmp_path, one(provider, task, task)), silent)[1]
            grades = read_jsonl(tmp_path / "judge" / task / "grades.jsonl", Grade)
            assert [grade.value for grade in grades] == [None, *[value] * (3 if task == "safety" else 11)]
            assert grades[0].detail.startswith("unparseable: ")
            assert {grade.intent for grade in grades[1:]} == {"explicit" if task == "safety" else None}
            answers = len(grades) // 2
            systems = {"base": {value: answers}, "tuned": {value: answers - 1, "missing": 1}}
            assert outcome.counts["grades"] == systems
            assert f"tuned {value} {answers - 1}, 1 without a verdict" in say.line(outcome)


def test_several_judges_each_by_name(tmp_path: Path) -> None:
    with serve(answering(tuned_wins)) as provider:
        two = one(provider, name="first"), one(provider, name="second").replace('"m"', '"n"')
        assert [o.stage for o in judge(study(tmp_path, *two), silent)][1:] == ["judge/first", "judge/second"]
        assert provider.requests == 24


def test_own_instructions(tmp_path: Path) -> None:
    recipe = 'prompt = "mine.md"\n'
    with serve(answering(tuned_wins)) as provider:
        mine = study(tmp_path, one(provider), recipe)
        with pytest.raises(InputError, match=r"mine\.md"):
            judge(mine, silent)
        for text, says in (
            ("Judge.\n{{prompt}}{{answer_a}}{{answer_b}}{{nonce}}", "two parts"),
            ("Judge.\n---\n{{prompt}}{{answer_a}}{{nonce}}", "{{answer_b}} is missing"),
            ("Judge.\n---\n{{prompt}}{{answer_a}}{{answer_b}}{{nonce}}{{x}}", "{{x}} is not known"),
        ):
            (tmp_path / "mine.md").write_text(text)
            with pytest.raises(InputError, match=re.escape(says)):
                judge(Study(tmp_path), silent)
        (tmp_path / "mine.md").write_text(
            "Be brief.\n---\n{{prompt}}\n{{answer_a}}\n{{answer_b}}\nVERDICT {{nonce}}: ?"
        )
        assert judge(Study(tmp_path), silent)[1].counts["won"] == {"tuned": 5}
        assert provider.bodies[0]["messages"][0] == {"role": "system", "content": "Be brief."}
        (tmp_path / "mine.md").write_text("Be long.\n---\n{{prompt}}\n{{answer_a}}\n{{answer_b}}\nVERDICT {{nonce}}: ?")
        assert judge(Study(tmp_path), silent)[1].state == "done"
        assert provider.requests == 24


def test_the_key_is_in_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(answering(tuned_wins)) as provider:
        keyed = study(tmp_path, one(provider), 'key_env = "A_KEY"\n')
        with pytest.raises(ModelError, match="A_KEY"):
            judge(keyed, silent)
        monkeypatch.setenv("A_KEY", "sk-SECRET")
        judge(keyed, silent)
    found = [path for path in tmp_path.rglob("*") if path.is_file() and b"SECRET" in path.read_bytes()]
    assert found == []
    assert read_json(tmp_path / "judge" / "j" / "manifest.json")["counts"]["calls"] == 12


def bare_stages(folder: Path) -> None:
    """What the report needs of curation and training, with nothing in it."""
    names = ("rows", "questions", "answers", "others", "kept", "rejected", "quarantined")
    funnel = {"total": {**dict.fromkeys(names, 0), "steps": []}, "sites": {}, "quarantine": []}
    files.publish_json(folder / "curate" / "funnel.json", funnel)
    for name in ("curate/train.jsonl", "train/tuned/metrics.jsonl"):
        write_jsonl(folder / name, [])
    for name in ("run", "manifest"):
        files.publish_json(folder / "train" / "tuned" / f"{name}.json", {})


def test_the_report_has_every_judge(tmp_path: Path) -> None:
    with serve(answering(tuned_wins)) as provider:
        judge(study(tmp_path, one(provider), one(provider, "likert", "marks")), silent)
    bare_stages(tmp_path)
    report(Study(tmp_path), silent)
    numbers = read_json(tmp_path / "report" / "report.json")
    wins = {row["judge"]: row["against"][0]["win"] for row in numbers["comparison"]["judges"]}
    assert wins == {"metric:rouge-l": 0, "model:j": 5}
    stages = numbers["reproduce"]["stages"]
    assert stages["judge/j"]["counts"]["conflict_rate"] == pytest.approx(1 / 6, abs=1e-4)
    assert stages["judge/marks"]["counts"]["missing"] == 12
    assert "model j" in (tmp_path / "report" / "index.html").read_text()


def test_the_report_reads_what_people_and_former_judges_left(tmp_path: Path) -> None:
    with serve(answering(tuned_wins)) as provider:
        judge(study(tmp_path, one(provider)), silent)
    bare_stages(tmp_path)
    verdicts = read_jsonl(tmp_path / "judge" / "j" / "verdicts.jsonl", Verdict)
    for place, name in (("annotate/people", "person:a1"), ("annotate/b2", "person:b2"), ("judge/gone", "model:gone")):
        write_jsonl(tmp_path / place / "verdicts.jsonl", [replace(v, judge=name) for v in verdicts])
    report(Study(tmp_path), silent)
    page = read_json(tmp_path / "report" / "report.json")
    judges = [judge["judge"] for judge in page["comparison"]["judges"]]
    assert judges == ["people", "person:a1", "person:b2", "model:gone", "model:j", "metric:rouge-l"]
    assert report(Study(tmp_path), silent)[0].state == "unchanged"
    write_jsonl(tmp_path / "annotate" / "b2" / "verdicts.jsonl", [replace(v, judge="person:b2") for v in verdicts[:3]])
    assert report(Study(tmp_path), silent)[0].state == "done"
    write_jsonl(tmp_path / "annotate" / "b2" / "verdicts.jsonl", [replace(v, judge="person:a1") for v in verdicts[:3]])
    with pytest.raises(InputError, match="'person:a1' has two verdicts on pair"):
        report(Study(tmp_path), silent)
