"""An article page as wikiHow serves it → title, category, and the parts worth keeping as plain HTML.

Kept are the introduction, the ingredients and the steps of every part or method. Pruned are images, reference marks,
votes, advertisements, and the sections on tips, warnings, things needed, questions, references and related articles.
"""

import re
from dataclasses import dataclass
from html import escape
from html.parser import HTMLParser

_KEPT = frozenset({"p", "b", "strong", "i", "em", "ul", "ol", "li", "br", "code", "pre", "sub", "sup", "h3"})
_VOID = frozenset(
    "area base br col embed hr img input link meta param source track wbr".split()  # noqa: SIM905 (one line reads best)
)
_PRUNED_TAGS = frozenset({"script", "style", "noscript", "svg", "video", "table", "button", "form"})
_PRUNED = frozenset(
    """
    mwimg step_num altblock wh_ad_inner wh_vote_container reference article_byline intl_toc image_details al_method
    checkmark relatedwikihow ad_label
    """.split()  # noqa: SIM905 (a list that people read)
)
_PRUNED_IDS = frozenset({"byline_hover", "method_toc", "coauthor_byline"})
_END = "-->"
_LICENCE = re.compile(r"creativecommons\.org/licenses/([a-z-]+)/(\d\.\d)")
_DATE = r'"date{}"\s*:\s*"(\d{{4}}-\d\d-\d\d[^"]{{0,20}})"'
_PUBLISHED, _MODIFIED = re.compile(_DATE.format("Published")), re.compile(_DATE.format("Modified"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What one page holds."""

    title: str
    category: str
    """The first of its breadcrumbs, one of wikiHow's nineteen or so."""
    html: str
    steps: int
    url: str | None
    licence: str | None
    created: str | None
    edited: str | None


def parse(text: str) -> Page:
    """Read a page; what it does not have is empty."""
    reader = _Reader()
    reader.feed(text + _END)  # so that no tag or comment is left open, each of which would be read to the end again
    reader.close()
    if reader.parts and reader.parts[-1].endswith(escape(_END, quote=False)):
        reader.parts[-1] = reader.parts[-1].removesuffix(escape(_END, quote=False))
    published, modified = _PUBLISHED.search(text), _MODIFIED.search(text)
    crumbs = [crumb for crumb in map(_line, reader.crumbs) if crumb and crumb != "Categories"]
    return Page(
        title=_line("".join(reader.title)),
        category=crumbs[0] if crumbs else "",
        html="".join(reader.parts),
        steps=reader.steps,
        url=reader.url,
        licence=reader.licence,
        created=published[1] if published else None,
        edited=modified[1] if modified else None,
    )


def _line(text: str) -> str:
    return " ".join(text.split())


class _Reader(HTMLParser):
    """Follows where it is by the classes of the elements around it. Never fails, whatever the markup."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.title: list[str] = []
        self.crumbs: list[str] = []
        self.parts: list[str] = []
        self.steps = 0
        self.url: str | None = None
        self.licence: str | None = None
        self._skip: tuple[str, int] | None = None  # the pruned element's tag, and how many of that tag are open
        self._region: tuple[str, int] = ("", 0)  # the section being kept, and how many <div> are open in it
        self._within = ""  # "title" or "crumb"
        self._in_breadcrumb = False
        self._open: list[str] = []  # kept elements not yet closed

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._skip:
            if tag == self._skip[0] and tag not in _VOID:
                self._skip = (tag, self._skip[1] + 1)
            return
        found = {name: value or "" for name, value in attrs}
        classes, name = frozenset(found.get("class", "").split()), found.get("id", "")
        self._note(tag, found, classes, name)
        if tag in _PRUNED_TAGS or classes & _PRUNED or name in _PRUNED_IDS:
            if tag not in _VOID:
                self._skip = (tag, 1)
            return
        if tag == "div":
            if "section" in classes:
                self._enter(_section(classes, name))
            elif self._region[0]:
                self._region = (self._region[0], self._region[1] + 1)
        if not self._region[0]:
            return
        if tag == "div" and "step" in classes:
            self.steps += 1
        if tag in ("h2", "h3"):
            self._emit_start("h3")
        elif tag in _KEPT:
            self._emit_start(tag)

    def _note(self, tag: str, found: dict[str, str], classes: frozenset[str], name: str) -> None:
        """Take down what is wanted from anywhere on the page."""
        address = found.get("href", "")
        if tag == "link" and found.get("rel") == "canonical" and address.startswith(("https://", "http://")):
            self.url = address
        if (licence := _LICENCE.search(address)) and self.licence is None:
            self.licence = f"CC {licence[1].upper()} {licence[2]}"
        if name == "breadcrumb":
            self._in_breadcrumb = True
        elif tag == "li" and self._in_breadcrumb:
            self.crumbs.append("")
            self._within = "crumb"
        elif tag == "h1" and not self.title:
            self._within = "title"

    def _enter(self, kind: str) -> None:
        self._close_all()
        self._region = (kind, 1 if kind else 0)

    def _emit_start(self, tag: str) -> None:
        if tag == "br":
            self.parts.append("<br>")
        else:
            self.parts.append(f"<{tag}>")
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._skip:
            if tag == self._skip[0]:
                self._skip = (tag, self._skip[1] - 1) if self._skip[1] > 1 else None
            return
        if tag in ("h1", "ul"):
            self._within = ""
            self._in_breadcrumb = False
        if not self._region[0]:
            return
        if tag == "div":
            self._region = (self._region[0], self._region[1] - 1)
            if self._region[1] == 0:
                self._enter("")
            return
        tag = "h3" if tag == "h2" else tag
        if tag in self._open:
            while (last := self._open.pop()) != tag:
                self.parts.append(f"</{last}>")
            self.parts.append(f"</{tag}>")

    def _close_all(self) -> None:
        self.parts += [f"</{tag}>" for tag in reversed(self._open)]
        self._open = []

    def handle_data(self, data: str) -> None:
        if self._skip:
            return
        if self._within == "title":
            self.title.append(data)
        elif self._within == "crumb":
            self.crumbs[-1] += data
        elif self._region[0] and (self._region[0] != "intro" or "p" in self._open):
            self.parts.append(escape(data, quote=False))

    def close(self) -> None:
        super().close()
        self._close_all()


def _section(classes: frozenset[str], name: str) -> str:
    """Name of a section that is kept, else empty."""
    return "intro" if name == "intro" else next((kind for kind in ("ingredients", "steps") if kind in classes), "")
