"""Posts by people whom a study must forget, those too that no rule let through: their Ids stand in the reject log, and
beside them words of theirs. A pass of its own, made only where somebody is forgotten."""

import re
from collections.abc import Iterable
from pathlib import Path

from limakit.engine import Executor
from limakit.records import Provenance
from limakit.sources.stackexchange import rows
from limakit.sources.stackexchange.find import Dump
from limakit.sources.stackexchange.names import host_of
from limakit.sources.stackexchange.sites import is_known
from limakit.sources.stackexchange.split import Split, splits, units
from limakit.store.forgotten import Forgotten

SPLIT_BYTES = 64 << 20
_OWNER = re.compile(rb""" Owner(?:UserId=["'](-?\d{1,18})|DisplayName=(?:"([^"<]*)"|'([^'<]*)'))""")
_NAME = re.compile(rb""" DisplayName=["']""")


def forgotten_posts(dumps: Iterable[Dump], forgotten: Forgotten, *, executor: Executor) -> set[str]:
    """Ids, as the reject log has them, of all posts in the dumps by somebody forgotten."""
    dumps = sorted(dumps, key=lambda dump: dump.label)
    named: dict[str, set[int]] = {}
    users = [(dump, split) for dump in dumps if dump.users for split in _splits(dump.users)]
    found = executor.map(accounts, [(split, forgotten) for _, split in users])
    for (dump, _), numbers in zip(users, found, strict=True):
        named.setdefault(dump.site, set()).update(numbers)
    posts = [(dump, split) for dump in dumps for split in _splits(dump.posts)]
    work = [(split, dump.site, frozenset(named.get(dump.site, ())), forgotten) for dump, split in posts]
    return {
        f"stackexchange/{dump.site}/{number}"
        for (dump, _), numbers in zip(posts, executor.map(posts_by, work), strict=True)
        for number in numbers
    }


def accounts(work: tuple[Split, Forgotten]) -> list[int]:
    """Accounts in one split of a Users.xml that bear a forgotten name; damaged rows are passed over."""
    split, forgotten = work
    numbers: list[int] = []
    for _, data, start, end, _ in units(split):
        if _NAME.search(data, start, end) is None:
            continue
        try:
            found = rows.attributes(data[start:end])
        except rows.Refused:
            continue
        if forgotten.covers([_person(found.get("DisplayName"))]) and found.get("Id", "").isdecimal():
            numbers.append(int(found["Id"]))
    return numbers


def posts_by(work: tuple[Split, str, frozenset[int], Forgotten]) -> list[int]:
    """Ids of the posts in one split whose owner is one of the accounts, or forgotten by page or by name."""
    split, site, known, forgotten = work
    host = host_of(site, is_known(site))
    theirs = dict.fromkeys(known, True)
    numbers: list[int] = []
    for _, data, start, end, _ in units(split):
        for match in _OWNER.finditer(data, start, end):
            if match[1] is not None:
                account = int(match[1])
                if account not in theirs:
                    page = f"https://{host}/users/{account}" if host else None
                    theirs[account] = forgotten.covers([_person(None, page)])
                hit = theirs[account]
            else:
                name = match[2] if match[2] is not None else match[3]
                hit = forgotten.covers([_person(_text(name))])
            if hit:
                numbers += _id(data[start:end])
                break
    return numbers


def _splits(path: Path) -> list[Split]:
    return splits(0, str(path), path.stat().st_size, SPLIT_BYTES)


def _person(name: str | None, page: str | None = None) -> Provenance:
    return Provenance(source="", site="", id="", author=name, author_url=page)


def _text(raw: bytes) -> str:
    try:
        return rows.unescape(raw.decode())
    except (rows.Refused, UnicodeDecodeError):
        return ""


def _id(row: bytes) -> list[int]:
    try:
        return [rows.integer(rows.attributes(row), "Id")]
    except rows.Refused:
        return []
