"""Pre-declared looks against the published tables (Jennison and Turnbull 2000, tables 2.1 to 2.4) and simulation."""

import numpy as np
import pytest
from scipy.stats import norm

from limakit.errors import LimakitError
from limakit.report.sequential import Shape, boundaries, inflation, nominal_confidence


@pytest.mark.parametrize(
    ("shape", "looks", "constant"),
    [
        ("pocock", 2, 2.178), ("pocock", 3, 2.289), ("pocock", 5, 2.413), ("pocock", 10, 2.555),
        ("obrien-fleming", 2, 1.977), ("obrien-fleming", 3, 2.004), ("obrien-fleming", 5, 2.040),
        ("obrien-fleming", 10, 2.087),
    ],
)  # fmt: skip
def test_published_boundaries(shape: Shape, looks: int, constant: float) -> None:
    bounds = boundaries(looks, shape=shape)
    assert bounds[-1] == pytest.approx(constant, abs=6e-4)
    first = constant if shape == "pocock" else constant * looks**0.5
    assert bounds[0] == pytest.approx(first, abs=2e-3)


@pytest.mark.parametrize(
    ("shape", "looks", "factor"),
    [("pocock", 2, 1.110), ("pocock", 5, 1.229), ("obrien-fleming", 2, 1.008), ("obrien-fleming", 5, 1.028)],
)
def test_published_sample_sizes(shape: Shape, looks: int, factor: float) -> None:
    assert inflation(looks, shape=shape) == pytest.approx(factor, abs=1e-3)


def test_one_look_is_an_ordinary_test() -> None:
    assert boundaries(1) == pytest.approx([norm.isf(0.025)])
    assert nominal_confidence(1, 1) == pytest.approx(0.95)
    assert inflation(1) == pytest.approx(1, abs=1e-4)


def test_looking_five_times_claims_falsely_as_seldom_as_once_and_naively_far_more_often() -> None:
    random = np.random.default_rng(0)
    walk = random.normal(size=(40_000, 5)).cumsum(1) / np.sqrt(np.arange(1, 6))
    assert (np.abs(walk) > boundaries(5)).any(1).mean() == pytest.approx(0.05, abs=0.004)
    assert (np.abs(walk) > boundaries(5, confidence=0.9, shape="pocock")).any(1).mean() == pytest.approx(0.1, abs=0.005)
    assert (np.abs(walk) > 1.96).any(1).mean() > 0.13


def test_undeclared_looks_are_refused() -> None:
    for looks in (0, 21):
        with pytest.raises(LimakitError, match="Declare 1 to 20 looks"):
            boundaries(looks)
    with pytest.raises(LimakitError, match="look 4 of 3"):
        nominal_confidence(4, 3)
