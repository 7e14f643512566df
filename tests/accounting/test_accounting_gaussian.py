"""The exact Gaussian and the RDP conversions against mpmath."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest

from refdp.accounting.conversions.balle2020 import epsilon_from_rdp, log_delta_from_rdp
from refdp.accounting.gaussian import gaussian_delta, gaussian_epsilon

mpmath = pytest.importorskip("mpmath")


def _exact(mu: float, epsilon: float) -> Any:
    """Balle & Wang 2018, Theorem 8, at 80 digits (110 where mu is huge)."""
    with mpmath.workdps(110 if mu > 1e6 else 80):
        m, e = mpmath.mpf(mu), mpmath.mpf(epsilon)
        root = mpmath.sqrt(2)
        first = mpmath.erfc((e / m - m / 2) / root) / 2
        return first - mpmath.exp(e) * mpmath.erfc((e / m + m / 2) / root) / 2


def test_epsilon_is_enclosed() -> None:
    rng, widest = random.Random(1), 0.0
    for _ in range(1500):
        mu, delta = 10 ** rng.uniform(-6, 4), 10 ** rng.uniform(-30, math.log10(0.5))
        low, high = gaussian_epsilon(mu, delta)
        assert 0 <= low <= high < math.inf
        assert _exact(mu, high) <= delta
        assert low == 0 or _exact(mu, low) >= delta
        if mu > 0.01:
            widest = max(widest, (high - low) / high if high > 1e-6 else 0.0)
    assert widest < 1e-9


def test_epsilon_at_the_edge_of_zero() -> None:
    for mu in (1e-3, 0.1, 1.0, 5.0):
        at_zero = float(_exact(mu, 0.0))
        for shift in (1e-3, 1e-6, 1e-9, 1e-12, 1e-15, 0.0, -1e-15, -1e-9):
            delta = at_zero * (1 - shift)
            low, high = gaussian_epsilon(mu, delta)
            assert _exact(mu, high) <= delta
            assert low == 0 or _exact(mu, low) >= delta


@pytest.mark.parametrize("scale", [(-6, 4), (-20, 18)])
def test_delta_is_enclosed(scale: tuple[int, int]) -> None:
    rng = random.Random(2)
    for _ in range(1000):
        mu = 10 ** rng.uniform(*scale)
        epsilon = max(0.0, mu * mu / 2 + mu * rng.uniform(-6, 30))
        low, high = gaussian_delta(mu, epsilon)
        exact = _exact(mu, epsilon)
        assert low <= exact <= high, (mu, epsilon)
        if 1e-3 < mu < 1e3 and exact > 1e-100:
            assert high - low <= 1e-9 * exact, (mu, epsilon)


def test_extremes() -> None:
    assert gaussian_delta(0.0, 1.0) == (0.0, 0.0)
    assert gaussian_delta(math.inf, 1.0) == (1.0, 1.0)
    assert gaussian_delta(1e200, 1.0) == (0.0, 1.0)
    assert gaussian_epsilon(0.0, 1e-5) == (0.0, 0.0)
    assert gaussian_epsilon(math.inf, 1e-5) == (math.inf, math.inf)
    for mu in (1e-300, 1e-20, 1e9, 1e60, 1e149, 1e160):
        for delta in (1e-300, 1e-15, 0.5, 1 - 1e-16):
            low, high = gaussian_epsilon(mu, delta)
            assert 0 <= low <= high
        for epsilon in (0.0, 1e-300, 1.0, 1e300):
            low, high = gaussian_delta(mu, epsilon)
            assert 0 <= low <= high <= 1
    low, high = gaussian_epsilon(1.117630244619753e-20, 2.519059406717627e-15)  # brentq once gave up here
    assert 0 <= low <= high < 1e-15


def test_conversion_rounds_outward() -> None:
    rng = random.Random(4)
    with mpmath.workdps(50):
        for _ in range(1500):
            order, rdp = 1 + 10 ** rng.uniform(-9, 9), 10 ** rng.uniform(-15, 6)
            delta, at = 10 ** rng.uniform(-300, -0.01), 10 ** rng.uniform(-12, 6)
            a, r = mpmath.mpf(order), mpmath.mpf(rdp)
            exact = r + mpmath.log((a - 1) / a) - (mpmath.log(delta) + mpmath.log(a)) / (a - 1)
            found = epsilon_from_rdp(order, rdp, delta)
            size = rdp + abs(math.log(delta)) / (order - 1) + 1e3 / order
            assert exact <= found <= exact + 1e-9 * (size + abs(exact))
            exact = (a - 1) * (r - mpmath.mpf(at)) + (a - 1) * mpmath.log(1 - 1 / a) - mpmath.log(a)
            found = log_delta_from_rdp(order, rdp, at)
            assert exact <= found <= exact + 1e-9 * ((order - 1) * (rdp + at) + 1e3)
    assert epsilon_from_rdp(2.0, math.inf, 1e-5) == math.inf
    assert log_delta_from_rdp(2.0, math.inf, 1.0) == math.inf
    assert log_delta_from_rdp(3.0, 1.0, 1e308) <= -1e299  # was inf - inf


def test_conversion_is_valid_for_the_gaussian() -> None:
    """The converted curve is never below the exact one."""
    rng = random.Random(6)
    for _ in range(500):
        mu, order, delta = 10 ** rng.uniform(-2, 2), 1 + 10 ** rng.uniform(-2, 3), 10 ** rng.uniform(-20, -1)
        bound = epsilon_from_rdp(order, 0.5 * order * mu * mu, delta)
        assert max(bound, 0.0) >= gaussian_epsilon(mu, delta)[0]
        at = 10 ** rng.uniform(-2, 2)
        low = gaussian_delta(mu, at)[0]
        assert low == 0 or log_delta_from_rdp(order, 0.5 * order * mu * mu, at) >= math.log(low)
