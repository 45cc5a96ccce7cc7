"""The public tables of wikiHow articles: a row a step (`title, heading, paragraph`), or a row an article
(`title, result`); and tables that only say which category a title is in (`title, category`)."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from limakit.errors import InputError
from limakit.sources.given import Given, text_file

LARGEST_FIELD = 1 << 20
_HEADING, _PARAGRAPH, _RESULT = ("heading", "headline"), ("paragraph", "text"), ("result",)
_FIX = "Its first line must name the columns: title, heading, paragraph; title, result; or title, category."


@dataclass(frozen=True, slots=True, kw_only=True)
class Article:
    """One article of a table, or `damage` at a line."""

    title: str = ""
    body: str = ""
    """Markdown."""
    steps: int = 0
    line: int = 0
    damage: str = ""


def categories(file: Given) -> dict[str, str] | None:
    """Category of each title, where the table is of that kind; else None."""
    with text_file(file.path) as text:
        rows = _rows(file, csv.reader(text, strict=True))
        _, head = next(rows, (0, []))
        if not isinstance(head, list) or not {"title", "category"} <= set(head):
            return None
        title, category = head.index("title"), head.index("category")
        whole = (row for _, row in rows if isinstance(row, list) and len(row) == len(head))
        return {row[title].strip(): row[category].strip() for row in whole}


def articles(file: Given) -> Iterator[Article]:
    """Articles of a table in order. Raises InputError where its columns are none of those known."""
    with text_file(file.path) as text:
        rows = _rows(file, csv.reader(text, strict=True))
        _, head = next(rows, (0, []))
        names = [name.strip().lower() for name in head] if isinstance(head, list) else []
        heading, paragraph, result = (_column(names, known) for known in (_HEADING, _PARAGRAPH, _RESULT))
        if "title" not in names or (result is None and (heading is None or paragraph is None)):
            found = ", ".join(names)[:200] or "nothing"
            raise InputError(f"is no known table of articles: its columns are {found}", where=file.path, fix=_FIX)
        title, waiting, begun = names.index("title"), [], 0
        for line, row in rows:
            if isinstance(row, str) or len(row) != len(names):
                reason = row if isinstance(row, str) else f"{len(row)} fields, not {len(names)}"
                yield Article(line=line, damage=reason)
            elif result is not None:
                yield Article(title=row[title], body=row[result].strip(), steps=row[result].count("\n") + 1, line=line)
            else:
                assert heading is not None
                assert paragraph is not None
                if waiting and waiting[0][0] != row[title]:
                    yield _joined(waiting, begun)
                    waiting = []
                begun = begun if waiting else line
                waiting.append((row[title], row[heading].strip(), row[paragraph].strip()))
        if waiting:
            yield _joined(waiting, begun)


def _rows(file: Given, reader: Any) -> Iterator[tuple[int, list[str] | str]]:
    """Rows with the lines they end on; a text is what is wrong with a row."""
    csv.field_size_limit(LARGEST_FIELD)
    while True:
        try:
            row = next(reader)
            yield reader.line_num, row
        except StopIteration:
            return
        except csv.Error as error:
            yield reader.line_num, str(error)


def _column(names: Sequence[str], known: Sequence[str]) -> int | None:
    return next((names.index(name) for name in known if name in names), None)


def _joined(rows: Sequence[tuple[str, str, str]], line: int) -> Article:
    """Steps numbered, their headings bold; a row without heading is a paragraph. A paragraph may repeat its heading."""
    parts, number = [], 0
    for _, heading, paragraph in rows:
        heading = heading.rstrip(",").strip()
        if not heading:
            parts.append(paragraph)
            continue
        number += 1
        rest = paragraph.removeprefix(heading).strip()
        parts.append(f"{number}. **{heading}** {rest}".rstrip().replace("\n", "\n   "))
    return Article(title=rows[0][0], body="\n\n".join(filter(None, parts)), steps=number, line=line)
