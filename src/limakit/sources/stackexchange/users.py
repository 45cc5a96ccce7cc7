"""Names of authors from Users.xml, looked up for the picks only."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from limakit.engine import Executor
from limakit.records import Candidate, Provenance
from limakit.sources.stackexchange import rows
from limakit.sources.stackexchange.find import Dump
from limakit.sources.stackexchange.split import Split, splits, units

SPLIT_BYTES = 64 << 20
_HEADER = re.compile(rb'<row Id="(-?\d{1,18})" ')
_PAGE = re.compile(r"/users/(\d+)$")


def name_authors(picks: Sequence[Candidate], dumps: Iterable[Dump], *, executor: Executor) -> list[Candidate]:
    """The picks with the present display name of every author whom the dumps' Users.xml know."""
    wanted: dict[str, set[int]] = {}
    for pick in picks:
        for origin in pick.provenance:
            if (number := _user(origin)) is not None:
                wanted.setdefault(origin.site, set()).add(number)
    tasks, sites = [], []
    for dump in sorted(dumps, key=lambda d: d.label):
        if dump.users is not None and dump.site in wanted:
            for split in splits(0, str(dump.users), dump.users.stat().st_size, SPLIT_BYTES):
                tasks.append((split, frozenset(wanted[dump.site])))
                sites.append(dump.site)
    names: dict[tuple[str, int], str] = {}
    for site, found in zip(sites, executor.map(find_names, tasks), strict=True):
        names.update({(site, number): name for number, name in found.items()})
    return [replace(pick, provenance=tuple(_named(origin, names) for origin in pick.provenance)) for pick in picks]


def find_names(task: tuple[Split, frozenset[int]]) -> dict[int, str]:
    """Display names of the wanted users in one split of a Users.xml; damaged rows are passed over."""
    split, wanted = task
    names: dict[int, str] = {}
    for _, data, start, end, _ in units(split):
        match = _HEADER.match(data, start, end)
        if match is not None and int(match[1]) not in wanted:
            continue
        try:
            found = rows.attributes(data[start:end])
        except rows.Refused:
            continue
        number, name = found.get("Id", ""), " ".join(found.get("DisplayName", "").split())
        if name and number.isdecimal() and int(number) in wanted:
            names[int(number)] = name
    return names


def _user(origin: Provenance) -> int | None:
    match = _PAGE.search(origin.author_url or "")
    return int(match[1]) if match else None


def _named(origin: Provenance, names: dict[tuple[str, int], str]) -> Provenance:
    number = _user(origin)
    name = names.get((origin.site, number)) if number is not None else None
    return replace(origin, author=name) if name else origin
