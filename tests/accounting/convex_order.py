"""Two-sided delta(epsilon) of a composition on a grid of losses, by direct convolution: no contour, no Fourier.

delta(e) = E_Q[(L - e^e)_+] with L = dP/dQ, so the order that matters is the convex order of L under Q.
upper  each cell's P- and Q-mass goes to the cell's two ends, keeping both (Doroshenko et al. 2022); mass above the grid
       goes to infinity, mass below it up to the bottom node.
lower  neighbouring masses are merged so that the merged ratio is a grid point, keeping both (a merge is a
       post-processing); what fits no node is rounded down in loss, or dropped.
Both are closed under composition. All entries are masses under P, positive, so direct convolution keeps their
relative accuracy: no tilt is needed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr


@dataclass(frozen=True)
class Step:
    """One Poisson-sampled step, record present under P (``direction`` 1) or under Q (-1)."""

    rate: float
    sigma: float
    direction: int = 1

    def threshold(self, loss: np.ndarray) -> np.ndarray:
        """t of that loss, on an axis on which it rises (+-inf where it is never reached)."""
        signed = self.direction * np.asarray(loss, dtype=np.float64)
        inside = np.expm1(signed) + self.rate
        with np.errstate(divide="ignore", invalid="ignore"):
            t = self.sigma * (np.log(inside) - math.log(self.rate)) + 1 / (2 * self.sigma)
        return self.direction * np.where(inside > 0, t, -np.inf)

    def masses(self, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """P- and Q-mass between neighbouring t."""
        plain, moved = _between(t), _between(t - self.direction / self.sigma)
        mixed = (1 - self.rate) * plain + self.rate * moved
        return (mixed, plain) if self.direction == 1 else (plain, mixed)


def _between(t: np.ndarray) -> np.ndarray:
    low, high = t[:-1], t[1:]
    value: np.ndarray = np.where(low > 0, ndtr(-low) - ndtr(-high), ndtr(high) - ndtr(low))
    return value


def _between_points(low: float, high: float) -> float:
    if low > 0:
        return 0.5 * (math.erfc(low / math.sqrt(2)) - math.erfc(high / math.sqrt(2)))
    return 0.5 * (math.erfc(-high / math.sqrt(2)) - math.erfc(-low / math.sqrt(2)))


@dataclass(frozen=True)
class Grid:
    """P-masses at losses h * (first + index), and at infinity."""

    h: float
    first: int
    masses: np.ndarray
    infinite: float

    def delta(self, epsilon: float) -> float:
        loss = self.h * (self.first + np.arange(len(self.masses)))
        gain = -np.expm1(np.minimum(epsilon - loss, 0.0))
        return float(self.masses @ gain) + self.infinite


def upper(step: Step, h: float, reach: float) -> Grid:
    """Connect the dots, on losses within [-reach, reach]."""
    count = math.ceil(reach / h)
    loss = h * np.arange(-count, count + 1)
    t = step.threshold(loss)
    p, q = step.masses(np.concatenate([[-np.inf], t, [np.inf]]))
    masses = np.zeros(len(loss))
    # b at the right end: b (e^right - e^left) = p - q e^left, in Q-mass
    right = np.clip(
        (p[1:-1] - q[1:-1] * np.exp(loss[:-1])) / (np.exp(loss[1:]) - np.exp(loss[:-1])), 0.0, q[1:-1]
    )
    masses[1:] += right * np.exp(loss[1:])
    masses[:-1] += np.maximum(p[1:-1] - right * np.exp(loss[1:]), 0.0)
    masses[0] += p[0]
    return Grid(h, -count, masses, float(p[-1]))


def lower(step: Step, h: float, reach: float) -> Grid:
    """Merged cells, each of a ratio on the grid."""
    count = math.ceil(reach / h)
    masses = np.zeros(2 * count + 1)
    shift = step.direction / step.sigma

    def pair(low: float, high: float) -> tuple[float, float]:
        plain, moved = _between_points(low, high), _between_points(low - shift, high - shift)
        mixed = (1 - step.rate) * plain + step.rate * moved
        return (mixed, plain) if step.direction == 1 else (plain, mixed)

    end = float(step.threshold(np.array([h * count]))[0])
    end = min(end, 40.0 + 1 / step.sigma)
    bottom = -40.0 - 1 / step.sigma
    start, place = bottom, -count
    if step.direction == -1:  # the loss falls without bound: what is below the grid is dropped
        start = max(bottom, float(step.threshold(np.array([-h * count]))[0]))
    else:
        place = max(place, math.floor(math.log1p(-step.rate) / h) + 1)
    while place < count:
        ratio = math.exp(h * place)
        low, high = max(start, float(step.threshold(np.array([h * place]))[0])), end
        p, q = pair(start, high)
        if not p > ratio * q:
            break
        for _ in range(60):
            middle = 0.5 * (low + high)
            p, q = pair(start, middle)
            low, high = (middle, high) if p <= ratio * q else (low, middle)
        masses[place + count] = pair(start, low)[0]
        start = low
        loss = _loss(step, start)
        place = max(place + 1, math.ceil(loss / h + 1e-9))
    masses[max(min(place - 1, count), -count) + count] += pair(start, 60.0 + 1 / step.sigma)[0]
    return Grid(h, -count, masses, 0.0)


def _loss(step: Step, t: float) -> float:
    x = step.direction * t / step.sigma - 1 / (2 * step.sigma**2)
    return step.direction * math.log1p(step.rate * math.expm1(x))


def compose(a: Grid, b: Grid, *, rising: bool, reach: float) -> Grid:
    """Losses add. ``rising``: masses beyond [-reach, reach] move up (to infinity, to the bottom), else down."""
    masses = np.convolve(a.masses, b.masses)
    first, count = a.first + b.first, math.ceil(reach / a.h)
    infinite = a.infinite + b.infinite
    if first < -count:
        below, masses, first = masses[: -count - first], masses[-count - first :], -count
        masses[0] += below.sum() if rising else 0.0
    if first + len(masses) - 1 > count:
        above, masses = masses[count - first + 1 :], masses[: count - first + 1]
        if rising:
            infinite += float(above.sum())
        else:
            masses[-1] += above.sum()
    return Grid(a.h, first, masses, infinite)


def power(one: Grid, count: int, *, rising: bool, reach: float) -> Grid:
    """``count`` times the same, by doubling."""
    whole: Grid | None = None
    while True:
        if count % 2:
            whole = one if whole is None else compose(whole, one, rising=rising, reach=reach)
        count //= 2
        if not count:
            assert whole is not None
            return whole
        one = compose(one, one, rising=rising, reach=reach)


def brackets(
    steps: list[tuple[Step, int]], epsilons: list[float], h: float, reach: float
) -> list[tuple[float, float]]:
    """(lower, upper) of delta at each epsilon; rounding is left to the caller (about 1e-11 relative)."""
    found = []
    for rising, make in ((False, lower), (True, upper)):
        whole: Grid | None = None
        for step, count in steps:
            part = power(make(step, h, reach), count, rising=rising, reach=reach)
            whole = part if whole is None else compose(whole, part, rising=rising, reach=reach)
        assert whole is not None
        found.append([whole.delta(e) for e in epsilons])
    return list(zip(*found, strict=True))
