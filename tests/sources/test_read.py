"""From dumps to candidates."""

from pathlib import Path

import pytest

from limakit.engine import LocalExecutor
from limakit.errors import InputError
from limakit.sources.stackexchange.find import find_dumps
from limakit.sources.stackexchange.users import name_authors
from tests.sources.dumps import GOOD, answer, dump, harvest, question, row


def community(folder: Path, count: int = 40) -> Path:
    """A dump with an answer to keep and one of every common fate per question."""
    rows: list[str] = []
    for q in range(1, count + 1):
        rows += [
            question(q * 10, Title=f"Question number {q}, is it?"),
            answer(q * 10 + 1, q * 10, 11),
            answer(q * 10 + 2, q * 10, 11),
            answer(q * 10 + 3, q * 10, 4),
            answer(q * 10 + 4, q * 10 + 10_000, 20, "<p>short</p>"),
            row({"Id": q * 10 + 5, "PostTypeId": 5, "CreationDate": "2015", "Score": 0, "Body": ""}),
        ]
    rows.append(answer(9001, 10, 30, "<p>I think so.</p>" + GOOD))
    return dump(folder, rows)


def test_best_answer_by_score_then_lowest_id(tmp_path: Path) -> None:
    path = dump(
        tmp_path / "beer",
        [question(1), answer(5, 1, 12), answer(4, 1, 15), answer(3, 1, 15), answer(2, 1, 9)],
    )
    _, candidates, rules = harvest(path, tmp_path / "out")
    assert [c.id for c in candidates] == ["stackexchange/beer/3"]
    assert dict(rules) == {"not_best": 2, "score": 1}


def test_a_question_whose_best_answer_falls_to_a_rule_yields_none(tmp_path: Path) -> None:
    path = dump(tmp_path / "beer", [question(1), answer(2, 1, 50, "<p>I say: " + GOOD), answer(3, 1, 12)])
    _, candidates, rules = harvest(path, tmp_path / "out")
    assert not candidates
    assert dict(rules) == {"first_person": 1, "not_best": 1}


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("split_bytes", [300, 5_000, 1 << 20])
def test_bytes_do_not_depend_on_workers_or_splits(tmp_path: Path, workers: int, split_bytes: int) -> None:
    path = community(tmp_path / "beer")
    if (workers, split_bytes) == (2, 300):
        split_bytes = 2_000
    harvest(path, tmp_path / "a")
    got, candidates, rules = harvest(path, tmp_path / "b", workers=workers, split_bytes=split_bytes)
    for name in ("candidates.jsonl", "rejects.parquet"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert len(candidates) == 39
    assert dict(rules) == {"score": 40, "too_short": 40, "not_best": 41, "first_person": 1}
    assert got.sites[0].others == 40


def test_a_question_far_from_its_answer_is_found_and_an_absent_one_is_said(tmp_path: Path) -> None:
    filler = [answer(1000 + n, 7, 1, "x" * 300) for n in range(40)]
    path = dump(tmp_path / "beer", [question(1), *filler, answer(2, 1), answer(3, 99), question(50), answer(4, 51)])
    _, candidates, rules = harvest(path, tmp_path / "out", split_bytes=1500)
    assert [c.id for c in candidates] == ["stackexchange/beer/2"]
    assert dict(rules) == {"score": 40, "no_question": 2}


def test_one_post_in_two_dumps_of_a_site_is_one_post(tmp_path: Path) -> None:
    old = dump(tmp_path / "beer-2014-01", [question(1), answer(2, 1, 12), answer(3, 1, 20)])
    new = dump(tmp_path / "beer-2016-09", [question(1), answer(2, 1, 25), answer(3, 1, 20), question(5), answer(6, 5)])
    for order in ([old, new], [new, old]):
        got, candidates, rules = harvest(order, tmp_path / "out")
        assert sorted((c.id, c.score) for c in candidates) == [
            ("stackexchange/beer/2", 25),
            ("stackexchange/beer/6", 12),
        ]
        assert dict(rules) == {"same_post": 2, "not_best": 1}
        assert [site.site for site in got.sites] == ["beer"]


def test_fabricated_posts_are_dropped_by_rule(tmp_path: Path) -> None:
    path = dump(
        tmp_path / "beer",
        [
            question(1),
            answer(1000000001, 1, 99, OwnerUserId=-1),
            answer(1000000010, 1, 0, OwnerUserId=-1),
            answer(1000000011, 1, 12, OwnerUserId=-1),
        ],
    )
    _, candidates, rules = harvest(path, tmp_path / "out")
    assert dict(rules) == {"fabricated": 2}
    assert [c.id for c in candidates] == ["stackexchange/beer/1000000011"]


def test_origin_licence_and_authors(tmp_path: Path) -> None:
    folder = tmp_path / "kitchen.example"
    dump(
        folder,
        [
            question(1, OwnerUserId=None, OwnerDisplayName="user42"),
            answer(2, 1, ContentLicense="CC BY-SA 4.0", LastEditDate="2019-01-01T00:00:00.000"),
            question(3, OwnerUserId=-1),
            answer(4, 3, OwnerUserId=77),
        ],
    )
    users = ['  <row Id="5" DisplayName="Ann &amp; Bo" />', '  <row Id="77" DisplayName="cut', '  <row Id="4" />']
    dump(folder, users, name="Users.xml")
    got, candidates, _ = harvest(tmp_path, tmp_path / "out")
    first, second = name_authors(candidates, got.dumps, executor=LocalExecutor(1))
    assert first.provenance[0].author == "Ann & Bo"
    assert first.provenance[0].author_url == "https://kitchen.example/users/5"
    assert first.provenance[0].url == "https://kitchen.example/a/2"
    assert (first.provenance[0].licence, first.provenance[0].edited) == ("CC BY-SA 4.0", "2019-01-01T00:00:00.000")
    assert (first.provenance[1].author, first.provenance[1].author_url) == ("user42", None)
    assert (first.provenance[1].licence, first.provenance[1].url) == ("CC BY-SA 3.0", "https://kitchen.example/q/1")
    assert (second.provenance[0].author, second.provenance[1].author_url) == (None, None)


def test_crlf_reads_as_lf_does(tmp_path: Path) -> None:
    rows = [question(1), answer(2, 1), question(3), answer(4, 3, 5)]
    _, lf, _ = harvest(dump(tmp_path / "a" / "beer", rows), tmp_path / "out")
    _, crlf, _ = harvest(dump(tmp_path / "b" / "beer", rows, end="\r\n"), tmp_path / "out")
    assert lf == crlf


def test_a_truncated_file_is_refused_and_closed_by_hand_loses_its_last_row(tmp_path: Path) -> None:
    path = dump(tmp_path / "beer", [question(1), answer(2, 1), question(3), answer(4, 3)])
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(InputError, match="is cut short"):
        harvest(path, tmp_path / "out")
    path.write_bytes(path.read_bytes() + b"\n</posts>\n")
    got, candidates, _ = harvest(path, tmp_path / "out")
    assert len(candidates) == 1
    assert (got.sites[0].quarantined, got.quarantine[0]["reason"]) == (1, "not a complete, well-formed row")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("Posts.xml", b"", "is empty"),
        ("Posts.xml", b"\xef\xbb\xbf  \n", "is empty"),
        ("Posts.xml", b"hello", "is not XML"),
        ("Posts.xml", b"PK\x03\x04" + bytes(100), "is not XML"),
        ("Posts.xml", "<posts><row Id='1'/></posts>".encode("utf-16"), "UTF-16"),
        ("Posts.xml", b'<?xml version="1.0"?><posts></posts>', "no posts"),
        ("Posts.xml", b'<posts>\n  <row Id="1" Body="x"/>\n</posts>', "no PostTypeId"),
        ("Posts.xml", b'<posts>\n  <row Id="1" PostTypeId="1" Title="Wh', "is cut short"),
        ("Posts.xml", b'<users>\n  <row Id="1" PostTypeId="1"/>\n</users>', "not within <posts>"),
        ("coffee.7z", b"7z\xbc\xaf\x27\x1c" + bytes(100), "damaged"),
        ("coffee.7z", b"hello", "too short"),
    ],
)
def test_what_is_no_dump_is_one_clear_line(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / "coffee").mkdir()
    (tmp_path / "coffee" / name).write_bytes(content)
    with pytest.raises(InputError) as caught:
        harvest(tmp_path / "coffee", tmp_path / "out")
    line = str(caught.value)
    assert message in line
    assert name in line
    assert "\n" not in line


def test_empty_folder_and_missing_path(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no Posts\.xml"):
        find_dumps(tmp_path)
    with pytest.raises(InputError, match="no such file"):
        find_dumps(tmp_path / "none")


def test_a_folder_of_sites_and_the_group_of_a_recipe(tmp_path: Path) -> None:
    dump(tmp_path / "math", [question(1)])
    dump(tmp_path / "deep" / "coffee.stackexchange.com", [question(1)])
    found = find_dumps(tmp_path)
    assert [(d.site, d.group, d.label) for d in found] == [
        ("coffee", "other", "deep/coffee.stackexchange.com/Posts.xml"),
        ("math", "stem", "math/Posts.xml"),
    ]
    assert {d.group for d in find_dumps(tmp_path, "mine")} == {"mine"}
    assert [d.group for d in find_dumps(tmp_path, "mine", {"math": "other"})] == ["mine", "other"]
    with pytest.raises(InputError, match=r"no dump of the site 'cofee', which groups names\. Nearest: coffee"):
        find_dumps(tmp_path, None, {"cofee": "stem"})


@pytest.mark.parametrize("split_bytes", [300, 3000, 1 << 20])
def test_of_two_questions_with_one_id_the_first_counts_wherever_the_cuts_are(tmp_path: Path, split_bytes: int) -> None:
    rows = [question(1, "Why is the first asked first?"), question(3), answer(4, 3), answer(2, 1)]
    path = dump(tmp_path / "coffee", [*rows, question(1, "Why is the second asked second?"), answer(6, 1, 40)])
    _, candidates, _ = harvest(path, tmp_path / "out", split_bytes=split_bytes)
    assert {c.prompts[0] for c in candidates if c.id.endswith("/6")} == {"Why is the first asked first?"}
