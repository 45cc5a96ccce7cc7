"""What every page may reach: the study, the database of people's work, and who is signed in."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection

from limakit.store.members import Person, session_holder
from limakit.store.people import People
from limakit.store.study import Study

TRUSTED_SECONDS = 5.0
"""How long a session is taken from memory: removing a person takes effect within this time."""


@dataclass
class Studio:
    """One study, open in the browser."""

    study: Study
    people: People
    clock: Callable[[], float] = time.time
    _sessions: dict[str, tuple[float, Person]] = field(default_factory=dict)

    @property
    def cookie(self) -> str:
        """Name of the session cookie. Ports of one host share cookies, so each study has a name of its own."""
        return f"limakit-{hashlib.sha256(str(self.study.root.resolve()).encode()).hexdigest()[:8]}"

    def remembered(self, secret: str | None) -> Person | None:
        """Who is behind a cookie, where it was asked a moment ago."""
        known = self._sessions.get(secret or "")
        return known[1] if known and self.clock() - known[0] < TRUSTED_SECONDS else None

    def whose(self, secret: str | None) -> Person | None:
        """Who is behind a cookie, by the database."""
        if not secret:
            return None
        now = self.clock()
        with self.people.read() as connection:
            person = session_holder(connection, secret, now)
        self.forget_session(secret)
        if person:
            if len(self._sessions) > 1000:
                self._sessions.clear()
            self._sessions[secret] = (now, person)
        return person

    def forget_session(self, secret: str) -> None:
        """Ask the database the next time."""
        self._sessions.pop(secret, None)


async def studio(request: HTTPConnection) -> Studio:
    """The studio that this request came to. A coroutine, as FastAPI runs plain functions in threads."""
    return request.app.state.studio


Here = Annotated[Studio, Depends(studio)]
"""Parameter of a route that needs the study or the database."""


class NotSignedIn(Exception):
    """Nobody is behind this request."""


class NotAllowed(Exception):
    """The role of this person does not reach this page."""

    def __init__(self, person: Person):
        super().__init__(person.role)
        self.person = person


class _Allow:
    """Dependency that lets some roles in."""

    def __init__(self, *roles: str):
        self.roles = frozenset(roles)

    async def __call__(self, request: Request, here: Here) -> Person:
        secret = request.cookies.get(here.cookie)
        person = here.remembered(secret) or await run_in_threadpool(here.whose, secret)
        if person is None:
            raise NotSignedIn
        if person.role not in self.roles:
            raise NotAllowed(person)
        request.state.person = person
        return person


OwnerOnly = Annotated[Person, Depends(_Allow("owner"))]
"""Parameter of a route for the owner: who it is."""
Authors = Annotated[Person, Depends(_Allow("owner", "author"))]
"""Parameter of a route for those who review and write, the owner among them: who it is."""
Everybody = Annotated[Person, Depends(_Allow("owner", "author", "annotator"))]
"""Parameter of a route for all who are signed in: who it is."""
