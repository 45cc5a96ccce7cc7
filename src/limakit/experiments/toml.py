"""TOML out: just enough to write a recipe, since Python's library only reads it."""

import re
from collections.abc import Mapping
from typing import Any

import orjson

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def dumps(table: Mapping[str, Any]) -> str:
    """Settings as TOML, a section for each table at the top and in a list at the top; None is left out."""
    lines = [f"{_key(key)} = {value(item)}" for key, item in table.items() if item is not None and not _section(item)]
    for key, item in table.items():
        for head, part in _parts(key, item):
            lines += ["", head, *(f"{_key(name)} = {value(v)}" for name, v in part.items() if v is not None)]
    return "\n".join(lines).lstrip("\n") + "\n"


def _section(item: Any) -> bool:
    many = isinstance(item, list) and bool(item) and all(isinstance(one, Mapping) for one in item)
    return many or isinstance(item, Mapping)


def _parts(key: str, item: Any) -> list[tuple[str, Mapping[str, Any]]]:
    if isinstance(item, Mapping):
        return [(f"[{_key(key)}]", item)]
    return [(f"[[{_key(key)}]]", part) for part in item] if _section(item) else []


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _text(key)


def value(item: Any) -> str:
    """One value, tables in one line."""
    if isinstance(item, Mapping):
        return "{ " + ", ".join(f"{_key(k)} = {value(v)}" for k, v in item.items() if v is not None) + " }"
    if isinstance(item, list):
        return "[" + ", ".join(value(one) for one in item) + "]"
    if isinstance(item, bool):
        return str(item).lower()
    return _text(item) if isinstance(item, str) else repr(item)


def _text(text: str) -> str:
    """JSON's strings are TOML's, but for the delete character, which JSON leaves as it is."""
    return orjson.dumps(text).decode().replace("\x7f", "\\u007f")
