"""One-step RDP against ball arithmetic at random cells; the two evaluations against each other."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from refdp.accounting import _binomial, _quadrature, _special, rdp_poisson_gaussian, rdp_poisson_gaussian_add
from refdp.accounting.conversions.balle2020 import epsilon_from_rdp

mpmath = pytest.importorskip("mpmath")


def _log_uniform(rng: random.Random, low: float, high: float) -> float:
    return math.exp(rng.uniform(math.log(low), math.log(high)))


def _cells(seed: int, count: int) -> list[tuple[float, float, float]]:
    rng, cells = random.Random(seed), []
    for _ in range(count):
        q = _log_uniform(rng, 1e-9, 1) if rng.random() < 0.7 else 1 - _log_uniform(rng, 1e-6, 1)
        order = 1 + _log_uniform(rng, 1e-6, 1e4)
        if rng.random() < 0.15:
            order = float(min(max(round(order), 2), 1100))
        cells.append((min(max(q, 1e-9), 0.999999), _log_uniform(rng, 0.005, 1e6), order))
    return cells


def _compare(cells: list[tuple[float, float, float]], tolerance: float = 1e-9) -> int:
    """Asserts the enclosure; returns how many cells fell back to the unsampled Gaussian's bound."""
    oracle = pytest.importorskip("oracle", reason="needs python-flint", exc_type=ImportError)
    fallbacks = 0
    for q, sigma, order in cells:
        value = float(rdp_poisson_gaussian(q, sigma, order)[0])
        low, high = oracle.rdp_ball(q, sigma, order)
        assert value >= low, (q, sigma, order)
        if value > high * (1 + tolerance):
            assert value == pytest.approx(order / (2 * sigma**2), rel=1e-12), (q, sigma, order)
            fallbacks += 1
    return fallbacks


def test_random_cells_have_no_fallback() -> None:
    assert _compare(_cells(1, 500)) == 0


@pytest.mark.slow
def test_many_random_cells() -> None:
    assert _compare(_cells(2, 30_000)) == 0


def test_rims_outside_the_stated_range() -> None:
    """Rates down to 1e-100, multipliers 1e-4 .. 1e9: still an upper bound (G1); the fallback is allowed."""
    rng = random.Random(5)
    cells = [
        (_log_uniform(rng, 1e-100, 1e-9), _log_uniform(rng, 1e-3, 1e9), 1 + _log_uniform(rng, 1e-12, 1e4))
        for _ in range(25)
    ]
    _compare([c for c in cells if c[2] > 1], tolerance=2e-9)


@pytest.mark.parametrize("order", [1.0001, 1.0002, 1.0002000001, 1.0003, 1.001, 1.01, 1.5, 2.0, 2.5])
@pytest.mark.parametrize("sigma", [0.0095, 0.01, 0.0105])
def test_tough_spot(sigma: float, order: float) -> None:
    assert _compare([(0.16, sigma, order), (0.15, sigma, order), (0.17, sigma, order)]) == 0


def test_multiplier_hundredth_epsilon_is_valid() -> None:
    """140 steps at rate .16, multiplier .01, delta 1e-5: 227084 holds; 682249 (orders from a grid) is lax."""
    oracle = pytest.importorskip("oracle", reason="needs python-flint", exc_type=ImportError)
    orders = 1 + np.geomspace(1e-5, 1e-2, 61)
    certified = min(
        epsilon_from_rdp(a, 140 * oracle.rdp_ball(0.16, 0.01, a)[1] * (1 + 1e-12), 1e-5) for a in orders
    )
    from refdp.accounting import epsilon
    from refdp.accounting.accountant import epsilon_upper
    from refdp.accounting.events import GaussianEvent, Sampling
    from refdp.accounting.ledger import Ledger

    ledger = Ledger("add-remove", (GaussianEvent(0.01, Sampling("poisson", 0.16), 140),))
    upper = epsilon_upper(ledger, 1e-5, "rdp")
    assert upper == pytest.approx(227084, abs=1)
    assert epsilon_upper(ledger, 1e-5) <= upper
    assert upper == pytest.approx(certified, rel=1e-3)
    assert upper <= certified * (1 + 1e-12)
    best = epsilon(ledger, 1e-5).rdp["order"]
    assert 140 * oracle.rdp_ball(0.16, 0.01, best)[0] < upper


def test_add_direction() -> None:
    oracle = pytest.importorskip("oracle", reason="needs python-flint", exc_type=ImportError)
    rng = random.Random(7)
    for _ in range(40):
        q, sigma = _log_uniform(rng, 1e-6, 0.99), _log_uniform(rng, 0.1, 100)
        order = 1 + _log_uniform(rng, 1e-3, 60)
        value = float(rdp_poisson_gaussian_add(q, sigma, order)[0])
        low, high = oracle.rdp_ball(q, sigma, order, -1)
        assert low <= value <= high * (1 + 1e-9), (q, sigma, order)
        assert float(rdp_poisson_gaussian(q, sigma, order)[0]) >= low


@pytest.mark.parametrize("q", [1e-9, 1e-4, 0.1, 0.5, 0.99, 0.999999])
@pytest.mark.parametrize("order", [2, 3, 17, 128, 1000])
def test_closed_form_and_quadrature_agree(q: float, order: int) -> None:
    sigma = np.geomspace(0.02, 1e5, 12)
    closed = _binomial.integer_moment(q, sigma, order)
    for i, s in enumerate(sigma):
        rule = _quadrature.remove_moment(q, np.array([s]), float(order))
        assert rule is not None
        gap = abs(float(closed.log_excess[i] - rule.log_excess[0]))
        assert gap <= float(closed.error[i] + rule.error[0]), (q, s, order)


def test_many_multipliers_at_once_equal_one_by_one() -> None:
    from refdp.accounting.rdp_poisson import rdp_values

    sigma = np.geomspace(0.005, 1e6, 97)
    for q, order in ((1e-6, 1.3), (0.01, 7.7), (0.9, 1.0001)):
        together = rdp_values(q, sigma, order)
        alone = np.array([rdp_values(q, np.array([s]), order)[0] for s in sigma])
        np.testing.assert_allclose(together, alone, rtol=1e-9)


def test_special_functions() -> None:
    rng = random.Random(3)
    with mpmath.workdps(60):
        for _ in range(3000):
            v = rng.choice([-1, 1]) * _log_uniform(rng, 1e-150, 600)
            u = _log_uniform(rng, 1e-150, 1e6) if rng.random() < 0.5 else -_log_uniform(rng, 1e-150, 0.9999)
            x, y = mpmath.mpf(v), mpmath.mpf(u)
            with mpmath.workdps(400):
                exact = (
                    mpmath.exp(x) - 1 - x,
                    (1 + y) * mpmath.log(1 + y) - y,
                    y - mpmath.log(1 + y),
                )
            found = (_special.expm1_minus(v), _special.entropy_gap(u), _special.log_gap(u))
            for name, f, e in zip(("expm1_minus", "entropy_gap", "log_gap"), found, exact, strict=True):
                assert abs(mpmath.mpf(float(f)) / e - 1) < 64 * 2.0**-52, (name, v, u)
    assert float(_special.entropy_gap(-1.0)) == 1.0
    assert float(_special.expm1_minus(0.0)) == float(_special.log_gap(0.0)) == 0.0
    assert float(_special.expm1_minus(1e4)) == math.inf
