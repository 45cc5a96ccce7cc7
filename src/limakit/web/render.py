"""Pages from templates: escaping on, the layout's navigation by role, assets named by their content."""

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from limakit.report.untrusted import as_html, visible
from limakit.web.studio import Studio

TEMPLATES = Path(__file__).parent / "templates"
STATIC = Path(__file__).parent / "static"

ALL = ("owner", "author", "annotator")
NAVIGATION = (
    ("/review", "Review", ("owner", "author")),
    ("/write", "Write", ("owner", "author")),
    ("/compare", "Compare", ALL),
    ("/grade", "Grade", ALL),
    ("/results", "Results", ("owner", "author")),
    ("/chat", "Chat", ("owner", "author")),
    ("/people", "People", ("owner",)),
)
"""(path, name, roles) of what the navigation shows."""
LEARNING = ("/review", "/write", "/chat")
"""What a study that learns nothing has no use for."""


@cache
def asset(name: str) -> str:
    """Address of a file in `static`, with a digest so that a browser never keeps an old one."""
    return f"/static/{name}?v={hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:10]}"


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["asset"] = asset
    environment.filters |= {"shown": visible, "markdown": lambda text: Markup(as_html(text))}
    return environment


_pages = _environment()


def page(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """A template of `templates/` as a response. Templates extend `layout.html`; they know `person` (None on pages for
    everybody), `study`, `here` (the current path) and the filters `markdown` and `shown` for text that models wrote."""
    studio: Studio = request.app.state.studio
    person = getattr(request.state, "person", None)
    left_out = () if studio.study.recipe.learns else LEARNING
    links = [(path, n) for path, n, roles in NAVIGATION if person and person.role in roles and path not in left_out]
    html = _pages.get_template(template).render(
        person=person, study=studio.study.name, navigation=links, here=request.url.path, **values
    )
    return HTMLResponse(html, status)
