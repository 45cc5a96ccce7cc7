"""Write: examples by people. Drafts are saved as one types, checks explain themselves, a second person accepts."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from pydantic import BaseModel, Field

from limakit.author import drafts, handover
from limakit.author.drafts import Conflict
from limakit.author.sameness import sameness
from limakit.author.style import check
from limakit.errors import LimakitError
from limakit.recipe_sources import Authored
from limakit.records import Turn
from limakit.report.untrusted import as_html
from limakit.store.study import Study
from limakit.web import difference
from limakit.web.desk import AtDesk, Desk
from limakit.web.render import page
from limakit.web.studio import Authors, Here

router = APIRouter()
WANTED = 250
"""Examples that each group of the paper's authors wrote: 200 for training, 50 for development."""
CATEGORIES = (
    "advice", "brainstorm", "code", "compare", "creative", "critique", "dialogue", "draft", "explain", "history",
    "how-to", "maths", "opinion", "plan", "recommend", "refusal", "rephrase", "role-play", "science",
    "structured output", "summarise", "travel",
)  # fmt: skip
"""Proposed, not prescribed."""


class Spoken(BaseModel):
    """One turn as the page sends it."""

    role: Literal["user", "assistant"]
    content: str


class Saving(BaseModel):
    """A draft as the page sends it, and the version that it began from."""

    base: Annotated[int, Field(ge=1)]
    turns: Annotated[list[Spoken], Field(min_length=1, max_length=40)]
    category: Annotated[str, Field(max_length=64)] = ""


@router.get("/write")
def overview(request: Request, here: Here, at: AtDesk, person: Authors) -> Response:
    """Drafts: one's own, those that wait for a second person, those that are accepted; and where examples are thin."""
    known = drafts.all_drafts(here.people, "draft", "submitted", "accepted", "dropped")
    live = [draft for draft in known if draft.state != "dropped"]
    curated = at.curated()
    accepted = [draft for draft in known if draft.state == "accepted"]
    return page(
        request,
        "write.html",
        title="Write",
        mine=[draft for draft in known if draft.author == person.id and draft.state == "draft"],
        to_read=[draft for draft in known if draft.state == "submitted" and person.id not in draft.hands],
        waiting=[draft for draft in known if draft.state == "submitted" and person.id in draft.hands],
        others=sum(draft.state == "draft" and draft.author != person.id for draft in known),
        accepted=accepted,
        dropped=[draft for draft in known if draft.author == person.id and draft.state == "dropped"],
        wanted=WANTED,
        categories=Counter(draft.category for draft in live if draft.category).most_common(),
        thin=curated.coverage.thin({draft.id: draft.prompt for draft in live}) if curated else [],
        alike=sameness([(draft.id, draft.turns) for draft in live if draft.state != "draft"])[:5],
        source=None if _is_read(here.study) else _snippet(),
        when=_when,
    )


@router.post("/write/new")
def new(here: Here, person: Authors) -> Response:
    """Begin an example."""
    return RedirectResponse(f"/write/{drafts.start(here.people, person.id).id}", 303)


@router.get("/write/{number}")
def one(request: Request, here: Here, at: AtDesk, person: Authors, number: str) -> Response:
    """The editor for its author, as long as it is a draft; for reading otherwise."""
    draft = drafts.find(here.people, number)
    mine = draft.author == person.id
    return page(
        request,
        "write_one.html" if mine and draft.state == "draft" else "write_read.html",
        title="Write",
        draft=draft,
        mine=mine,
        may_accept=draft.state == "submitted" and person.id not in draft.hands,
        told=_told(at, draft.turns, draft.id),
        previews=[as_html(turn.content) for turn in draft.turns],
        categories=CATEGORIES,
        origin_is_model=bool(draft.origin),
        when=_when,
    )


@router.post("/write/{number}/save")
def save(here: Here, at: AtDesk, person: Authors, number: str, sent: Saving) -> Response:
    """Store what was typed, and say what the checks and the neighbours say. 409 where somebody saved in between."""
    turns = [Turn(role=turn.role, content=turn.content) for turn in sent.turns]
    try:
        draft = drafts.save(here.people, number, person.id, turns, sent.category.strip(), base=sent.base)
    except Conflict as conflict:
        theirs = [{"role": turn.role, "content": turn.content} for turn in conflict.draft.turns]
        return JSONResponse(
            {
                "error": conflict.what,
                "fix": conflict.fix,
                "version": conflict.draft.version,
                "kept": conflict.kept,
                "turns": theirs,
                "category": conflict.draft.category,
                "previews": [as_html(turn["content"]) for turn in theirs],
            },
            409,
        )
    return JSONResponse(
        {
            "version": draft.version,
            "previews": [as_html(turn.content) for turn in draft.turns],
            "objection": draft.objection(),
            **_told(at, draft.turns, draft.id),
        }
    )


@router.post("/write/{number}/move")
def move(
    here: Here,
    person: Authors,
    number: str,
    to: Annotated[Literal["submit", "accept", "back", "drop", "pick-up"], Form()],
    version: Annotated[int, Form()] = 0,
    note: Annotated[str, Form(max_length=2000)] = "",
) -> Response:
    """Submit, accept, send or take back, drop, pick up again."""
    match to:
        case "submit":
            drafts.submit(here.people, number, person.id)
        case "accept":
            drafts.accept(here.people, number, person.id, version=version)
        case "back":
            drafts.send_back(here.people, number, person.id, note)
        case "drop":
            drafts.drop(here.people, number, person.id)
        case "pick-up":
            drafts.pick_up(here.people, number, person.id)
    if to in ("accept", "back"):
        handover.publish_authored(here.people, here.study.root)
    stays = to in ("pick-up",) or (to == "back" and drafts.find(here.people, number).author == person.id)
    return RedirectResponse(f"/write/{number}" if stays else "/write", 303)


@router.get("/write/{number}/history")
def history(request: Request, here: Here, person: Authors, number: str) -> Response:
    """All versions, each with what it changed."""
    draft = drafts.find(here.people, number)
    versions = drafts.history(here.people, number)
    before = [*versions[1:], None]
    return page(
        request,
        "write_history.html",
        title="Versions",
        draft=draft,
        versions=[
            {
                "version": one,
                "changes": difference.turns(old.turns if old else (), one.turns),
                "when": _when(one.stored),
            }
            for one, old in zip(versions, before, strict=True)
        ],
        may_restore=draft.author == person.id and draft.state == "draft",
    )


@router.post("/write/{number}/restore")
def restore(here: Here, person: Authors, number: str, version: Annotated[int, Form()]) -> Response:
    """Make an earlier version the newest."""
    draft = drafts.find(here.people, number)
    old = next((one for one in drafts.history(here.people, number) if one.number == version), None)
    if old is None:
        raise LimakitError("there is no such version", fix="Choose one on the page of versions.")
    drafts.save(here.people, number, person.id, old.turns, old.category, base=draft.version)
    return RedirectResponse(f"/write/{number}", 303)


def _told(at: Desk, turns: Sequence[Turn], number: str) -> dict[str, Any]:
    """What the checks say of a text, what is near it and in which topic it lies; plain values."""
    curated, prompt = at.curated(), turns[0].content if turns else ""
    near = [
        {
            "text": one.text[:300],
            "percent": round(100 * one.cosine),
            "close": one.close,
            "address": f"/review/one?{urlencode({'which': 'train', 'id': one.id})}"
            if "/" in one.id
            else f"/write/{one.id}",
        }
        for one in at.near(prompt, number)
    ]
    findings = [{"turn": one.turn, "says": one.says} for one in check(turns) if one.check != "empty"]
    topic = curated.coverage.topic(prompt) if curated and prompt.strip() else None
    return {"findings": findings, "near": near, "topic": topic}


def _is_read(study: Study) -> bool:
    """Whether a source of the recipe reads what is accepted here."""
    wanted = study.path(handover.AUTHORED).resolve()
    return any(
        isinstance(source, Authored) and wanted.is_relative_to(study.resolve(source.path).resolve())
        for source in study.recipe.sources
        if source.path.partition("/")[0] != "embedded"
    )


def _snippet() -> str:
    return (
        f'[[sources]]\nkind = "authored"\npath = "{handover.AUTHORED}"\nlicence = "CC BY 4.0"      # yours to choose\n'
    )


def _when(stored: float) -> str:
    return datetime.fromtimestamp(stored, UTC).strftime("%d %b %Y, %H:%M UTC")
