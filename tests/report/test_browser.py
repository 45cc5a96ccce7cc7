"""The page in a real browser: at a desk and on a phone, searched, with hostile answers in it, and on paper."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from limakit.report.page import build

from .test_page import EVIL, study

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    sync = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not Path(CHROMIUM).exists():
        pytest.skip("there is no Chromium on this machine")
    with sync.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report on answers that try to act in it."""
    path = tmp_path_factory.mktemp("report") / "index.html"
    path.write_text(build(study(70, EVIL)).html, encoding="utf-8")
    return path


@pytest.mark.parametrize("width", [1280, 390])
def test_hostile_answers_stay_text_and_the_page_fits(browser: Any, hostile: Path, width: int) -> None:
    """No request but for the page, no dialog, no second script, nothing wider than the window."""
    asked, talked, errors = [], [], []
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.on("request", lambda request: asked.append(request.url))
    page.on("dialog", lambda dialog: (talked.append(dialog.message), dialog.dismiss()))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(hostile.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(item => item.open = true)")
    page.mouse.move(width / 2, 400)
    assert asked == [hostile.as_uri()]
    assert (talked, errors) == ([], [])
    assert page.evaluate("document.scripts.length") == 1
    assert page.evaluate("document.querySelectorAll('img, iframe, object, embed, form, base, video').length") == 0
    assert page.evaluate("document.querySelectorAll('.said a').length") == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.title() != ""
    page.close()


def test_a_script_that_is_not_the_page_s_own_does_not_run(browser: Any, tmp_path: Path) -> None:
    """What holds if a text did get out of its place: the policy knows one script by its hash."""
    html = build(study(3)).html
    path = tmp_path / "index.html"
    path.write_text(html.replace("<main>", "<main><script>document.title = 'taken'</script>", 1), encoding="utf-8")
    page = browser.new_page()
    page.goto(path.as_uri())
    assert page.title() == "my study: report"
    page.close()


def test_answers_are_found_by_word_and_by_who_was_preferred(browser: Any, tmp_path: Path) -> None:
    path = tmp_path / "index.html"
    report = build(study(30))
    path.write_text(report.html, encoding="utf-8")
    page = browser.new_page()
    page.goto(path.as_uri())

    def shown() -> int:
        told = page.text_content("#find-told")
        visible = page.evaluate("[...document.querySelectorAll('.pair')].filter(item => item.offsetHeight).length")
        assert told == f"{visible} of 29 shown"
        return visible

    assert shown() == 29
    page.fill("#find-words", "QUESTION 7?")
    assert shown() == len([7, 17, 27])
    page.fill("#find-words", "")
    counts = {}
    for option in page.query_selector_all("#find-result option"):
        page.select_option("#find-result", option.get_attribute("value"))
        counts[option.text_content()] = shown()
    assert counts["all"] == 29
    assert counts["no verdict"] == report.numbers["comparison"]["judges"][1]["missing"] == 6
    tokens = re.findall(r'data-result="([^"]*)"', report.html)
    assert counts["judges differ"] == sum("split" in token.split() for token in tokens) > 0
    assert counts["tuned"] == sum("1" in token.split() for token in tokens) > 0
    page.fill("#find-words", "no such word")
    assert shown() == 0
    page.close()


def test_on_paper(browser: Any, tmp_path: Path) -> None:
    """The search is gone, the figures keep their colours, and no table is cut off at the side."""
    path = tmp_path / "index.html"
    path.write_text(build(study(30)).html, encoding="utf-8")
    page = browser.new_page(viewport={"width": 680, "height": 1000})  # A4 less its margins
    page.goto(path.as_uri())
    page.emulate_media(media="print")
    page.evaluate("document.querySelectorAll('details').forEach(item => item.open = true)")
    assert page.evaluate("document.querySelector('#find').offsetHeight") == 0
    assert page.evaluate("getComputedStyle(document.querySelector('figure')).printColorAdjust") == "exact"
    cut = "[...document.querySelectorAll('.wide')].filter(item => item.scrollWidth > item.clientWidth + 1).length"
    assert page.evaluate(cut) == 0
    assert page.pdf(format="A4").startswith(b"%PDF")
    page.close()
