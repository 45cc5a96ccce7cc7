"""Secrets and personal data in texts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limakit.records import Example, Provenance, Turn
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
        ("-----BEGIN PGP PRIVATE KEY BLOCK-----", "private key"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl", "private key"),
        ("glpat-" + "aB3-" * 6, "access key"),
        ("npm_" + "aB3d" * 9, "access key"),
        ("123456789:AA" + "bC-d1" * 6 + "xyz", "access key"),
        ("https://hooks.slack.com/services/T0123ABCD/B0123ABCD/" + "aB3d" * 6, "access key"),
        ("rk_live_" + "aB3d" * 5, "access key"),
        ('"api_key": "9f8e7d6c5b4a39281706f5e4"', "secret"),
        ("AWS_SECRET_ACCESS_KEY=" + "wJa1rXUtnFEMI/K7MDENG/bPxRfiCYzz12345678", "secret"),
        ("Authorization: Bearer abcdefghij0123456789xyz", "secret"),
        ("reach ada (at) mail (dot) org", "e-mail"),
        ("ada [at] mail.org", "e-mail"),
        ("ada@müller.de", "e-mail"),
        ("ada@sub.mail-host.co.uk", "e-mail"),
        ("Tel: 030 1234567", "phone"),
        ("phone no. (020) 79460958", "phone"),
        ("+49 (0)89 1234567", "phone"),
        ("Pay to DE89 3704 0044 0532 0130 00.", "bank account"),
        ("my number is 219-09-9999", "social security number"),
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
        "doi:10.1177/0895904803260042 and 01111111111111110",
        "api_key = YOUR_API_KEY_GOES_HERE_1234, secret_key: os.environ['SECRET_KEY_1234567']",
        "access_token=xxxxxxxxxxxxxxxxxxxxxxxx1a, client_secret = aaaaaaaaaaaaaaaaaaaa1111",
        "secret_key = hashlib.sha256(password_and_salt).hexdigest()",
        "DE89 3704 0044 0532 0130 01 has a wrong check digit",
        "phone 5000 people, the telephone of 1876, fax 12 pages, mobile (2015) 1234567",
        "look (at) the picture. Then go on, or f(at) x.y",
        "call 123-456-7890, 123-45-6789",
        "@media (max-width: 600px), foo@bar, x@y.z1",
        "matrix 123 456 789, 2015-01-28, 1.2.3.4, 00 11 22 33 44",
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


def test_the_name_of_an_author_is_looked_at_too() -> None:
    post = Provenance(source="x", site="s", id="1", author="ada@mine.org")
    example = Example(
        id="x/1", messages=(Turn(role="user", content="Hi"),), source="x", group="g", site="s", provenance=(post, post)
    )
    (found,) = findings([example])
    assert (found.turn, found.kind) == (0, "e-mail")


@given(st.text(alphabet="a1@.+-(): /", max_size=300))
def test_any_text_is_scanned_soon(text: str) -> None:
    for start, _, passage in scan(text):
        assert text[start : start + len(passage)] == passage


@pytest.mark.parametrize(
    "unit",
    [
        "a.",
        "a@",
        "1 ",
        "+1 ",
        "a-",
        "(1",
        "x://a:",
        "eyJaaaaaaaaaa.",
        "a (at) ",
        "DE89 ",
        "api_key=",
        "tel 0",
        "SG.aaaaaaaaaaaaaaaa",
    ],
)
def test_no_text_makes_it_slow(unit: str) -> None:
    list(scan(unit * 20_000))
