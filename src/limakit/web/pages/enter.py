"""The door: sign in as the owner, come in by a link, sign out; and the way from `/` to a person's first page."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from limakit.store import members
from limakit.web.auth import Door, signed_in
from limakit.web.render import page
from limakit.web.studio import Everybody, Here

router = APIRouter()


@router.get("/")
def home(request: Request, person: Everybody) -> Response:
    """The first page of a person's role."""
    return RedirectResponse("/compare" if person.role == "annotator" else "/results", 303)


@router.get("/enter")
def form(request: Request) -> Response:
    """Where the owner types the password, and everybody else is told how they get in."""
    return page(request, "enter.html", title="Sign in", wrong="")


@router.post("/enter")
def enter(request: Request, here: Here, password: Annotated[str, Form()]) -> Response:
    """Sign the owner in."""
    now = here.clock()
    door: Door = request.app.state.door
    if door.shut(now):
        wrong = "Too many wrong passwords. Wait a minute, then try again."
        return page(request, "enter.html", status=429, title="Sign in", wrong=wrong)
    if not door.opens(here.people, password, now):
        wrong = "That is not the password. A new one: limakit people password STUDY."
        return page(request, "enter.html", status=403, title="Sign in", wrong=wrong)
    with here.people.write() as connection:
        secret = members.start_session(connection, members.OWNER, now)
    return signed_in(request, here, secret, "/")


@router.get("/join/{secret}")
def invitation(request: Request, here: Here, secret: str) -> Response:
    """What a link opens. It is used up by the button and not by opening it, because mail programs open links too."""
    with here.people.read() as connection:
        person = members.link_holder(connection, secret, here.clock())
    return page(
        request, "join.html", status=200 if person else 410, title="Welcome", invited=person, path=f"/join/{secret}"
    )


@router.post("/join/{secret}")
def join(request: Request, here: Here, secret: str) -> Response:
    """Use the link."""
    with here.people.write() as connection:
        session = members.redeem(connection, secret, here.clock())
    if session is None:
        return page(request, "join.html", status=410, title="Welcome", invited=None, path="")
    return signed_in(request, here, session, "/instructions")


@router.post("/leave")
def leave(request: Request, here: Here, person: Everybody) -> Response:
    """Sign this browser out."""
    secret = request.cookies[here.cookie]
    with here.people.write() as connection:
        members.end_session(connection, secret)
    here.forget_session(secret)
    response = RedirectResponse("/enter", 303)
    response.delete_cookie(here.cookie)
    return response
