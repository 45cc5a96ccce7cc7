"""The grammar of a row."""

from contextlib import suppress
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limakit.sources.stackexchange import rows
from tests.sources.dumps import answer, row, value

TEXT = st.text(
    st.characters(
        exclude_categories=["Cs"], exclude_characters=[chr(c) for c in range(32) if c not in (9, 10, 13)]
    ).filter(lambda c: c not in "\ufffe\uffff"),
    max_size=60,
)


def test_post_decodes_every_field_it_knows() -> None:
    post = rows.post(answer(7, 3, 12, "<p>a &lt; b &amp; c</p>\n", ContentLicense="CC BY-SA 4.0").strip().encode())
    assert (post.id, post.kind, post.parent, post.score, post.owner) == (7, 2, 3, 12, 5)
    assert post.body == "<p>a &lt; b &amp; c</p>\n"
    assert post.licence == "CC BY-SA 4.0"


@given(TEXT)
def test_reads_what_any_xml_parser_reads(text: str) -> None:
    line = row({"Id": 1, "PostTypeId": 2, "ParentId": 1, "Score": 1, "Body": text}).strip().encode()
    assert rows.post(line).body == ElementTree.fromstring(line).attrib["Body"]


@given(st.permutations(["Id", "PostTypeId", "ParentId", "Score", "Body", "CreationDate"]))
def test_the_order_of_attributes_does_not_matter(order: list[str]) -> None:
    fields = {"Id": 9, "PostTypeId": 2, "ParentId": 4, "Score": -3, "Body": "b", "CreationDate": "2015"}
    post = rows.post(row({key: fields[key] for key in order}).strip().encode())
    assert (post.id, post.parent, post.score, post.body) == (9, 4, -3, "b")


OF_A_DUMP = ["&lt;", "&gt;", "&amp;", "&quot;", "&apos;", "&#xA;", "&#xD;", "&#x9;", "&amp;lt;", "lt;", "x", "é"]
OF_OTHER_XML = ["&#65;", "&#x1F600;", "\n"]
ESCAPED = st.lists(st.sampled_from([*OF_A_DUMP, *OF_OTHER_XML])).map("".join)


@given(ESCAPED)
def test_unescapes_as_any_xml_parser_does(escaped: str) -> None:
    line = f'<row Id="1" PostTypeId="1" Score="0" Title="x" Body="{escaped}" Tags="&lt;x&gt;" />'.encode()
    assert rows.post(line).body == rows.unescape(escaped) == ElementTree.fromstring(line).attrib["Body"]


@given(st.binary(max_size=200))
def test_no_bytes_make_the_exact_parser_fail_otherwise_than_by_refusing(junk: bytes) -> None:
    for line in (junk, b"<row " + junk, b'<row Id="1" PostTypeId="2" ' + junk + b" />"):
        with suppress(rows.Refused):
            rows.post(line)
        assert rows.vouched([line]) == [None] or line.startswith(b"<row ")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b'<row Id="1" PostTypeId="2" ParentId="1" Body="" />', "no Score"),
        (b'<row Id="1" PostTypeId="2" Score="1" Body="" />', "no ParentId"),
        (b'<row Id="1" PostTypeId="2" ParentId="1" Score="1" />', "no Body"),
        (b'<row Id="x" PostTypeId="2" ParentId="1" Score="1" Body="" />', "Id is not a whole number"),
        (b'<row Id="1" Id="2" PostTypeId="2" ParentId="1" Score="1" Body="" />', "twice"),
        (b'<row Id="1" PostTypeId="2" ParentId="1" Score="1" Body="&#x1E;" />', "illegal character, &#x1E;"),
        (b'<row Id="1" PostTypeId="2" ParentId="1" Score="1" Body="&#xD800;" />', "illegal character"),
        (b'<row Id="1" PostTypeId="2" ParentId="1" Score="1" Body="&bomb;" />', "entity"),
        (b'<row Id="1" PostTypeId="2" ParentId="1" Score="1" Body="&a&lt;mp;" />', "entity"),
        (b'<row Id="1" PostTypeId="2" ParentId="1" Score="1" Body="" Tags="&bomb;" />', "entity"),
        (b'&lt;row Id="1" PostTypeId="2" ParentId="1" Score="1" Body="" />', "not a complete"),
        (b'<row Id="1" PostTypeId="2" ParentId="1" Score="1" Body="" /&gt;', "not a complete"),
        (b'<row Id="1" PostTypeId="2" ParentId="1" Score="1" Body="\xff" />', "UTF-8"),
        (b'<row Id="1" PostTypeId="2" ParentId="1" Score="1" Body="cut', "not a complete"),
    ],
)
def test_refusals_say_why(line: bytes, why: str) -> None:
    with pytest.raises(rows.Refused, match=why):
        rows.post(line)
    read_by_the_head = ("no Score", "no ParentId", "Id is not a whole number")
    assert why in read_by_the_head or rows.vouched([line]) == [None]


@pytest.mark.parametrize("bad", [b"row <", b"<row <", b'"', b"\xff", b"\x01", b"&#65;", b"&lt", b" ", b"", b"<row />"])
def test_rows_are_vouched_for_together_as_one_by_one(bad: bytes) -> None:
    good = answer(7, 3, 12, "<p>a &amp;&quot; é</p>\n").strip().encode()
    some = [good, good[1:], good.replace("é".encode(), bad), bad + good, good + bad, good.replace(b" Body", bad)]
    assert rows.vouched([good]) == ["&lt;p&gt;a &amp;amp;&amp;quot; é&lt;/p&gt;&#xA;".encode()]
    assert rows.vouched(some[2:3]) == [None] or not bad.strip()
    for one in some:
        for other in some:
            assert rows.vouched([one, other]) == rows.vouched([one]) + rows.vouched([other])


def test_single_quotes_and_raw_line_breaks_are_xml_too() -> None:
    line = b"<row Id='1' PostTypeId = '2'\n ParentId='1' Score='4' Body='a \"b\"\nc' ></row>"
    assert rows.post(line).body == 'a "b" c'
    assert rows.leftover(line) == b""
    assert value('"') == "&quot;"
