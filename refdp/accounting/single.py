"""One step on its own: the closed form, by Neyman and Pearson.

The loss rises with t, so the best test is t > t*, where loss(t*) = s, and with the mixtures' components
    delta(s) = P(t > t*) - e^s Q(t > t*) = sum_i p_i Phi(mu_i / sigma - t*) - e^s sum_j q_j Phi(nu_j / sigma - t*).
Any t gives a lower value; t* is flat, so an error dt in it loses at most dt^2 phi A l' (second order).

G1. ``log_delta(s)`` encloses log delta(s).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import log_ndtr

from refdp.accounting.pairs import Mixture, Pair

_EPS = 2.0**-52


@dataclass(frozen=True)
class Single:
    """An oriented pair at one noise multiplier, composed once, with no other event."""

    pair: Pair
    sigma: float

    def log_delta(self, s: float) -> tuple[float, float]:
        """(lower, upper) of log delta at epsilon = s."""
        t = self._threshold(s)
        if t is None:  # the loss never exceeds s
            return -math.inf, -math.inf
        log_p, log_q = self._log_tail(self.pair.p, t), self._log_tail(self.pair.q, t) + s
        gap = log_q - log_p
        if not gap < 0:
            return -math.inf, log_p
        error = 64 * _EPS * (2 + t * t + abs(t) / self.sigma + abs(s) + abs(log_p))
        share = -math.expm1(gap)
        low = share - error * (1 + math.exp(gap))
        high = share + error * (1 + math.exp(gap))
        return (log_p + math.log(low) if low > 0 else -math.inf), min(log_p + math.log(high), 0.0)

    def _loss(self, t: float) -> float:
        point = np.array([t])
        return float((self.pair.p.log(point, self.sigma) - self.pair.q.log(point, self.sigma))[0])

    def _threshold(self, s: float) -> float | None:
        """t* with loss(t*) = s; None where the loss stays below s, -inf where it is always above."""
        low, high = -1.0, 1.0
        for _ in range(400):
            if self._loss(high) > s:
                break
            high *= 1.5
            if high > 1e6 * (1 + 1 / self.sigma):
                return None
        for _ in range(400):
            if self._loss(low) < s:
                break
            low *= 1.5
            if low < -1e6 * (1 + 1 / self.sigma):
                return low
        return float(brentq(lambda t: self._loss(t) - s, low, high, xtol=1e-14, rtol=4e-15, maxiter=200))

    def _log_tail(self, mixture: Mixture, t: float) -> float:
        rest = mixture.rest
        logs = [
            math.log(w) + float(log_ndtr(m / self.sigma - t))
            for m, w in zip(mixture.means, mixture.weights, strict=True)
        ]
        if rest > 0:
            logs.append(math.log(rest) + float(log_ndtr(-t)))
        return float(np.logaddexp.reduce(logs))
