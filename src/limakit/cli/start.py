"""`limakit new` and `quickstart`: a folder with a commented recipe; `report --paper`: one with the paper's results."""

from importlib import resources
from pathlib import Path

from limakit.errors import RecipeError, StudyError, typed
from limakit.store import files


def new(folder: Path, recipe: str) -> Path:
    """Write `folder/recipe.toml` from a shipped recipe. Raises StudyError rather than overwrite one."""
    shipped = resources.files("limakit") / "starter" / "recipes"
    names = sorted(entry.name.removesuffix(".toml") for entry in shipped.iterdir() if entry.name.endswith(".toml"))
    if recipe not in names:
        raise RecipeError(f"no recipe {recipe!r}", fix=f"Choose one of: {', '.join(names)}.")
    target = folder / "recipe.toml"
    if target.exists():
        raise StudyError("there is a study here already", where=target, fix=f"Go on with: limakit run {typed(folder)}")
    if folder.exists() and not folder.is_dir():
        raise StudyError("is not a folder", where=folder, fix="Choose another name.")
    files.publish(target, (shipped / f"{recipe}.toml").read_bytes())
    return target


def quickstart(folder: Path) -> None:
    """Write the quickstart's recipe unless the study is there already, then it goes on as it stands."""
    if not (folder / "recipe.toml").exists():
        new(folder, "quickstart")


def paper(folder: Path) -> Path:
    """Write `index.html`, `paper.json` and the figures. Raises StudyError where a study or a file is in the way."""
    from limakit.report.paper import build

    if (folder / "recipe.toml").exists():
        raise StudyError("is a study, the paper's results go elsewhere", where=folder, fix="Choose another folder.")
    if folder.exists() and not folder.is_dir():
        raise StudyError("is not a folder", where=folder, fix="Choose another name.")
    page = build()
    for name, svg in page.figures.items():
        files.publish_text(folder / "figures" / f"{name}.svg", svg)
    files.publish_json(folder / "paper.json", page.numbers)
    files.publish_text(folder / "index.html", page.html)
    return folder / "index.html"
