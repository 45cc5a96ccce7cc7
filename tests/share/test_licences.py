"""Licences that may leave the house."""

import pytest

from limakit.records import Provenance
from limakit.share.licences import objection, refuses


@pytest.mark.parametrize(
    ("licence", "refused", "found"),
    [
        ("CC BY-NC-SA 3.0", ["CC BY-NC"], "CC BY-NC-SA 3.0"),
        ("CC-BY-NC-4.0", ["cc by nc"], "CC-BY-NC-4.0"),
        ("CC BY 4.0", ["CC BY-NC"], None),
        ("CC BY-SA 4.0", ["CC BY"], "CC BY-SA 4.0"),
        ("MIT; CC BY-NC 4.0", ["CC BY-NC"], "CC BY-NC 4.0"),
        ("CC BY-SA 3.0", ["CC BY-SA 3"], None),
        ("MIT", [""], None),
        (None, ["MIT"], None),
    ],
)
def test_a_licence_is_refused_by_how_it_begins(licence: str | None, refused: list[str], found: str | None) -> None:
    assert refuses(licence, refused) == found


def test_every_post_of_an_example_needs_a_licence() -> None:
    stated = Provenance(source="s", site="t", id="1", licence="MIT")
    unstated = Provenance(source="s", site="t", id="2")
    assert objection([stated], []) is None
    assert objection([stated, unstated], []) == objection([], []) == "no licence stated"
    assert objection([stated], ["mit"]) == "refused licence MIT"
