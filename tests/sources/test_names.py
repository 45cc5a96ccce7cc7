"""Sites, hosts, strata and licences."""

from pathlib import Path

import pytest

from limakit.sources.stackexchange.names import host_of, licence_of, site_of
from limakit.sources.stackexchange.sites import DROPPED, OTHER, STEM, group_of, is_known


@pytest.mark.parametrize(
    ("name", "site", "host", "group"),
    [
        ("coffee-2015-03", "coffee", "coffee.stackexchange.com", "other"),
        ("coffee.stackexchange.com", "coffee", "coffee.stackexchange.com", "other"),
        ("coffee.stackexchange.com.7z", "coffee", "coffee.stackexchange.com", "other"),
        ("augur-2018", "augur", "augur.stackexchange.com", "stem"),
        ("meta-avp-2014-09", "avp.meta", "avp.meta.stackexchange.com", "meta"),
        ("meta.avp.stackexchange.com.7z", "avp.meta", "avp.meta.stackexchange.com", "meta"),
        ("avp.meta.stackexchange.com", "avp.meta", "avp.meta.stackexchange.com", "meta"),
        ("stackoverflow.com-Posts.7z", "stackoverflow", "stackoverflow.com", "stem"),
        ("meta.stackoverflow.com.7z", "stackoverflow.meta", "meta.stackoverflow.com", "meta"),
        ("meta.stackexchange.com", "meta", "meta.stackexchange.com", "meta"),
        ("es.stackoverflow.com", "es.stackoverflow", "es.stackoverflow.com", "dropped"),
        ("es.meta.stackoverflow.com", "es.stackoverflow.meta", "es.meta.stackoverflow.com", "meta"),
        ("mathoverflow.net", "mathoverflow", "mathoverflow.net", "stem"),
        ("math", "math", "math.stackexchange.com", "stem"),
        ("kitchen.example", "kitchen.example", "kitchen.example", "other"),
        ("my dump", "my dump", None, "other"),
    ],
)
def test_a_folder_or_archive_names_its_site(name: str, site: str, host: str | None, group: str) -> None:
    assert site_of(name) == site
    assert host_of(site, is_known(site)) == host
    assert group_of(site) == group


def test_strata_do_not_overlap_and_cover_the_network() -> None:
    assert len(STEM | OTHER | DROPPED) == len(STEM) + len(OTHER) + len(DROPPED)
    assert len(STEM | OTHER) > 175
    assert len(DROPPED) == 5


ELSEWHEN = """arabic arts astrology augur avp beer cogsci cs50 edx-cs169-1x health iran moderators neuroscience nuclear
openscience productivity programmers stackexchange startups theoreticalphysics windowsphone writers genai langdev"""
"""Closed or renamed by spring 2023, or opened since."""


def test_the_papers_179_sites_are_in_the_table() -> None:
    """As many as were open when the paper was written; of them as many are dropped as the paper dropped."""
    gone = set(ELSEWHEN.split())
    assert gone <= STEM | OTHER | DROPPED
    open_then = (STEM | OTHER | DROPPED) - gone
    assert (len(open_then), len(STEM - gone), len(OTHER - gone), len(DROPPED - gone)) == (179, 95, 79, 5)
    told = (Path(__file__).parents[2] / "docs" / "sources.md").read_text()
    assert "| 179 | 95 | 79 | 5, not in English |" in told
    assert f"| {len(STEM | OTHER | DROPPED)} | {len(STEM)} | {len(OTHER)} | {len(DROPPED)} |" in told


@pytest.mark.parametrize(
    ("created", "edited", "licence"),
    [
        ("2011-04-07T23:59:59.999", None, "CC BY-SA 2.5"),
        ("2011-04-08T00:00:00.000", None, "CC BY-SA 3.0"),
        ("2010-01-01T00:00:00.000", "2014-01-01T00:00:00.000", "CC BY-SA 3.0"),
        ("2018-05-01T23:59:59.999", None, "CC BY-SA 3.0"),
        ("2018-05-02T00:00:00.000", None, "CC BY-SA 4.0"),
        ("2010-01-01T00:00:00.000", "2020-01-01T00:00:00.000", "CC BY-SA 4.0"),
    ],
)
def test_licence_follows_the_latest_revision(created: str, edited: str | None, licence: str) -> None:
    assert licence_of(created, edited) == licence
