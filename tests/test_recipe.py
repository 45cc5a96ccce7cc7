from importlib import resources
from pathlib import Path

import pytest

from limakit.errors import RecipeError
from limakit.recipe import Recipe, load_recipe

RECIPES = sorted(Path(str(resources.files("limakit"))).joinpath("starter/recipes").glob("*.toml"))


def load(tmp_path: Path, text: str) -> Recipe:
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    return load_recipe(path)


def test_the_empty_recipe_is_the_papers(tmp_path: Path) -> None:
    recipe = load(tmp_path, "")
    assert (recipe.curate.min_score, recipe.curate.min_chars, recipe.curate.max_chars) == (10, 1200, 4096)
    quotas = {"stem": 200, "other": 200, "wikihow": 200, "writing_prompts": 150, "natural_instructions": 50}
    assert (recipe.curate.temperature, recipe.curate.quotas) == (3.0, {**quotas, "dialogues": 20, "ask_reddit": 70})
    train = recipe.train
    assert (train.epochs, train.batch_size, train.max_tokens, train.residual_dropout) == (15, 32, 2048, 0.3)
    assert (train.learning_rate, train.final_learning_rate) == (1e-5, 1e-6)
    assert (train.beta1, train.beta2, train.weight_decay) == (0.9, 0.95, 0.1)
    generate = recipe.generate
    assert (generate.top_p, generate.temperature, generate.repetition_penalty) == (0.9, 0.7, 1.2)
    assert generate.max_new_tokens == 2048


JUDGE = """
[[judges]]
name = 'j'
base_url = 'http://127.0.0.1:1/v1'
model = 'm'
input_price = 0.1
output_price = 0.2
budget = 1
"""


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[train]\nepoch = 3", "unknown key 'train.epoch'; the nearest known name is 'epochs'"),
        ("[trian]", "nearest known name is 'train'"),
        ("[xyz]", "unknown key 'xyz'; known here: seed, base, sources"),
        ("train = 3", "train: must be a table: [train] on a line of its own"),
        ("[sources]\nkind = 'reddit'", "sources: is a list of tables: write [[sources]], in double brackets"),
        ("[curate]\nquotas = 3", "such as { name = value }, or [curate.quotas] on a line of its own (got 3)"),
        ("[choose]\nepochs = [1, 'x']", "choose.epochs no. 2: must be a whole number"),
        ("[generate]\nsystems = 'tuned'", "generate.systems: must be a list in square brackets (got 'tuned')"),
        (
            "[[sources]]\nkind = 'stackexchange'\npth = 'x'",
            "'[[sources]] no. 1, pth'; the nearest known name is 'path'",
        ),
        (
            "[[sources]]\nkind = 'reddit'\npath = 'x'\ngroup = 'y'",
            "unknown key '[[sources]] no. 1, group'; known here: kind, path",
        ),
        ("[[sources]]\nkind = 'reddit'\npath = 3", "[[sources]] no. 1, path: must be text in quotation marks (got 3)"),
        ("[[sources]]\nkind = 'redit'\npath = 'x'", "there is no kind 'redit', only 'stackexchange', 'wikihow'"),
        ("[[sources]]\npath = 'x'", "sources no. 1: its kind is missing: 'stackexchange'"),
        ("[train]\nepochs = '3'", "train.epochs: must be a whole number, without quotation marks (got '3')"),
        ("[train]\nepochs = 0", "train.epochs"),
        ("[generate]\ntop_p = 1.5", "generate.top_p"),
        ("seed = 1\nseed = 2", "not valid TOML"),
        ("[compare]\ncandidate = 'x'", "system 'x' is not in generate.systems"),
        ("[train]\nlearning_rate = 1e-9", "must not exceed"),
        (JUDGE + "tempreture = 1", "'[[judges]] no. 1, tempreture'; the nearest known name is 'temperature'"),
        (JUDGE.replace("budget = 1", ""), "[[judges]] no. 1, budget: is missing"),
        (JUDGE + JUDGE, "the name 'j' is taken"),
        (JUDGE.replace("'j'", "'../j'"), "[[judges]] no. 1, name"),
        (JUDGE.replace("'j'", "'metric-rouge-l'"), "is taken"),
        (JUDGE.replace("http://", "ftp://"), "base_url must begin with"),
        ("[generate]\nsystems = ['tuned', 'base', 'x']", "generate.systems: there is no [systems.x]"),
        ("[systems.x]\nkind = 'folder'", "systems.x: a system of kind folder needs its model"),
        ("[systems.x]\nkind = 'base'\ncheckpoint = 3", "systems.x: checkpoint belongs to systems of kind tuned"),
        ("[systems.x]\nkind = 'base'\nrevision = 'a'", "systems.x: revision belongs to systems of kind folder"),
        ("[systems.x]\nknd = 'base'", "unknown key 'systems.x.knd'; the nearest known name is 'kind'"),
        ("[systems.'../x']\nkind = 'base'", "systems.../x"),
        ("[choose]\nepochs = [5, 5]", "choose.epochs names an epoch twice"),
        ("[choose]\nepochs = [5]", "choose.epochs"),
        ("[generate]\ncheckpoint = 'best'", "generate.checkpoint"),
    ],
)
def test_a_bad_recipe_is_one_clear_line(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(RecipeError) as caught:
        load(tmp_path, text)
    message = str(caught.value)
    assert says in message
    assert str(tmp_path / "recipe.toml") in message
    assert "\n" not in message


def test_a_recipe_that_is_not_utf_8_says_so(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_bytes("seed = 0  # é".encode("utf-16"))
    with pytest.raises(RecipeError, match=r"not UTF-8 text\. Save it as UTF-8"):
        load_recipe(tmp_path / "recipe.toml")


@pytest.mark.parametrize(
    "text",
    [
        JUDGE + "key_env = 'sk-SECRET-1'",
        JUDGE.replace("127.0.0.1", "me:sk-SECRET-1@127.0.0.1"),
        JUDGE.replace("/v1", "/v1?key=sk-SECRET-1"),
    ],
)
def test_a_key_in_the_wrong_place_is_refused_and_not_repeated(tmp_path: Path, text: str) -> None:
    with pytest.raises(RecipeError, match="key") as caught:
        load(tmp_path, text)
    assert "SECRET" not in str(caught.value)


def test_systems_have_names_and_the_two_defaults_need_no_entry(tmp_path: Path) -> None:
    recipe = load(
        tmp_path,
        "[systems.early]\nkind = 'tuned'\ncheckpoint = 2\n"
        "[generate]\nsystems = ['tuned', 'early']\n[compare]\nbaselines = ['early']",
    )
    assert recipe.system("early").checkpoint == 2
    assert recipe.system("base").kind == "base"
    with pytest.raises(RecipeError, match="base, early, tuned"):
        recipe.system("late")


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_shipped_recipes_load(path: Path) -> None:
    recipe = load_recipe(path)
    assert recipe.sources or path.stem == "compare"
    assert recipe.learns is (path.stem != "compare")


def test_importing_the_recipe_imports_no_torch() -> None:
    import subprocess
    import sys

    code = "import sys, limakit.recipe; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
