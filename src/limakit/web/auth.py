"""Coming in: the owner's password by argon2, one-time links for everybody else, a cookie that scripts cannot read."""

import secrets
from collections import deque

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from fastapi import Request
from fastapi.responses import RedirectResponse, Response

from limakit.store import members
from limakit.store.people import People
from limakit.web.studio import Studio

TRIES, WITHIN_SECONDS = 10, 60.0
"""Wrong passwords after which the door stays shut, and for how long."""
_hasher = PasswordHasher()


def first_password(people: People, now: float) -> str | None:
    """Make the owner on the first start: the password, to be shown once. None where there is an owner already."""
    with people.write() as connection:
        if members.owner_password(connection) is not None:
            return None
        password = new_password()
        members.set_owner(connection, _hasher.hash(password), now)
    return password


def reset_password(people: People, now: float) -> str:
    """Another password for the owner, to be shown once."""
    password = new_password()
    hashed = _hasher.hash(password)
    with people.write() as connection:
        members.set_owner(connection, hashed, now)
    return password


def new_password() -> str:
    """Twenty letters and digits that cannot be mistaken for each other, in groups of five: 98 bits."""
    letters = "abcdefghjkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(letters) for _ in range(5)) for _ in range(4))


class Door:
    """Checks the owner's password, and not more often than `TRIES` in `WITHIN_SECONDS`."""

    def __init__(self) -> None:
        self._wrong: deque[float] = deque(maxlen=TRIES)

    def shut(self, now: float) -> bool:
        """Whether too many wrong passwords came in a short time."""
        return len(self._wrong) == TRIES and now - self._wrong[0] < WITHIN_SECONDS

    def opens(self, people: People, password: str, now: float) -> bool:
        """Whether this is the password."""
        with people.read() as connection:
            stored = members.owner_password(connection)
        try:
            _hasher.verify(stored or "", password)
        except (VerificationError, InvalidHashError):
            self._wrong.append(now)
            return False
        self._wrong.clear()
        return True


def signed_in(request: Request, studio: Studio, secret: str, to: str) -> Response:
    """On to a page, with the session's cookie."""
    response = RedirectResponse(to, 303)
    response.set_cookie(
        studio.cookie,
        secret,
        max_age=int(members.SESSION_DAYS * members.DAY),
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return response
