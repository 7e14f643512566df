"""From RDP to (epsilon, delta): the named conversions against each other and against exact values."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refdp.accounting.accountant import CONVERSION
from refdp.accounting.conversions import CONVERSIONS, balle2020
from refdp.accounting.gaussian import gaussian_delta

_ORDERS = st.floats(-6, 4).map(lambda e: 1 + 10.0**e)
_RDPS = st.floats(-12, 3).map(lambda e: 10.0**e)
_DELTAS = st.floats(-300, -0.001).map(lambda e: 10.0**e)
_EPSILONS = st.one_of(st.just(0.0), st.floats(-6, 3).map(lambda e: 10.0**e))


def test_names() -> None:
    assert set(CONVERSIONS) == {"mironov2017", "balle2020", "asoodeh2020"}
    assert all(name == found.name for name, found in CONVERSIONS.items())
    assert CONVERSION == balle2020.NAME == "balle2020"
    assert balle2020.epsilon_from_rdp is CONVERSIONS["balle2020"].epsilon_from_rdp


@given(_ORDERS, _RDPS, _DELTAS)
def test_epsilons_in_order(order: float, rdp: float, delta: float) -> None:
    best, middle, loose = (
        CONVERSIONS[name].epsilon_from_rdp(order, rdp, delta)
        for name in ("asoodeh2020", "balle2020", "mironov2017")
    )
    slack = 1e-12 * (1 + rdp - math.log(delta) / (order - 1))
    assert not math.isnan(best)
    assert best <= middle
    assert middle <= loose + slack


@given(_ORDERS, _RDPS, _EPSILONS)
def test_deltas_in_order(order: float, rdp: float, epsilon: float) -> None:
    best, middle, loose = (
        CONVERSIONS[name].log_delta_from_rdp(order, rdp, epsilon)
        for name in ("asoodeh2020", "balle2020", "mironov2017")
    )
    assert not math.isnan(best)
    assert best <= middle
    assert middle <= loose + 1e-12 * (1 + (order - 1) * (rdp + epsilon))


@given(
    _ORDERS.filter(lambda a: 1.001 < a < 1000), st.floats(-4, 2).map(lambda e: 10.0**e), st.floats(-12, -0.01)
)
@settings(max_examples=30)
def test_best_goes_there_and_back(order: float, rdp: float, exponent: float) -> None:
    best, delta = CONVERSIONS["asoodeh2020"], 10.0**exponent
    epsilon = best.epsilon_from_rdp(order, rdp, delta)
    if epsilon > 0:
        assert best.log_delta_from_rdp(order, rdp, epsilon) == pytest.approx(math.log(delta), abs=1e-5)


@pytest.mark.parametrize("name", sorted(CONVERSIONS))
def test_a_gaussian_is_below_every_conversion(name: str) -> None:
    for mu in (0.01, 0.5, 3.0):
        for order in (1.01, 1.5, 4.0, 60.0):
            for epsilon in (0.0, 0.1 * mu, mu, 4 * mu):
                exact = gaussian_delta(mu, epsilon)[0]
                bound = CONVERSIONS[name].log_delta_from_rdp(order, order * mu * mu / 2, epsilon)
                assert exact == 0 or math.log(exact) <= bound


def test_where_the_best_conversion_is_better() -> None:
    """delta .3 and .9 at order 2, RDP 1: pinned from the binary pairs that attain them."""
    best, usual = CONVERSIONS["asoodeh2020"], CONVERSIONS["balle2020"]
    assert best.epsilon_from_rdp(2.0, 1.0, 0.9) == pytest.approx(1 + math.log(0.1), abs=1e-12)
    assert usual.epsilon_from_rdp(2.0, 1.0, 0.9) > -0.3
    assert best.epsilon_from_rdp(1.1, 0.01, 0.05) < 0.2 * usual.epsilon_from_rdp(1.1, 0.01, 0.05)
    assert best.epsilon_from_rdp(20.0, 0.5, 1e-9) == pytest.approx(
        usual.epsilon_from_rdp(20.0, 0.5, 1e-9), rel=1e-5
    )


@pytest.mark.parametrize("name", sorted(CONVERSIONS))
def test_rims(name: str) -> None:
    found = CONVERSIONS[name]
    for order in (1 + 1e-12, 1.5, 1e12):
        assert found.epsilon_from_rdp(order, math.inf, 0.1) == math.inf
        assert found.log_delta_from_rdp(order, math.inf, 1.0) == math.inf
        for rdp in (0.0, 5e-324, 1e300):
            assert not math.isnan(found.epsilon_from_rdp(order, rdp, 1e-300))
            assert not math.isnan(found.log_delta_from_rdp(order, rdp, 1e300))
            assert not math.isnan(found.log_delta_from_rdp(order, rdp, 0.0))
