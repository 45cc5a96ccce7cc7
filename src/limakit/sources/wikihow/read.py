"""wikiHow articles → candidates: the category is the site, the title the prompt, the article the response."""

from collections.abc import Callable, Iterator, Sequence

from limakit.engine import Progress
from limakit.recipe_sources import WikiHow
from limakit.records import Candidate, Provenance, Reject, Turn
from limakit.sources.dialogue import plain
from limakit.sources.given import Given
from limakit.sources.harvest import Damaged, Item, Passed
from limakit.sources.wikihow import text
from limakit.sources.wikihow.page import parse
from limakit.sources.wikihow.table import articles, categories
from limakit.sources.wikihow.table import check as check_table

ENDINGS = (".html", ".htm", ".csv")
EXPECTED = "an article page (.html) or a table of articles (.csv), or a folder of them"
LARGEST_PAGE = 16 << 20
UNKNOWN = "uncategorised"
_SOURCE = "wikihow"


def check(files: Sequence[Given]) -> None:
    """Raise InputError at once where a table has unknown columns: other sources may take hours before it is read."""
    for file in filter(_is_table, files):
        check_table(file)


def read(
    files: Sequence[Given], settings: WikiHow, markdown: Callable[[str], str], progress: Progress
) -> Iterator[Item]:
    """Items of all files in order; `markdown` sets HTML. Raises InputError where a table has unknown columns."""
    known: dict[str, str] = {}
    tables = [file for file in files if _is_table(file)]
    lookups = {file.label: found for file in tables if (found := categories(file)) is not None}
    for found in lookups.values():
        known |= found
    for done, file in enumerate(files):
        progress("reading wikihow", done, len(files), "files")
        if file.label in lookups:
            yield Passed(site=UNKNOWN, kind="other", count=len(lookups[file.label]))
        elif _is_table(file):
            yield from _table(file, settings, known)
        else:
            yield _page(file, settings, markdown)
    progress("reading wikihow", len(files), len(files), "files")


def _is_table(file: Given) -> bool:
    return file.path.suffix.lower() == ".csv"


def _page(file: Given, settings: WikiHow, markdown: Callable[[str], str]) -> Item:
    if file.path.stat().st_size > LARGEST_PAGE:
        return Damaged(site=UNKNOWN, file=file.label, place="the file", reason="too large for a page")
    page = parse(file.path.read_bytes().decode("utf-8", errors="replace"))
    origin = Provenance(
        source=_SOURCE,
        site=page.category or UNKNOWN,
        id=text.slug(page.title) or file.label,
        url=page.url,
        title=page.title or None,
        licence=page.licence or settings.licence,
        created=page.created,
        edited=page.edited,
    )
    return _article(page.title, markdown(page.html), page.steps, origin, settings)


def _table(file: Given, settings: WikiHow, known: dict[str, str]) -> Iterator[Item]:
    for article in articles(file):
        if article.damage:
            yield Damaged(site=UNKNOWN, file=file.label, place=f"line {article.line}", reason=article.damage)
            continue
        title = article.title.strip()
        origin = Provenance(
            source=_SOURCE,
            site=known.get(title, UNKNOWN),
            id=text.slug(text.prompt(title)) or f"{file.label}:{article.line}",
            title=text.prompt(title) or None,
            licence=settings.licence,
        )
        yield _article(title, plain(text.unreferenced(article.body)), article.steps, origin, settings, article.problem)


def _article(
    title: str, body: str, steps: int, origin: Provenance, settings: WikiHow, problem: str = ""
) -> Candidate | Reject:
    name = f"{_SOURCE}/{origin.site}/{origin.id}"
    asked, said = text.prompt(title), text.answer(body)
    if not asked or not steps:
        detail = problem or ("no title" if not asked else "no steps")
        return Reject(id=name, source=_SOURCE, site=origin.site, rule="no_article", detail=detail)
    if len(said) < settings.min_chars:
        detail = f"{len(said)} characters"
        return Reject(id=name, source=_SOURCE, site=origin.site, rule="short_article", detail=detail)
    return Candidate(
        id=name,
        source=_SOURCE,
        group=settings.group,
        site=origin.site,
        prompts=(asked,),
        replies=(Turn(role="assistant", content=said),),
        score=0,
        provenance=(origin,),
    )
