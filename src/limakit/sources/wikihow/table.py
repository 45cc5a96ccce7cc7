"""The public tables of wikiHow articles, and tables that only say which category a title is in (`title, category`).

- a row a step: `title, heading, paragraph`, or `overview, headline, text, sectionLabel, title` (wikihowSep.csv);
- a row a method, whose steps are joined: `headline, title, text` (wikihowAll.csv; Koupaee and Wang 2018);
- a row an article: `title, result`.
"""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from limakit.errors import InputError
from limakit.sources.given import Given, text_file

LARGEST_FIELD = 1 << 20
_HEADING, _PARAGRAPH = ("heading", "headline"), ("paragraph", "text")
_FIX = (
    "Its first line must name the columns: title, heading, paragraph; overview, headline, text, sectionLabel, title; "
    "headline, title, text; title, result; or title, category."
)
_BULLET, _NUMBER = re.compile(r"^[ \t]*[•*-]", re.MULTILINE), re.compile(r"^[ \t]*\d{1,3}[.)]", re.MULTILINE)
_METHOD = re.compile(r"(?<=[a-z)\"'])\d{1,2}$")
"""Number of a method behind a title, without a space: `How to Nap2`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Article:
    """One article of a table, or `damage` at a line."""

    title: str = ""
    body: str = ""
    """Markdown."""
    steps: int = 0
    line: int = 0
    damage: str = ""
    problem: str = ""
    """Why a row that could be read makes no article."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """A heading and its paragraph; without a heading it is a paragraph before or between the steps."""

    part: str
    """Heading of the section in which it stands, empty for none."""
    heading: str
    paragraph: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Columns:
    """Where the columns of a table of steps are; those that it need not have are None."""

    title: int
    heading: int
    paragraph: int
    part: int | None
    overview: int | None
    joined: bool
    """Whether a row holds all steps of a method."""

    def steps(self, row: Sequence[str]) -> list[_Step] | str:
        """The steps of a row, or why it has none."""
        heading, paragraph = row[self.heading].strip(), row[self.paragraph].strip()
        part = "" if self.part is None else " ".join(row[self.part].split())
        if not self.joined:
            return [_Step(part="" if part.lower() == "steps" else part, heading=heading, paragraph=paragraph)]
        headings = [line.strip().rstrip(",") for line in heading.split("\n") if line.strip(", \t\r")]
        paragraphs = _paragraphs(paragraph)
        if len(headings) != len(paragraphs):
            return f"{len(headings)} headings for {len(paragraphs)} paragraphs"
        method = _METHOD.search(row[self.title].strip())
        part = f"Method {method[0]}" if method else ""
        return [_Step(part=part, heading=h, paragraph=p) for h, p in zip(headings, paragraphs, strict=True)]

    def begins(self, row: Sequence[str]) -> list[_Step]:
        """What stands before the first step of an article: its overview."""
        said = "" if self.overview is None else row[self.overview].strip()
        return [_Step(part="", heading="", paragraph=said)] if said else []


def _paragraphs(text: str) -> list[str]:
    """The paragraphs of a method: each but the first begins with a comma on a line of its own; `;` may end one."""
    found: list[list[str]] = [[]]
    for line in text.split("\n"):
        begins = line.lstrip().startswith(",")
        if begins:
            found[-1] = ["\n".join(found[-1]).rstrip().removesuffix(";")]
            found.append([])
        found[-1].append(line.lstrip()[1:] if begins else line)
    return ["\n".join(lines).strip() for lines in found]


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
        names = _names(head, file)
        columns = _columns(names)
        title, waiting, begun, name = names.index("title"), [], 0, ""
        for line, row in rows:
            if isinstance(row, str) or len(row) != len(names):
                reason = row if isinstance(row, str) else f"{len(row)} fields, not {len(names)}"
                yield Article(line=line, damage=reason)
                continue
            if columns is None:
                result = row[names.index("result")].strip()
                things = bool(_BULLET.search(result)) and not _NUMBER.search(result)
                problem = "a list of things, not of steps" if things else ""
                yield Article(
                    title=row[title],
                    body=result,
                    steps=0 if things else result.count("\n") + 1,
                    line=line,
                    problem=problem,
                )
                continue
            if waiting and name != _base(row[title], names):
                yield _joined(name, waiting, begun)
                waiting = []
            name = _base(row[title], names)
            steps = columns.steps(row)
            if isinstance(steps, str):
                yield Article(title=name, line=line, problem=steps)
                continue
            if not waiting:
                begun, waiting = line, columns.begins(row)
            waiting += steps
        if waiting:
            yield _joined(name, waiting, begun)


def check(file: Given) -> None:
    """Read the first line alone. Raises InputError where the columns are none of those known."""
    with text_file(file.path) as text:
        _, head = next(_rows(file, csv.reader(text, strict=True)), (0, []))
    if not isinstance(head, list) or not {"title", "category"} <= set(head):
        _names(head, file)


def _names(head: list[str] | str, file: Given) -> list[str]:
    """Names of the columns of a table of articles."""
    names = [name.strip().lower() for name in head] if isinstance(head, list) else []
    if "title" not in names or (_columns(names) is None and "result" not in names):
        found = ", ".join(names)[:200] or "nothing"
        raise InputError(f"is no known table of articles: its columns are {found}", where=file.path, fix=_FIX)
    return names


def _columns(names: Sequence[str]) -> _Columns | None:
    """The columns of a table of steps; None where it is none."""
    heading, paragraph = _column(names, _HEADING), _column(names, _PARAGRAPH)
    if "title" not in names or heading is None or paragraph is None or "result" in names:
        return None
    part, overview = _column(names, ("sectionlabel",)), _column(names, ("overview",))
    return _Columns(
        title=names.index("title"),
        heading=heading,
        paragraph=paragraph,
        part=part,
        overview=overview,
        joined={"headline", "text"} <= set(names) and part is None and overview is None,
    )


def _base(title: str, names: Sequence[str]) -> str:
    """The title of the article, without the number of a method where the table may have one."""
    return _METHOD.sub("", title.strip()) if "headline" in names else title


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


def _joined(title: str, steps: Sequence[_Step], line: int) -> Article:
    """Steps numbered within their part, their headings bold. A paragraph may repeat its heading; a part's heading
    stands where there are several."""
    parts = {step.part for step in steps if step.heading}
    body, number, count, part = [], 0, 0, ""
    for step in steps:
        if step.part != part and len(parts) > 1:
            body.append(f"### {step.part}" if step.part else "")
            number, part = 0, step.part
        heading = step.heading.rstrip(",").strip()
        if not heading:
            body.append(step.paragraph)
            continue
        number, count = number + 1, count + 1
        rest = step.paragraph.removeprefix(heading).strip()
        body.append(f"{number}. **{heading}** {rest}".rstrip().replace("\n", "\n   "))
    return Article(title=title, body="\n\n".join(filter(None, body)), steps=count, line=line)
