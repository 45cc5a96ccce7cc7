"""The generated pages say what the code says, and every command and package is written down."""

import importlib.util
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import pytest

from limakit.recipe import Recipe
from limakit.recipe_judges import JUDGES
from limakit.recipe_sources import KINDS

ROOT = Path(__file__).resolve().parent.parent


def the_generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generator", ROOT / "tools" / "docs.py")
    assert spec
    assert spec.loader
    generator = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generator)
    return generator


@pytest.mark.parametrize("name", ["recipe.md", "cli.md"])
def test_generated_pages_are_up_to_date(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERMINAL_WIDTH", "100")
    generator = the_generator()
    assert (ROOT / "docs" / name).read_text() == generator.PAGES[name](), "run: python tools/docs.py"


def test_every_field_of_the_recipe_is_documented() -> None:
    meanings = the_generator().meanings

    def fields(model: Any) -> Iterator[tuple[str, str]]:
        meant = meanings(model)
        for name, field in model.model_fields.items():
            kinds = (field.annotation, *get_args(field.annotation))
            inner = next((kind for kind in kinds if hasattr(kind, "model_fields")), None)
            if inner:
                yield from fields(inner)
            else:
                yield f"{model.__name__}.{name}", meant.get(name, "")

    found = dict(one for model in (Recipe, *KINDS.values(), *JUDGES.values()) for one in fields(model))
    assert len(found) > 35
    assert [name for name, text in found.items() if name != "Recipe.seed" and not text] == []


def test_every_dependency_is_justified() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *(d for group in project["optional-dependencies"].values() for d in group)]
    page = (ROOT / "docs" / "dependencies.md").read_text()
    named = set(re.findall(r"[\w.-]+", page))
    assert [d for d in wanted if re.split(r"[\[<>=]", d)[0] not in named] == []


def test_the_lock_has_a_hash_for_everything_in_it() -> None:
    entries = re.split(r"\n(?=[a-z0-9])", (ROOT / "requirements.lock").read_text())[1:]
    assert len(entries) > 50
    assert [e.split()[0] for e in entries if "--hash=sha256:" not in e] == []
    assert not any(e.startswith(("torch==", "nvidia-")) for e in entries)


def test_links_in_the_pages_lead_somewhere() -> None:
    broken = []
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
            if not target.startswith("http") and not (page.parent / target).exists():
                broken.append(f"{page.name}: {target}")
    assert broken == []
