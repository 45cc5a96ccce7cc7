"""People: who may come in and how far they are; invite, remove, take a copy of the votes. For the owner."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from limakit.errors import LimakitError
from limakit.store import members
from limakit.web.render import page
from limakit.web.studio import Here, OwnerOnly, Studio

router = APIRouter()


@router.get("/people")
def show(request: Request, here: Here, person: OwnerOnly) -> Response:
    """Everybody, with their progress."""
    return _page(request, here)


@router.post("/people")
def invite(
    request: Request,
    here: Here,
    person: OwnerOnly,
    name: Annotated[str, Form(max_length=64)],
    role: Annotated[Literal["annotator", "author"], Form()] = "annotator",
) -> Response:
    """Make a link for one person; it is shown on this page and never again."""
    try:
        with here.people.write() as connection:
            secret = members.invite(connection, name.strip(), role, here.clock())
    except LimakitError as error:
        return _page(request, here, status=400, wrong=str(error))
    link = f"{request.url.scheme}://{request.url.netloc}/join/{secret}"
    return _page(request, here, invited=name.strip(), link=link)


@router.post("/people/{name}/remove")
def remove(request: Request, here: Here, person: OwnerOnly, name: str) -> Response:
    """Let somebody in no longer."""
    with here.people.write() as connection:
        members.remove(connection, name, here.clock())
    return RedirectResponse("/people", 303)


def _page(
    request: Request, here: Studio, *, status: int = 200, invited: str = "", link: str = "", wrong: str = ""
) -> Response:
    with here.people.read() as connection:
        rows = members.listing(connection)
    for row in rows:
        row["since"] = datetime.fromtimestamp(row["created"], UTC).strftime("%d %B %Y")
    return page(
        request,
        "people.html",
        status=status,
        title="People",
        rows=rows,
        invited=invited,
        link=link,
        wrong=wrong,
        days=members.LINK_DAYS,
    )
