"""The text of many posts at once, as array code, from their HTML as a dump holds it: escaped once more.

An escaped body holds no control character and no `<`, and of references only `&lt;`, `&gt;`, `&amp;`, `&quot;`,
`&apos;`, `&#xA;`, `&#xD;` and `&#x9;`. What is to go is overwritten with zeros, and all of it taken out in one step.
"""

import html as entities
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from limakit.curate import rules

_AT_ONCE = 1 << 18
"""Bytes worked on together: they and what is made of them stay in a core's second-level cache."""
_END = b"&lt;\1"
"""Stands behind every body: an end that is in none, and before it a bracket, so that no tag reaches into the next."""
_CODE = re.compile(rb"&lt;(pre|code)(?!\w)", re.IGNORECASE)
_CODE_ENDS = {
    name: re.compile(rb"&lt;/" + name + rb"(?: |&#x[AD9];)*&gt;", re.IGNORECASE) for name in (b"pre", b"code")
}
_ODD_CODE = re.compile(rb"&lt;/?(?:pre|code)(?: |&#x[AD9];)*[\x80-\xff]", re.IGNORECASE)
IMAGE = b"&lt;img"
"""Is in a body whose HTML has `<img` in it."""
_LETTER = np.zeros(256, bool)
_LETTER[[*b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"]] = True
_SIGN = np.zeros(256, np.uint8)
"""What a reference stands for, by its first letter; by its third where it is a number."""
_SIGN[[*b"lgqaAD9"]] = [*b'<>"&\n\r\t']


def texts(escaped: Sequence[bytes]) -> list[tuple[str, bool]]:
    """`rules.text_of` of the HTML of every body, and whether `<code` or `<pre` is in it."""
    return [found for some in _pieces(escaped) for found in _texts(some)]


def texts_without_code(coded: Mapping[int, bytes]) -> dict[int, str]:
    """`rules.text_of` of bodies with code in them, a space in place of each piece of code."""
    odd = {at for at, body in coded.items() if b">" in body or _ODD_CODE.search(body)}
    found = {at: rules.text_of(rules.without_code(html_of(coded[at]))) for at in odd}
    usual = {at: b" ".join(rules.outside(body, _CODE, _CODE_ENDS)) for at, body in coded.items() if at not in odd}
    return found | {at: text for at, (text, _) in zip(usual, texts(list(usual.values())), strict=True)}


def html_of(escaped: bytes) -> str:
    """The HTML of a body."""
    return entities.unescape(escaped.decode())


def _pieces(escaped: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """The bodies, as many at a time as are worked on together."""
    begin = size = 0
    for at, body in enumerate(escaped):
        if size > _AT_ONCE:
            yield escaped[begin:at]
            begin, size = at, 0
        size += len(body)
    yield escaped[begin:]


def _texts(escaped: Sequence[bytes]) -> list[tuple[str, bool]]:
    data = bytearray(_END.join((*escaped, b"")))
    data += bytes(8 + -len(data) % 8)
    signs = np.frombuffer(data, np.uint8)
    at = np.flatnonzero(signs == ord("&"))
    name = signs[at + 1]
    opening = name == ord("l")
    bracket = opening | (name == ord("g"))
    brackets, opens, other = at[bracket], opening[bracket], np.flatnonzero(~bracket)
    follows = signs[brackets + 4]
    if b">" in data or (opens & (follows == ord("!"))).any():  # comments, and what is no bracket of an escaped body
        return [(rules.text_of(html_of(body)), b"&lt;code" in body or b"&lt;pre" in body) for body in escaped]
    closes = np.cumsum([len(body) + len(_END) for body in escaped], dtype=np.int64) - len(_END)
    coded = np.zeros(len(escaped) + 1, bool)
    for word in (b"code", b"pre"):
        hits = brackets[opens & (follows == word[0])]
        for place, letter in enumerate(word[1:], 5):
            hits = hits[signs[hits + place] == letter]
        coded[closes.searchsorted(hits)] = True
    follows = np.where(follows == ord("/"), signs[brackets + 5], follows)
    tags = np.flatnonzero(opens[:-1] & ~opens[1:] & _LETTER[follows[:-1]])
    inside = _between(brackets[tags], brackets[tags + 1] + 4, len(data))

    means = _SIGN[name]
    places, names = at[other], name[other]
    third = signs[places + 3]
    apostrophe = (names == ord("a")) & (third == ord("o"))
    means[other] = np.where(names == ord("#"), _SIGN[third], np.where(apostrophe, np.uint8(ord("'")), _SIGN[names]))
    signs[at] = means
    for beyond in (1, 2, 3):
        signs[at + beyond] = 0
    signs[places + 4] = 0
    signs[places[apostrophe | (names == ord("q"))] + 5] = 0
    signs &= ~inside
    signs[closes] = 0
    found = map(bytes.decode, bytes(data.translate(None, b"\0")).split(b"\1"))
    read = [(entities.unescape(text) if "&" in text else text).strip() for text in found]
    return list(zip(read[:-1], coded[:-1].tolist(), strict=True))


def _between(starts: Any, ends: Any, size: int) -> Any:
    """A mask of bytes, 255 from each start to before its end; `size` is a multiple of eight. What is between is the
    exclusive or of all edges before it, taken eight bytes at a time."""
    edges = np.zeros(size, np.uint8)
    edges[starts] = 255
    edges[ends] ^= 255
    words = edges.view(np.uint64)
    for bits in (8, 16, 32):
        words ^= words << np.uint64(bits)
    carried = np.bitwise_xor.accumulate(edges[7::8])
    words[1:] ^= carried[:-1] * np.uint64(0x0101010101010101)
    return edges
