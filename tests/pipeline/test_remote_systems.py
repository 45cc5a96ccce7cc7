"""Systems behind a server: answered through the ledger, paid once, complete or said to be incomplete."""

from pathlib import Path
from typing import Any

import pytest

from limakit.engine import silent
from limakit.errors import LimakitError, ModelError, RecipeError
from limakit.models.retry import Retry
from limakit.pipeline import modelling
from limakit.pipeline.modelling import generate
from limakit.records import Prompt, Response, Turn
from limakit.store import files
from limakit.store.files import read_jsonl
from limakit.store.study import Study
from tests.models.provider import Provider, serve

RECIPE = """
[generate]
systems = ["far"]
samples = {samples}
max_new_tokens = 77
[compare]
candidate = "far"
baselines = []
[systems.far]
kind = "endpoint"
[systems.far.endpoint]
api = "{api}"
base_url = "{url}"
model = "m"
input_price = 1.0
output_price = 2.0
{more}
"""
PROMPTS = 5


def study(
    folder: Path, server: Provider, *, samples: int = 1, api: str = "openai", more: str = "budget = 5.0"
) -> Study:
    prompts = [Prompt(id=f"p{n}", messages=(Turn(role="user", content=f"Question {n}?"),)) for n in range(PROMPTS)]
    files.write_jsonl(folder / "curate" / "test.jsonl", prompts)
    files.publish_json(folder / "curate" / "manifest.json", {})
    recipe = RECIPE.format(url=server.url, samples=samples, api=api, more=more)
    files.publish_text(folder / "recipe.toml", recipe)
    return Study(folder)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("limakit.models.buyer.Retry", lambda: Retry(attempts=2, first=0.001))


def responses(one: Study) -> list[Response]:
    return read_jsonl(one.path("generate", "far", "responses.jsonl"), Response)


@pytest.mark.parametrize("api", ["openai", "anthropic"])
def test_a_server_answers_every_prompt_with_the_recipes_sampling(tmp_path: Path, api: str) -> None:
    with serve(lambda text, before: f"answer to {text}") as server:
        (outcome,) = generate(study(tmp_path, server, api=api), silent)
        body = server.bodies[0]
    got = responses(Study(tmp_path))
    assert [r.text for r in got] == [f"answer to Question {n}?" for n in range(PROMPTS)]
    assert {(r.system, r.finish, r.tokens, r.sampling) for r in got} == {("far", "eot", 100, "temperature 0.7")}
    assert (body["temperature"], body["max_tokens"]) == (0.7, 77)
    assert [turn["role"] for turn in body["messages"]] == ["user"]
    assert "system" not in body
    assert "top_p" not in body
    assert outcome.counts["missing"] == {}
    assert outcome.counts["cost"] == pytest.approx(sum((len(f"Question {n}?") // 4 + 200) / 1e6 for n in range(5)))


def test_what_the_endpoint_says_of_sampling_goes_before_the_recipe(tmp_path: Path) -> None:
    more = 'budget = 5.0\ntemperature = "default"\nmax_tokens = 9\ntop_p = 0.8'
    with serve(lambda text, before: "yes") as server:
        generate(study(tmp_path, server, more=more), silent)
        body = server.bodies[0]
    assert (body.get("temperature"), body["max_tokens"], body["top_p"]) == (None, 9, 0.8)
    assert responses(Study(tmp_path))[0].sampling == "the server's own temperature, top_p 0.8"


def test_nothing_is_bought_twice_and_samples_are_bought_one_by_one(tmp_path: Path) -> None:
    with serve(lambda text, before: f"{text} {before}") as server:
        one = study(tmp_path, server, samples=3)
        generate(one, silent)
        assert server.requests == 3 * PROMPTS
        assert len({(r.prompt_id, r.text) for r in responses(one)}) == 3 * PROMPTS
        first = one.path("generate", "far", "responses.jsonl").read_bytes()
        assert generate(one, silent)[0].state == "unchanged"
        one.drop("generate/far")
        generate(one, silent)
        assert server.requests == 3 * PROMPTS
    assert one.path("generate", "far", "responses.jsonl").read_bytes() == first


def test_answers_that_may_still_come_hold_the_stage_back_and_a_rerun_asks_only_for_them(tmp_path: Path) -> None:
    broken = {"Question 2?", "Question 4?"}
    with serve(lambda text, before: "503" if text in broken else "fine") as server:
        one = study(tmp_path, server)
        with pytest.raises(ModelError, match=r"system far: 2 of 5 answers are missing \(2 server_error\)\. Those that"):
            generate(one, silent)
        assert not one.path("generate", "far").exists()
        broken.clear()
        asked = server.requests
        (outcome,) = generate(one, silent)
        assert server.requests == asked + 2
    assert outcome.counts["responses"] == PROMPTS


def test_the_budget_holds_and_raising_it_buys_only_the_rest(tmp_path: Path) -> None:
    """The estimate is five answers of 200 tokens; the server then bills 400 for each."""
    with serve(lambda text, before: "fine") as server:
        with pytest.raises(ModelError, match="system far: 5 calls would cost about"):
            generate(study(tmp_path, server, more="budget = 0.0001"), silent)
        assert server.requests == 0
        server.output = 400
        tight = "budget = 0.0025\nmax_tokens = 200"
        with pytest.raises(ModelError, match=r"over_budget\)\. Raise systems\.far\.endpoint\.budget above 0\.0025"):
            generate(study(tmp_path, server, more=tight), silent)
        bought = server.requests
        assert 0 < bought < PROMPTS
        generate(study(tmp_path, server, more=tight.replace("0.0025", "1")), silent)
        assert server.requests == PROMPTS


def test_cut_answers_and_refusals_are_answers_and_the_unanswerable_is_counted(tmp_path: Path) -> None:
    acts = {"Question 0?": "length", "Question 1?": "refusal", "Question 2?": "400", "Question 3?": "cut-json"}
    with serve(lambda text, before: acts.get(text, "whole")) as server:
        (outcome,) = generate(study(tmp_path, server), silent)
    got = {r.prompt_id: (r.finish, r.text) for r in responses(Study(tmp_path))}
    assert got == {"p0": ("length", "length"), "p1": ("eot", "I will not."), "p4": ("eot", "whole")}
    assert outcome.counts["missing"] == {"bad_json": 1, "rejected": 1}
    assert outcome.counts["responses"] + sum(outcome.counts["missing"].values()) == PROMPTS


def test_a_key_that_is_not_there_is_named_before_anything_is_sent(tmp_path: Path) -> None:
    from limakit.cli.checkup import checks

    with serve(lambda text, before: "x") as server:
        with pytest.raises(ModelError, match="LIMAKIT_NO_SUCH_KEY: the environment holds no usable key"):
            generate(study(tmp_path, server, more='budget = 1\nkey_env = "LIMAKIT_NO_SUCH_KEY"'), silent)
        assert server.requests == 0
    (found,) = [check for check in checks(tmp_path) if check.name == "system far"]
    assert (found.state, found.fix) == ("missing", "Before generating: export LIMAKIT_NO_SUCH_KEY=…")


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ('kind = "endpoint"', "needs its endpoint"),
        ('kind = "trained"', "needs its data"),
        ('kind = "folder"', "needs its model"),
        ('kind = "base"\ndata = "x"', "data belongs to systems of kind trained"),
    ],
)
def test_sections_that_make_no_system_are_one_line(tmp_path: Path, section: str, said: str) -> None:
    (tmp_path / "recipe.toml").write_text(f"[systems.x]\n{section}\n")
    with pytest.raises(RecipeError, match=said) as caught:
        _ = Study(tmp_path).recipe
    assert "\n" not in str(caught.value)


def test_a_server_is_neither_served_nor_exported(tmp_path: Path) -> None:
    from limakit.cli.serving import serve as hand_over
    from limakit.pipeline.model_export import export_model

    with serve(lambda text, before: "x") as server:
        one = study(tmp_path, server)
    with pytest.raises(LimakitError, match="served already"):
        hand_over(one, None, None, "127.0.0.1", 8000)
    with pytest.raises(RecipeError, match="not a tuned system"):
        export_model(one, tmp_path / "out", "model")
    with pytest.raises(RecipeError, match="no epochs"):
        modelling.find(one, "far", 3)


def test_an_alpaca_style_baseline_is_trained_from_instruction_data_and_answers(
    trained_study: Path, tmp_path: Path
) -> None:
    import shutil

    root = Path(shutil.copytree(trained_study, tmp_path / "study"))
    rows: list[dict[str, Any]] = [
        {"instruction": "Name a colour.", "input": "", "output": "Blue."},
        {"instruction": "Translate.", "input": "Haus", "output": "House."},
        {"instruction": "Say nothing.", "input": "", "output": ""},
        {"instruction": "Add.", "input": "1 + 1", "output": "2"},
    ]
    files.publish_json(root / "alpaca.json", rows)
    text = (root / "recipe.toml").read_text().replace("[generate]", '[generate]\nsystems = ["tuned", "alpaca"]')
    text += '[compare]\nbaselines = ["alpaca"]\n[systems.alpaca]\nkind = "trained"\ndata = "alpaca.json"\n'
    (root / "recipe.toml").write_text(
        text + "[systems.alpaca.train]\nepochs = 1\nbatch_size = 2\nlearning_rate = 1e-3\n"
    )
    tuned, alpaca = modelling.train(Study(root), silent)
    assert (tuned.state, alpaca.stage, alpaca.state) == ("unchanged", "train/alpaca", "done")
    assert (alpaca.counts["read"], alpaca.counts["steps"]) == (3, 2)
    assert "Name a colour.<|eot|>⟦Blue.<|eot|>⟧" in (root / "train/alpaca/preflight.txt").read_text()
    outcomes = generate(Study(root), silent)
    assert [o.stage for o in outcomes] == ["generate/tuned", "generate/alpaca"]
    answers = [read_jsonl(o.folder / "responses.jsonl", Response) for o in outcomes]
    assert [r.text for r in answers[0]] != [r.text for r in answers[1]]
    assert [o.state for o in modelling.train(Study(root), silent)] == ["unchanged", "unchanged"]
