"""Reddit files of every year: stories with their prompts, and questions for the test set."""

import re
from pathlib import Path
from typing import Any

import orjson
import pytest
import zstandard
from hypothesis import given as holds
from hypothesis import settings as cases
from hypothesis import strategies as st

from limakit.engine import LocalExecutor, silent
from limakit.errors import InputError
from limakit.recipe_sources import Reddit
from limakit.records import Candidate
from limakit.sources.given import Given, find
from limakit.sources.reddit import find as finding
from limakit.sources.reddit import rules
from limakit.sources.reddit.read import ENDINGS, EXPECTED, read
from limakit.sources.reddit.rows import post
from tests.sources.items import Sorted, curated, given, sort

SETTINGS = Reddit(kind="reddit", path="x", min_chars=100, max_chars=5000)
HERE = LocalExecutor(1)
STORY = "The clock struck thirteen &amp; nobody said &lt;a word&gt;. " * 5


def submission(number: str = "p1", **more: Any) -> dict[str, Any]:
    return {"id": number, "subreddit": "WritingPrompts", "author": "ada", "score": 50, "over_18": False,
            "title": "[WP] A clock &amp; a baker.", "selftext": "", "created_utc": 1375416669, "edited": False,
            "is_self": True, "url": f"https://example.org/{number}/", **more}  # fmt: skip


def reply(number: str = "c1", to: str = "p1", **more: Any) -> dict[str, Any]:
    return {"id": number, "subreddit": "WritingPrompts", "author": "bo", "score": 20, "body": STORY,
            "parent_id": f"t3_{to}", "link_id": f"t3_{to}", "created_utc": "1375425069", "edited": 1375425070.0,
            **more}  # fmt: skip


def run(folder: Path, *rows: dict[str, Any], settings: Reddit = SETTINGS) -> Sorted:
    submissions = given(folder / "RS.ndjson", [row for row in rows if "title" in row])
    comments = given(folder / "RC.ndjson", [row for row in rows if "body" in row])
    return sort(read([comments, submissions], settings, silent, executor=HERE))


def test_the_best_reply_that_passes_becomes_a_candidate(tmp_path: Path) -> None:
    joke = reply("c0", score=900, body="It was late.")
    better, worse = reply("c2", score=30), reply("c3", score=21)
    got = run(tmp_path, reply("c1"), joke, submission(), better, worse)
    (kept,) = got.candidates
    assert (kept.id, kept.site, kept.group, kept.score) == (
        "reddit/r/WritingPrompts/c2", "r/WritingPrompts", "writing_prompts", 30)  # fmt: skip
    assert kept.prompts == ("A clock & a baker.",)
    assert kept.replies[0].content.startswith("The clock struck thirteen & nobody said <a word>.")
    said, asked = kept.provenance
    assert (said.author, said.url, said.created) == ("bo", "https://example.org/p1/c2/", "2013-08-02T06:31:09")
    assert (said.edited, asked.author, asked.edited, asked.licence) == ("2013-08-02T06:31:10", "ada", None, None)
    assert (got.rules, got.passed["question"]) == ({"not_best": 2, "short_reply": 1}, 1)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"author": "[deleted]"}, "deleted"),
        ({"body": "[removed]"}, "deleted"),
        ({"author": "AutoModerator"}, "moderator"),
        ({"author": "story-bot"}, "moderator"),
        ({"distinguished": "moderator"}, "moderator"),
        ({"score": 3}, "low_score"),
        ({"score": None}, "low_score"),
        ({"body": STORY * 100}, "long_reply"),
        ({"parent_id": "t1_c9"}, "further_down"),
        ({"link_id": "t3_p9", "parent_id": "t3_p9"}, "no_question"),
        ({"body": STORY + "He opened https://example.org and " + STORY * 3}, "points_elsewhere"),
    ],
)
def test_every_rule_for_replies(tmp_path: Path, change: dict[str, Any], rule: str) -> None:
    got = run(tmp_path, submission(), reply(**change))
    assert (got.candidates, got.rules) == ([], {rule: 1})


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        ({"author": "[deleted]"}, "deleted"),
        ({"selftext": "[removed]"}, "deleted"),
        ({"removed_by_category": "moderator"}, "deleted"),
        ({"over_18": True}, "over 18"),
        ({"stickied": True}, "by a moderator"),
        ({"title": "[META] On rules"}, "tagged META"),
        ({"title": "A heist"}, "not tagged as a prompt"),
        ({"title": "[WP]"}, "no text"),
        ({"score": 2}, "score 2"),
    ],
)
def test_an_unfit_prompt_takes_its_replies_along(tmp_path: Path, change: dict[str, Any], detail: str) -> None:
    got = run(tmp_path, submission(**change), reply())
    assert [(r.rule, r.detail) for r in got.rejects] == [("unfit_question", detail)]


def test_settings_change_what_is_kept(tmp_path: Path) -> None:
    rows = submission(), reply()
    assert run(tmp_path, *rows).candidates
    for change in ({"min_score": 21}, {"min_chars": 2000}, {"max_chars": 200}):
        assert not run(tmp_path, *rows, settings=SETTINGS.model_copy(update=change)).candidates
    stated = run(tmp_path, *rows, settings=SETTINGS.model_copy(update={"licence": "by consent"}))
    assert {o.licence for o in stated.candidates[0].provenance} == {"by consent"}


def test_titles_of_askreddit_are_prompts_for_testing_only(tmp_path: Path) -> None:
    title = "[Serious] What do you wish you had &quot;known&quot; at twenty?"
    rows = [submission("q1", subreddit="AskReddit", title=title),
            submission("q2", subreddit="AskReddit", title="Update: what should I tell him now?"),
            submission("q3", subreddit="AskReddit", title="Redditors of Leeds, what is it like?"),
            submission("q4", subreddit="AskReddit", title="What a lovely day it was in Leeds."),
            submission("q5", subreddit="AskReddit", over_18=True),
            submission("q6", subreddit="pics", title="What is [AskReddit](x) for?"),
            reply("c1", "q1", subreddit="AskReddit")]  # fmt: skip
    got = run(tmp_path, *rows)
    (kept,) = got.asked
    assert kept.prompt.messages[0].content == 'What do you wish you had "known" at twenty?'
    assert (kept.prompt.group, kept.prompt.category, kept.score) == ("ask_reddit", "r/AskReddit", 50)
    assert (got.candidates, got.rules, got.passed["other"]) == ([], {"not_alone": 3, "nsfw": 1}, 2)


@pytest.mark.parametrize(
    ("text", "story"),
    [
        ("First time posting here!\n\nOnce.\n\n---\n\nEdit: thanks for the gold!", "Once."),
        ("Once.\n\n***\n\nTwice.\n\n---\n\nMore at r/ada.", "Once.\n\n***\n\nTwice."),
        ("See [the sea](https://example.org/sea).", "See the sea."),
        ("Once, in either/or land.", "Once, in either/or land."),
    ],
)
def test_asides_to_readers_go(text: str, story: str) -> None:
    assert rules.story(text) == story
    assert rules.points_elsewhere(story) is None


def test_a_short_text_belongs_to_the_prompt(tmp_path: Path) -> None:
    assert run(tmp_path, submission(selftext="Verse &amp;nbsp;welcome!"), reply()).candidates[0].prompts == (
        "A clock & a baker.\n\nVerse  welcome!",
    )
    assert run(tmp_path, submission(selftext="See https://x.org"), reply()).candidates[0].prompts == (
        "A clock & a baker.",
    )


FIELDS = "id title body selftext score created_utc edited over_18 author url parent_id link_id stickied permalink"
ANY = st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(), st.text(max_size=12))


@holds(st.dictionaries(st.sampled_from(FIELDS.split()), ANY | st.sampled_from(["1e999", "nan", "x"])))
def test_a_row_of_any_types_is_a_post_or_damage(row: dict[str, Any]) -> None:
    try:
        found = post(row)
    except ValueError:
        return
    assert abs(found.score) <= 1 << 31
    assert found.created is None or re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", found.created)
    assert rules.unfit(found, 10) is not None or rules.asked(found)


@pytest.mark.parametrize("value", [1375416669, 1375416669.0, "1375416669", "1375416669.0"])
def test_moments_of_every_era(value: object) -> None:
    assert post(submission(created_utc=value)).created == "2013-08-02T04:11:09"


def test_years_of_field_schemas_are_survived(real_data: Path) -> None:
    """A row with every field of a month, in each type that the month has."""
    samples = {"int": 1375416669, "float": 1375416669.5, "string": "x", "bool": True, "null": None, "array": [],
               "object": {}}  # fmt: skip
    months = sorted((real_data / "reddit" / "field_schemas").glob("*.json"))
    assert len(months) == 8
    for path in months:
        fields = orjson.loads(path.read_bytes())[0]["schema"]
        for turn in range(3):
            row = {name: samples[types[turn % len(types)]["type"]] for name, types in fields.items() if types}
            found = post({**row, "id": "a"})
            assert bool(found.title) == path.name.startswith("RS")


@holds(st.lists(st.sampled_from(["prompt", "question", "reply", "other", "blank", "broken"]), max_size=12),
       st.integers(1, 200))  # fmt: skip
def test_rows_are_found_whatever_the_blocks(
    tmp_path_factory: pytest.TempPathFactory, kinds: list[str], size: int
) -> None:
    lines = {"prompt": orjson.dumps(submission()), "question": orjson.dumps(submission(subreddit="AskReddit")),
             "reply": orjson.dumps(reply()), "other": b'{"subreddit":"pics"}', "blank": b"",
             "broken": b'{"subreddit":"WritingPrompts",'}  # fmt: skip
    file = given(tmp_path_factory.mktemp("r") / "x.ndjson", b"\n".join(lines[kind] for kind in kinds))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(finding, "PIECE", size)
        rows = finding.Rows(file, ["WritingPrompts", "AskReddit"], large_windows=False)
        found = list(rows)
    assert [isinstance(row, dict) for _, row in found] == [
        kind != "broken" for kind in kinds if kind not in ("other", "blank")
    ]
    last_blank = bool(kinds) and kinds[-1] == "blank"
    assert rows.passed == sum(kind in ("other", "blank") for kind in kinds) - last_blank
    assert [int(place.split()[1]) for place, _ in found] == [
        sum(len(lines[k]) + 1 for k in kinds[:at]) for at, kind in enumerate(kinds) if kind not in ("other", "blank")
    ]


@cases(max_examples=200)
@holds(st.lists(st.sampled_from([b"a", b"wanted", b"", b"w" * 40]), max_size=12), st.integers(1, 60),
       st.integers(1, 30), st.booleans())  # fmt: skip
def test_every_line_belongs_to_one_part(
    tmp_path_factory: pytest.TempPathFactory, kinds: list[bytes], size: int, piece: int, ended: bool
) -> None:
    text = b"\n".join(b'{"n":%d,"k":"%s"}' % (n, kind) if kind else b"" for n, kind in enumerate(kinds))
    file = given(tmp_path_factory.mktemp("r") / "x.ndjson", text + b"\n" * ended)
    long = 30  # so that the line of forty characters is too long
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(finding, "PIECE", piece)
        patch.setattr(finding, "LONGEST_LINE", long)
        whole = finding.Rows(file, ["wanted"], large_windows=False)
        expected, total = list(whole), file.path.stat().st_size
        parts = [
            finding.Rows(file, ["wanted"], large_windows=False, begin=at, stop=min(total, at + size))
            for at in range(0, total, size)
        ]
        assert [row for part in parts for row in part] == expected
    assert [row for _, row in expected if isinstance(row, dict)] == [
        {"n": n, "k": "wanted"} for n, kind in enumerate(kinds) if kind == b"wanted"
    ]
    assert sum(part.passed for part in parts) == whole.passed


def test_processes_and_parts_change_nothing(tmp_path: Path) -> None:
    rows = [reply(f"c{n}", f"p{n % 7}", score=n * 7 % 40) for n in range(60)]
    files = [
        given(tmp_path / "RC.ndjson", rows),
        given(tmp_path / "RS.ndjson", [submission(f"p{n}") for n in range(6)]),
    ]
    whole = list(read(files, SETTINGS, silent, executor=HERE))
    assert list(read(files, SETTINGS, silent, executor=LocalExecutor(2), split_bytes=7000)) == whole
    assert sum(isinstance(item, Candidate) for item in whole) == 6


def test_damage_costs_its_row_alone(tmp_path: Path) -> None:
    row = orjson.dumps(submission())
    bad = [row[:40], row[:-1], b"\xff" + row, row.replace(b'"p1"', b"7", 1), row.replace(b"A clock", b"\\ud800")]
    long = b'{"subreddit":"WritingPrompts","title":"' + b"x" * (17 << 20) + b'"}'
    file = given(tmp_path / "RS.ndjson", b"\n".join([*bad, long, row, b""]))
    got = sort(read([file], SETTINGS, silent, executor=HERE))
    assert (got.passed["question"], len(got.damaged)) == (1, 6)
    assert "too long" in got.damaged[-1].reason


def test_packed_files_and_windows(tmp_path: Path) -> None:
    rows = b"".join(orjson.dumps(row) + b"\n" for row in (submission(), reply()))
    large = zstandard.ZstdCompressionParameters.from_level(3, window_log=30)
    packer = zstandard.ZstdCompressor(compression_params=large).compressobj()
    file = given(tmp_path / "RS.zst", packer.compress(rows) + packer.flush())
    with pytest.raises(InputError, match="large_windows = true"):
        sort(read([file], SETTINGS, silent, executor=HERE))
    assert sort(read([file], SETTINGS.model_copy(update={"large_windows": True}), silent, executor=HERE)).candidates
    two = given(tmp_path / "two.zst", zstandard.compress(rows[:100]) + zstandard.compress(rows[100:]))
    assert len(sort(read([two], SETTINGS, silent, executor=HERE)).candidates) == 1
    bomb = given(tmp_path / "bomb.zst", zstandard.compress(b"0" * (200 << 20)))
    got = sort(read([bomb], SETTINGS, silent, executor=HERE))
    assert (len(bomb.path.read_bytes()) < 100_000, got.candidates) == (True, [])
    assert [d.reason for d in got.damaged] == ["the line is too long"]


def test_public_tables(real_data: Path) -> None:
    files = find(real_data / "reddit" / "top_2013", ENDINGS, EXPECTED)
    got = sort(read(files, Reddit(kind="reddit", path="x"), silent, executor=HERE))
    assert got.passed == {"other": 2000, "question": 1000}
    assert len(got.asked) + len(got.rejects) == 1000
    assert len(got.asked) > 500
    assert got.damaged == []
    assert all(a.prompt.provenance[0].url for a in got.asked)


def test_a_study_takes_stories_to_train_and_questions_to_test(tmp_path: Path) -> None:
    rows = [submission(f"p{n}") for n in range(5)]
    rows += [
        submission(f"q{n}", subreddit="AskReddit", title=f"What is your number {n} tip?", score=n) for n in range(20)
    ]
    given(tmp_path / "in" / "RS.ndjson", rows)
    given(tmp_path / "in" / "RC.ndjson", [reply(f"c{n}", f"p{n}", body=f"{n}. {STORY}") for n in range(5)])
    given(tmp_path / "in" / "AskReddit.csv", "id,title,score\nq19,What is this?,x\nq99,Which way is up for you?,70\n")
    funnel, train = curated(
        tmp_path,
        '[[sources]]\nkind = "reddit"\npath = "in"\nmin_chars = 100\n'
        "[curate]\nnear_duplicates = 0.0\ncontamination_cosine = 0.0\n"
        "quotas = { writing_prompts = 3, ask_reddit = 4 }\n",
    )
    tests = [orjson.loads(line) for line in (tmp_path / "curate" / "test.jsonl").read_bytes().splitlines()]
    assert [t["id"].rpartition("/")[2] for t in tests] == ["q99", "q19", "q18", "q17"]
    assert {e["group"] for e in train} == {"writing_prompts"}
    assert (len(train), funnel["total"]["kept"], funnel["total"]["answers"]) == (3, 7, 27)


def test_given_names_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Pushshift"):
        find(tmp_path, ENDINGS, EXPECTED)
    assert isinstance(given(tmp_path / "a.csv", ""), Given)


def test_a_study_of_test_prompts_alone_has_nothing_to_compare_them_with(tmp_path: Path) -> None:
    given(
        tmp_path / "in" / "RS.ndjson", [submission("q1", subreddit="AskReddit", title="What is your best tip for it?")]
    )
    funnel, train = curated(tmp_path, '[[sources]]\nkind = "reddit"\npath = "in"\n')
    assert (train, funnel["total"]["kept"]) == ([], 1)
