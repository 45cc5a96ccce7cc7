"""The lists that people go through on the Review page, and the way from one item to the next."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

from limakit.errors import InputError
from limakit.pipeline.browsing import WANTABLE, Curated

TRAIN, DECIDED = "train", "decided"
LEFT, STYLE = "left:", "style:"
NAMES = {
    "near_duplicate": "Near-duplicates that were set aside",
    "not_selected": "Passed every rule, but beyond the quota",
    "duplicate": "The same text as another",
    "no_quota": "Of a group without a quota",
}
CHECKS = {
    "empty": "Something is empty",
    "speaks_as_machine": "Speaks of itself as a machine",
    "stock_opening": "Opens with a courtesy",
    "announces_itself": "Announces itself",
    "no_acknowledgement": "Does not take up the question",
    "late_answer": "The answer comes late",
    "repeats_prompt": "Repeats the prompt",
    "claims_experience": "Claims a life of its own",
    "stock_ending": "Ends with a stock phrase",
    "too_long": "Too long",
    "wall_of_text": "A wall of text",
    "all_list": "Nothing but a list",
    "headings_in_short": "Headings in a short answer",
    "shouts": "Exclaims a lot",
    "open_code": "A code block is left open",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class List:
    """One list: its key in addresses, its name, its Ids in order, how many of them are decided."""

    key: str
    name: str
    ids: tuple[str, ...]
    decided: int = 0


def lists(curated: Curated, decided: Collection[str]) -> list[List]:
    """Every list that is not empty: training, what was set aside by rule, findings on style by check."""
    by_rule = Counter(one.rule for one in curated.spare.values())
    checks = Counter(finding.check for found in curated.findings.values() for finding in found)
    keys = [
        TRAIN,
        *(LEFT + rule for rule in NAMES if by_rule[rule]),
        *(STYLE + check for check in CHECKS if checks[check]),
    ]
    found = []
    for key in keys:
        ids = ids_of(key, curated, decided)
        found.append(List(key=key, name=name_of(key), ids=ids, decided=sum(one in decided for one in ids)))
    return found


def ids_of(key: str, curated: Curated, decided: Collection[str]) -> tuple[str, ...]:
    """The Ids of a list in order. Raises InputError where there is no such list."""
    if key == TRAIN:
        return tuple(curated.train)
    if key == DECIDED:
        return tuple(one for one in decided if curated.find(one))
    kind, _, name = key.partition(":")
    if kind == "left" and name in WANTABLE:
        return tuple(one.id for one in curated.spare.values() if one.rule == name)
    if kind == "style" and name in CHECKS:
        return tuple(one for one, found in curated.findings.items() if any(f.check == name for f in found))
    raise InputError(f"there is no list {key[:40]!r}", fix="Choose one on the Review page.")


def name_of(key: str) -> str:
    """What a list is called."""
    kind, _, name = key.partition(":")
    return {TRAIN: "In training", DECIDED: "Decided"}.get(key) or (NAMES if kind == "left" else CHECKS)[name]


def beside(ids: tuple[str, ...], name: str) -> tuple[str | None, str | None]:
    """The Ids before and after one in a list."""
    if name not in ids:
        return None, ids[0] if ids else None
    at = ids.index(name)
    return ids[at - 1] if at else None, ids[at + 1] if at + 1 < len(ids) else None


def next_open(ids: tuple[str, ...], name: str, decided: Collection[str]) -> str | None:
    """The next Id that nobody has decided on, from the beginning again where the end is reached."""
    at = ids.index(name) + 1 if name in ids else 0
    return next((one for one in (*ids[at:], *ids[:at]) if one not in decided and one != name), None)
