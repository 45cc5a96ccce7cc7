"""Who reaches what: every role on every route, nothing from other sites, secrets that stay secret."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from argon2 import PasswordHasher
from fastapi import FastAPI
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

from limakit.store import members
from limakit.web import auth
from limakit.web.app import create_app
from limakit.web.auth import TRIES, first_password, reset_password
from limakit.web.guard import POLICY
from limakit.web.studio import TRUSTED_SECONDS, Studio
from tests.web.conftest import HOME, PAGE, SCRIPT

NOBODY = {None, "annotator", "author", "owner"}
EVERYBODY = {"annotator", "author", "owner"}
AUTHORS = {"author", "owner"}
OWNER = {"owner"}
Enter = Callable[..., TestClient]

MATRIX: dict[tuple[str, str], set] = {
    # coming in and out
    ("GET", "/"): EVERYBODY,
    ("GET", "/enter"): NOBODY,
    ("POST", "/enter"): NOBODY,
    ("GET", "/join/{secret}"): NOBODY,
    ("POST", "/join/{secret}"): NOBODY,
    ("POST", "/leave"): EVERYBODY,
    # compare and grade
    ("GET", "/compare"): EVERYBODY,
    ("GET", "/grade"): EVERYBODY,
    ("GET", "/instructions"): EVERYBODY,
    ("POST", "/queue/{kind}"): EVERYBODY,
    ("POST", "/votes"): EVERYBODY,
    # review and write
    ("GET", "/review"): AUTHORS,
    ("GET", "/review/one"): AUTHORS,
    ("POST", "/review/decide"): AUTHORS,
    ("POST", "/review/undo"): AUTHORS,
    ("GET", "/review/bulk"): AUTHORS,
    ("POST", "/review/bulk"): AUTHORS,
    ("GET", "/review/log"): AUTHORS,
    ("GET", "/review/map.svg"): AUTHORS,
    ("GET", "/write"): AUTHORS,
    ("POST", "/write/new"): AUTHORS,
    ("GET", "/write/{number}"): AUTHORS,
    ("POST", "/write/{number}/save"): AUTHORS,
    ("POST", "/write/{number}/move"): AUTHORS,
    ("GET", "/write/{number}/history"): AUTHORS,
    ("POST", "/write/{number}/restore"): AUTHORS,
    # chat
    ("GET", "/chat"): AUTHORS,
    ("GET", "/chat/state"): AUTHORS,
    ("POST", "/chat/say"): AUTHORS,
    ("POST", "/chat/stop"): AUTHORS,
    ("POST", "/chat/grade"): AUTHORS,
    ("POST", "/chat/write"): AUTHORS,
    # results
    ("GET", "/results"): AUTHORS,
    ("GET", "/results/report"): AUTHORS,
    # people
    ("GET", "/people"): OWNER,
    ("POST", "/people"): OWNER,
    ("POST", "/people/{name}/remove"): OWNER,
}
"""Every route and the roles that reach it. A new route has to be entered here, or a test fails."""


def routes(app: FastAPI) -> Iterator[tuple[str, str]]:
    """Every method and path that the application answers, but the static files."""

    def walk(entries: Any) -> Iterator[Route]:
        for entry in entries:
            if hasattr(entry, "original_router"):
                yield from walk(entry.original_router.routes)
            elif not isinstance(entry, Mount):
                yield entry

    for route in walk(app.routes):
        for method in sorted((route.methods or set()) - {"HEAD"}):
            yield method, route.path


def fill(path: str) -> str:
    """A path with something in place of its parameters."""
    for name, value in (("{secret}", "none"), ("{kind}", "compare"), ("{name}", "a9")):
        path = path.replace(name, value)
    return path.replace("{", "").replace("}", "")


def test_the_matrix_is_complete(studio: Studio):
    assert set(routes(create_app(studio))) == set(MATRIX)


@pytest.mark.parametrize("role", [None, "annotator", "author", "owner"])
def test_every_role_on_every_route(come_in: Enter, role: members.Role | None):
    for (method, path), allowed in MATRIX.items():
        for headers in (SCRIPT, PAGE):
            answer = come_in(role).request(method, fill(path), headers=headers, follow_redirects=False)
            refused = answer.status_code in (401, 403) or answer.headers.get("location") == "/enter"
            if path in ("/enter", "/leave"):  # a wrong password is 403 as well, and leaving leads to the door
                refused = answer.status_code == 401
            assert refused == (role not in allowed), (method, path, answer.status_code)
            assert answer.status_code < 500, (method, path, answer.text)


def test_posts_from_elsewhere_are_refused_on_every_route(come_in: Enter):
    hostile = [
        {"origin": "https://evil.example", "sec-fetch-site": "cross-site"},
        {"origin": "https://evil.example"},
        {"origin": "http://127.0.0.1:9999"},
        {"origin": "null"},
        {"sec-fetch-site": "same-site", "origin": HOME},
        {"sec-fetch-site": "none"},
        {},
    ]
    browser = come_in("owner")
    for method, path in MATRIX:
        if method == "GET":
            continue
        for headers in hostile:
            for name in ("origin", "sec-fetch-site"):
                browser.headers.pop(name, None)
            answer = browser.request(method, fill(path), headers=headers, follow_redirects=False)
            assert answer.status_code == 403, (path, headers)
            assert "another site" in answer.text


def test_other_names_for_this_computer_are_refused(come_in: Enter):
    browser = come_in("owner")
    assert browser.get("/compare", headers={"host": "evil.example"}).status_code == 421
    assert browser.get("/compare", headers={"host": "127.0.0.1.evil.example:8400"}).status_code == 421
    assert browser.get("/compare", headers={"host": "localhost:8400"}).status_code == 200


def test_a_studio_on_the_network_answers_under_any_name(studio: Studio):
    browser = TestClient(create_app(studio, local=False), base_url="https://studio.example")
    assert browser.get("/enter").status_code == 200
    password = first_password(studio.people, 0.0)
    answer = browser.post(
        "/enter", data={"password": password}, headers={"origin": "https://studio.example"}, follow_redirects=False
    )
    assert "Secure" in answer.headers["set-cookie"]


def test_every_answer_has_the_headers(come_in: Enter):
    browser = come_in("owner")
    for path in ("/compare", "/nothing", "/static/studio.css", "/enter", "/people"):
        answer = browser.get(path, headers=PAGE)
        assert answer.headers["content-security-policy"] == POLICY
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
    assert browser.get("/compare").headers["cache-control"] == "no-store"
    assert "unsafe" not in POLICY


def test_no_page_has_inline_script_or_style(come_in: Enter):
    import re

    browser = come_in("owner")
    for method, path in MATRIX:
        if method == "GET":
            html = browser.get(fill(path), headers=PAGE).text
            assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", html), path
            assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", html)), path
            assert not re.search(r"(src|href|action)=\"(https?:)?//", html), path


def test_a_big_body_is_refused(come_in: Enter):
    answer = come_in("annotator").post("/votes", content=b"x" * 4_000_001)
    assert answer.status_code == 413


def test_the_password_is_made_once_and_opens_the_door(studio: Studio):
    browser = TestClient(create_app(studio), base_url=HOME, headers=PAGE)
    password = first_password(studio.people, 0.0)
    assert password
    assert first_password(studio.people, 0.0) is None
    assert password not in str(studio.people.engine.pool)
    answer = browser.post("/enter", data={"password": password}, follow_redirects=False)
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert browser.get("/people").status_code == 200
    browser.post("/leave")
    assert browser.get("/people", follow_redirects=False).headers["location"] == "/enter"


def test_the_stored_password_is_argon2(studio: Studio):
    password = reset_password(studio.people, 0.0)
    with studio.people.read() as connection:
        stored = members.owner_password(connection)
    assert stored
    assert stored.startswith("$argon2id$")
    assert password not in stored


def test_guessing_is_slowed_down(studio: Studio, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(auth, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    clock = [1000.0]
    studio.clock = lambda: clock[0]
    browser = TestClient(create_app(studio), base_url=HOME, headers=PAGE)
    password = first_password(studio.people, 0.0)
    for _ in range(TRIES):
        assert browser.post("/enter", data={"password": "guess"}).status_code == 403
    assert browser.post("/enter", data={"password": password}).status_code == 429
    clock[0] += 61
    assert browser.post("/enter", data={"password": password}, follow_redirects=False).status_code == 303


def test_a_link_opens_once_and_by_the_button_only(come_in: Enter):
    owner, guest, late = come_in("owner"), come_in(None), come_in(None)
    shown = owner.post("/people", data={"name": "a7", "role": "annotator"}, headers=PAGE).text
    link = shown.split('value="')[1].split('"')[0]
    path = link.removeprefix(HOME)
    for _ in range(2):  # mail programs open links to look at them
        assert "Welcome, a7" in guest.get(path, headers=PAGE).text
    assert guest.post(path, headers=PAGE, follow_redirects=False).headers["location"] == "/instructions"
    assert guest.get("/compare").status_code == 200
    assert late.post(path, headers=PAGE).status_code == 410
    assert late.get("/compare").status_code == 401
    assert link not in owner.get("/people").text


def test_who_is_removed_is_out_within_seconds(studio: Studio, come_in: Enter):
    clock = [1000.0]
    studio.clock = lambda: clock[0]
    owner, guest = come_in("owner"), come_in("annotator", "a7")
    assert guest.get("/compare").status_code == 200
    owner.post("/people/a7/remove")
    clock[0] += TRUSTED_SECONDS
    assert guest.get("/compare").status_code == 401


def test_bad_names_are_said_on_the_page(come_in: Enter):
    answer = come_in("owner").post("/people", data={"name": "Not A Name"}, headers=PAGE)
    assert answer.status_code == 400
    assert "cannot be a person" in answer.text


def test_there_is_no_description_of_the_interface(come_in: Enter):
    for path in ("/docs", "/redoc", "/openapi.json"):
        assert come_in("owner").get(path).status_code == 404


def test_two_studios_on_one_host_keep_their_cookies_apart(studio: Studio, tmp_path):
    from limakit.store.study import Study

    assert studio.cookie != Studio(Study(tmp_path / "other"), studio.people).cookie


def test_a_defect_shows_no_traceback(come_in: Enter, studio: Studio, monkeypatch: pytest.MonkeyPatch):
    browser = come_in("owner")
    monkeypatch.setattr(members, "listing", lambda _: 1 / 0)
    answer = browser.get("/people", headers=PAGE)
    assert answer.status_code == 500
    assert "Traceback" not in answer.text
    assert "ZeroDivision" not in answer.text
