"""Write docs/recipe.md and docs/cli.md from the code: `python tools/docs.py`. A test compares them."""

import ast
import inspect
import textwrap
import types
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import typer.main
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from limakit.cli.app import app
from limakit.recipe import Recipe
from limakit.recipe_judges import JUDGES
from limakit.recipe_sources import KINDS

DOCS = Path(__file__).resolve().parent.parent / "docs"


def recipe_page() -> str:
    """Every setting with its type, default and meaning."""
    lines = [
        "# recipe.toml",
        "",
        "Generated from `src/limakit/recipe.py`. A recipe is sparse: what it leaves out has the",
    ]
    lines += ["default below, and the defaults are the paper's. Unknown keys are refused.", ""]
    head = ["| key | type | default | meaning |", "|---|---|---|---|"]
    for name, field in Recipe.model_fields.items():
        if name == "sources":
            for kind, inner in KINDS.items():
                lines += _section(f'[[sources]] kind = "{kind}"', inner, head)
            continue
        if name == "judges":
            for inner in JUDGES.values():
                lines += _section((inner.__doc__ or "``").split("`")[1], inner, head)
            continue
        parts = get_args(field.annotation)
        section: Any = parts[-1] if parts else field.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            lines += _section((section.__doc__ or "``").split("`")[1], section, head)
            for inner in section.model_fields.values():
                for part in get_args(inner.annotation):
                    if isinstance(part, type) and issubclass(part, BaseModel):
                        lines += _section((part.__doc__ or "``").split("`")[1], part, head)
        else:
            lines += [
                "## Top level",
                "",
                "| key | type | default | meaning |",
                "|---|---|---|---|",
                _row(name, field, meanings(Recipe).get(name, "")),
                "",
            ]
    return "\n".join(lines)


def _section(title: str, section: type[BaseModel], head: list[str]) -> list[str]:
    summary = " ".join((section.__doc__ or "").split("`: ", 1)[-1].split())
    tables = {key: _table(inner.annotation) for key, inner in section.model_fields.items()}
    meant = meanings(section)
    rows = [_row(key, inner, meant.get(key, "")) for key, inner in section.model_fields.items()]
    lines = [f"## `{title}`", "", summary[0].upper() + summary[1:], "", *head, *rows, ""]
    for table in tables.values():
        if table is not None:
            lines += _section((table.__doc__ or "``").split("`")[1], table, head)
    return lines


def _table(annotation: Any) -> type[BaseModel] | None:
    """The section that a key holds, where it holds one."""
    kinds = (annotation, *get_args(annotation))
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)


def meanings(model: type[BaseModel]) -> dict[str, str]:
    """What stands beneath each field of a model and of those that it extends. Read here and not by pydantic: it would
    parse every model's source whenever a recipe is read."""
    found: dict[str, str] = {}
    for one in reversed(model.__mro__):
        if one is not BaseModel and issubclass(one, BaseModel):
            body = ast.parse(textwrap.dedent(inspect.getsource(one))).body[0]
            assert isinstance(body, ast.ClassDef)
            for field, beneath in pairwise(body.body):
                match field, beneath:
                    case (
                        ast.AnnAssign(target=ast.Name(id=name)),
                        ast.Expr(value=ast.Constant(value=str(text))),
                    ):
                        found[name] = text
    return found


def _row(key: str, field: Any, meant: str) -> str:
    default = "required" if field.default is PydanticUndefined else f"`{_toml(field.default)}`"
    meaning = " ".join(meant.split()).replace("|", "\\|")
    return f"| `{key}` | {_type(field.annotation)} | {default} | {meaning} |"


def _toml(value: Any) -> str:
    if value is None:
        return "(none)"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{k} = {_toml(v)}" for k, v in value.items()) + " }"
    return (
        str(value).replace("'", '"')
        if isinstance(value, list)
        else f'"{value}"'
        if isinstance(value, str)
        else str(value)
    )


def _type(annotation: Any) -> str:
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " or ".join(f'`"{a}"`' for a in args)
    if origin in (Union, types.UnionType):
        return " or ".join(_type(a) for a in args if a is not type(None))
    if origin in (list, dict):
        return f"{'list' if origin is list else 'table'} of {_type(args[-1])}"
    if origin is not None and args:
        return _type(args[0])
    if annotation is Any:
        return "anything"
    if _table(annotation):
        return "section"
    return {"str": "text", "int": "integer", "float": "number", "bool": "true/false"}[annotation.__name__]


def cli_page() -> str:
    """The help of every command."""
    command: Any = typer.main.get_command(app)
    lines = ["# The commands", "", "Generated from `src/limakit/cli/app.py`.", ""]
    for words, inner in _commands(["limakit"], command):
        context = inner.make_context(" ".join(words), [], resilient_parsing=True)
        lines += [f"## `{' '.join(words)}`", "", "```", inner.get_help(context).strip(), "```", ""]
    return "\n".join(lines)


def _commands(words: list[str], command: Any) -> Iterator[tuple[list[str], Any]]:
    """A command and all below it."""
    yield words, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from _commands([*words, name], inner)


PAGES = {"recipe.md": recipe_page, "cli.md": cli_page}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), encoding="utf-8")
