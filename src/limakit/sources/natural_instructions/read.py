"""Task files → candidates: of each generation task in English one instance, drawn by the seed and the task's name."""

import hashlib
from collections.abc import Iterable, Iterator

import orjson

from limakit.recipe_sources import NaturalInstructions
from limakit.records import Candidate, Provenance, Reject, Turn
from limakit.sources.dialogue import plain
from limakit.sources.given import Given
from limakit.sources.harvest import Damaged, Item, Passed
from limakit.sources.natural_instructions.task import Task, task

ENDINGS = (".json",)
EXPECTED = "a task file (.json), or a folder of them"
LARGEST_FILE = 256 << 20
LONGEST_INPUT = 4096
_SOURCE, _UNKNOWN = "natural_instructions", "unread tasks"


def read(files: Iterable[Given], settings: NaturalInstructions, *, seed: int) -> Iterator[Item]:
    """Items of all files in order: one a task, its other instances counted as rows that are passed over."""
    for file in files:
        try:
            if file.path.stat().st_size > LARGEST_FILE:
                raise ValueError("too large for a task")
            found = task(orjson.loads(file.path.read_bytes().removeprefix(b"\xef\xbb\xbf")))
        except ValueError as error:
            yield Damaged(site=_UNKNOWN, file=file.label, place="the file", reason=str(error))
            continue
        item = _item(found, file.label.rpartition("/")[2].removesuffix(".json"), settings, seed)
        yield item
        if len(found.instances) > 1:
            yield Passed(site=item.site, kind="other", count=len(found.instances) - 1)


def _item(found: Task, name: str, settings: NaturalInstructions, seed: int) -> Candidate | Reject:
    site = found.category
    number = f"{_SOURCE}/{site}/{name}"
    usable = [instance for instance in found.instances if len(instance[0]) <= LONGEST_INPUT]
    reason = None
    if found.languages - {"English"}:
        reason = "not_english", ", ".join(sorted(found.languages))
    elif not usable:
        reason = "no_example", ""
    elif detail := found.choice():
        reason = "not_generation", detail
    if reason is not None:
        return Reject(id=number, source=_SOURCE, site=site, rule=reason[0], detail=reason[1])
    given, output = usable[_drawn(f"{seed}/{name}", len(usable))]
    return Candidate(
        id=number,
        source=_SOURCE,
        group=settings.group,
        site=site,
        prompts=(plain(f"{found.definition}\n\n{given}"),),
        replies=(Turn(role="assistant", content=plain(output)),),
        score=0,
        provenance=(
            Provenance(
                source=_SOURCE,
                site=site,
                id=name,
                url=found.url,
                title=name,
                author=found.contributors,
                licence=found.licence or settings.licence,
            ),
        ),
    )


def _drawn(key: str, size: int) -> int:
    """A number below `size` that is a pure function of the key."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) % size
