"""Compare and Grade: the pages, a person's queue, and votes."""

from typing import Annotated, Literal

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from limakit.annotate.items import Kind
from limakit.store.votes import Ballot
from limakit.web.render import page
from limakit.web.studio import Everybody, Here
from limakit.web.voting import Booth, Gathering, check

router = APIRouter()

Id = Annotated[str, Field(pattern=r"^[0-9a-f-]{36}$")]


class Event(BaseModel):
    """One vote as the page sends it."""

    id: Id
    assignment: Annotated[int, Field(ge=1, lt=2**31)]
    label: Annotated[str, Field(max_length=16)] | None
    after: Id | None
    milliseconds: Annotated[int, Field(ge=0, lt=2**31)] | None = None


class Events(BaseModel):
    """Votes in the order in which they were given."""

    kind: Kind
    events: Annotated[list[Event], Field(min_length=1, max_length=200)]


@router.get("/compare")
def compare(request: Request, here: Here, person: Everybody) -> Response:
    """The blind test: one pair at a time."""
    return page(request, "compare.html", title="Compare", studio=here.cookie)


@router.get("/grade")
def grade(
    request: Request, here: Here, person: Everybody, kind: Literal["absolute", "safety", "dialogue"] = "absolute"
) -> Response:
    """Single answers: excellent, pass or fail; safe and unsafe for sensitive prompts; or turns of conversations."""
    return page(request, "grade.html", title="Grade", kind=kind, studio=here.cookie)


@router.get("/instructions")
def instructions(request: Request, here: Here, person: Everybody) -> Response:
    """What is asked, and how to decide."""
    return page(request, "instructions.html", title="Instructions", every=here.study.recipe.annotate.break_every)


@router.post("/queue/{kind}")
async def queue(request: Request, here: Here, person: Everybody, kind: Kind, after: int = -1) -> dict:
    """The next items behind position `after`. A post, because it hands out what was not handed out before. Two at a
    time: it is work for the processor, and votes must not wait behind fifty who open the page at once."""
    booth: Booth = request.app.state.booth
    async with request.app.state.handing_out:
        return await run_in_threadpool(booth.hand_out, person.id, kind, after, here.clock())


@router.post("/votes")
async def vote(request: Request, here: Here, person: Everybody, sent: Events) -> dict:
    """Store votes; the answer means that they are on the disk. Sending again is harmless."""
    for event in sent.events:
        check(sent.kind, event.label)
    gathering: Gathering = request.app.state.gathering
    ballots = [(person.id, Ballot(kind=sent.kind, **event.model_dump())) for event in sent.events]
    receipts = await gathering.add(ballots, here.clock())
    return {
        "receipts": [{"id": r.id, "state": r.state, "head": r.head, "label": r.label} for r in receipts],
    }
