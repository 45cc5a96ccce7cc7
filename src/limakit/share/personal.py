"""Passages that look like secrets or personal data: keys, passwords in addresses, e-mails, phone and card numbers.

Patterns find what has a known form and nothing else; what they find is shown masked, with its place.
"""

import re
from collections.abc import Iterable, Iterator

from limakit.records import Example, record

_KINDS = (
    ("private key", re.compile(r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----")),
    (
        "access key",
        re.compile(
            r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36,}|\bgithub_pat_\w{22,}|\bxox[abprs]-[\w-]{10,}"
            r"|\bAIza[\w-]{35}|\bsk-[A-Za-z0-9_-]{20,}|\bsk_live_\w{16,}|\bhf_[A-Za-z0-9]{30,}"
            r"|\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}"
        ),
    ),
    ("password", re.compile(r"\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@<>\"']{1,60}:[^\s/@<>\"']{1,60}@[\w.-]+")),
    (
        "e-mail",
        re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,4}\.[A-Za-z]{2,24}\b"),
    ),
    (
        "phone",
        re.compile(
            r"(?<![\w.+-])\+\d{1,3}(?:[ .-]?\(?\d{1,4}\)?){2,5}(?![\w-])"
            r"|(?<![\w.+-])\(?\d{3}\)?[ .-]\d{3}[.-]\d{4}(?![\w-])"
        ),
    ),
    ("card number", re.compile(r"(?<![\w.-])\d{4}([ -]?)\d{4}\1\d{4}\1\d{1,4}(?![\w-])")),
)
_HARMLESS = re.compile(
    r"@(?:[\w-]+\.)*(?:example|test|invalid|localhost|domain|yourdomain|mydomain|company)(?:\.\w+)*$"
    r"|^git@|EXAMPLE|//(?:user|username|name|login):(?:pass|password|secret|pwd)\w*@|555-?01\d\d$",
    re.IGNORECASE,
)


@record
class Finding:
    """One passage."""

    id: str
    """Of the example."""
    turn: int
    """Number of the turn, from 1."""
    start: int
    """Character within the turn, from 0."""
    kind: str
    masked: str
    """The passage, all but its first characters hidden."""


def findings(examples: Iterable[Example]) -> Iterator[Finding]:
    """Every passage of every turn, in order."""
    for example in examples:
        for number, turn in enumerate(example.messages, 1):
            for start, kind, text in sorted(scan(turn.content)):
                masked = text[:3] + "•" * min(len(text) - 3, 12)
                yield Finding(id=example.id, turn=number, start=start, kind=kind, masked=masked)


def scan(text: str) -> Iterator[tuple[int, str, str]]:
    """(start, kind, passage) of each find; each character counts for the first kind that claims it."""
    claimed: list[tuple[int, int]] = []
    for kind, pattern in _KINDS:
        for match in pattern.finditer(text):
            start, stop = match.span()
            if any(start < end and begin < stop for begin, end in claimed) or not _is(kind, match[0]):
                continue
            claimed.append((start, stop))
            yield start, kind, match[0]


def _is(kind: str, passage: str) -> bool:
    if _HARMLESS.search(passage):
        return False
    digits = [int(character) for character in passage if character.isdecimal()]
    if kind == "phone":
        return 8 <= len(digits) <= 15 and len(set(digits)) > 3
    if kind == "card number":
        doubled = [digit if at % 2 == 0 else sum(divmod(2 * digit, 10)) for at, digit in enumerate(reversed(digits))]
        return sum(doubled) % 10 == 0 and len(set(digits)) > 1
    return True
