"""Sampling without replacement under replace-one: the kinked pair, against its profile and against real neighbours."""

from __future__ import annotations

import math
from typing import Any

import hockey_stick
import mpmath as mp
import numpy as np
import pytest

from refdp.accounting import GaussianEvent, Ledger, Sampling, delta, epsilon, kinked
from refdp.accounting.kinked import kinked_line
from refdp.accounting.pairs import Kinked


def run(rate_percent: int, noise_multiplier: float, steps: int) -> Ledger:
    sampling = Sampling("without-replacement", dataset_size=1000, batch_size=10 * rate_percent)
    return Ledger("replace-one", (GaussianEvent(noise_multiplier, sampling, steps),))


def moment(q: float, sigma: float, z: Any) -> Any:
    """M(z) of kinked.py's docstring, by mpmath's quadrature on the real half line."""
    with mp.workdps(25):
        s = mp.mpf(sigma)
        start, far = 1 / s, 2 * (1 + mp.re(z)) / s

        def term(t: Any) -> Any:
            ratio = 1 - mp.mpf(q) + q * mp.exp(2 * t / s - 2 / s**2)
            return mp.npdf(t) * (ratio ** (1 + z) + ratio ** (-z))

        points = sorted({start, *(start + k for k in (1, 2, 4, 8, 14)), *(far + k for k in (-4, 0, 4, 14))})
        atom = (1 - mp.mpf(q)) * (1 - 2 * mp.ncdf(-start))
        return mp.quad(term, [p for p in points if p >= start]) + atom


@pytest.mark.parametrize(("q", "sigma", "tilt"), [(0.1, 1.0, 3.0), (0.01, 2.0, 8.0), (0.3, 0.5, 0.5)])
def test_moments_are_enclosed(q: float, sigma: float, tilt: float) -> None:
    line = kinked_line(Kinked(2.0, q), np.array([sigma]), tilt, 100.0)
    assert line is not None
    ((_, excess, error),) = list(line.excesses(1.0, 8))
    at_tilt = moment(q, sigma, mp.mpf(tilt))
    assert abs(float(mp.log(at_tilt)) - line.log_scale[0]) <= line.scale_error[0] < 1e-11
    for k in (1, 7):
        true = complex(moment(q, sigma, mp.mpc(tilt, k)) / at_tilt - 1)
        assert abs(true - excess[k]) <= error[k] < 1e-9


@pytest.mark.parametrize(("rate_percent", "sigma", "at"), [(10, 1.0, 1e-3), (1, 2.0, 1e-5), (50, 0.7, 1e-6)])
def test_one_step_is_the_worse_direction_of_the_profile(rate_percent: int, sigma: float, at: float) -> None:
    """At epsilon >= 0 the kinked pair's delta is that of (1 - q) N(0) + q N(2) against N(0): multiplier / 2."""
    exact = hockey_stick.epsilon([(rate_percent / 100, sigma / 2)], at)
    bounds = epsilon(run(rate_percent, sigma, 1), at)
    assert bounds.lower * (1 - 1e-9) <= exact <= bounds.upper * (1 + 1e-9)
    assert bounds.upper - bounds.lower < 1e-3 * bounds.upper


def test_composed_upper_bound_dominates_both_genuine_directions_and_beats_rdp() -> None:
    for ledger in (run(1, 2.0, 1000), run(10, 1.0, 10), run(5, 4.0, 200)):
        bounds = epsilon(ledger, 1e-5)
        assert bounds.pld is not None
        assert bounds.rdp is not None
        assert bounds.lower < bounds.pld["upper"] < bounds.rdp["upper"]
        back = delta(ledger, bounds.upper)
        assert back.lower <= 1e-5 <= back.upper * (1 + 1e-6)


def test_costs_more_than_the_add_remove_pair_at_half_the_multiplier() -> None:
    """Neither direction alone dominates under composition (arXiv 2405.20769): the kinked pair is above both."""
    q, sigma, steps = 0.1, 1.0, 10
    alone = epsilon(Ledger("add-remove", (GaussianEvent(sigma / 2, Sampling("poisson", q), steps),)), 1e-5)
    both = epsilon(run(10, sigma, steps), 1e-5)
    assert both.upper > alone.upper * 1.01
    assert math.isclose(both.lower, alone.lower, rel_tol=1e-9)


@pytest.mark.parametrize("fault", ["no atom", "one side only", "missed edge"])
def test_seeded_faults_are_seen(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if fault == "no atom":
        monkeypatch.setattr(kinked, "atom", lambda law, sigma: 0.0)
    elif fault == "one side only":
        monkeypatch.setattr(kinked.np, "conj", lambda x: np.zeros_like(x) - 50.0)
    else:
        true = kinked.half_line
        monkeypatch.setattr(kinked, "half_line", lambda *a: (true(*a)[0] + 0.3, true(*a)[1]))
    with pytest.raises(AssertionError):
        test_moments_are_enclosed(0.1, 1.0, 3.0)
