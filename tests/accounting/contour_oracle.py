"""delta(epsilon) of one direction of a composition to about 15 digits, in ball arithmetic.

The inversion formula is refdp's, nothing else is: moments by the trapezoidal rule on the real line (no shift, nothing
pruned), tilt, window and number of terms of its own, sums at 160 bits, and aliases, tail and quadrature pushed below
1e-15 of the value instead of bounded. ``convex_order`` is the oracle that does not share the formula.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import acb, acb_mat, arb, ctx
from oracle import exact
from scipy.optimize import minimize_scalar

BITS = 160
MISSING = 1e-14  # relative: what the pushed-down errors may still be
_LOG_MISSING = 38.0


@dataclass(frozen=True)
class Sampled:
    """``count`` steps of weight ``rate`` at ``mean`` / ``sigma`` (the rest at 0): of P if ``present``, else of Q."""

    rate: float
    sigma: float
    count: int
    present: bool = True
    mean: float = 1.0

    def log_ratio(self, t: np.ndarray) -> np.ndarray:
        """log(dP / dQ) at t ~ N(0, 1) noise, to plotting accuracy."""
        x = t * self.mean / self.sigma - self.mean**2 / (2 * self.sigma**2)
        with np.errstate(divide="ignore"):
            mixed = np.logaddexp(np.log1p(-self.rate), math.log(self.rate) + x)
        return mixed if self.present else -mixed

    def density(self, t: np.ndarray, tilt: float) -> np.ndarray:
        """log of phi A^(1 + c) B^-c."""
        power = 1 + tilt if self.present else tilt
        return -0.5 * t * t - 0.5 * math.log(2 * math.pi) + power * self.log_ratio(t)

    def ends(self, tilt: float) -> tuple[float, float]:
        """Beyond these the tilted density is below e^-98 of its peak."""
        far = (1 + tilt) * self.mean / self.sigma
        return (-14.0, 14.0 + far) if self.present else (-14.0 - far, 14.0)


def _log_moment(step: Sampled, tilt: float) -> float:
    low, high = step.ends(tilt)
    t = np.linspace(low, high, int(min(400 + 40 * (high - low) * max(1.0, 1 / step.sigma), 200_000)))
    logs = step.density(t, tilt)
    top = logs.max()
    return float(top + np.log(np.exp(logs - top).sum() * (t[1] - t[0])))


def _cumulant(steps: Sequence[Sampled], mu_squared: float, tilt: float) -> float:
    return mu_squared * tilt * (tilt + 1) / 2 + sum(s.count * _log_moment(s, tilt) for s in steps)


class Oracle:
    """A composition near one epsilon; ``log_delta`` is good within a few units of log delta around it."""

    def __init__(self, steps: Sequence[Sampled], near: float, mu_squared: float = 0.0) -> None:
        self.steps, self.mu_squared = list(steps), mu_squared

        def chernoff(log_tilt: float) -> float:
            c = math.exp(log_tilt)
            shape = c * math.log(c) - (1 + c) * math.log1p(c)
            return _cumulant(self.steps, mu_squared, c) - c * near + shape

        best = minimize_scalar(chernoff, bounds=(-6.0, 6.0), method="bounded", options={"xatol": 1e-2})
        centre, log_size = math.exp(best.x), min(best.fun, 0.0) - 8
        self.tilt = tilt = 0.7 * centre
        goal = log_size - _LOG_MISSING
        window = -goal / tilt
        rights = [_cumulant(self.steps, mu_squared, g) - g * near - goal for g in (1.5 * centre, 3 * centre)]
        window = max(
            window, min(r / (g - tilt) for r, g in zip(rights, (1.5 * centre, 3 * centre), strict=True))
        )
        self.spacing = 2 * math.pi / (1.1 * window)
        self.far = self._far(goal)
        self.terms = math.ceil(self.far / self.spacing) + 1
        self.top, self.logs = self._moments()

    def _far(self, goal: float) -> float:
        """A frequency from which on the characteristic function is below e^goal of its value at 0, by looking."""
        y = self.spacing * 4
        while y < 2e5 * self.spacing:
            if all(self._log_modulus(y * k) < -_LOG_MISSING for k in (1.0, 1.3, 1.7, 2.4)):
                return y
            y *= 1.25
        raise ArithmeticError("the characteristic function hardly decays: too few steps for this oracle")

    def _log_modulus(self, y: float) -> float:
        total = -0.5 * self.mu_squared * y * y
        for step in self.steps:
            low, high = step.ends(self.tilt)
            t = np.linspace(low, high, int((high - low) * (40 + 4 * y / step.sigma)) + 400)
            weight = np.exp(step.density(t, self.tilt) - step.density(t, self.tilt).max())
            value = abs(np.sum(weight * np.exp(1j * y * step.log_ratio(t)))) / weight.sum()
            total += step.count * math.log(max(value, 1e-14))
        return total

    def _moments(self) -> tuple[Any, list[Any]]:
        saved, ctx.prec = ctx.prec, BITS
        try:
            tilt, spacing, mu = exact(self.tilt), exact(self.spacing), exact(self.mu_squared)
            top = mu * tilt * (tilt + 1) / 2
            logs = [
                acb(-mu * (k * spacing) ** 2 / 2, mu * (tilt + arb(0.5)) * (k * spacing))
                for k in range(self.terms)
            ]
            for step in self.steps:
                scale, moments = self._one(step, tilt, spacing)
                top += step.count * scale
                logs = [a + step.count * m for a, m in zip(logs, moments, strict=True)]
            return top, logs
        finally:
            ctx.prec = saved

    def _one(self, step: Sampled, tilt: Any, spacing: Any) -> tuple[Any, list[Any]]:
        """log M(c), and log(M(c + i k spacing) / M(c))."""
        slope = step.mean / step.sigma
        strip = min(0.45 * math.pi / slope, 4.0)
        grown = strip**2 / 2 + 0.3 * (1 + self.tilt) + self.far * strip * slope
        h = exact(2 * math.pi * strip / (90 + grown + math.log(step.count)))
        low, high = step.ends(self.tilt)
        q, s, m = exact(step.rate), exact(step.sigma), exact(step.mean)
        first, last = math.floor(low / float(h)), math.ceil(high / float(h))
        weights, ratios = [], []
        for j in range(first, last + 1):
            t = h * j
            mixed = (1 + q * (t * m / s - m * m / (2 * s * s)).expm1()).log()
            power = 1 + tilt if step.present else -tilt
            weights.append((power * mixed - t * t / 2).exp())
            ratios.append(mixed if step.present else -mixed)
        total = sum(weights, arb(0))
        inner = math.isqrt(self.terms) + 1
        outer = -(-self.terms // inner)
        near = [[acb(0, k * spacing * r).exp() for r in ratios] for k in range(2)]
        far_step = [acb(0, inner * spacing * r).exp() for r in ratios]
        rows = [near[0]]
        for _ in range(inner - 1):
            rows.append([a * b for a, b in zip(rows[-1], near[1], strict=True)])
        columns = [[acb(w / total) for w in weights]]
        for _ in range(outer - 1):
            columns.append([a * b for a, b in zip(columns[-1], far_step, strict=True)])
        product = acb_mat(columns) * acb_mat(rows).transpose()
        moments = [product[k // inner, k % inner].log() for k in range(self.terms)]
        scale = (total * h / (2 * arb.pi()).sqrt()).log()
        return scale, moments

    def log_delta(self, epsilon: float) -> Any:
        """log delta as a ball (of the rounding alone: see MISSING)."""
        saved, ctx.prec = ctx.prec, BITS
        try:
            tilt, spacing, s = exact(self.tilt), exact(self.spacing), exact(epsilon)
            total = acb(0)
            for k, log in enumerate(self.logs):
                z = acb(tilt, k * spacing)
                term = (log - acb(0, s * k * spacing)).exp() / (z * (z + 1))
                total += term / 2 if k == 0 else term
            return self.top - tilt * s + (total.real * spacing / arb.pi()).log()
        finally:
            ctx.prec = saved


def holds(lower: float, upper: float, value: Any) -> bool:
    """Whether lower <= exp-free value <= upper, all of them logarithms, up to MISSING and the ball's radius."""
    room = exact(MISSING)
    return bool(exact(lower) < value + room) and bool(value - room < exact(upper))
