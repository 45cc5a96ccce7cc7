"""The grammar of one `<row …/>` of a dump, on bytes: a header pattern for speed, an exact parser for correctness.

The dump is one XML element a post, all data in attributes (https://meta.stackexchange.com/q/2677). In well-formed XML a
raw `<` begins a tag and nothing else, so the bytes from one `<row` to the next are one post however they are broken
into lines, and a damaged post cannot take its neighbours with it.
"""

import re
from collections.abc import Container, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

_VALUE = rb'(?:"[^"<\x00-\x08\x0b\x0c\x0e-\x1f]*"|\'[^\'<\x00-\x08\x0b\x0c\x0e-\x1f]*\')'
_ROW = re.compile(rb"<row(?:\s+[A-Za-z_][\w.-]*\s*=\s*" + _VALUE + rb")+\s*/?>")
_FRAME = re.compile(r'<row(?: [A-Za-z]+=")+ ?/>')
_UNFIT = b"<" + bytes(range(32))
"""Bytes that no value holds as the dump writes it; of these a row has the `<` that begins it."""
_NAME = re.compile(r' ([A-Za-z]+)="')
_ATTRIBUTE = re.compile(rb"([A-Za-z_][\w.-]*)\s*=\s*(" + _VALUE + rb")")
_FURNITURE = re.compile(
    rb"(?:\s|\xef\xbb\xbf|<\?xml[^<>]*\?>|</?(?:posts|comments)\s*>|</row\s*>|<!--(?:(?!-->).)*-->)*", re.DOTALL
)
_REFERENCE = re.compile(r"&(?:#x([0-9A-Fa-f]{1,8});|#([0-9]{1,8});|(lt|gt|amp|quot|apos);)?")
_ODD_REFERENCE = re.compile(r"&(?!lt;|gt;|amp;|quot;|apos;|#xA;|#xD;|#x9;)")
_LT, _GT, _AMP, _QUOT, _APOS, *_BREAKS = (
    np.uint32(int.from_bytes(name, "little"))
    for name in (b"lt;", b"gt;", b"amp;", b"quot", b"apos", b"#xA;", b"#xD;", b"#x9;")
)
"""The first four bytes of the references that a dump uses, as little-endian words."""
_NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"', "apos": "'"}
_INTEGER = re.compile(r"-?[0-9]{1,18}")


class Refused(Exception):
    """This row cannot be read; the message says why. Never leaves the scan: it becomes a quarantine entry."""


class Post(NamedTuple):
    """One post, decoded. `body` is HTML, `title` plain text, times ISO 8601 as in the dump."""

    id: int
    kind: int
    parent: int | None
    score: int
    body: str
    title: str
    created: str
    edited: str | None
    owner: int | None
    owner_name: str | None
    licence: str | None


def vouched(some: Sequence[bytes]) -> list[bytes | None]:
    """The escaped bytes of the Body of each row as the dump writes it, if the row is certainly well-formed, so that
    what was read of its head is true; None where it must be parsed to know. No white space is around the rows, and
    there is no control character in a body."""
    if _all_plain(some):
        return [_body(row) for row in some]
    return [_body(row) if _all_plain([row]) else None for row in some]


def _body(row: bytes) -> bytes | None:
    """The raw value of Body, None where what is around the values is not as the dump writes it."""
    parts = row.split(b'"')
    place = _place_of_body(b'"'.join(parts[::2]))
    return parts[place] if place and len(parts) % 2 else None


@lru_cache(maxsize=1024)
def _place_of_body(frame: bytes) -> int:
    """Which of the parts between quotation marks is the Body's, 0 where the frame is unusual."""
    names = _names(frame.decode())
    return 2 * names.index("Body") + 1 if "Body" in names else 0


def _all_plain(some: Sequence[bytes]) -> bool:
    """Whether all rows are certainly free of what no value holds, of odd references and of control characters."""
    whole = b"".join((*some, bytes(8)))
    signs = np.frombuffer(whole, np.uint8)
    starts = np.cumsum([0, *map(len, some)])
    brackets = signs == ord("<")
    if not starts[-1] or signs[:-8].min() < ord(" "):
        return False
    if np.count_nonzero(brackets) != len(some) or not brackets[starts[:-1]].all():
        return False
    at = np.flatnonzero(signs == ord("&"))
    name = np.ndarray((len(whole) - 4,), "<u4", whole, 1, strides=(1,))[at]
    three = name & 0xFFFFFF
    longer = np.flatnonzero((three != _LT) & (three != _GT))
    at, name = at[longer], name[longer]
    good = (name == _AMP) | (name == _BREAKS[0]) | (name == _BREAKS[1]) | (name == _BREAKS[2])
    good |= ((name == _QUOT) | (name == _APOS)) & (signs[at + 5] == ord(";"))
    return bool(good.all()) and all(map(_is_text, some))


def _is_text(whole: bytes) -> bool:
    """Whether these are UTF-8."""
    if whole.isascii():
        return True
    try:
        whole.decode()
    except UnicodeDecodeError:
        return False
    return True


def _plain(row: bytes) -> tuple[tuple[str, ...], list[str]] | None:
    """Names and half unescaped values of a row without white space around it, if it is certainly well-formed and holds
    nothing unusual; split at its quotation marks, which no value holds."""
    if not (row.startswith(b"<") and row.endswith(b">")) or len(row.translate(None, _UNFIT)) < len(row) - 1:
        return None
    try:
        text = _half_unescaped(row.decode())
    except UnicodeDecodeError:
        return None
    parts = text.split('"')
    names = _names('"'.join(parts[::2])) if len(parts) % 2 else ()
    return (names, parts[1::2]) if names and not _ODD_REFERENCE.search(text) else None


@lru_cache(maxsize=1024)
def _names(frame: str) -> tuple[str, ...]:
    """The names in what is outside of a row's values, none where that is not as the dump writes it."""
    names = tuple(_NAME.findall(frame))
    return names if _FRAME.fullmatch(frame) and len(set(names)) == len(names) else ()


def _half_unescaped(text: str) -> str:
    """Escaped text without the three references that are most in a dump. What stands there instead is in no reference,
    so that the others are as odd as before."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&#xA;", "\n")


def _unescaped(text: str) -> str:
    """Half unescaped text without the other five that the dump uses; it must hold no others."""
    text = text.replace("&quot;", '"') if "&" in text else text
    if "&" in text:
        text = text.replace("&#xD;", "\r").replace("&apos;", "'").replace("&#x9;", "\t").replace("&amp;", "&")
    return text


def unescape(text: str) -> str:
    """Attribute value by the rules of XML 1.0. Raises Refused at a reference to no character."""
    text = text.replace("\r\n", " ").replace("\n", " ").replace("\r", " ").replace("\t", " ")
    half = _half_unescaped(text)
    return _REFERENCE.sub(_character, text) if _ODD_REFERENCE.search(half) else _unescaped(half)


def _character(match: re.Match[str]) -> str:
    hexadecimal, decimal, name = match.groups()
    if name:
        return _NAMED[name]
    if not hexadecimal and not decimal:
        raise Refused("a bare & or an unknown entity")
    code = int(hexadecimal, 16) if hexadecimal else int(decimal)
    legal = code in (9, 10, 13) or 32 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD or 0x10000 <= code <= 0x10FFFF
    if not legal:
        raise Refused(f"reference to an illegal character, {match.group()}")
    return chr(code)


def attributes(row: bytes, wanted: Container[str] | None = None) -> dict[str, str]:
    """The attributes of one `<row …/>`, in any order and layout: all, or at least those `wanted`. Raises Refused where
    it is not well-formed XML."""
    if plain := _plain(row.rstrip()):
        named = zip(*plain, strict=True)
        return {name: _unescaped(value) for name, value in named if wanted is None or name in wanted}
    match = _ROW.match(row)
    if match is None:
        raise Refused("not a complete, well-formed row")
    found: dict[str, str] = {}
    for name, quoted in _ATTRIBUTE.findall(match.group()):
        try:
            key, value = name.decode(), unescape(quoted[1:-1].decode())
        except UnicodeDecodeError:
            raise Refused("not valid UTF-8") from None
        if key in found:
            raise Refused(f"attribute {key} occurs twice")
        found[key] = value
    return found


def is_row(unit: bytes) -> bool:
    """Whether these bytes begin a row, be it a damaged one."""
    return unit.startswith(b"<row") and (len(unit) == 4 or unit[4:5].isspace() or unit[4:5] in b"/>")


def leftover(unit: bytes) -> bytes:
    """What follows the row in its unit, beyond white space, comments and the tags that frame the posts."""
    match = _ROW.match(unit)
    start = match.end() if match else 0
    framed = _FURNITURE.match(unit, start)
    return unit[framed.end() if framed else start :].strip()


_NUMBERS = ("Id", "PostTypeId", "ParentId", "Score", "OwnerUserId")
_TEXTS = ("Body", "Title", "CreationDate", "LastEditDate", "OwnerDisplayName", "ContentLicense")
_OF_A_POST = frozenset((*_NUMBERS, *_TEXTS))


def post(row: bytes) -> Post:
    """Decode a row. Raises Refused where it is damaged or lacks what every post has."""
    found = attributes(row, _OF_A_POST)
    kind, owner = integer(found, "PostTypeId"), found.get("OwnerUserId", "")
    return Post(
        id=integer(found, "Id"),
        kind=kind,
        parent=integer(found, "ParentId") if kind == 2 else None,
        score=integer(found, "Score"),
        body=text(found, "Body") if kind in (1, 2) else found.get("Body", ""),
        title=found.get("Title", ""),
        created=found.get("CreationDate", ""),
        edited=found.get("LastEditDate"),
        owner=int(owner) if _INTEGER.fullmatch(owner) else None,
        owner_name=found.get("OwnerDisplayName"),
        licence=found.get("ContentLicense"),
    )


def text(found: dict[str, str], name: str) -> str:
    """The attribute of that name. Raises Refused where there is none."""
    if name not in found:
        raise Refused(f"no {name}")
    return found[name]


def integer(found: dict[str, str], name: str) -> int:
    """The attribute of that name as a number. Raises Refused where there is none, or it is none."""
    value = text(found, name)
    if not _INTEGER.fullmatch(value):
        raise Refused(f"{name} is not a whole number")
    return int(value)
