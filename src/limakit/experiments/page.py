"""What the experiments' pages share: one HTML file each, no script, no network, everything foreign escaped."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from limakit.report import words
from limakit.report.page import TEMPLATES as SHARED
from limakit.report.untrusted import as_html, visible
from limakit.store import files
from limakit.store.study import Work

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class Page:
    """What an experiment publishes."""

    html: str
    """index.html"""
    numbers: dict[str, Any]
    """report.json"""
    figures: dict[str, str]
    """Name to SVG, for figures/<name>.svg; the page holds them too."""

    def write(self, work: Work) -> None:
        """Put everything into a stage's work folder."""
        files.publish_text(work.path("index.html"), self.html)
        files.publish_json(work.path("report.json"), self.numbers)
        for name, svg in self.figures.items():
            files.publish_text(work.path("figures", f"{name}.svg"), svg)


def render(template: str, numbers: dict[str, Any], figures: dict[str, str], **more: Any) -> Page:
    """The page from its template, which sees `r` (the numbers), `figures`, `words` and `more`."""
    environment = Environment(
        loader=FileSystemLoader([TEMPLATES, SHARED]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"shown": visible, "percent": words.percent, "markdown": as_html}
    css = (SHARED / "style.css").read_text(encoding="utf-8")
    html = environment.get_template(template).render(r=numbers, figures=figures, words=words, css=css, **more)
    return Page(html, numbers, figures)
