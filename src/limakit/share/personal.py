"""Passages that look like secrets or personal data: keys, tokens, passwords in addresses, e-mails, phone numbers, and
numbers of bank accounts (ISO 13616), cards (ISO/IEC 7812) and social security.

Patterns find what has a known form and nothing else; what they find is shown masked, with its place.
"""

import re
from collections.abc import Iterable, Iterator

from limakit.records import Example, record

_KINDS = (
    (
        "private key",
        re.compile(
            r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY(?: BLOCK)?-----|PuTTY-User-Key-File-\d|AGE-SECRET-KEY-1[A-Z0-9]{20}"
        ),
    ),
    (
        "access key",
        re.compile(
            r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36,}|\bgithub_pat_\w{22,}|\bglpat-[\w-]{20,}"
            r"|\bx(?:ox[abeprs]|app)-[\w-]{10,}|hooks\.slack\.com/services/T\w{6,}/B\w{6,}/\w{16,}"
            r"|\bAIza[\w-]{35}|\bya29\.[\w-]{20,}|\bGOCSPX-[\w-]{20,}|\bsk-[A-Za-z0-9_-]{20,}|\b[rs]k_(?:live|test)_\w{16,}"
            r"|\bhf_[A-Za-z0-9]{30,}|\bnpm_[A-Za-z0-9]{36}|\bpypi-Ag[\w-]{30,}|\bSG\.[\w-]{16,64}\.[\w-]{16,64}"
            r"|\bdop_v1_[0-9a-f]{32,}|\bshp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}|\b\d{8,10}:AA[\w-]{33}|\bAccountKey=[\w+/=]{40,}"
            r"|\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}"
        ),
    ),
    (
        "secret",
        re.compile(
            r"(?<![A-Za-z0-9])(?i:api[_-]?key|access[_-]?key|secret[_-]?key|client[_-]?secret|(?:access|auth|refresh)[_-]?token"
            r"|secret[_-]?access[_-]?key)[\"']?\s{0,3}[:=]\s{0,3}[\"']?[\w+/.-]{20,200}={0,2}"
            r"|\b(?i:authorization:\s{0,3}(?:bearer|basic))\s{1,3}[\w+/.-]{20,2000}={0,2}"
        ),
    ),
    ("password", re.compile(r"\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@<>\"']{1,60}:[^\s/@<>\"']{1,60}@[\w.-]+")),
    (
        "e-mail",
        re.compile(
            r"(?<![\w.+-])[\w.+-]{1,64}@[^\W_](?:[\w-]{0,62}\.){1,5}[^\W\d_]{2,24}\b"
            r"|(?<![\w.+-])[\w.+-]{2,64} ?[\[({<] ?(?i:at) ?[\])}>] ?[\w-]{1,63}"
            r"(?: ?(?:\.|[\[({<] ?(?i:dot|punkt) ?[\])}>]) ?[\w-]{2,63}){1,4}"
        ),
    ),
    (
        "phone",
        re.compile(
            r"(?<![\w.+-])\+\d{1,3}(?:[ .-]?\(?\d{1,4}\)?){2,5}(?![\w-])"
            r"|(?<![\w.+-])\(?\d{3}\)?[ .-]\d{3}[.-]\d{4}(?![\w-])"
            r"|(?i:\b(?:tel|phone|telephone|telefon|mobile|fax|whatsapp)\b)[.:]?(?: (?i:no|nr|number))?[.:]? ?"
            r"\(?0\d{1,5}\)?[ /-]\d(?:[ -]?\d){4,10}(?![\w-])"
        ),
    ),
    ("bank account", re.compile(r"\b[A-Z]{2}\d\d(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?\b")),
    ("social security number", re.compile(r"(?<![\w.-])(?!000|666|9)\d{3}-(?!00)\d\d-(?!0000)\d{4}(?![\w-])")),
    ("card number", re.compile(r"(?<![\w./-])[2-6]\d{3}([ -]?)\d{4}\1\d{4}\1\d{1,4}(?![\w-])")),
)
_HARMLESS = re.compile(
    r"@(?:[\w-]+\.)*(?:example|test|invalid|localhost|domain|yourdomain|mydomain|company)(?:\.\w+)*$"
    r"|^git@|EXAMPLE|//(?:user|username|name|login):(?:pass|password|secret|pwd)\w*@|555-?01\d\d$"
    r"|123[) .-]{1,2}456[.-]7890$|^(?:123-45-6789|078-05-1120)$",
    re.IGNORECASE,
)
_PLACEHOLDER = re.compile(
    r"your|example|placeholder|changeme|replace|insert|here\b|xxx|\.\.\.|\bos\.|getenv|environ", re.IGNORECASE
)


@record
class Finding:
    """One passage."""

    id: str
    """Of the example."""
    turn: int
    """Number of the turn, from 1; 0 for the name of an author."""
    start: int
    """Character within the turn, from 0."""
    kind: str
    masked: str
    """The passage, all but its first characters hidden."""


def findings(examples: Iterable[Example]) -> Iterator[Finding]:
    """Every passage of every turn, in order, before them those in names of authors, which attribution shows."""
    for example in examples:
        authors = " ".join(dict.fromkeys(post.author for post in example.provenance if post.author))
        for number, said in enumerate((authors, *(turn.content for turn in example.messages))):
            for start, kind, text in sorted(scan(said)):
                masked = text[:3] + "•" * min(len(text) - 3, 12)
                yield Finding(id=example.id, turn=number, start=start, kind=kind, masked=masked)


def scan(text: str) -> Iterator[tuple[int, str, str]]:
    """(start, kind, passage) of each find; each character counts for the first kind that claims it."""
    claimed = bytearray(len(text))
    for kind, pattern in _KINDS:
        for match in pattern.finditer(text):
            start, stop = match.span()
            if any(claimed[start:stop]) or not _is(kind, match[0]):
                continue
            claimed[start:stop] = bytes([1]) * (stop - start)
            yield start, kind, match[0]


def _is(kind: str, passage: str) -> bool:
    if _HARMLESS.search(passage):
        return False
    digits = [int(character) for character in passage if character.isdecimal()]
    if kind == "secret":
        value = re.split(r"[:=\s]", passage.rstrip("=\"'"))[-1].lstrip("\"'")
        mixed = any(map(str.isdecimal, value)) and any(map(str.isalpha, value))
        return mixed and len(set(value)) >= 10 and not _PLACEHOLDER.search(passage)
    if kind == "phone":
        return 8 <= len(digits) <= 15 and len(set(digits)) > 3
    if kind == "card number":
        doubled = [digit if at % 2 == 0 else sum(divmod(2 * digit, 10)) for at, digit in enumerate(reversed(digits))]
        return sum(doubled) % 10 == 0 and len(set(digits)) > 1
    if kind == "bank account":
        plain = "".join(passage.split())
        return 15 <= len(plain) <= 34 and int("".join(str(int(c, 36)) for c in plain[4:] + plain[:4])) % 97 == 1
    return True
