"""The recipe's sources: found and checked before work begins, then read, each by its own reader."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from limakit.engine import Executor, Progress
from limakit.recipe import Recipe
from limakit.recipe_sources import Authored, Conversations, NaturalInstructions, Reddit, Source, StackExchange, WikiHow
from limakit.sources.given import Given
from limakit.sources.harvest import Asked, Item, SiteCount, gather, merged
from limakit.sources.stackexchange.find import Dump, find_dumps
from limakit.store.forgotten import Forgotten
from limakit.store.rejects import RejectLog
from limakit.store.study import PACKAGE, Study

if TYPE_CHECKING:
    from limakit.curate.editor import Editor

STARTER = PACKAGE / "starter"
SAMPLES = {
    "stackexchange": "dump",
    "wikihow": "howto",
    "reddit": "stories",
    "natural_instructions": "tasks",
    "conversations": "dialogues",
    "authored": "authored",
}
"""Folder of each kind's sample data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One source of the recipe, with the dumps or files that it names."""

    settings: Source
    dumps: tuple[Dump, ...] = ()
    files: tuple[Given, ...] = ()


@dataclass(slots=True, kw_only=True)
class Stock:
    """What all sources hold together."""

    candidates: list[Path] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    sites: tuple[SiteCount, ...] = ()
    quarantine: list[dict[str, str | int]] = field(default_factory=list)
    dumps: tuple[Dump, ...] = ()
    whole: Counter[str] = field(default_factory=Counter)
    """Candidates of the groups that are taken whole unless a quota names them."""


def find(study: Study) -> list[Found]:
    """The files of every source, in the recipe's order. Raises InputError where one has none."""
    return [_find(source, place(study, source)) for source in study.recipe.sources]


def place(study: Study, source: Source) -> Path:
    """Where a source lies: `embedded` and `embedded/…` are the sample data of its kind."""
    first, _, rest = source.path.partition("/")
    return STARTER / SAMPLES[source.kind] / rest if first == "embedded" else study.resolve(source.path)


def _find(source: Source, path: Path) -> Found:
    from limakit.sources import given
    from limakit.sources.authored import read as authored
    from limakit.sources.conversations import read as conversations
    from limakit.sources.natural_instructions import read as natural_instructions
    from limakit.sources.reddit import read as reddit
    from limakit.sources.wikihow import read as wikihow

    match source:
        case StackExchange():
            dumps = find_dumps(path, source.group, source.groups, comments=source.dialogues)
            return Found(settings=source, dumps=tuple(dumps))
        case Authored():
            files = given.find(path, authored.ENDINGS, authored.EXPECTED)
        case Conversations():
            files = given.find(path, conversations.ENDINGS, conversations.EXPECTED)
        case WikiHow():
            files = given.find(path, wikihow.ENDINGS, wikihow.EXPECTED)
            wikihow.check(files)
        case Reddit():
            files = given.find(path, reddit.ENDINGS, reddit.EXPECTED)
        case NaturalInstructions():
            files = given.find(path, natural_instructions.ENDINGS, natural_instructions.EXPECTED)
    return Found(settings=source, files=tuple(files))


def inputs(found: Sequence[Found]) -> dict[str, Path]:
    """Every file that decides the result, by a name that does not depend on where it lies."""
    named: dict[str, Path] = {}
    for number, one in enumerate(found):
        named |= {f"{number}/{dump.label}": dump.posts for dump in one.dumps}
        named |= {f"{number}/{dump.label}/users": dump.users for dump in one.dumps if dump.users}
        named |= {f"{number}/{dump.label}/comments": dump.comments for dump in one.dumps if dump.comments}
        named |= {f"{number}/{file.label}": file.path for file in one.files}
    return named


def settings(found: Sequence[Found]) -> list[dict[str, Any]]:
    """What decides the result besides the files."""
    return [
        {
            **one.settings.model_dump(mode="json", exclude={"path"}),
            "dumps": [[dump.site, dump.group] for dump in one.dumps],
        }
        for one in found
    ]


def read(
    found: Sequence[Found],
    recipe: Recipe,
    editor: "Editor",
    *,
    executor: Executor,
    folder: Path,
    rejects: RejectLog,
    progress: Progress,
    forgotten: Forgotten = Forgotten(),  # noqa: B008 (frozen)
) -> Stock:
    """Read every source. Writes candidates and scratch into `folder`; all counts are in the result. The log does not
    tell which posts are by somebody `forgotten`, but for those of dumps: `sifting.sift` finds them."""
    from limakit.sources.stackexchange.read import read as read_dumps

    stock = Stock()
    counts: list[SiteCount] = []
    dumps = [dump for one in found for dump in one.dumps]
    if dumps:
        got = read_dumps(dumps, editor, executor=executor, folder=folder, rejects=rejects, progress=progress)
        stock.candidates += filter(None, (got.candidates, got.dialogues))
        stock.quarantine += got.quarantine
        stock.dumps = got.dumps
        counts += got.sites
    seen: set[str] = set()
    for number, one in enumerate(found):
        if one.files:
            items = _items(one, recipe, editor, executor, progress)
            target = folder / f"candidates-{number}.jsonl"
            group = getattr(one.settings, "group", None) or one.settings.kind
            more = gather(items, to=target, group=group, rejects=rejects, seen=seen, forgotten=forgotten)
            stock.candidates.append(target)
            stock.asked += more.asked
            stock.quarantine += more.quarantine
            counts += more.sites
            if isinstance(one.settings, Authored | Conversations):
                stock.whole += more.groups
    stock.sites = merged(counts)
    return stock


def _watched(one: Found, progress: Progress) -> Iterator[Given]:
    """The files of a source, telling how far the reader is."""
    for done, file in enumerate(one.files):
        progress(f"reading {one.settings.kind}", done, len(one.files), "files")
        yield file
    progress(f"reading {one.settings.kind}", len(one.files), len(one.files), "files")


def _items(one: Found, recipe: Recipe, editor: "Editor", executor: Executor, progress: Progress) -> Iterator[Item]:
    """What a source's reader yields."""
    from limakit.sources.authored.read import read as authored
    from limakit.sources.conversations.read import read as conversations
    from limakit.sources.natural_instructions.read import read as natural_instructions
    from limakit.sources.reddit.read import read as reddit
    from limakit.sources.wikihow.read import read as wikihow

    files = _watched(one, progress)
    match one.settings:
        case Authored() as source:
            return authored(files, source)
        case Conversations() as source:
            return conversations(files, source)
        case WikiHow() as source:
            return wikihow(one.files, source, editor.reply, progress)
        case Reddit() as source:
            return reddit(one.files, source, progress, executor=executor)
        case NaturalInstructions() as source:
            return natural_instructions(files, source, seed=recipe.seed)
        case StackExchange():
            raise AssertionError("dumps are read together")
