"""Secrets and personal data in texts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limakit.records import Example, Turn
from limakit.share.personal import findings, scan

KEY = "ghp_" + "a1B2" * 9


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Write to ada.lovelace+x@mail.co.uk today", "e-mail"),
        ("Ring +44 20 7946 0958.", "phone"),
        ("Ring (415) 867-5309 now", "phone"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE", "private key"),
        ("token = AKIAIOSFODNN7ABCDEFG", "access key"),
        (f"use {KEY}", "access key"),
        ("postgres://ada:hunter22@db.mine.org/x", "password"),
        ("Card 4111 1111 1111 1111.", "card number"),
    ],
)
def test_each_kind_is_found_at_its_place(text: str, kind: str) -> None:
    (found,) = scan(text)
    assert found[1] == kind
    assert text[found[0] :].startswith(found[2])


@pytest.mark.parametrize(
    "text",
    [
        "someone@example.com and a@test.example and git@github.com:a/b.git",
        "AKIAIOSFODNN7EXAMPLE",
        "https://user:password@host/",
        "call 212-555-0123",
        "+1000000000000",
        "x = 1234 5678 9012 3456",
        "in 1999-2004, 10.1000/182, 192.168.10.1, a@b, 3.14159265",
        "pip install torch==2.13.0+cpu",
        "def f(self) -> int: @property",
        "",
    ],
)
def test_what_only_looks_alike_is_left_alone(text: str) -> None:
    assert list(scan(text)) == []


def test_findings_name_the_place_and_mask_the_passage() -> None:
    turns = (Turn(role="user", content="Hi"), Turn(role="assistant", content=f"a@mine.org, {KEY}"))
    example = Example(id="x/1", messages=turns, source="x", group="g", site="s")
    first, second = findings([example])
    assert (first.id, first.turn, first.start, first.kind, first.masked) == ("x/1", 2, 0, "e-mail", "a@m•••••••")
    assert (second.start, second.kind) == (12, "access key")
    assert KEY not in second.masked


@given(st.text(alphabet="a1@.+-(): /", max_size=300))
def test_any_text_is_scanned_soon(text: str) -> None:
    for start, _, passage in scan(text):
        assert text[start : start + len(passage)] == passage


@pytest.mark.parametrize("unit", ["a.", "a@", "1 ", "+1 ", "a-", "(1", "x://a:", "eyJaaaaaaaaaa."])
def test_no_text_makes_it_slow(unit: str) -> None:
    list(scan(unit * 20_000))
