"""Candidates that must not be taken, whatever their quality: under a refused licence, or by somebody forgotten."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from limakit.engine import Executor
from limakit.pipeline.sourcing import Stock
from limakit.records import Candidate, Provenance
from limakit.share.licences import refuses
from limakit.sources.stackexchange.dialogues import ENDING as DIALOGUE
from limakit.store import files
from limakit.store.forgotten import Forgotten
from limakit.store.rejects import HIDDEN, RejectLog


def sift(
    stock: Stock, refused: Sequence[str], forgotten: Forgotten, *, executor: Executor, folder: Path, rejects: RejectLog
) -> set[str]:
    """Take them out of the stock and log them; the log does not name the posts of somebody forgotten. Returns the Ids
    of these: of the candidates that were taken out, and of all posts of theirs in the dumps."""
    theirs: set[str] = set()
    if not refused and not forgotten:
        return theirs
    origins = _named(stock, executor) if forgotten else {}
    counts = {site.site: site for site in stock.sites}

    def unwanted(source: str, site: str, name: str, posts: Sequence[Provenance], score: int) -> bool:
        reason, number = None, name.removeprefix(f"{source}/{site}/")
        if forgotten.covers(posts):
            theirs.add(name)
            reason, number = ("forgotten", ""), HIDDEN
        elif licence := next((found for post in posts if (found := refuses(post.licence, refused))), None):
            reason = ("refused_licence", licence)
        if reason is None:
            return False
        rejects.add(source, site, number, reason, score)
        counts[site].candidates -= 1
        counts[site].rejected[reason[0]] += 1
        return True

    for at, path in enumerate(stock.candidates):
        target = folder / f"sifted-{at}.jsonl"
        kept = (
            candidate
            for candidate in files.iter_jsonl(path, Candidate)
            if not unwanted(
                candidate.source,
                candidate.site,
                candidate.id,
                origins.get(candidate.id, candidate.provenance),
                candidate.score,
            )
        )
        files.write_jsonl(target, kept)
        stock.candidates[at] = target
    stock.asked = [
        item
        for item in stock.asked
        if not unwanted(item.prompt.id.split("/")[0], item.site, item.prompt.id, item.prompt.provenance, item.score)
    ]

    if forgotten and stock.dumps:
        from limakit.sources.stackexchange.owners import forgotten_posts

        theirs |= forgotten_posts(stock.dumps, forgotten, executor=executor)
    return theirs | {f"{name}{DIALOGUE}" for name in theirs}


def _named(stock: Stock, executor: Executor) -> dict[str, tuple[Provenance, ...]]:
    """Origins of the candidates, with the names that a dump keeps in a table of its own."""
    from limakit.sources.stackexchange.users import name_authors

    bare = [
        replace(candidate, prompts=(), replies=())
        for path in stock.candidates
        for candidate in files.iter_jsonl(path, Candidate)
    ]
    return {candidate.id: candidate.provenance for candidate in name_authors(bare, stock.dumps, executor=executor)}
