"""The studio as an ASGI application: pages, errors as pages, and the guard around all of it.

A page is a module in `pages/` with an `APIRouter` called `router`, included below, a template that extends
`layout.html`, styles under a heading of its own in `static/studio.css` and, where it acts, an ES module in `static/`:

    @router.get("/review")
    def show(request: Request, here: Here, person: Authors) -> Response:
        return page(request, "review.html", title="Review", rows=rows(here.people))

`person: OwnerOnly | Authors | Everybody` (studio.py) says who may come; `here: Here` is the study and the database.
Routes are plain functions (FastAPI runs them in threads) and raise LimakitError for what the user can mend. Text that
models wrote goes through `|markdown` or `|shown`, in scripts through `setHTML` (html.js) after the server cleaned it.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles

from limakit.errors import LimakitError, StudyError
from limakit.web.auth import Door
from limakit.web.desk import Desk
from limakit.web.guard import Guard
from limakit.web.pages import chat, enter, people, results, review, voting, write
from limakit.web.render import STATIC, page
from limakit.web.speaking import Speaker
from limakit.web.studio import NotAllowed, NotSignedIn, Studio
from limakit.web.voting import Booth, Gathering


def create_app(studio: Studio, *, local: bool = True) -> FastAPI:
    """The application for one study. `local` answers only requests to this computer's own names. Closing it closes the
    database."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        app.state.desk.hand_over()
        yield
        studio.people.close()

    app = FastAPI(title="limakit", docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    app.state.studio = studio
    app.state.door = Door()
    app.state.booth = Booth(studio.study, studio.people)
    app.state.gathering = Gathering(app.state.booth)
    app.state.handing_out = asyncio.Semaphore(2)
    app.state.desk = Desk(studio)
    app.state.speaker = Speaker(studio.study)
    app.state.watcher = None  # made by the first visit to Results
    app.add_middleware(Guard, local=local)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    app.include_router(enter.router)
    app.include_router(voting.router)
    app.include_router(people.router)
    app.include_router(review.router)
    app.include_router(write.router)
    app.include_router(chat.router)
    app.include_router(results.router)
    app.add_exception_handler(NotSignedIn, _not_signed_in)
    app.add_exception_handler(NotAllowed, _not_allowed)
    app.add_exception_handler(LimakitError, _mendable)
    app.add_exception_handler(RequestValidationError, _not_understood)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _defect)
    return app


def problem(request: Request, status: int, what: str, fix: str = "") -> Response:
    """An error as a page, or as JSON for a script of ours."""
    if "text/html" in request.headers.get("accept", ""):
        return page(request, "problem.html", status=status, title="That did not work", what=what, fix=fix)
    return JSONResponse({"error": what, "fix": fix}, status)


def _not_signed_in(request: Request, _: Exception) -> Response:
    if request.method == "GET" and "text/html" in request.headers.get("accept", ""):
        return RedirectResponse("/enter", 303)
    return problem(request, 401, "You are signed out.", "Sign in again; what you did is kept in this browser.")


def _not_allowed(request: Request, error: Exception) -> Response:
    assert isinstance(error, NotAllowed)
    request.state.person = error.person
    return problem(request, 403, "This page is not for your role.", "Ask the owner of the study if you need it.")


def _mendable(request: Request, error: Exception) -> Response:
    assert isinstance(error, LimakitError)
    where = f"{error.where}: " if error.where else ""
    status = 409 if isinstance(error, StudyError) else 400
    return problem(request, status, f"{where}{error.what}", error.fix or "")


def _not_understood(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"][1:])
    return problem(
        request, 422, f"{place}: {first['msg']}" if place else first["msg"], "Reload the page and try again."
    )


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return problem(request, 404, "There is no such page.", "Go back, or choose a page above.")
    return problem(request, error.status_code, str(error.detail))


def _defect(request: Request, _: Exception) -> Response:
    """The traceback goes to the log of the server, never to the browser."""
    return problem(request, 500, "The studio made a mistake.", "It is in the server's log; reload to go on.")
