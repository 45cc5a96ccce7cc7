"""The voting pages in a real browser: keys, outbox, conflicts, hostile answers, narrow screens."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import func, select

from limakit.store import members, votes
from limakit.store.people import People
from limakit.store.people_schema import assignments
from limakit.store.people_schema import votes as table
from limakit.store.study import PEOPLE_DB, Study
from limakit.web.studio import Studio
from tests.report.hostile import HOSTILE
from tests.web.served import CHROMIUM, serving
from tests.web.studies import write_study

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

pytest.importorskip("playwright", reason="playwright is not installed")
pytestmark = pytest.mark.skipif(not Path(CHROMIUM).exists(), reason=f"no {CHROMIUM} (Debian: chromium)")
WIDTHS = (1280, 390)


@pytest.fixture(scope="module")
def chromium() -> "Iterator[Browser]":
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


class Visit:
    """A browser in which somebody has come in. What goes wrong in it is noted."""

    def __init__(self, context: "BrowserContext", url: str):
        self.context, self.url = context, url
        self.problems: list[str] = []
        self.elsewhere: list[str] = []
        context.on("request", self._request)

    def _request(self, request: Any) -> None:
        if not request.url.startswith(self.url):
            self.elsewhere.append(request.url)

    def page(self, path: str) -> "Page":
        page = self.context.new_page()
        page.on("console", lambda message: self.problems.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("dialog", lambda dialog: self.problems.append(f"dialog {dialog.message}"))
        page.goto(self.url + path)
        return page


@pytest.fixture
def visit(chromium: "Browser", tmp_path: Path) -> Iterator[Callable[..., tuple[Visit, Studio]]]:
    """Serve a study and come in; the study's settings are those of `write_study`."""
    closing: list[Any] = []

    def come(role: members.Role = "annotator", width: int = 1280, **settings: Any) -> tuple[Visit, Studio]:
        root = write_study(tmp_path / "mystudy", **settings)
        people = People.open(root / PEOPLE_DB)
        studio = Studio(Study(root), people)
        running = serving(studio)
        url = running.__enter__()
        context = chromium.new_context(viewport={"width": width, "height": 800})
        closing.extend([lambda: running.__exit__(None, None, None), context.close])
        with people.write() as connection:
            members.set_owner(connection, "no password opens this", 0.0)
            if role != "owner":
                members.invite(connection, "a1", role, studio.clock())
            who = "owner" if role == "owner" else "a1"
            secret = members.start_session(connection, who, studio.clock())
        context.add_cookies([{"name": studio.cookie, "value": secret, "url": url, "sameSite": "Strict"}])
        return Visit(context, url), studio

    yield come
    for close in reversed(closing):
        close()


def stored(studio: Studio) -> int:
    with studio.people.read() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar() or 0


def labels(studio: Studio, kind: str = "compare") -> list[str | None]:
    with studio.people.read() as connection:
        return [slot.label for slot in votes.queue(connection, "a1", kind)]


def wait_for(page: "Page", place: str, text: str) -> None:
    """Wait until an element says this. (A function to wait for would need eval, which the page's policy forbids.)"""
    from playwright.sync_api import expect

    expect(page.locator(place)).to_contain_text(text, timeout=30_000)


def wait_stored(page: "Page") -> None:
    wait_for(page, "#state", "All votes are stored")


def test_a_pair_is_judged_by_one_key_and_the_next_one_is_there(visit: Callable[..., tuple[Visit, Studio]]):
    here, studio = visit()
    page = here.page("/compare")
    page.wait_for_selector("article")
    shown = set()
    for painted, key in enumerate(("1", "2", "3", "ArrowLeft", "ArrowRight", "s"), 1):
        shown.add(page.inner_text("article .prompt"))
        page.keyboard.press(key)
        for _ in range(600):  # two keys in one frame would be measured as one
            if page.evaluate("performance.getEntriesByName('key-to-paint').length") == painted:
                break
            page.wait_for_timeout(50)
        else:
            raise AssertionError(f"key {painted} was never painted")
    wait_stored(page)
    assert len(shown) == 6, "the next pair was there at every key"
    assert labels(studio)[:6] == ["a", "b", "tie", "a", "b", "skip"]
    assert "6 of 12 done" in page.inner_text("#count")
    assert here.problems == []
    assert here.elsewhere == []


def test_undo_takes_a_vote_back_also_after_a_reload(visit: Callable[..., tuple[Visit, Studio]]):
    here, studio = visit()
    page = here.page("/compare")
    page.wait_for_selector("article")
    first = page.inner_text("article .prompt")
    page.keyboard.press("1")
    page.keyboard.press("Backspace")
    assert page.inner_text("article .prompt") == first
    assert "Answer 1 is significantly better" in page.inner_text("#banner")
    page.keyboard.press("2")
    wait_stored(page)
    assert (labels(studio)[0], stored(studio)) == ("b", 3)
    page.reload()
    page.wait_for_selector("article")
    page.click("#undo")
    assert page.inner_text("article .prompt") == first
    page.keyboard.press("3")
    wait_stored(page)
    assert labels(studio)[0] == "tie"
    assert here.problems == []


def test_breaks_and_the_end(visit: Callable[..., tuple[Visit, Studio]]):
    here, studio = visit(count=7, break_every=3)
    page = here.page("/compare")
    page.wait_for_selector("article")
    for _ in range(3):
        page.keyboard.press("1")
    assert "short break" in page.inner_text("#panel")
    page.keyboard.press("1")  # no vote: there is nothing to vote on
    page.keyboard.press("Enter")  # the button has the focus
    for _ in range(3):
        page.keyboard.press("3")
    page.keyboard.press("Enter")
    page.keyboard.press("2")
    wait_for(page, "#panel", "All done")
    wait_stored(page)
    assert labels(studio) == ["a"] * 3 + ["tie"] * 3 + ["b"]
    assert here.problems == []


def test_twenty_keys_a_second_and_no_connection_lose_nothing(visit: Callable[..., tuple[Visit, Studio]]):
    here, studio = visit(count=60, shared=60)
    page = here.page("/compare")
    page.wait_for_selector("article")
    with page.expect_response("**/queue/compare?after=*"):  # the next twenty items, which the first vote asks for
        for n in range(20):
            page.keyboard.press("123"[n % 3])
            page.wait_for_timeout(50)
    here.context.set_offline(True)
    for n in range(15):
        page.keyboard.press("123"[n % 3])
        page.wait_for_timeout(50)
    wait_for(page, "#state", "kept in this browser")
    done = int(page.inner_text("#count").split()[0])
    assert done == 35
    kept = page.evaluate("Object.keys(localStorage).filter(key => key.startsWith('limakit:')).length")
    assert kept >= 15
    here.context.set_offline(False)
    wait_stored(page)
    assert [label for label in labels(studio) if label] == (["a", "b", "tie"] * 7)[:20] + ["a", "b", "tie"] * 5
    assert stored(studio) == 35
    assert page.evaluate("Object.keys(localStorage).filter(key => key.startsWith('limakit:')).length") == 0


def test_votes_kept_in_the_browser_are_sent_by_the_next_visit(visit: Callable[..., tuple[Visit, Studio]]):
    here, studio = visit()
    page = here.page("/compare")
    page.wait_for_selector("article")
    page.wait_for_timeout(200)
    here.context.set_offline(True)
    for key in "1231":
        page.keyboard.press(key)
    page.close()  # the tab is shut before anything was sent
    assert stored(studio) == 0
    here.context.set_offline(False)
    page = here.page("/compare")
    page.wait_for_selector("article")
    wait_stored(page)
    assert labels(studio)[:4] == ["a", "b", "tie", "a"]
    assert "4 of 12 done" in page.inner_text("#count")


def test_a_stale_tab_is_told_clearly_and_both_votes_are_kept(visit: Callable[..., tuple[Visit, Studio]]):
    here, studio = visit()
    one, stale = here.page("/compare"), here.page("/compare")
    for page in (one, stale):
        page.wait_for_selector("article")
    assert one.inner_text("article") == stale.inner_text("article")
    asked = one.inner_text("article .prompt")
    one.keyboard.press("1")
    wait_stored(one)
    stale.keyboard.press("2")
    wait_stored(stale)
    stale.keyboard.press("3")  # it goes on to the next; then the conflict is asked
    wait_for(stale, "#banner", "two things")
    told = stale.inner_text("#banner")
    assert "“Answer 1 is significantly better” elsewhere" in told
    assert "“Answer 2 is significantly better” here" in told
    assert stale.inner_text("article .prompt") == asked
    wait_stored(stale)  # the third vote may still be under way
    assert (labels(studio)[0], stored(studio)) == ("a", 3)
    stale.keyboard.press("2")
    wait_stored(stale)
    assert labels(studio)[0] == "b"
    with studio.people.read() as connection:
        assert votes.conflicts(connection) == []


def test_a_conflict_is_asked_again_after_a_reload(visit: Callable[..., tuple[Visit, Studio]]):
    here, studio = visit()
    one, stale = here.page("/compare"), here.page("/compare")
    for page in (one, stale):
        page.wait_for_selector("article")
    one.keyboard.press("1")
    wait_stored(one)
    stale.keyboard.press("2")
    wait_stored(stale)
    stale.close()
    one.reload()
    wait_for(one, "#banner", "two things")
    one.keyboard.press("1")
    wait_stored(one)
    with studio.people.read() as connection:
        assert votes.conflicts(connection) == []
    assert labels(studio)[0] == "a"


def test_who_is_signed_out_keeps_the_votes(visit: Callable[..., tuple[Visit, Studio]]):
    here, studio = visit()
    page = here.page("/compare")
    page.wait_for_selector("article")
    cookies = here.context.cookies()
    here.context.clear_cookies()
    page.keyboard.press("1")
    wait_for(page, "#state", "signed out")
    here.context.add_cookies(cookies)  # type: ignore[arg-type]
    wait_stored(page)
    assert labels(studio)[0] == "a"


def hostile(count: int) -> list[str]:
    """So many answers, each with several attacks in it, some enormous and some nested deeply."""
    answers = []
    for n in range(count):
        parts = [HOSTILE[(n * 7 + k * 13) % len(HOSTILE)] for k in range(4)]
        if n % 50 == 0:
            parts.append("> " * 3000 + "deep " + "[" * 3000 + "*" * 3000)
        if n % 50 == 1:
            parts.append("enormous " * 30_000)
        answers.append("\n\n".join(parts).encode("utf-8", "replace").decode())
    return answers


def test_five_hundred_hostile_answers_do_nothing(visit: Callable[..., tuple[Visit, Studio]]):
    """In batches of the queue, through the page's own elements; then two of them are voted on as a person would."""
    here, studio = visit(count=500, answers=hostile(500), shared=500)
    page = here.page("/compare")
    page.wait_for_selector("article")
    shown = page.evaluate(
        """async () => {
          const { setHTML } = await import("/static/html.js");
          const stage = document.getElementById("stage");
          let after = -1, shown = 0;
          for (;;) {
            const answer = await fetch(`/queue/compare?after=${after}`, { method: "POST" });
            const { items } = await answer.json();
            if (!items.length) return shown;
            for (const item of items) {
              after = item.position;
              for (const html of item.answers) {
                const made = document.createElement("div");
                made.className = "said";
                setHTML(made, html);
                stage.append(made);
              }
              shown += 1;
            }
            await new Promise(requestAnimationFrame);
            const acting = "script,style,svg,math,img,iframe,object,embed,link,meta,base,form,a,input,video";
            const bad = stage.querySelectorAll(acting);
            if (bad.length) throw new Error(bad[0].outerHTML);
          }
        }"""
    )
    assert shown == 500
    assert here.problems == []
    assert here.elsewhere == []
    page.reload()
    page.wait_for_selector("article")
    page.keyboard.press("1")
    page.keyboard.press("2")
    wait_stored(page)
    assert stored(studio) == 2


@pytest.mark.parametrize("width", WIDTHS)
def test_every_page_fits_and_is_silent(visit: Callable[..., tuple[Visit, Studio]], width: int):
    here, _ = visit("owner", width, answers=[f"| a | b |\n|---|---|\n| {'wide' * 60} | x |\n\n{'w' * 500}"])
    for path in ("/compare", "/grade", "/grade?kind=safety", "/instructions", "/people", "/enter", "/join/none"):
        page = here.page(path)
        if path.startswith(("/compare", "/grade")):
            page.wait_for_selector("article")
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, (path, wide)
        page.close()
    gone = ["Failed to load resource: the server responded with a status of 410 (Gone)"]
    assert here.problems == gone, "the browser notes the link that does not work, and nothing else"
    assert here.elsewhere == []


@pytest.mark.parametrize("path", ["/compare", "/grade", "/people", "/instructions"])
def test_everything_has_a_name_for_a_screen_reader(visit: Callable[..., tuple[Visit, Studio]], path: str):
    here, _ = visit("owner")
    page = here.page(path)
    if path in ("/compare", "/grade"):
        page.wait_for_selector("article")
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("a, button, input, select, textarea, progress, nav, [role=group]")]
          .filter((e) => e.checkVisibility())
          .filter((e) => !(e.getAttribute("aria-label") || e.textContent.trim() || e.labels?.length ||
            document.getElementById(e.getAttribute("aria-labelledby"))?.textContent))
          .map((e) => e.outerHTML)"""
    )
    assert nameless == []
    tree = page.locator("body").aria_snapshot()
    assert page.locator("h1").count() >= 1
    assert "main" in tree
    if path == "/compare":
        for name in ("Answer 1 is significantly better", "Answer 2 is significantly better", "Neither"):
            assert f'button "{name}' in tree
        assert 'region "Answer 1"' in tree
        assert 'group "Which answer best satisfies your needs?"' in tree


def test_by_keyboard_alone(visit: Callable[..., tuple[Visit, Studio]]):
    """Without the shortcuts: Tab to the buttons, Enter or Space to press, and the focus is always seen."""
    here, studio = visit()
    page = here.page("/compare")
    page.wait_for_selector("article")
    reached = []
    for _ in range(14):
        page.keyboard.press("Tab")
        focus = page.evaluate(
            """() => { const e = document.activeElement; return [e.getAttribute("aria-label") || e.textContent.trim(),
              getComputedStyle(e).outlineStyle, e.getAttribute("href")]; }"""
        )
        reached.append(focus[0])
        assert focus[1] != "none" or focus[0] == "", focus
        if focus[0].startswith("Neither"):
            break
    assert reached[0] == "Skip to the page"
    assert any(name.startswith("Answer 1") for name in reached)
    page.keyboard.press("Enter")
    page.keyboard.press("Space")
    wait_stored(page)
    assert labels(studio)[:2] == ["tie", "tie"]


def test_the_page_never_gets_a_system_by_name(visit: Callable[..., tuple[Visit, Studio]]):
    here, _ = visit()
    bodies: list[str] = []
    here.context.on("response", lambda answer: bodies.append(answer.url + answer.text()) if answer.ok else None)
    page = here.page("/compare")
    page.wait_for_selector("article")
    page.keyboard.press("1")
    wait_stored(page)
    page.goto(here.url + "/grade")
    page.wait_for_selector("article")
    everything = json.dumps(bodies)
    assert "basil" in everything
    assert "tuned" not in everything


def test_items_of_a_closed_tab_are_not_handed_out_twice(visit: Callable[..., tuple[Visit, Studio]]):
    here, studio = visit()
    for _ in range(3):
        page = here.page("/compare")
        page.wait_for_selector("article")
        page.close()
    with studio.people.read() as connection:
        assert connection.execute(select(func.count()).select_from(assignments)).scalar() == 12
