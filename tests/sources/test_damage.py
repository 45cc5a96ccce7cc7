"""Nineteen kinds of damage to a single row: each loses at most that row and counts it."""

import re
from pathlib import Path

import pytest

from limakit.sources.stackexchange.comments import find_comments
from limakit.sources.stackexchange.find import find_dumps
from limakit.sources.stackexchange.split import splits
from limakit.sources.stackexchange.users import find_names
from tests.sources.dumps import GOOD, PROSE, answer, dump, harvest, question, value

VICTIM = answer(30, 3).encode()


def swap(old: bytes, new: bytes) -> bytes:
    assert VICTIM.count(old) >= 1
    return VICTIM.replace(old, new, 1)


DAMAGE: dict[str, bytes] = {
    "truncated in the body": VICTIM[:600],
    "truncated in the header": VICTIM[:25],
    "no end of tag": VICTIM.removesuffix(b" />"),
    "NUL byte": swap(b"conducts", b"con\0ducts"),
    "bad UTF-8": swap(b"conducts", b"con\xc3\x28ducts"),
    "surrogate in UTF-8": swap(b"conducts", b"con\xed\xa0\x80ducts"),
    "illegal reference": swap(b"conducts", b"con&#x1E;ducts"),
    "reference to NUL": swap(b"conducts", b"con&#0;ducts"),
    "reference to a surrogate": swap(b"conducts", b"con&#xD83D;ducts"),
    "unknown entity": swap(b"conducts", b"con&nbsp;ducts"),
    "bare ampersand": swap(b"conducts", b"R & D"),
    "raw < in the body": swap(b"conducts", b"con<ducts"),
    "raw quote in the body": swap(b"conducts", b'con"ducts'),
    "no closing quote": swap(b'&#xA;" OwnerUserId', b"&#xA; OwnerUserId"),
    "attribute twice": swap(b' Score="12"', b' Score="12" Score="13"'),
    "no Score": swap(b' Score="12"', b""),
    "no ParentId": swap(b' ParentId="3"', b""),
    "score is no number": swap(b'Score="12"', b'Score="many"'),
    "name of the element": swap(b"<row ", b"<rwo "),
}
HARMLESS: dict[str, bytes] = {
    "raw line breaks in the body": swap(b"conducts", b"con\nducts"),
    "other order": re.sub(rb'(Id="30") (PostTypeId="2")', rb"\2 \1", VICTIM),
    "single quotes": swap(b'Score="12"', b"Score='12'"),
    "broken over lines": swap(b" Score=", b"\n\tScore="),
    "end tag": swap(b" />", b"></row>"),
    "comment behind": VICTIM + b" <!-- checked -->",
    "unknown attribute": swap(b" Score=", b' Mood="7" Score='),
    "12 MB attribute": swap(b" OwnerUserId", b' Note="' + b"x" * 12_000_000 + b'" OwnerUserId'),
}


def rows_around(victim: bytes) -> list[bytes]:
    """Three questions, an answer each, the victim in the middle."""
    before = [question(1).encode(), answer(10, 1).encode(), question(3).encode()]
    return [*before, victim, question(2).encode(), answer(20, 2).encode(), answer(21, 3, 11).encode()]


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_costs_that_row_and_is_counted(kind: str, tmp_path: Path) -> None:
    path = dump(tmp_path / "coffee", rows_around(DAMAGE[kind]))
    got, candidates, rules = harvest(path, tmp_path / "out")
    site = got.sites[0]
    assert (site.questions, site.answers, site.others, site.quarantined) == (3, 3, 0, 1)
    assert [c.id.rpartition("/")[2] for c in candidates] == ["10", "20", "21"]
    assert not rules
    data = path.read_bytes()
    offset = got.quarantine[0]["offset"]
    assert isinstance(offset, int)
    assert data[offset : offset + 4] == DAMAGE[kind].strip()[:4]
    assert got.quarantine[0]["reason"]


@pytest.mark.parametrize("kind", HARMLESS)
def test_what_is_well_formed_is_kept_however_odd(kind: str, tmp_path: Path) -> None:
    path = dump(tmp_path / "coffee", rows_around(HARMLESS[kind]))
    got, candidates, rules = harvest(path, tmp_path / "out", split_bytes=4 << 20)
    assert (got.sites[0].answers, got.sites[0].quarantined) == (4, 0)
    assert [c.id.rpartition("/")[2] for c in candidates] == ["10", "30", "20"]
    assert dict(rules) == {"not_best": 1}


def test_two_rows_on_a_line(tmp_path: Path) -> None:
    path = dump(
        tmp_path / "coffee", [question(1) + answer(2, 1), question(3).strip() + "<row />" + answer(4, 3).strip()]
    )
    got, candidates, _ = harvest(path, tmp_path / "out")
    assert len(candidates) == 2
    assert (got.sites[0].quarantined, got.quarantine[0]["reason"]) == (1, "not a complete, well-formed row")


def test_text_between_rows_is_counted_once(tmp_path: Path) -> None:
    path = dump(tmp_path / "coffee", [question(1), "stray <b>words</b>", answer(2, 1)])
    got, candidates, _ = harvest(path, tmp_path / "out")
    assert len(candidates) == 1
    assert got.quarantine[0]["reason"] == "text between rows"
    assert path.read_bytes()[int(got.quarantine[0]["offset"]) :].startswith(b"stray")


def test_a_damaged_low_score_answer_counts_as_one_or_the_other(tmp_path: Path) -> None:
    low = answer(30, 3, 2).encode()
    for victim in (low[:400], low.replace(b"Case", b"C\0se")):
        path = dump(tmp_path / "coffee", rows_around(victim))
        got, candidates, rules = harvest(path, tmp_path / "out")
        assert got.sites[0].quarantined + rules["score"] == 1
        assert len(candidates) == 3


def test_a_damaged_question_costs_its_answer_alone(tmp_path: Path) -> None:
    damaged = question(3).encode().replace(b"Why does a wet", b"Why \0 a wet", 1)
    path = dump(tmp_path / "coffee", [question(1), answer(10, 1), damaged.decode(), answer(30, 3)])
    _, candidates, rules = harvest(path, tmp_path / "out")
    assert [c.id for c in candidates] == ["stackexchange/coffee/10"]
    assert dict(rules) == {"no_question": 1}


def test_entity_bombs_do_not_expand(tmp_path: Path) -> None:
    folder = tmp_path / "coffee"
    path = dump(folder, [question(1), answer(2, 1).replace("Case 2", "&lol9;")])
    bomb = b'<!DOCTYPE x [<!ENTITY lol9 "&lol8;&lol8;">]>'
    path.write_bytes(path.read_bytes().replace(b"<posts>", bomb + b"<posts>"))
    got, candidates, _ = harvest(path, tmp_path / "out")
    assert not candidates
    assert [q["reason"] for q in got.quarantine] == ["text between rows", "a bare & or an unknown entity"]


def test_external_entities_are_not_fetched(tmp_path: Path) -> None:
    """Neither a file nor a parameter entity that names one: what refers to it is damage, the rest is read."""
    (tmp_path / "secret").write_text("TOP-SECRET")
    path = dump(tmp_path / "coffee", [question(1), answer(2, 1).replace("Case 2", "&xxe;"), question(3), answer(4, 3)])
    where = (tmp_path / "secret").as_uri()
    head = f'<!DOCTYPE x [<!ENTITY xxe SYSTEM "{where}"><!ENTITY % more SYSTEM "{where}"> %more;]>'
    path.write_bytes(path.read_bytes().replace(b"<posts>", head.encode() + b"<posts>"))
    got, candidates, _ = harvest(path, tmp_path / "out")
    assert [c.id for c in candidates] == ["stackexchange/coffee/4"]
    assert [q["reason"] for q in got.quarantine] == ["text between rows", "a bare & or an unknown entity"]
    assert all(b"TOP-SECRET" not in p.read_bytes() for p in (tmp_path / "out").rglob("*") if p.is_file())


def test_bombs_in_the_tables_beside_the_posts_do_not_expand(tmp_path: Path) -> None:
    folder = tmp_path / "coffee"
    dump(folder, [question(1), answer(2, 1)])
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>'
    for table, name in (("Users", "DisplayName"), ("Comments", "Text")):
        rows = f'<row Id="5" PostId="2" UserId="4" {name}="&b;"/><row Id="6" PostId="2" {name}="Ann"/>'
        (folder / f"{table}.xml").write_text(f"{bomb}<{table.lower()}>\n{rows}\n</{table.lower()}>")
    dumps = find_dumps(tmp_path, comments=True)
    (split,) = splits(0, str(dumps[0].users), 10_000, 1 << 20)
    assert find_names((split, frozenset({5, 6}))) == {6: "Ann"}
    (split,) = splits(0, str(dumps[0].comments), 10_000, 1 << 20)
    found = find_comments((split, frozenset({2})))
    assert [comment.text for comment in found.comments] == ["Ann"]
    assert [reason for _, reason in found.quarantine] == ["text between rows", "a bare & or an unknown entity"]


def test_the_body_of_the_good_rows_is_what_the_rules_want() -> None:
    assert 1200 < len(GOOD) < 4096
    assert value(PROSE)
