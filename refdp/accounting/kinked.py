"""The dominating pair of sampling without replacement under replace-one: a kinked one.

With L = dP/dQ of P = (1 - q) N(m) + q ..., here  L(t) = 1 - q + q e^{t m / sigma - m^2 / (2 sigma^2)}  under phi, the
step's profile is  H(gamma) = E_phi[(L - gamma)_+]  for gamma >= 1 and its mirror image for gamma < 1 (kernels/
without_replacement.py). The pair (P*, Q*) with that profile has, with t* = m / (2 sigma) where L = 1,
    loss  log L(t) > 0  with P*-density phi L on t > t*,      loss  -log L(t) < 0  with P*-density phi on t > t*,
    loss  0             with P*- and Q*-mass  1 - Phi(-t*) - E[L; t > t*] = (1 - q)(1 - 2 Phi(-t*)),
so  M(z) = integral over t > t* of phi (L^{1+z} + L^{-z}) + (1 - q)(1 - 2 Phi(-t*)).  It is its own reverse.

The half line is followed from t* up a ray of 45 degrees to height b, then level: there arg L >= 0, so |L^{iy}| <= 1 for
all y >= 0 (the second integrand on the mirrored path). Panels, geometric on the ray and of length b beyond, carry
Gauss and Legendre's rule of n points; on an ellipse of parameter rho = 3 about each panel, which stays in the upper
half plane, the integrand is bounded by its factors' bounds on the ellipse's box, and the rule is off by at most
(64 / 15) max rho^{-2(n - 1)} / (1 - rho^{-2}) times half the panel (Trefethen, Approximation Theory, Theorem 19.3).

G1. ``kinked_line`` satisfies contour.py's G1 for M.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from scipy.special import ndtr

from refdp.accounting.contour import Line, moved
from refdp.accounting.edges import REACH
from refdp.accounting.pairs import Kinked

_EPS = 2.0**-52
_POINTS, _RHO = 25, 3.0
_FIRST = 1e-22
_MAX_PANELS = 4000
_HALF = (_RHO + 1 / _RHO) / 2  # half axes of the ellipse, in half panels
_MINOR = (_RHO - 1 / _RHO) / 2


def half_line(law: Kinked, sigma: float, tilt: float) -> tuple[float, float]:
    """t*, and the end of the half line: beyond it the density falls at least as fast as e^{-REACH t}."""
    return law.mean / (2 * sigma), (1 + tilt) * law.mean / sigma + REACH


def atom(law: Kinked, sigma: float) -> float:
    """Mass at loss 0."""
    return (1 - law.weight) * float(1 - 2 * ndtr(-law.mean / (2 * sigma)))


def _panels(low: float, high: float, b: float) -> Iterator[tuple[complex, complex]]:
    """(start, end) of each panel: up the ray, then level at height b."""
    turn = 1 + 1j
    ends = b * 0.5 ** np.arange(math.ceil(-math.log2(_FIRST)), -1, -1.0)
    for near, far in pairwise(ends):
        yield low + near * turn, low + far * turn
    count = max(1, math.ceil((high - low - b) / b))
    for place in range(count):
        yield complex(low + b + place * b, b), complex(low + b + (place + 1) * b, b)


def kinked_line(law: Kinked, sigmas: np.ndarray, tilt: float, repeats: float) -> Line | None:
    """The integrand for one noise multiplier (``sigmas`` [1]) at c = tilt; None where it takes too many panels."""
    del repeats  # the rule's error is far below any rounding
    (sigma,) = sigmas
    low, high = half_line(law, float(sigma), tilt)
    b = min(0.9, 0.25 * math.pi * sigma / law.mean)
    if not (high - low) / b < _MAX_PANELS:
        return None
    x, w = np.polynomial.legendre.leggauss(_POINTS)
    spans = np.array(list(_panels(low, high, b)))
    centre, half = spans.mean(axis=1), 0.5 * (spans[:, 1] - spans[:, 0])
    t = (centre[:, None] + half[:, None] * x).ravel()
    dt = (half[:, None] * w).ravel()
    log_l = law.mixture.log(t, float(sigma))
    base = -0.5 * t * t + np.log(dt / math.sqrt(2 * math.pi))
    rising, falling = base + (1 + tilt) * log_l, np.conj(base - tilt * log_l)
    top = max(float(rising.real.max()), 0.0)
    weight = np.concatenate(
        [np.exp(rising - top), np.exp(falling - top), [atom(law, float(sigma)) * math.exp(-top)]]
    )
    loss = np.concatenate([log_l, -np.conj(log_l), [0.0]])
    total = float(np.sum(weight).real)
    size = moved(law.mixture, float(sigma), t, log_l)
    loss_error = _EPS * np.concatenate([size, size, [0.0]])
    own = 3 * np.abs(t) ** 2 + 2 * np.abs(base) + 2 * abs(top) + 40
    weight_error = _EPS * np.concatenate([own + (1 + tilt) * size, own + tilt * size, [40.0]])
    keep = np.abs(weight) > _FIRST * total / len(weight)
    weight, loss, loss_error, weight_error = weight[keep], loss[keep], loss_error[keep], weight_error[keep]
    missed = _missed(law, float(sigma), tilt, centre, np.abs(half), top)
    tails = 2 * math.exp(_log_density(law, float(sigma), tilt, high) - top + b * b) / REACH
    error = (missed + tails + 4 * _FIRST * math.exp(-top)) / total + _FIRST
    spread = float(np.sum(np.abs(weight) * (weight_error + 64 * _EPS))) / total
    log_scale = top + math.log(total)
    scale_error = 2 * (error + spread) + 4 * _EPS * (abs(top) + abs(log_scale) + 4)
    return Line(
        loss[None, :],
        (weight / total)[None, :],
        loss_error[None, :],
        weight_error[None, :],
        np.array([error]),
        np.array([log_scale]),
        np.array([scale_error]),
    )


def _log_density(law: Kinked, sigma: float, tilt: float, t: float) -> float:
    return -0.5 * t * t + (1 + tilt) * float(law.mixture.log(np.array([t]), sigma)[0])


def _missed(
    law: Kinked, sigma: float, tilt: float, centre: np.ndarray, half: np.ndarray, top: float
) -> float:
    """Bound on the quadrature's error, over e^top: every factor at its worst on the box about each ellipse."""
    left, right = centre.real - _HALF * half, centre.real + _HALF * half
    height = centre.imag + _HALF * half
    log_left, log_right = law.mixture.log(left, sigma), law.mixture.log(right, sigma)
    shape = -0.5 * np.maximum(left, 0.0) ** 2 + 0.5 * height**2 - 0.5 * math.log(2 * math.pi) - top
    lean = -tilt * np.log(np.cos(np.minimum(height * law.mean / (2 * sigma), 1.5)))
    logs = np.logaddexp(shape + (1 + tilt) * log_right, shape - tilt * log_left + lean)
    rule = 64 / 15 * _RHO ** (-2.0 * (_POINTS - 1)) / (1 - _RHO**-2)
    return float(np.sum(rule * half * np.exp(np.minimum(logs, 700.0))))
