"""Chat: any system of the study, streamed, two side by side; a turn can be graded or taken to Write."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Literal

import orjson
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import BaseModel, Field

from limakit.author import drafts
from limakit.author.turns import checked
from limakit.errors import InputError
from limakit.records import Turn
from limakit.report.untrusted import as_html, visible
from limakit.store import chats
from limakit.web.render import page
from limakit.web.speaking import Busy, End, Speaker, Utterance
from limakit.web.studio import Authors, Here

router = APIRouter()


class Spoken(BaseModel):
    """One turn as the page sends it."""

    role: Literal["user", "assistant"]
    content: str


class Dialogue(BaseModel):
    """A dialogue with one system."""

    system: Annotated[str, Field(max_length=200)]
    messages: Annotated[list[Spoken], Field(min_length=1, max_length=40)]

    def turns(self, *, ends: Literal["user", "assistant"]) -> tuple[Turn, ...]:
        """The turns. Raises InputError where they do not alternate or end with somebody else."""
        turns = checked([Turn(role=one.role, content=one.content) for one in self.messages])
        if turns[-1].role != ends:
            raise InputError(f"the dialogue does not end with the {ends}", fix="Reload the page.")
        return turns


class Graded(Dialogue):
    """A grade of the last turn."""

    dialogue: Annotated[str, Field(pattern=r"^[0-9a-f-]{36}$")]
    grade: Literal["excellent", "pass", "fail"]


@router.get("/chat")
def show(request: Request, here: Here, person: Authors) -> Response:
    """The page. Dialogues live in the browser until a turn is graded or taken to Write."""
    speaker: Speaker = request.app.state.speaker
    return page(
        request,
        "chat.html",
        title="Chat",
        systems=speaker.systems(),
        candidate=here.study.recipe.compare.candidate,
        limit=here.study.recipe.generate.max_new_tokens,
    )


@router.get("/chat/state")
def state(request: Request, person: Authors) -> dict[str, str | bool | None]:
    """Whether an answer is being written, and whose."""
    current = request.app.state.speaker.current
    return {"person": current.person if current else None, "system": current.system if current else None}


@router.post("/chat/say")
def say(request: Request, here: Here, person: Authors, asked: Dialogue) -> Response:
    """The answer as JSON lines: `text` as it comes, at last `finish`, `html` and what went wrong. 409 when busy."""
    speaker: Speaker = request.app.state.speaker
    try:
        said = speaker.say(person.id, asked.system, asked.turns(ends="user"))
    except Busy as busy:
        return JSONResponse({"error": busy.what, "fix": busy.fix}, 409)
    return StreamingResponse(_lines(said), media_type="application/x-ndjson")


@router.post("/chat/stop")
def stop(request: Request, person: Authors) -> dict[str, bool]:
    """Stop one's own answer; what is written stays."""
    return {"stopped": request.app.state.speaker.stop(person.id)}


@router.post("/chat/grade")
def grade(here: Here, person: Authors, graded: Graded) -> dict[str, str]:
    """Grade the last turn, as the paper's dialogue test does."""
    turns = graded.turns(ends="assistant")
    here.study.recipe.system(graded.system)
    with here.people.write() as connection:
        chats.grade(
            connection,
            person.id,
            graded.dialogue,
            len(turns) - 1,
            graded.system,
            turns,
            graded.grade,
            here.clock(),
        )
    return {"grade": graded.grade}


@router.post("/chat/write")
def write(here: Here, person: Authors, dialogue: Dialogue) -> dict[str, str]:
    """Begin an example from the dialogue up to an answer; says where it is."""
    turns = dialogue.turns(ends="assistant")
    here.study.recipe.system(dialogue.system)
    draft = drafts.start(here.people, person.id, turns, "dialogue" if len(turns) > 2 else "",
                         origin=f"chat with {dialogue.system}")  # fmt: skip
    return {"address": f"/write/{draft.id}"}


async def _lines(said: Utterance) -> AsyncIterator[bytes]:
    """JSON lines of an answer. A browser that goes away stops it."""
    text, shown, end = "", "", None
    pieces = said.listen()
    try:
        while end is None:
            piece = await asyncio.to_thread(next, pieces)
            if isinstance(piece, End):
                end = piece
                continue
            text += piece
            # As a whole and not piece by piece: a carriage return or an accent may end a piece.
            safe = visible(text)
            if safe.startswith(shown):
                yield orjson.dumps({"text": safe[len(shown) :]}) + b"\n"
            else:
                yield orjson.dumps({"whole": safe}) + b"\n"
            shown = safe
        last = {"finish": end.finish, "trimmed": end.trimmed, "error": end.error, "said": text, "html": as_html(text)}
        yield orjson.dumps(last) + b"\n"
    finally:
        said.stop.set()
