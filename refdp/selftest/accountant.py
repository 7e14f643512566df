"""The accountant against closed forms and against values from elsewhere: bounds on the right side, and near."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial

import numpy as np
from scipy.special import log_ndtr

from refdp import accounting
from refdp.accounting import GaussianEvent, Ledger, Sampling
from refdp.backend import Backend
from refdp.selftest.case import Case

_GAUSSIAN = ((0.5, 1, 6.0), (1.0, 1, 1.0), (10.0, 100, 3.0), (50.0, 2000, 10.0))
"""(noise multiplier, steps, epsilon) of unsampled steps."""
_POISSON = {
    "MNIST tutorial": (0.004166666666666667, 1.3, 3600, 1e-5, 0.8529791891208658, 0.8529797774528041),
    "large noise": (0.5, 20.0, 400, 1e-5, 1.9986359665612274, 1.9986363055178515),
    "small noise": (0.16, 0.5, 140, 1e-5, 56.92835960525738, 56.92871596446569),
    "one step": (0.1, 1.0, 1, 1e-5, 1.6845438124419712, 1.6845438252938292),
}
"""q, noise multiplier, steps, delta, and both ends of the tight epsilon, from an independent two-sided computation."""
_RENYI = (
    (1e-5, 0.2385, 8.0, 57.16307726867238347792578),
    (0.16, 10.0, 2.5, 0.0003217816916094085849492885),
    (0.5, 1.0, 32.0, 15.28449323297041457068785),
    (1.0, 0.5, 256.0, 512.0),
)
"""q, noise multiplier, order, Renyi divergence of one step, from ball arithmetic."""
_NEAR = 1e-3


def cases(backend: Backend, seed: int) -> Iterator[Case]:
    """How far the farther bound is from the truth, relative; inf where a bound is on the wrong side."""
    for noise, steps, eps in _GAUSSIAN:
        yield Case(
            "accountant",
            f"delta of {steps} Gaussian steps at {noise:g}",
            "distance",
            1e-6,
            partial(_gaussian, noise, steps, eps),
        )
    for name, row in _POISSON.items():
        yield Case("accountant", f"epsilon, {name}", "distance", _NEAR, partial(_poisson, *row))
    for q, noise, order, value in _RENYI:
        yield Case(
            "accountant",
            f"Renyi divergence, q {q:g}, noise {noise:g}, order {order:g}",
            "distance",
            1e-9,
            partial(_renyi, q, noise, order, value),
        )
    yield Case("accountant", "calibrated noise keeps epsilon 3", "slack", _NEAR, _calibrated)


def distance(
    lower: float | None, upper: float | None, low: float, high: float, rounding: float = 1e-12
) -> float:
    """Of the farther of two bounds from the truth, which is in [low, high]; inf where a bound is wrong or missing."""
    if lower is None or upper is None:
        return math.inf
    if not (lower <= high * (1 + rounding) and upper >= low * (1 - rounding)):
        return math.inf  # NaN too
    return max(high - lower, upper - low, 0.0) / high


def _gaussian(noise: float, steps: int, eps: float) -> float:
    """Balle and Wang 2018: delta = Phi(mu / 2 - eps / mu) - e^eps Phi(-mu / 2 - eps / mu), mu = sqrt(steps) / noise."""
    mu = math.sqrt(steps) / noise
    first, second = float(log_ndtr(mu / 2 - eps / mu)), eps + float(log_ndtr(-mu / 2 - eps / mu))
    truth = math.exp(first) * -math.expm1(second - first)
    ledger = Ledger("add-remove", (GaussianEvent(noise, Sampling("full-batch"), steps),))
    found = accounting.delta(ledger, eps)
    return distance(found.lower, found.upper, truth, truth, 1e-9)


def _poisson(q: float, noise: float, steps: int, delta: float, low: float, high: float) -> float:
    ledger = Ledger("add-remove", (GaussianEvent(noise, Sampling("poisson", q), steps),))
    found = accounting.epsilon(ledger, delta)
    return distance(found.lower, found.upper, low, high)


def _renyi(q: float, noise: float, order: float, value: float) -> float:
    upper = float(accounting.rdp_poisson_gaussian(q, noise, np.array([order]))[0])
    return distance(value, upper, value, value)


def _calibrated() -> float:
    found = accounting.calibrate_noise_multiplier(3.0, 1e-5, 0.01, 1000)
    ledger = Ledger("add-remove", (GaussianEvent(found.noise_multiplier, Sampling("poisson", 0.01), 1000),))
    upper = accounting.epsilon(ledger, 1e-5).upper
    return math.inf if upper is None or upper > 3.0 else (3.0 - upper) / 3.0
