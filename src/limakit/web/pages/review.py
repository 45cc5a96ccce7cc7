"""Review: what curation chose and what it set aside, one at a time or by rule; accept, edit, reject."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from limakit.author import decisions, handover
from limakit.author.decisions import Overtaken, Said, Word
from limakit.errors import InputError
from limakit.pipeline.browsing import WANTABLE, Curated, Shown
from limakit.records import Turn
from limakit.store.members import Person
from limakit.web import difference, reviewing, topicmap
from limakit.web.desk import AtDesk, Desk
from limakit.web.render import page
from limakit.web.studio import Authors, Here, Studio

router = APIRouter()
PER_PAGE = 100
SAID = {"accept": "accepted", "reject": "rejected", "edit": "edited", "undo": "taken back"}


@router.get("/review")
def overview(request: Request, here: Here, at: AtDesk, person: Authors) -> Response:
    """The lists, the rules, and what was decided."""
    curated = at.curated()
    if curated is None:
        return page(request, "review_none.html", title="Review", root=str(here.study.root))
    now = decisions.current(here.people)
    kept = {step["rule"] for step in curated.funnel["total"]["steps"] if step["taken"]}
    return page(
        request,
        "review.html",
        title="Review",
        lists=reviewing.lists(curated, now),
        steps=[step for step in curated.funnel["total"]["steps"] if step["rule"] in kept],
        funnel=curated.funnel["total"],
        words={word: sum(one.decision == word for one in now.values()) for word in ("accept", "edit", "reject")},
        waiting=at.waiting(),
        root=str(here.study.root),
    )


@router.get("/review/one")
def one(
    request: Request,
    here: Here,
    at: AtDesk,
    person: Authors,
    which: str = reviewing.TRAIN,
    id: str | None = None,
    edit: bool = False,
) -> Response:
    """One candidate with all that is known of it. Without an Id, the first that nobody has decided on."""
    return _one(request, here, at, person, which, id, edit=edit)


def _one(
    request: Request,
    here: Studio,
    at: Desk,
    person: Person,
    which: str,
    id: str | None,
    *,
    edit: bool,
    mine: Sequence[Turn] = (),
    overtaken: str = "",
) -> Response:
    """The page; `mine` is the text of an edit that somebody else was faster than."""
    curated = at.needed()
    now = decisions.current(here.people)
    ids = reviewing.ids_of(which, curated, now)
    if id is None:
        id = reviewing.next_open(ids, "", now) or (ids[0] if ids else None)
    shown = curated.find(id) if id else None
    if shown is None:
        raise InputError("this candidate is not in the study any more", fix="Choose another on the Review page.")
    said = decisions.history(here.people, shown.id)
    latest = said[0] if said and said[0].decision != "undo" else None
    before, after = reviewing.beside(ids, shown.id)
    turns = latest.turns if latest and latest.decision == "edit" else shown.turns
    own = [one for one in now.values() if one.person == person.id]
    return page(
        request,
        "review_one.html",
        status=409 if overtaken else 200,
        title="Review",
        shown=shown,
        turns=mine or turns,
        editing=edit,
        latest=latest,
        history=[
            _Event(one, difference.turns(shown.turns, one.turns) if one.decision == "edit" else []) for one in said
        ],
        which=which,
        name=reviewing.name_of(which),
        number=ids.index(shown.id) + 1 if shown.id in ids else 0,
        count=len(ids),
        decided=sum(one in now for one in ids),
        before=_address(which, before),
        after=_address(which, after),
        here_again=_address(which, shown.id),
        edit_address=_address(which, shown.id, edit=1),
        map_address=f"/review/map.svg?{urlencode({'id': shown.id})}",
        region=topicmap.region_of(curated.topics, shown.id),
        findings=curated.findings.get(shown.id, ()),
        neighbours=_neighbours(curated, shown),
        may_accept=not shown.rule or shown.rule in WANTABLE,
        last=own[-1] if own else None,
        seen=said[0].seq if said else 0,
        overtaken=overtaken,
        said=SAID,
    )


@router.post("/review/decide")
def decide(
    request: Request,
    here: Here,
    at: AtDesk,
    person: Authors,
    id: Annotated[str, Form(max_length=400)],
    word: Annotated[Word, Form()],
    which: Annotated[str, Form()] = reviewing.TRAIN,
    note: Annotated[str, Form(max_length=2000)] = "",
    turn: Annotated[list[str] | None, Form()] = None,
    seen: Annotated[int | None, Form()] = None,
) -> Response:
    """Store one decision, then on to the next that is open. Where somebody else was faster, show what they said."""
    curated = at.needed()
    shown = curated.find(id)
    if shown is None:
        raise InputError("this candidate is not in the study any more", fix="Choose another on the Review page.")
    turns = [Turn(role="assistant" if n % 2 else "user", content=text) for n, text in enumerate(turn or ())]
    try:
        decisions.decide(here.people, [id], person.id, word, turns=turns, note=note, seen=seen)
    except Overtaken as error:
        told = f"{SAID[error.said.decision]} by {error.said.person} meanwhile"
        return _one(request, here, at, person, which, id, edit=word == "edit", mine=turns, overtaken=told)
    handover.publish_decisions(here.people, here.study.root)
    now = decisions.current(here.people)
    ids = reviewing.ids_of(which, curated, now)
    target = id if word == "undo" else reviewing.next_open(ids, id, now)
    return RedirectResponse(_address(which, target) or "/review#done", 303)


@router.post("/review/undo")
def undo(here: Here, person: Authors, which: Annotated[str, Form()] = reviewing.TRAIN) -> Response:
    """Take back one's own last decision and go there."""
    name = decisions.undo_last(here.people, person.id)
    handover.publish_decisions(here.people, here.study.root)
    return RedirectResponse(_address(which, name) or "/review", 303)


@router.get("/review/bulk")
def many(request: Request, here: Here, at: AtDesk, person: Authors, which: str, number: int = 1) -> Response:
    """A list at a glance, to be decided on together."""
    curated = at.needed()
    now = decisions.current(here.people)
    ids = reviewing.ids_of(which, curated, now)
    begin = (max(1, number) - 1) * PER_PAGE
    rows = [
        {"shown": shown, "said": now.get(name), "address": _address(which, name)}
        for name in ids[begin : begin + PER_PAGE]
        if (shown := curated.find(name))
    ]
    return page(
        request,
        "review_bulk.html",
        title=reviewing.name_of(which),
        which=which,
        name=reviewing.name_of(which),
        rows=rows,
        pages=_pages("/review/bulk", len(ids), number, which=which),
        count=len(ids),
        said=SAID,
    )


@router.post("/review/bulk")
def decide_many(
    here: Here,
    at: AtDesk,
    person: Authors,
    which: Annotated[str, Form()],
    word: Annotated[Word, Form()],
    id: Annotated[list[str] | None, Form()] = None,
    note: Annotated[str, Form(max_length=2000)] = "",
) -> Response:
    """The same decision on several."""
    curated = at.needed()
    names = [name for name in id or () if curated.find(name)]
    if not names:
        raise InputError("nothing is ticked", fix="Go back and tick what you decide on.")
    if word == "edit":
        raise InputError("several cannot be edited at once", fix="Open them one by one.")
    decisions.decide(here.people, names, person.id, word, note=note)
    handover.publish_decisions(here.people, here.study.root)
    return RedirectResponse(f"/review/bulk?{urlencode({'which': which})}", 303)


@router.get("/review/log")
def log(request: Request, here: Here, at: AtDesk, person: Authors, rule: str, number: int = 1) -> Response:
    """What a rule took out, as the log of rejects has it."""
    curated = at.needed()
    rows, count = curated.rejects(rule, (max(1, number) - 1) * PER_PAGE, PER_PAGE)
    told = next((step["description"] for step in curated.funnel["total"]["steps"] if step["rule"] == rule), rule)
    return page(
        request,
        "review_log.html",
        title=rule,
        rule=rule,
        told=told,
        rows=[
            {"row": row, "address": _address(f"left:{rule}", row.id) if row.id in curated.spare else None}
            for row in rows
        ],
        count=count,
        pages=_pages("/review/log", count, number, rule=rule),
    )


@router.get("/review/map.svg")
def topic_map(here: Here, at: AtDesk, person: Authors, id: str = "") -> Response:
    """Where a candidate lies among the training examples."""
    return Response(topicmap.drawing(at.needed().topics, id or None), media_type="image/svg+xml")


@dataclass(frozen=True, slots=True)
class _Event:
    """One decision with what an edit changed."""

    said: Said
    changes: list[tuple[str, list[difference.Piece]]]

    @property
    def when(self) -> str:
        return datetime.fromtimestamp(self.said.stored, UTC).strftime("%d %b %Y, %H:%M UTC")


def _neighbours(curated: Curated, shown: Shown) -> list[dict[str, Any]]:
    """What stands beside it: what the rules found alike first, then the nearest prompts."""
    found: list[dict[str, Any]] = []
    for name, similarity in curated.repeats.get(shown.id, ()):
        found.append({"shown": curated.spare[name], "how": f"set aside as a near-duplicate of this one ({similarity})"})
    if shown.rule in ("near_duplicate", "duplicate"):
        kept, _, rest = shown.detail.partition(" (")
        if kept in curated.train:
            found.append(
                {"shown": curated.train[kept], "how": f"taken in its place ({rest.rstrip(')') or 'the same text'})"}
            )
    known = {one["shown"].id for one in found}
    for near in curated.coverage.nearest(shown.turns[0].content, without=shown.id):
        other = curated.find(near.id)
        if other and near.id not in known:
            where = "in training" if near.id in curated.train else "not taken"
            found.append({"shown": other, "how": f"{near.cosine:.0%} of the words of the prompt alike, {where}"})
    return found[:4]


def _address(which: str, name: str | None, **more: Any) -> str | None:
    return f"/review/one?{urlencode({'which': which, 'id': name, **more})}" if name else None


def _pages(path: str, count: int, number: int, **more: str) -> list[tuple[int, str | None]]:
    """Numbers of pages with their addresses; None for the one that is shown."""
    last = max(1, -(-count // PER_PAGE))
    near = sorted({1, last, *range(max(1, number - 2), min(last, number + 2) + 1)})
    return (
        [(n, None if n == number else f"{path}?{urlencode({**more, 'number': n})}") for n in near] if last > 1 else []
    )
