"""Results: live figures from votes, models beside people, progress, and the report with a policy of its own."""

import uuid
from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

from limakit.pipeline.standing import Watcher
from limakit.records import Pair, Turn, Verdict
from limakit.store import chats, files, votes
from limakit.web.studio import Studio
from tests.web.conftest import PAGE
from tests.web.desks import harmless

Enter = Callable[..., TestClient]


def vote(browser: TestClient, labels: str, kind: str = "compare") -> None:
    """Answer the next items: 1 first, 2 second, t tie, s skip; or the label itself for other kinds."""
    items = browser.post(f"/queue/{kind}").json()["items"]
    short = {"1": "a", "2": "b", "t": "tie", "s": "skip", "e": "excellent", "f": "fail"}
    events = [
        {
            "id": str(uuid.uuid4()),
            "assignment": item["assignment"],
            "label": short[label],
            "after": item["head"],
            "milliseconds": 1000 * (at + 1),
        }
        for at, (item, label) in enumerate(zip(items, labels, strict=False))
    ]
    assert browser.post("/votes", json={"kind": kind, "events": events}).status_code == 200


def page(browser: TestClient, path: str = "/results") -> str:
    answer = browser.get(path, headers=PAGE)
    assert answer.status_code == 200
    harmless(answer.text)
    return answer.text


def test_before_anybody_has_voted_it_says_where_to_begin(come_in: Enter) -> None:
    html = page(come_in("author"))
    assert "0 votes by 0 people; 0 of 12 pairs" in html
    assert 'href="/compare"' in html
    assert "There is none yet" in html


def test_votes_appear_at_once_with_their_people(come_in: Enter, studio: Studio) -> None:
    vote(come_in("annotator", "r1"), "11tts")
    vote(come_in("annotator", "r2"), "1122s")
    vote(come_in("annotator", "r2"), "ef", kind="absolute")
    html = page(come_in("author"), "/results?part=1")
    assert "<html" not in html
    assert "12 votes by 2 people" in html
    assert "2 could not be judged" in html
    standing = Watcher(studio.study, studio.people).standing()
    [(judge, [(baseline, outcome)])] = standing.outcomes
    assert (judge, baseline) == ("people", "base")
    assert outcome.win + outcome.tie + outcome.lose == 8
    assert outcome.missing == 2
    assert outcome.tie == 2
    assert standing.people["r1"]["seconds"] == 3.0
    assert sum(sum(counts.values()) for _, _, counts in standing.grades) == 2
    assert [name for name, _ in standing.agreements] in ([], ["people with each other"])


def test_models_stand_beside_people(come_in: Enter, studio: Studio) -> None:
    pairs = files.read_jsonl(studio.study.path("compare/pairs.jsonl"), Pair)
    verdicts = [
        Verdict(pair_id=p.id, prompt_id=p.prompt_id, judge="model:<b>x</b>", a=p.a.system, b=p.b.system, label="a")
        for p in pairs
    ]
    files.write_jsonl(studio.study.path("judge/m/verdicts.jsonl"), verdicts)
    browser = come_in("author")
    assert "model:" not in page(browser), "a stage counts once its manifest is there"
    files.publish_json(studio.study.path("judge/m/manifest.json"), {"counts": {}})
    files.write_jsonl(studio.study.path("judge/m/verdicts.jsonl"), [*verdicts[:-1], verdicts[-1]])
    vote(come_in("annotator", "r1"), "1" * 12)
    html = page(browser)
    assert "people with model:&lt;b&gt;x&lt;/b&gt;" in html
    assert "<b>x</b>" not in html
    with studio.people.read() as connection:
        rows = votes.outcome(connection)
    alike = sum(not row["flipped"] for row in rows) / len(rows)  # both always said the first answer that they saw
    [(_, agreement)] = Watcher(studio.study, studio.people).standing().agreements
    assert (agreement.items, agreement.rate) == (len(pairs), pytest.approx(alike))


def test_dialogues_graded_in_chat_are_counted(come_in: Enter, studio: Studio) -> None:
    browser = come_in("author")
    turns = (Turn(role="user", content="How?"), Turn(role="assistant", content="So."))
    with studio.people.write() as connection:
        for turn, value in ((1, "excellent"), (3, "fail"), (3, "pass")):
            chats.grade(connection, "author", "d", turn, "tuned", turns, value, 1.0)  # type: ignore[arg-type]
    assert Watcher(studio.study, studio.people).standing().dialogues == [("tuned", {"excellent": 1, "pass": 1}, 1)]
    assert "Live dialogues" in page(browser)


def test_figures_are_reckoned_again_only_when_something_changed(come_in: Enter, studio: Studio) -> None:
    watcher = Watcher(studio.study, studio.people)
    first = watcher.standing()
    assert watcher.standing() is first
    vote(come_in("annotator", "r1"), "1")
    assert watcher.standing() is not first


def test_the_report_is_shown_with_a_policy_of_its_own(come_in: Enter, studio: Studio) -> None:
    browser = come_in("author")
    missing = browser.get("/results/report")
    assert (missing.status_code, "limakit report" in missing.text) == (409, True)
    files.publish_text(studio.study.path("report/index.html"), "<!doctype html><style>b{}</style><script>x</script>")
    shown = browser.get("/results/report")
    policy = shown.headers["content-security-policy"]
    assert policy.startswith("sandbox;")
    assert "script-src" not in policy
    assert "default-src 'none'" in policy
    assert shown.headers["x-frame-options"] == "SAMEORIGIN"
    assert 'src="/results/report"' in page(browser)
    assert come_in("annotator").get("/results").status_code == 403
