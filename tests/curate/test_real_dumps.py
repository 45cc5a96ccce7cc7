"""The whole of curation on real dumps: counts conserve, and the answer that the published set holds is kept whole."""

import json
import re
from pathlib import Path

import pytest

from limakit.curate.select import select, split
from limakit.curate.write import write
from limakit.engine import LocalExecutor
from limakit.errors import InputError
from limakit.recipe import Curate
from limakit.records import Example
from limakit.sources.stackexchange import rows
from limakit.sources.stackexchange.find import find_dumps
from limakit.sources.stackexchange.heads import heads
from limakit.sources.stackexchange.split import Split
from limakit.sources.stackexchange.users import name_authors
from limakit.store import files
from limakit.store.rejects import RejectLog
from tests.sources.dumps import harvest

SITES = (
    "ai-2017-03", "augur-2018", "beer-2016-09", "coffee-2015-03", "genai-2023-12", "matheducators-2014-05",
    "meta-avp-2014-09", "meta-datascience-2017-03",
)  # fmt: skip


@pytest.fixture(scope="module")
def curated(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every real dump, the .7z included, through to the outputs."""
    out = tmp_path_factory.mktemp("real")
    settings = Curate()
    got, _, _ = harvest([real_data / "stackexchange" / site for site in SITES], out / "scratch", split_bytes=1 << 20)
    with RejectLog(out / "rejects.parquet") as log:
        chosen = select([got.candidates], settings, seed=0, rejects=log, folder=out / "scratch")
    picks = name_authors(chosen.picks, got.dumps, executor=LocalExecutor(1))
    write(
        out,
        split(picks, chosen.held, seed=0),
        sites=got.sites,
        rejected=chosen.rejected,
        quarantine=got.quarantine,
        settings=settings,
    )
    return out


def test_counts_conserve_and_agree_with_a_plain_count(curated: Path, real_data: Path) -> None:
    told = json.loads((curated / "funnel.json").read_text())
    total = told["total"]
    written = sum(
        len(re.findall(rb"<row ", (real_data / "stackexchange" / site / "Posts.xml").read_bytes())) for site in SITES
    )
    twice = (real_data / "stackexchange" / "meta-avp-2014-09" / "Posts.xml").read_bytes().count(b"<row ")
    assert total["rows"] == written + twice
    assert total["quarantined"] == 0
    assert total["answers"] == total["rejected"] + total["kept"]
    assert told["sites"]["avp.meta"]["steps"][2]["taken"] == 8
    assert total["kept"] >= 20


def test_the_fast_path_takes_nearly_every_real_row(real_data: Path) -> None:
    path = real_data / "stackexchange" / "genai-2023-12" / "Posts.xml"
    found = heads(Split(0, str(path), 0, path.stat().st_size))
    assert sum(len(part.ids) for part in found) / path.read_bytes().count(b"<row ") > 0.98


@pytest.mark.parametrize(("site", "number"), [("coffee-2015-03", 140), ("ai-2017-03", 1516)])
def test_the_published_answers_are_kept_whole(site: str, number: int, curated: Path, real_data: Path) -> None:
    """The only two of the published training set's 400 whose questions are in these dumps."""
    examples = {e.id: e for e in files.read_jsonl(curated / "train.jsonl", Example)}
    text = examples[f"stackexchange/{site.partition('-')[0]}/{number}"].messages[1].content
    dump = (real_data / "stackexchange" / site / "Posts.xml").read_bytes()
    at = dump.index(b'<row Id="%d" ' % number)
    html = rows.post(dump[at : dump.index(b"<", at + 1)]).body
    visible = re.sub(r"<[^>]*>", " ", html).replace("http://theroasterspack.com/", "theroasterspack.com")
    assert re.findall(r"\w+", text) == re.findall(r"\w+", visible)
    if number == 140:
        assert text.count("\n- ") + text.startswith("- ") == 6
        assert "*It is said to help improve* the **crema**." in text
        assert text.endswith("Sourced from theroasterspack.com")
    else:
        assert text.count("**") == 2 * html.count("<strong>")
        assert "\n\n> " in text


def test_every_example_is_clean_and_credited(curated: Path) -> None:
    for example in files.read_jsonl(curated / "train.jsonl", Example):
        text = example.messages[1].content
        assert not re.search(r"</?(?:p|a|img|li|ul|strong|em|code|pre|blockquote)\b", text), example.id
        assert not re.search(r"\]\(http|!\[|\n\n\n", text), example.id
        assert text == text.strip()
        assert all(o.url and o.licence and o.title for o in example.provenance)
    credits = (curated / "ATTRIBUTION.md").read_text()
    assert "[jrmyp](<https://ai.stackexchange.com/users/149>)" in credits


def test_what_is_not_the_dump_format_is_refused(real_data: Path) -> None:
    with pytest.raises(InputError, match="no PostTypeId"):
        find_dumps(real_data / "stackexchange" / "windycity")
