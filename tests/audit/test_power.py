"""Power: ceilings, expected bounds and the smallest leak that refutes a claim."""

from __future__ import annotations

import math

import estimators_checks as checks
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refdp.accounting.gaussian import gaussian_epsilon
from refdp.audit.estimators import Design, Estimator
from refdp.audit.estimators._leak import mu_of
from refdp.audit.power import Sizes, canaries_needed, larger, power
from refdp.audit.power.measure import _smallest, quick
from refdp.errors import RefDPError

SIZES = Sizes(500, 500)
NAMES = (pytest.param("bayesian", marks=pytest.mark.slow), *checks.NAMES[1:])  # half a minute of its own


def design(expected: float | None = None) -> Design:
    return Design(checks.DELTA, 0.95, expected)


def check_smallest_refutable(name: str, claim: float) -> None:
    """At the leak found, fresh experiments exceed the claim in most cases; at a clearly weaker one in fewer."""
    laid = design(4.0)
    least = power(name, SIZES, laid, claim).smallest_refutable
    assert least is not None
    assert least > claim
    tool, mu = quick(name), mu_of(least, checks.DELTA)
    seeds = range(1000, 1060)
    share = [
        np.mean([tool.exceeds(SIZES.gaussian(x, seed), laid, claim) for seed in seeds])
        for x in (mu, 0.7 * mu)
    ]
    assert share[0] > 0.6  # 0.8 in truth; 60 of them and 40 before
    assert share[1] < share[0] - 0.2


@pytest.mark.parametrize("name", NAMES)
def test_smallest_refutable(name: str) -> None:
    check_smallest_refutable(name, 1.0)


@pytest.mark.parametrize("name", NAMES)
def test_above_the_ceiling_nothing_is_refuted(name: str) -> None:
    found = power(name, SIZES, design(4.0), claim=60.0)
    assert found.ceiling is not None
    assert found.ceiling < 60
    assert found.smallest_refutable is None


@pytest.mark.parametrize("name", NAMES)
def test_expected_is_the_median_bound(name: str) -> None:
    """Against fresh experiments; below the leak, and below the ceiling."""
    found = power(name, SIZES, design(4.0), leak=4.0)
    mu, tool = mu_of(4.0, checks.DELTA), checks.make(name)
    bounds = [
        tool.estimate(SIZES.gaussian(mu, seed), design(4.0)).epsilon or 0.0 for seed in range(2000, 2009)
    ]
    assert found.expected == pytest.approx(float(np.median(bounds)), abs=0.35)
    assert found.ceiling is not None
    assert 0 < found.expected < min(4.0, found.ceiling)


def test_ceilings_by_hand() -> None:
    """Clopper-Pearson: no error of 500 at either side; one-run: 1000 guesses right, a third of 5 % to miss."""
    none = 1 - (0.025) ** (1 / 500)
    found = power("clopper-pearson", SIZES, design(60.0))
    assert found.ceiling == pytest.approx(math.log((1 - 1e-5 - none) / none), abs=1e-3)
    rate = (0.05 / 3) ** (1 / 1000)
    top = power("one-run", SIZES, Design(1e-12)).ceiling
    assert top == pytest.approx(math.log(rate / (1 - rate)), abs=1e-3)


def test_more_canaries_show_more() -> None:
    for name in ("clopper-pearson", "gdp", "one-run-f-dp"):
        few = power(name, Sizes(100, 100), design(4.0), claim=1.0)
        (more,) = larger(name, Sizes(100, 100), design(4.0), claim=1.0, factors=(8,))
        assert more.canaries == 1600
        assert more.ceiling is not None
        assert few.ceiling is not None
        assert more.ceiling > few.ceiling
        assert more.smallest_refutable is not None
        assert few.smallest_refutable is None or more.smallest_refutable < few.smallest_refutable


@pytest.mark.parametrize("name", NAMES)
def test_canaries_needed(name: str) -> None:
    needed = canaries_needed(name, SIZES, design(3.0), 3.0)
    assert needed is not None
    for canaries, reaches in ((needed, True), (needed - 1, False)):
        ceiling = (
            quick(name)
            .estimate(Sizes(canaries // 2, canaries - canaries // 2).perfect(), design(3.0))
            .ceiling
        )
        assert (ceiling is not None and ceiling > 3.0) == reaches


def test_no_number_of_canaries() -> None:
    assert canaries_needed("one-run", SIZES, Design(1e-5), 60.0) is None


def test_refused_says_why() -> None:
    found = power("one-run", Sizes(500, 500, fair_coins=False), design())
    assert found.ceiling is None
    assert "fair coin" in (found.refused or "")
    assert power("gdp", Sizes(500, 0), design()).refused is not None
    with pytest.raises(RefDPError, match="planted"):
        Sizes(0, 0)
    with pytest.raises(RefDPError, match="claim"):
        power("gdp", SIZES, design(), claim=-1.0)


def test_a_run_for_each_canary_stays_one() -> None:
    assert Sizes(5, 5, runs=10).times(4).runs == 40
    assert Sizes(5, 5, runs=2).times(4).runs == 2


@settings(max_examples=40, deadline=None)
@given(st.floats(1e-3, 50), st.floats(1e-9, 1e-2))
def test_mu_of_an_epsilon(epsilon: float, delta: float) -> None:
    mu = mu_of(epsilon, delta)
    assert gaussian_epsilon(mu, delta)[1] <= epsilon
    assert gaussian_epsilon(mu * (1 + 1e-9), delta)[1] > epsilon - 1e-6


def test_a_search_that_stops_early_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seeded fault: claims are compared at half their size, so weaker leaks seem to do."""
    real = _smallest

    def faulty(tool: Estimator, sizes: Sizes, laid: Design, claim: float) -> float | None:
        return real(tool, sizes, laid, claim / 2)

    monkeypatch.setattr("refdp.audit.power.measure._smallest", faulty)
    with pytest.raises(AssertionError):
        check_smallest_refutable("gdp", 1.0)
