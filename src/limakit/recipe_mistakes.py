"""What is wrong with a recipe, in the words of somebody who wrote it: pydantic's errors, without its terms."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

SAID = {
    "missing": "is missing",
    "int_type": "must be a whole number, without quotation marks",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number, without quotation marks",
    "bool_type": "must be true or false, without quotation marks",
    "string_type": "must be text in quotation marks",
    "list_type": "must be a list in square brackets",
    "dict_type": "must be a table, such as {{ name = value }}, or [{key}] on a line of its own",
    "model_type": "must be a table: [{key}] on a line of its own, its settings beneath",
    "union_tag_not_found": "its kind is missing: {allowed}",
    "union_tag_invalid": "there is no kind {tag!r}, only {allowed}",
}
"""By pydantic's type of error."""


def mistake(error: Mapping[str, Any], places: Sequence[str | int], known: Sequence[str]) -> str:
    """One line for an error at `places` (keys, and positions in a list from 0); `known` are the names allowed there."""
    if error["type"] == "extra_forbidden":
        key = named(places)
        near = difflib.get_close_matches(str(places[-1]), known, n=1)
        return f"unknown key {key!r}; " + (
            f"the nearest known name is {near[0]!r}" if near else f"known here: {', '.join(known)}"
        )
    key, value = named(places), error["input"]
    if not key:
        return error["msg"].removeprefix("Value error, ")
    lists = error["type"] == "list_type" and places in (("sources",), ("judges",))
    said = "is a list of tables: write [[{key}]], in double brackets" if lists else SAID.get(error["type"])
    if said is None:
        said = error["msg"].removeprefix("Value error, ").replace("Input should be ", "must be ")
    else:
        about = {"allowed": "", "tag": "", **error.get("ctx", {})}
        allowed = about.get("expected_tags") or ", ".join(repr(name) for name in known)
        said = said.format(key=key, tag=about["tag"], allowed=allowed)
    return f"{key}: {said}" + ("" if isinstance(value, dict | list) else f" (got {value!r})")


def named(places: Sequence[str | int]) -> str:
    """The key as written in the file; the members of a list are counted from 1."""
    text, inside = "", False
    for number, place in enumerate(places):
        if isinstance(place, int):
            inside = number + 1 < len(places)
            text = f"[[{text}]] no. {place + 1}" if inside else f"{text} no. {place + 1}"
        else:
            text = f"{text}{', ' if inside else '.' if text else ''}{place}"
            inside = False
    return text
