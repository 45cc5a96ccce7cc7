"""What is written as TOML is read again as it was."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limakit.experiments.toml import dumps

RECIPES = sorted((Path(__file__).parents[2] / "src/limakit/starter/recipes").glob("*.toml"))

plain = st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | st.text(max_size=20)
values = st.recursive(
    plain.filter(lambda item: item is not None),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_shipped_recipe_comes_back(path: Path) -> None:
    recipe = tomllib.loads(path.read_text())
    assert tomllib.loads(dumps(recipe)) == recipe


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.text(max_size=8), values, max_size=4))
def test_any_settings_come_back(table: dict) -> None:
    assert tomllib.loads(dumps(table)) == table


def test_what_is_not_set_is_left_out() -> None:
    assert dumps({"a": None, "b": {"c": None, "d": 1}}) == "[b]\nd = 1\n"
