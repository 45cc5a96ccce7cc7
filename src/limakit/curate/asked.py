"""Prompts for testing that a source offers → those to take: per group its quota, the highest scores first."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Protocol

from limakit.records import Prompt
from limakit.store.rejects import RejectLog


class Asked(Protocol):
    """One prompt as its source offers it."""

    @property
    def site(self) -> str: ...
    @property
    def score(self) -> int: ...
    @property
    def prompt(self) -> Prompt: ...


def take(
    offered: Sequence[Asked], quotas: Mapping[str, int], *, rejects: RejectLog
) -> tuple[list[Prompt], dict[str, Counter[str]]]:
    """The prompts to take, best first, and how many of each site fell to which rule; those go to the reject log."""
    taken: list[Prompt] = []
    rejected: dict[str, Counter[str]] = {}
    left = dict(quotas)
    first: dict[str, str] = {}
    for item in sorted(offered, key=lambda item: (-item.score, item.prompt.id)):
        prompt = item.prompt
        key = " ".join(" ".join(turn.content.lower().split()) for turn in prompt.messages)
        if key in first:
            reason = ("duplicate", first[key])
        elif not quotas.get(prompt.group):
            reason = ("no_quota", prompt.group)
        elif not left[prompt.group]:
            reason = ("not_selected", "")
        else:
            first[key] = prompt.id
            left[prompt.group] -= 1
            taken.append(prompt)
            continue
        source, _, rest = prompt.id.partition("/")
        rejects.add(source, item.site, rest.removeprefix(f"{item.site}/"), reason, item.score)
        rejected.setdefault(item.site, Counter())[reason[0]] += 1
    return taken, rejected
