"""The page: everything on it, nothing loaded, the same bytes every time, whatever the study holds."""

import base64
import hashlib
import json
import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from limakit.compare.pairs import make_pairs
from limakit.judge.reference import judge
from limakit.recipe import Recipe
from limakit.records import Example, Prompt, Provenance, Response, Turn, Verdict
from limakit.report.figures import share_bars
from limakit.report.inputs import Experiment, Inputs
from limakit.report.page import OPEN_PAIRS, Report, build

from .hostile import HOSTILE, Reader

EVIL = "<script>alert(1)</script>\u202e$x_1$ & \"quotes\" 'single' {{ 7 }}"


def study(n: int = 30, evil: str = "") -> Inputs:
    """A small study with everything in it; `evil` is put into every text that strangers can reach."""
    recipe = Recipe.model_validate(
        {
            "generate": {"systems": ["tuned", "base"]},
            "report": {"resamples": 300},
            "curate": {"quotas": {f"stem{evil}": 3}},
        }
    )
    hostile = HOSTILE if evil else ["Plain **text**.", "Some `code` and a longer line of words."]
    prompts = [
        Prompt(
            id=f"p{i}{evil}",
            messages=(Turn(role="user", content=f"Question {i}? {evil}"),),
            category=f"how-to{evil}",
            reference=f"Water number {i} from below. {evil}" if i % 5 else None,
        )
        for i in range(n)
    ]
    responses = [
        Response(
            prompt_id=prompt.id,
            system=system,
            text=f"{'Water number' if system == 'tuned' else 'Bananas'} {i}. {hostile[i % len(hostile)]}",
            finish="eot" if i % 3 else "length",
            tokens=10 + i,
        )
        for i, prompt in enumerate(prompts)
        for system in ("tuned", "base")
    ]
    responses = responses[:-1]
    pairs = make_pairs(prompts, responses, candidate="tuned", baselines=["base"]).pairs
    verdicts = list(judge(pairs, tie_band=1.0))
    verdicts += [
        replace(v, judge=f"person:a1{evil}", label="tie" if k % 3 == 0 else v.label or "a", detail=evil)
        for k, v in enumerate(verdicts)
    ]
    post = Provenance(source="stackexchange", site=f"coffee{evil}", id="1", author=f"A{evil}", licence=f"CC BY{evil}")
    example = Example(
        id="e", messages=(), source=f"stackexchange{evil}", group="other", site=f"coffee{evil}", provenance=(post,)
    )
    metrics = [{"epoch": s // 5 + 1, "step": s + 1, "loss": 4 - s / 20, "lr": 1e-5} for s in range(20)]
    metrics[-1]["dev_loss"] = 3.9
    steps = [
        {"rule": f"score{evil}", "description": f"under 10{evil}", "taken": 900, "left": 90},
        {"rule": "length", "description": "", "taken": 30, "left": 60},
    ]
    return Inputs(
        study=f"my study{evil}",
        recipe=recipe,
        prompts=n,
        pairs=pairs,
        verdicts=verdicts,
        responses=responses,
        examples=[example],
        funnel={
            "total": {
                "rows": 1500,
                "questions": 500,
                "others": 10,
                "answers": 990,
                "kept": 60,
                "rejected": 930,
                "quarantined": 0,
                "steps": steps,
            },
            "sites": {},
            "quarantine": [],
        },
        metrics=metrics,
        run={"counts": {"parameters": 2912345, f"x{evil}": evil}, "device": f"cpu{evil}", "epochs": {"1": "ab"}},
        manifests={f"curate{evil}": {"fingerprint": f"ab{evil}", "counts": {}, "versions": {f"python{evil}": "3.11"}}},
    )


@pytest.fixture(scope="module")
def report() -> Report:
    return build(study())


def test_the_page_says_it_in_words_first(report: Report) -> None:
    html = report.html.replace("\u00a0", " ")
    person, metric = report.numbers["comparison"]["judges"]
    assert html.index("tuned did better than base") < html.index("Judged by person a1.") < html.index("<figure")
    assert person["against"][0]["verdicts"] == 29
    row = metric["against"][0]
    # 30 asked for, the last answer is missing, 6 have no reference (the last has one): 29 pairs, 23 labels.
    assert (row["asked"], row["verdicts"], row["missing"]) == (30, 29, 6)
    assert row["win"] + row["tie"] + row["lose"] == 23
    headline = f"tuned won {row['win']} of 23, tied {row['tie']}, lost {row['lose']} against base"
    assert headline in html
    assert html.index(headline) < html.index("<h2")
    assert html.index("a smoke test, not a preference") < html.index("<h2")
    assert "Of 30 pairs asked for, 6 got no usable verdict and 1 had no pair of answers to judge" in html


def test_the_parts_are_there_in_order(report: Report) -> None:
    parts = ["outcome", "limits", "data", "training", "answers", "cost", "sources", "cite", "reproduce"]
    places = [report.html.index(f'<section id="{part}"') for part in parts]
    assert places == sorted(places)
    assert "zhou2023lima" in report.html
    assert "2,912,345" in report.html
    assert "dev set" in report.figures["loss"]
    assert report.html.count('class="pair"') == 29
    assert len(re.findall(r'class="pair" id="pair-\d+" data-result="[^"]*" open', report.html)) == OPEN_PAIRS


def test_it_loads_nothing_and_runs_its_own_script_alone(report: Report) -> None:
    for html in (report.html, build(study(70, EVIL)).html):
        (script,) = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
        allowed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"default-src 'none'; script-src 'sha256-{allowed}'; style-src 'unsafe-inline';" in html
        html = html.replace(f"<script>{script}</script>", "")
        page = Reader(html.replace("<meta", "<br").replace("<!doctype html>", "").replace("<input", "<br"))
        assert not {"script", "link", "img", "iframe", "object", "embed", "form", "base", "image"} & set(page.tags)
        assert page.tags.count("style") == 1
        names = {name for name, _ in page.attributes}
        assert not {
            name for name in names if name.startswith("on") or name in ("src", "srcset", "action", "background")
        }
        links = [value or "" for name, value in page.attributes if name in ("href", "xlink:href")]
        assert {link for link in links if not link.startswith("#")} == {"https://arxiv.org/abs/2305.11206"}
        assert "@import" not in html.replace("@import url(https://evil", "")
        assert html.count("Content-Security-Policy") == 1
        assert "img-src data:; base-uri 'none'; form-action 'none'" in html


def test_experiments_have_their_place_with_figures_and_a_link() -> None:
    rate = {"value": 0.5, "low": 0.3, "high": 0.7}
    bars = [("512 examples", {"excellent": 5, "pass": 5}, rate)]
    svg = share_bars(bars, 0.95, name="curve-1-quantity", title="Quantity")
    done = Experiment(
        name="ablate",
        page="../ablate/report/index.html",
        said=[f"2 of 3 hold. {EVIL}"],
        figures={"curve-1-quantity": svg},
    )
    page = build(replace(study(3), experiments=[done]))
    assert (
        page.html.index('id="outcome"') < page.html.index('<section id="experiments"') < page.html.index('id="limits"')
    )
    assert svg in page.html
    assert "<figcaption>Quantity</figcaption>" in page.html
    assert "2 of 3 hold. &lt;script&gt;" in page.html
    assert 'href="../ablate/report/index.html"' in page.html
    assert page.numbers["experiments"][0]["page"] == "../ablate/report/index.html"
    ids = re.findall(r'\sid="([^"]+)"', page.html)
    assert len(ids) == len(set(ids))
    assert 'id="experiments"' not in build(study(3)).html


def test_hostile_texts_change_nothing_but_text() -> None:
    html = build(study(70, EVIL)).html
    assert html.lower().count("<script") == 1
    assert "\u202e" not in html
    assert "⟨U+202E⟩" in html
    assert "{{ 7 }}" in html
    Reader(html.replace("<meta", "<br").replace("<!doctype html>", "").replace("<input", "<br"))


def test_ids_are_unique_and_references_lead_somewhere(report: Report) -> None:
    ids = re.findall(r'\sid="([^"]+)"', report.html)
    assert len(ids) == len(set(ids))
    targets = re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)|aria-labelledby="([^ ]+) ', report.html)
    assert {next(filter(None, found)) for found in targets} <= set(ids)


def test_figures_stand_alone_and_have_text_alternatives(report: Report) -> None:
    assert sorted(report.figures) == ["funnel", "loss", "outcome-1", "outcome-2", "people"]
    for name, svg in report.figures.items():
        root = ElementTree.fromstring(svg)
        assert root.get("viewBox")
        assert root.get("role") == "img"
        title, description = root[0], root[1]
        assert (title.get("id"), description.get("id")) == (f"{name}-title", f"{name}-description")
        assert len(description.text or "") > 20
        assert "date" not in svg
        assert svg.strip() in report.html
    assert "990 answers" in report.figures["funnel"]


def test_same_study_same_bytes(report: Report) -> None:
    again = build(study())
    assert again == report
    shuffled = study()
    mixed = replace(shuffled, verdicts=list(reversed(shuffled.verdicts)), responses=list(reversed(shuffled.responses)))
    assert build(mixed).html == report.html


def test_the_user_s_matplotlib_settings_do_not_show(report: Report) -> None:
    import matplotlib as mpl

    with mpl.rc_context({"font.size": 30, "axes.grid": True, "svg.hashsalt": "other", "lines.linewidth": 9}):
        assert build(study()).figures == report.figures


def test_numbers_are_json(report: Report) -> None:
    assert json.loads(json.dumps(report.numbers, allow_nan=False)) == report.numbers
    answers = {row["system"]: row for row in report.numbers["answers"]}
    assert (answers["tuned"]["answers"], answers["base"]["answers"], answers["base"]["asked"]) == (30, 29, 30)
    assert answers["tuned"]["stop_rate"] == pytest.approx(20 / 30)
    ends = ", ".join(f"{name} {row['stopped']} of {row['answers']}" for name, row in answers.items())
    assert f"Answers that ended by themselves, before the limit on length: {ends}." in report.html
    assert report.numbers["sources"][0]["licences"] == {"CC BY": 1}
    assert report.numbers["training"]["epochs"][-1] == {
        "epoch": 4,
        "steps": 5,
        "loss": pytest.approx(3.15),
        "dev_loss": 3.9,
    }


def test_answers_with_a_form_are_counted() -> None:
    plain = ["It is late.", "2 * 3 = 6, a-b.", "1.5 kg", "a_b | c", "**\n\n**"]
    formed = ["- one\n- two", "So:\n\n1. first", "## Head", "a **bold** word", "run `ls`", "```\nx\n```", "| a | b |"]
    inputs = study(len(plain) + len(formed))
    texts = iter([*plain, *formed])
    asked = [replace(r, text=next(texts)) if r.system == "tuned" else r for r in inputs.responses]
    rows = {row["system"]: row for row in build(replace(inputs, responses=asked)).numbers["answers"]}
    assert rows["tuned"]["formatted"] == len(formed)


def test_a_study_with_little_in_it() -> None:
    bare = Inputs(study="bare", recipe=Recipe(), prompts=0, pairs=[], verdicts=[])
    page = build(bare)
    assert "Nothing has been judged yet." in page.html
    assert page.figures == {}
    small = study(1)
    page = build(replace(small, funnel=None, metrics=[], run=None, manifests={}, examples=[], responses=[]))
    assert "Of 1 pairs" not in page.html
    assert page.numbers["pairs"] == {"asked": 1, "made": 0}


def test_one_verdict_and_all_missing() -> None:
    given = study()
    silent = [replace(v, label=None) for v in given.verdicts]
    html = build(replace(given, verdicts=silent)).html
    assert "tuned against base: no verdict" in html
    one: list[Verdict] = [next(v for v in given.verdicts if v.label == "a")]
    assert "of 1, tied 0" in build(replace(given, verdicts=one)).html
