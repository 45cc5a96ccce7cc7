"""Review, Write, Results and Chat in a real browser: keys, lost networks, two tabs, narrow screens, hostile texts."""

import re
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from limakit.author import drafts
from limakit.models.sampler import Answer
from limakit.records import Turn
from limakit.store import decisions
from limakit.store.people import People
from limakit.store.study import Study
from limakit.web import speaking
from limakit.web.studio import Studio
from tests.report.hostile import HOSTILE
from tests.web.desks import sign_in
from tests.web.served import CHROMIUM, serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

pytest.importorskip("playwright", reason="playwright is not installed")
pytestmark = pytest.mark.skipif(not Path(CHROMIUM).exists(), reason=f"no {CHROMIUM} (Debian: chromium)")
NAMELESS = """() => [...document.querySelectorAll("button, input, select, textarea, a[href], iframe")]
  .filter((one) => one.type !== "hidden")
  .filter((one) => !one.closest("[hidden]") && !(one.getAttribute("aria-label") || one.labels?.length
    || one.textContent.trim() || one.title))
  .map((one) => one.outerHTML)"""


@pytest.fixture(scope="module")
def chromium() -> "Iterator[Browser]":
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


class House:
    """A studio that is served, and browsers in which people are signed in. What goes wrong in them is noted."""

    def __init__(self, studio: Studio, url: str, browser: "Browser", secrets: dict[str, str]):
        self.studio, self.url, self._browser, self._secrets = studio, url, browser, secrets
        self.problems: list[str] = []
        self._contexts: dict[tuple[str, int], BrowserContext] = {}

    def context(self, person: str = "a1", width: int = 1280) -> "BrowserContext":
        """The browser of a person."""
        if (person, width) not in self._contexts:
            context = self._browser.new_context(viewport={"width": width, "height": 800})
            context.add_cookies([{"name": self.studio.cookie, "value": self._secrets[person], "url": self.url}])
            context.on("request", lambda request: self._check(request.url))
            self._contexts[person, width] = context
        return self._contexts[person, width]

    def _check(self, url: str) -> None:
        if not url.startswith(self.url):
            self.problems.append(f"request to {url}")

    def open(self, path: str, person: str = "a1", width: int = 1280) -> "Page":
        """A new tab."""
        page = self.context(person, width).new_page()
        page.on("console", lambda message: self._note(message))
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.goto(self.url + path)
        return page

    def _note(self, message: Any) -> None:
        # A request that a test cut off or that is answered with a conflict is logged by the browser itself.
        if message.type == "error" and not re.search(r"ERR_INTERNET_DISCONNECTED|\b409\b", message.text):
            self.problems.append(message.text)

    def close(self) -> None:
        """Close every browser."""
        for context in self._contexts.values():
            context.close()


@pytest.fixture
def house(curated_study: Path, tmp_path: Path, chromium: "Browser") -> Iterator[House]:
    folder = tmp_path / "study"
    shutil.copytree(curated_study, folder)
    with opened(Study(folder), chromium) as house:
        yield house
        assert house.problems == []


@contextmanager
def opened(study: Study, chromium: "Browser") -> Iterator[House]:
    with People.open(study.path("people.db")) as people:
        studio = Studio(study, people)
        secrets = sign_in(studio)
        with serving(studio) as url:
            house = House(studio, url, chromium, secrets)
            yield house
            house.close()


def begin(house: House, *texts: str) -> str:
    turns = tuple(Turn(role="assistant" if at % 2 else "user", content=text) for at, text in enumerate(texts))
    return drafts.start(house.studio.people, "a1", turns).id


def text_of(house: House, number: str) -> list[str]:
    return [turn.content for turn in drafts.find(house.studio.people, number).turns]


def until(page: "Page", what: Callable[[], bool]) -> None:
    """Wait for something outside the page, at most thirty seconds."""
    for _ in range(600):
        if what():
            return
        page.wait_for_timeout(50)
    raise AssertionError("it did not come about")


def test_every_page_is_named_narrow_and_quiet(house: House) -> None:
    number = begin(house, "Why?", "Because.")
    paths = [
        "/review",
        "/review/one",
        "/review/one?edit=1",
        "/review/bulk?which=train",
        "/review/log?rule=not_selected",
    ]
    paths += ["/write", f"/write/{number}", f"/write/{number}/history", "/results", "/chat"]
    for width in (1280, 390):
        page = house.open("/review", width=width)
        for path in paths:
            page.goto(house.url + path)
            assert page.evaluate(NAMELESS) == [], path
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (path, width)
            assert page.locator("h1").count() == 1, path
            page.keyboard.press("Tab")
            assert page.evaluate("document.activeElement.tagName") in ("A", "TEXTAREA", "BUTTON", "INPUT"), path


def test_reviewing_takes_one_key_each(house: House) -> None:
    page = house.open("/review/one")
    names = page.evaluate("[...document.querySelectorAll('.facts dd')].map((one) => one.textContent)")
    first = names[0]

    def press(key: str) -> None:
        before = page.url
        with page.expect_navigation():
            page.keyboard.press(key)
        assert page.url != before or key == "u"

    press("a")
    press("r")
    press("j")
    press("k")
    press("e")
    page.locator("#turn-1").fill("Another answer.")
    with page.expect_navigation():
        page.keyboard.press("Control+Enter")
    assert [one.decision for one in sorted(decisions.load(house.studio.study.root), key=lambda one: one.decided)].count(
        "edit"
    ) == 1
    assert len(decisions.load(house.studio.study.root)) == 3
    for left in (2, 1, 0):
        press("u")
        assert len(decisions.load(house.studio.study.root)) == left
    assert page.locator(".facts dd").first.text_content() == first
    page.keyboard.press("n")
    page.keyboard.type("ar")
    assert page.locator("#note").input_value() == "ar", "letters in a note are letters"
    page.keyboard.press("Escape")
    page.keyboard.press("ArrowRight")
    page.wait_for_url("**id=*")


def test_what_is_typed_is_saved_and_previewed_without_a_button(house: House) -> None:
    page = house.open("/write")
    page.get_by_role("button", name="New example").click()
    page.locator("#turn-0:focus").wait_for()
    page.keyboard.type("What is amber good for?")
    page.get_by_label("Response").fill("Certainly! It is **resin**. <img src=x onerror=alert(1)>")
    page.get_by_text("opens with “Certainly”").wait_for()
    until(page, lambda: page.locator("#preview strong").text_content() == "resin")
    until(page, lambda: page.locator("#near a").first.text_content() == "What is amber?")
    number = page.url.rsplit("/", 1)[1]
    until(page, lambda: page.locator("#state").text_content() == "Saved")
    assert text_of(house, number)[0] == "What is amber good for?"
    page.get_by_role("button", name="Add a turn of each").click()
    page.keyboard.type("And how old is it?")
    until(page, lambda: len(text_of(house, number)) == 4)
    page.get_by_text("To submit: turn 4 is empty").wait_for()
    page.keyboard.press("Control+Enter")
    page.get_by_text("Not sent: turn 4 is empty").wait_for()
    page.get_by_label("Response").nth(1).fill("Millions of years.")
    page.keyboard.press("Control+Enter")
    page.wait_for_url("**/write")
    assert drafts.find(house.studio.people, number).state == "submitted"
    other = house.open(f"/write/{number}", person="a2")
    other.get_by_role("button", name="Accept").click()
    other.wait_for_url("**/write")
    assert drafts.find(house.studio.people, number).decided_by == "a2"


def test_nothing_typed_is_lost_when_the_network_and_the_tab_go(house: House) -> None:
    number = begin(house, "Why?", "Because.")
    page = house.open(f"/write/{number}")
    house.context().set_offline(True)
    page.get_by_label("Response").fill("Typed on a train.")
    page.get_by_text("kept in this browser").wait_for()
    page.close()
    house.context().set_offline(False)
    assert text_of(house, number) == ["Why?", "Because."]
    again = house.open(f"/write/{number}")
    assert again.get_by_label("Response").input_value() == "Typed on a train."
    until(again, lambda: text_of(house, number) == ["Why?", "Typed on a train."])
    house.context().set_offline(True)
    again.get_by_label("Response").fill("Typed in a tunnel.")
    again.get_by_text("kept in this browser").wait_for()
    house.context().set_offline(False)
    until(again, lambda: text_of(house, number) == ["Why?", "Typed in a tunnel."])


def test_two_tabs_are_told_apart_and_both_texts_kept(house: House) -> None:
    number = begin(house, "Why?", "Because.")
    drafts.submit(house.studio.people, number, "a1")
    drafts.send_back(house.studio.people, number, "a2", "")
    one, two = house.open(f"/write/{number}"), house.open(f"/write/{number}")
    one.get_by_label("Response").fill("From the first tab.")
    until(one, lambda: text_of(house, number)[1] == "From the first tab.")
    two.evaluate("localStorage.clear()")
    two.get_by_label("Response").fill("From the second tab.")
    two.get_by_text("Which one goes on?").wait_for()
    two.get_by_role("button", name="Go on with mine").click()
    until(two, lambda: text_of(house, number)[1] == "From the second tab.")
    until(two, lambda: two.locator("#state").text_content() == "Saved")
    kept = {version.turns[1].content for version in drafts.history(house.studio.people, number)}
    assert kept == {"Because.", "From the first tab.", "From the second tab."}


def test_hostile_texts_do_nothing(house: House) -> None:
    for at in range(0, len(HOSTILE), 38):
        texts = [text[:2000] for text in HOSTILE[at : at + 38]]
        page = house.open(f"/write/{begin(house, *texts)}")
        page.locator("#preview .said").nth(len(texts) - 1).wait_for()
        assert page.evaluate("document.querySelectorAll('#preview :is(script, img, a, svg, style, form)').length") == 0
        page.get_by_role("button", name="Submit").wait_for()
        page.get_by_label("Prompt").press("End")
        page.keyboard.type(" more")
        until(page, lambda page=page: page.locator("#state").text_content() == "Saved")
        page.goto(page.url + "/history")
        assert page.locator(".changes").count() >= len(texts)


class Told:
    """A model that says words when it is let."""

    def __init__(self) -> None:
        self.let, self.said, self.closed = threading.Semaphore(0), 0, threading.Event()

    def stream(self, *_: Any) -> Iterator[str]:
        try:
            for word in ("One ", "<b>two</b> ", "**three**"):
                self.let.acquire(timeout=20)
                self.said += 1
                yield word
        except GeneratorExit:
            self.closed.set()
            raise
        return Answer(text="", finish="eot", tokens=4)


@pytest.fixture
def talking(
    curated_study: Path, tmp_path: Path, chromium: "Browser", monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[House, Told]]:
    """A house whose models are one that is told when to go on."""
    folder, model = tmp_path / "study", Told()
    shutil.copytree(curated_study, folder)
    monkeypatch.setattr(speaking, "_open", lambda _: model)
    with opened(Study(folder), chromium) as house:
        yield house, model
        assert house.problems == []


def test_chat_streams_stops_and_grades(talking: tuple[House, Told]) -> None:
    house, model = talking
    page = house.open("/chat")
    page.locator("#first").select_option("base")
    page.locator("#text").fill("How?")
    page.keyboard.press("Enter")
    page.get_by_text("base is thinking").wait_for()
    model.let.release()
    page.get_by_text("base is writing").wait_for()
    until(page, lambda: page.locator("[aria-busy] .said").text_content() == "One ")
    other = house.open("/chat", person="a2")
    other.get_by_text("Busy: base is answering a1").wait_for()
    other.locator("#first").select_option("base")
    other.locator("#text").fill("Me?")
    other.keyboard.press("Enter")
    other.get_by_text("another answer is being written (that of a1, by base)").wait_for()
    model.let.release(2)
    page.get_by_text("base has answered").wait_for()
    until(page, lambda: page.locator(".assistant strong").text_content() == "three")
    until(page, lambda: page.locator(".assistant .said").text_content() == "One <b>two</b> three\n")
    page.get_by_role("button", name="Excellent").click()
    page.get_by_text("Graded: excellent").wait_for()
    page.reload()
    assert page.locator("[aria-pressed=true]").text_content() == "Excellent", "a reload keeps the dialogue"
    page.locator("#text").fill("And?")
    page.keyboard.press("Enter")
    model.let.release()
    page.get_by_text("base is writing").wait_for()
    with page.expect_response("**/chat/stop"):  # the server must know of it before the model goes on
        page.keyboard.press("Escape")
    model.let.release(9)
    page.get_by_text("stopped").wait_for()
    page.get_by_role("button", name="Take to Write").first.click()
    page.wait_for_url("**/write/*")
    assert page.get_by_label("Prompt").input_value() == "How?"


def test_two_side_by_side_get_the_same_question_one_after_the_other(talking: tuple[House, Told]) -> None:
    house, model = talking
    page = house.open("/chat", width=390)
    page.locator("#first").select_option("base")
    page.locator("#second").select_option("base")
    page.locator("#text").fill("How?")
    model.let.release(9)
    page.keyboard.press("Enter")
    until(page, lambda: page.locator(".assistant .tools").count() == 2)
    assert page.locator(".turn.user .said").all_text_contents() == ["How?", "How?"]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_browser_that_goes_away_leaves_the_model_free(talking: tuple[House, Told]) -> None:
    house, model = talking
    page = house.open("/chat")
    page.locator("#first").select_option("base")
    page.locator("#text").fill("How?")
    page.keyboard.press("Enter")
    model.let.release()
    page.get_by_text("base is writing").wait_for()
    page.close()
    other = house.open("/chat", person="a2")
    model.let.release(9)
    state = "fetch('/chat/state').then((answer) => answer.json())"
    until(other, lambda: other.evaluate(state)["person"] is None)
    assert model.closed.is_set() or model.said == 3
